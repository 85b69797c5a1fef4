"""Detections of Human3.6M in four views with 3D joints."""
