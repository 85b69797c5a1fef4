"""Rendered pictures of invented people with 3D joints."""
