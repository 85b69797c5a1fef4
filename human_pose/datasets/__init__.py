"""Bytes on disk to arrays: pose files, Human3.6M, and the embedded synthetic data."""
