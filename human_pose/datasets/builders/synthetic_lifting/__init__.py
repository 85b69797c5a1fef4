"""Detections of invented people in four views with 3D joints."""
