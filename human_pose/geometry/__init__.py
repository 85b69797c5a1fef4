"""Skeletons, cameras and measures of poses: arrays in, arrays out."""
