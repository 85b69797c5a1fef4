"""Training of a lifter on pose files."""
