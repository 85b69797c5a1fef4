"""Detectors of people in pictures, behind one protocol."""
