"""From videos to 3D motion: detectors, common time, and the calibrated lifter."""
