"""From recordings to 3D: common times of the views, and cameras refined by motion."""
