"""Training of the image network, stage after stage."""
