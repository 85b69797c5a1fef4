"""Errors of the image network on test samples, its report and pictures."""
