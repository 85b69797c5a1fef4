"""Poses found in pictures, as tables, and many of them as arrays."""

import csv
import os

from human_pose.files.paths import atomic
from human_pose.geometry.skeletons import JOINT_NAMES_16
from human_pose.i1.sample import Sample


def write_joints(sample: Sample, path: str | os.PathLike[str]) -> None:
    """Writes the joints as a table: name, picture px, and mm from the root.

    Raises:
      InputError: if the file cannot be written.
    """
    head = ("joint", "x_px", "y_px", "x_mm", "y_mm", "z_mm")
    with (
        atomic(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(head)
        for name, px, mm in zip(
            JOINT_NAMES_16, sample.joints_2d_px, sample.relative_mm, strict=True
        ):
            writer.writerow([name, *(f"{x:.2f}" for x in (*px, *mm))])


def table(sample: Sample) -> str:
    """The joints in words: mm from the root, x right, y down, z away."""
    width = max(map(len, JOINT_NAMES_16))
    lines = [f"{'mm from the root':{width}}{'x':>9}{'y':>9}{'z':>9}"]
    for name, joint in zip(JOINT_NAMES_16, sample.relative_mm, strict=True):
        lines.append(f"{name:{width}}" + "".join(f"{x:9.1f}" for x in joint))
    return "\n".join(lines)
