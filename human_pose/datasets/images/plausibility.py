"""Whether the numbers of pictures could be what the layout says they are.

Joints in metres, about the hip or in another camera's frame, and boxes as x, y, width,
height, are numbers like any others: nothing fails, and every result is wrong. What
bodies' sizes say is looked at for each range; joints seen by the camera, beside those
in the picture, for a set.
"""

import os
from collections.abc import Mapping
from typing import Final

import numpy as np
from absl import logging

from human_pose.datasets.images.crop import WHOLE, to_picture
from human_pose.datasets.images.kept_index import NUMBERS
from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.files.errors import InputError
from human_pose.geometry.limits import MIN_BOX_PX
from human_pose.geometry.plausibility import implausible_size
from human_pose.geometry.skeletons import FLIP_ORDER_16

# Of samples with joints at depth 0 or behind: more than a few are of another frame.
_MOST_BEHIND: Final = 0.5
# Between the joints in the picture and those in 3D seen by the camera, px of the
# picture. A lens bends by less; boxes of another form are off by more.
_MOST_OFF_PX: Final = 0.1 * IMAGE_SIZE_PX
# Samples of a set that are looked at.
_MOST_COMPARED: Final = 1024
# Joints are kept so far in front of the camera where they are seen by it.
_NEAREST_MM: Final = 1.0


def check_bodies(where: str, joints_3d_mm: np.ndarray) -> None:
    """Refuses joints `[N, J, 3]` that are not mm in a camera's frame.

    Raises:
      InputError: that begins with `where`.
    """
    if not len(joints_3d_mm):
        return
    if wrong := implausible_size(joints_3d_mm):
        raise InputError(f"{where}: joints {wrong}")
    behind = float((joints_3d_mm[..., 2] <= 0).any(axis=-1).mean())
    if behind > _MOST_BEHIND:
        raise InputError(
            f"{where}: joints must be in the camera's frame, z forwards; in "
            f"{100 * behind:.0f} % of samples some are at depth 0 or behind it"
        )


def warn_of_misfit(
    root: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    squares: np.ndarray | None = None,
) -> None:
    """Warns if the numbers of a folder's samples do not fit each other.

    Args:
      root: the folder.
      arrays: `kept_index.NUMBERS` of N samples, of which some are looked at.
      squares: see `misfit`.
    """
    every = -(-len(arrays["box"]) // _MOST_COMPARED) or 1
    looked_at = None if squares is None else squares[::every]
    box, camera, seen, joints = (arrays[name][::every] for name in NUMBERS)
    if doubt := misfit(box, camera, seen, joints, looked_at):
        logging.warning("%s: %s", root, doubt)


def warn_of_leftovers(
    root: str | os.PathLike[str], squares: np.ndarray, sizes_px: np.ndarray
) -> None:
    """Warns if squares say that pictures of other sizes are of 224 px.

    So it is where pictures were stored anew, and their text files were not: the person
    is cut off, and the joints still fit boxes and cameras.

    Args:
      root: the folder.
      squares: `[N, 4]`, x1 y1 x2 y2, px of the stored pictures.
      sizes_px: `[N, 2]`, width and height of these.
    """
    left = (squares == np.array(WHOLE, squares.dtype)).all(axis=-1)
    left &= (sizes_px != IMAGE_SIZE_PX).any(axis=-1)
    if left.any():
        width_px, height_px = sizes_px[left][0]
        logging.warning(
            "%s: center_x, center_y and scale of %d of %d samples are 112 112 224, as "
            "of pictures of 224 px, but the first of these is %d x %d px: were they "
            "left as they are when pictures were stored anew?",
            root,
            left.sum(),
            len(left),
            width_px,
            height_px,
        )


def misfit(
    box: np.ndarray,
    camera: np.ndarray,
    joints_2d_px: np.ndarray,
    joints_3d_mm: np.ndarray,
    squares: np.ndarray | None = None,
) -> str:
    """What speaks against joints in pictures, boxes and cameras; "" for nothing.

    Args:
      box: `[N, 4]`, x1 y1 x2 y2, px of the frame.
      camera: `[N, 4]`, fx fy cx cy, px.
      joints_2d_px: `[N, 16, 2]`, px of the picture.
      joints_3d_mm: `[N, 16, 3]`, the camera's frame.
      squares: `[N, 4]`, x1 y1 x2 y2, px of the stored pictures, what the 224 px ones
        show; None if these are stored.
    """
    frame_px = _seen(joints_3d_mm, camera)

    def off_px(points_px: np.ndarray, frame_px: np.ndarray, box: np.ndarray) -> float:
        wide = (box[:, 2:] - box[:, :2] >= MIN_BOX_PX).all(axis=-1)
        if not wide.any():
            return np.inf
        picture_px = to_picture(frame_px[wide], box[wide, None])
        off = np.linalg.norm(picture_px - points_px[wide], axis=-1)
        return float(np.median(off))

    if not len(box) or (said := off_px(joints_2d_px, frame_px, box)) <= _MOST_OFF_PX:
        return ""
    corners = np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=-1)
    left, up = np.array([-1, 1, 1]), np.array([1, -1, 1])
    written_px = _of_files(joints_2d_px, squares)
    others = {
        "boxes seem to be x, y, width, height": (joints_2d_px, frame_px, corners),
        "joints seem to be px of the camera's frame": (
            to_picture(written_px, box[:, None]), frame_px, box,
        ),
        "joints seem to be shares of the picture": (
            IMAGE_SIZE_PX * written_px, frame_px, box,
        ),
        f"joints seem to be px of {IMAGE_SIZE_PX} px pictures already": (
            written_px, frame_px, box,
        ),
        "left and right seem to be exchanged": (
            joints_2d_px[:, list(FLIP_ORDER_16)], frame_px, box,
        ),
        "x of the camera's frame seems to point to the left": (
            joints_2d_px, _seen(left * joints_3d_mm, camera), box,
        ),
        "y of the camera's frame seems to point upwards": (
            joints_2d_px, _seen(up * joints_3d_mm, camera), box,
        ),
    }  # fmt: skip
    misfits = {word: off_px(*arrays) for word, arrays in others.items()}
    word, least = min(misfits.items(), key=lambda item: item[1])
    known = least <= _MOST_OFF_PX
    return (
        "joints in the pictures must be those in 3D, seen by the camera in the box; "
        f"in the median they are {said:.0f} px of {IMAGE_SIZE_PX} off: "
        + (f"{word} (then {least:.0f} px)" if known else "they may not belong together")
    )


def _of_files(joints_2d_px: np.ndarray, squares: np.ndarray | None) -> np.ndarray:
    """Joints of 224 px pictures as files have them; `crop.to_picture` turned round."""
    if squares is None:
        return joints_2d_px
    corner, end = squares[:, None, :2], squares[:, None, 2:]
    written: np.ndarray = corner + joints_2d_px * (end - corner) / IMAGE_SIZE_PX
    return written


def _seen(joints_3d_mm: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """By pinholes, px of the frame."""
    depth = np.maximum(joints_3d_mm[..., 2:], _NEAREST_MM)
    focal, centre = camera[:, None, :2], camera[:, None, 2:]
    seen: np.ndarray = joints_3d_mm[..., :2] / depth * focal + centre
    return seen
