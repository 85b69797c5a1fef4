"""Training of a pipeline: network and energy together, or apart."""
