"""One image to a 3D pose: two-stage hourglass, volumetric heatmap, integral readout."""
