"""Human3.6M as the original project used it: archive, file names, pose files."""
