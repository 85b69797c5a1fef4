"""Caffe's weights."""
