"""Detections of any format that `exchange` reads."""
