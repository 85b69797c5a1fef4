"""Poses found in pictures, as tables, and many of them as arrays."""

import csv
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.files.errors import InputError
from human_pose.files.npz import listed_texts, read_npz, write_npz
from human_pose.files.paths import atomic
from human_pose.geometry.skeletons import JOINT_NAMES_16
from human_pose.i1.sample import Sample
from human_pose.runs.naming import whole

_POSES: Final = "poses"


@dataclass
class Poses:
    """Poses found in many pictures, to be written as one file.

    Attributes:
      names: of each one's results.
      files: where each was found.
      samples: what was found, without what the network saw.
      further: numbers of each, by what they are, such as the frames of a video.
      boxes_found_by: what found the boxes; empty where they were given.
    """

    names: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    further: dict[str, list[Any]] = field(default_factory=dict)
    boxes_found_by: str = ""

    def __len__(self) -> int:
        return len(self.names)

    def add(
        self,
        name: str,
        file: str | os.PathLike[str],
        sample: Sample,
        **further: float,
    ) -> None:
        """Adds a pose."""
        self.names.append(name)
        self.files.append(str(whole(file)))
        self.samples.append(
            {
                "boxes": sample.box,
                "cameras": sample.camera,
                "root_depths_mm": sample.root_depth_mm,
                "joints_2d_px": sample.joints_2d_px,
                "joints_3d_mm": sample.joints_3d_mm,
                "relative_mm": sample.relative_mm,
            }
        )
        for key, value in further.items():
            self.further.setdefault(key, []).append(value)

    def arrays(self) -> dict[str, Any]:
        """The arrays that are written, of N poses.

        `names` and `files` of the pictures, and `joints`, text `[N]` and `[16]`;
        `boxes` `[N, 4]` x1 y1 x2 y2 and `joints_2d_px` `[N, 16, 2]`, px of the upright
        picture; `joints_3d_mm` `[N, 16, 3]`, camera frame; `relative_mm`, the same from
        the hip; `cameras` `[N, 4]` fx fy cx cy, px, and `root_depths_mm` `[N]`, given
        or assumed; the text `boxes_found_by` where something found them; and what is
        `further`.
        """
        numbers = {
            key: np.array([one[key] for one in self.samples], np.float32)
            for key in self.samples[0]
        }
        texts: dict[str, Any] = {
            "names": self.names,
            "files": self.files,
            "joints": JOINT_NAMES_16,
        }
        if self.boxes_found_by:
            texts["boxes_found_by"] = self.boxes_found_by
        return texts | numbers | self.further


def write_poses(poses: Poses, folder: str | os.PathLike[str]) -> Path:
    """Writes poses as `poses.npz`, which replaces one of the same pictures, or of some.

    Where another call's is, it becomes `poses_<number>.npz`, the number following from
    the files.

    Returns:
      Where it is.

    Raises:
      InputError: if it cannot be written.
    """
    path = Path(folder) / f"{_POSES}.npz"
    others = set(_owners(path).values()) if path.exists() else set()
    if path.exists() and (not others or others - set(poses.files)):
        number = zlib.crc32(os.fsencode("\n".join(dict.fromkeys(poses.files))))
        path = path.with_name(f"{_POSES}_{number:08x}.npz")
    write_npz(path, poses.arrays())
    return path


def owners(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Whose the results in a folder are, by their names, as their `poses*.npz` say."""
    found: dict[str, str] = {}
    for path in sorted(Path(folder).glob(f"{_POSES}*.npz")):
        found |= _owners(path)
    return found


def _owners(path: Path) -> Mapping[str, str]:
    try:
        texts = read_npz(path, {}, {"names": ("N",), "files": ("N",)})
        names, files = (listed_texts(str(path), texts[key]) for key in texts)
    except InputError:  # somebody else's
        return {}
    return dict(zip(names, files, strict=True))


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
