"""The files of one rendered picture, as `human_pose.datasets.images` reads them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from human_pose.datasets.images import writing
from human_pose.datasets.protocol import IMAGE_ACTIONS, TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.datasets.rendered.picture import SIZE_PX
from human_pose.datasets.rendered.shots import Shot
from human_pose.geometry.skeletons import JOINT_NAMES_16, JOINT_NAMES_32, VIEW_NAMES

# Human3.6M's numbers: 1 is the empty room, 2 is Directions.
_FIRST_ACTION: Final = 2

# Disk against time; PNG is lossless at any level.
_COMPRESSION: Final = 4


def write_shot(
    root: str | os.PathLike[str],
    index: int,
    subject: int,
    action: str,
    number: int,
    shot: Shot,
) -> None:
    """Writes everything about one picture.

    Args:
      root: the folder; it has the `FOLDERS`.
      index: the picture's.
      subject: who.
      action: does what, one of `IMAGE_ACTIONS`.
      number: which moment of these.
      shot: the picture and its truth.
    """
    video = f"S{subject} {action}.{VIEW_NAMES[shot.view]}"
    info = (
        *(video, IMAGE_ACTIONS.index(action) + _FIRST_ACTION, action),
        *(number + 1, shot.view + 1, shot.frame + 1, video),
    )
    texts = {
        "bbx_all_new": writing.numbers(shot.box_px, "{:.0f}"),
        "camera_all": _camera(shot),
        "center_x": f"{SIZE_PX / 2:.1f}",
        "center_y": f"{SIZE_PX / 2:.1f}",
        "scale": f"{SIZE_PX:.1f}",
        "gt_joint_2d_raw_new": writing.rows(shot.joints_2d_px),
        "gt_joint_3d_mono_raw": writing.rows(shot.joints_3d_mm),
        "image_path_file": f"images/{index}.png",
        "info_all": "\n".join(map(str, info)),
    }
    for folder, text in texts.items():
        (Path(root) / folder / f"{index}.txt").write_text(text + "\n")
    picture = Image.fromarray(shot.picture)
    picture.save(Path(root) / "images" / f"{index}.png", compress_level=_COMPRESSION)


def readme(count: int, seed: int, hard: Sequence[str] = ()) -> str:
    """What stands in the folder's README.md, of what a recipe has."""
    used = ", ".join(JOINT_NAMES_16)
    chosen = f", hard={tuple(hard)}" if hard else ""
    return _README.format(
        count=count,
        recipe=f"Recipe(count={count}, seed={seed}{chosen})",
        harder=_HARDER.format(kinds=", ".join(hard)) if hard else "",
        train=", ".join(map(str, TRAIN_SUBJECTS)),
        test=" and ".join(map(str, TEST_SUBJECTS)),
        joints=", ".join(JOINT_NAMES_32),
        used=used,
    )


def _camera(shot: Shot) -> str:
    camera = shot.camera
    fields = {
        "R": camera.rotation.ravel(),
        "T": camera.position_mm,
        "f": camera.focal_px,
        "c": camera.centre_px,
        "k": np.zeros(3),
        "p": np.zeros(2),
    }
    return "\n".join(f"{k}: {writing.numbers(v, '{:.9f}')}" for k, v in fields.items())


_HARDER: Final = """
Some of the pictures are hard: {kinds}.
Joints are where they are, seen or not.
"""

_README: Final = """\
# Rendered pictures of invented people

{count} pictures, 224 x 224 px RGB, made by

    human_pose.datasets.rendered.generate(folder, {recipe})

Subjects {train} are for training, {test} for tests; they differ in body, and
each has four cameras of its own. Nobody was recorded or photographed; bodies, motions
and pictures are this project's own, under its licence (Apache-2.0).
{harder}
`<i>.txt` in each folder is about picture i; `index_range/S1_Directions_range.txt` holds
the first and last picture (inclusive) of a subject's action.

- `bbx_all_new`: x1 y1 x2 y2, the square of the camera's 1000 x 1002 px frame that is
  shown; it may reach beyond the frame
- `camera_all`: `R:` rotation by rows, `T:` the camera's centre (world mm, z up):
  Xc = R (Xw - T); `f:` focal lengths and `c:` principal point (px); `k:` and `p:`, the
  lens distortion, are 0
- `center_x`, `center_y`, `scale`: 112, 112, 224, the same for all
- `gt_joint_2d_raw_new`: 32 rows x y, px of the picture; (0, 0) is the middle of its
  first pixel
- `gt_joint_3d_mono_raw`: 32 rows X Y Z, mm, camera frame (x right, y down, z forward),
  absolute
- `image_path_file`: the picture's path
- `info_all`: video, action's number, action, moment, camera, frame, video

A point projects to f (X, Y) / Z + c in the camera's frame, and from there to
224 (x - x1) / (x2 - x1) in the picture.

The 32 joints: {joints}.

The image network's 16 of them: {used}.
"""
