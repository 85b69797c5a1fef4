"""Files of other tools: detections, calibrations and motion, read and written.

Everything that is read becomes a `Recording`, cameras or a `Motion`, and everything
that is written starts from one of these: N readers and M writers, never N x M of them.
"""
