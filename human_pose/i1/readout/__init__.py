"""From heatmaps to joints and poses."""

from human_pose.i1.readout.poses import (
    PUBLISHED,
    READOUTS,
    STANDARD,
    Decoding,
    Readout,
    check_readout,
    label_pose_mm,
    pose_mm,
    positions,
)

__all__ = [
    "PUBLISHED",
    "READOUTS",
    "STANDARD",
    "Decoding",
    "Readout",
    "check_readout",
    "label_pose_mm",
    "pose_mm",
    "positions",
]
