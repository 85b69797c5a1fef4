"""Training of a calibrated lifter's weights on a recording whose motion is known."""
