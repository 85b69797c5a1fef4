"""Errors of a lifter on test frames, its report and pictures."""
