"""The original's layout on disk: nine folders with a small text file per sample.

Numbers are separated by any white space; lines mean nothing. `<i>.txt` is sample i:

    bbx_all_new            x1 y1 x2 y2, px of the raw camera frame
    camera_all             `R:` 9 numbers, `T:` 3, `f:` 2, `c:` 2, `k:` 3, `p:` 2
    center_x, center_y     the centre of the square that shows the person, px of the
                           stored picture: 112.0 of one of 224 px that is shown whole
    scale                  the side of that square, px of the stored picture: 224.0
    gt_joint_2d_raw_new    32 joints, x y, px of the stored picture
    gt_joint_3d_mono_raw   32 joints, x y z, mm, camera frame
    image_path_file        the picture's path; only its last part counts here
    info_all               video, action number, action, take, camera, frame, video

`images/` holds the pictures, PNG or JPEG of any size. (0, 0) is the middle of a
picture's first pixel. The square is what `bbx_all_new` is in the camera's frame; it is
resized to the 224 px that everybody else knows, and joints are mapped into these.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from human_pose.datasets.images.crop import check_shown, to_picture
from human_pose.datasets.images.text_numbers import (
    STORED,
    numbers_of,
    read_numbers,
    within,
)
from human_pose.files.errors import InputError
from human_pose.files.paths import read_text
from human_pose.geometry.cameras import Camera
from human_pose.geometry.limits import (
    FOCAL_LENGTHS_PX,
    MAX_COORDINATE_MM,
    MAX_COORDINATE_PX,
    MIN_BOX_PX,
)
from human_pose.geometry.skeletons import JOINTS_32

TEXT_FOLDERS: Final = (
    "bbx_all_new",
    "camera_all",
    "center_x",
    "center_y",
    "scale",
    "gt_joint_2d_raw_new",
    "gt_joint_3d_mono_raw",
    "image_path_file",
    "info_all",
)

_CAMERA_FIELDS: Final = {"R": 9, "T": 3, "f": 2, "c": 2, "k": 3, "p": 2}


@dataclass(frozen=True)
class CameraFile:
    """One file of `camera_all`, float32; Xc = R (Xw - T).

    Attributes:
      rotation: `[3, 3]`.
      centre_mm: `[3]`, the camera's centre in the world.
      focal_px: `[2]`, x and y.
      principal_px: `[2]`, x and y.
      radial: `[3]`, k1 k2 k3; tangential: `[2]`, p1 p2: the lens distortion, which
        neither the network nor its original uses.
    """

    rotation: np.ndarray
    centre_mm: np.ndarray
    focal_px: np.ndarray
    principal_px: np.ndarray
    radial: np.ndarray
    tangential: np.ndarray

    def camera(self) -> Camera:
        """The camera with its lens.

        Raises:
          ValueError: if the nine numbers of `R:` are no rotation.
        """
        return Camera.at(
            self.centre_mm,
            self.rotation,
            focal_px=self.focal_px,
            centre_px=self.principal_px,
            radial=self.radial.tolist(),
            tangential=self.tangential.tolist(),
        )


@dataclass(frozen=True)
class InfoFile:
    """One file of `info_all`."""

    video: str
    action_number: int
    action: str
    subaction: int
    camera: int
    frame: int


@dataclass(frozen=True)
class Sample:
    """What the text files say about one sample, float32.

    Attributes:
      box: `[4]` x1 y1 x2 y2, px of the raw camera frame.
      camera: `[4]` fx fy cx cy, px.
      joints_2d_px: `[32, 2]`, px of the 224 px picture.
      joints_3d_mm: `[32, 3]`, camera frame.
      image: the picture's path.
      square: `[4]` x1 y1 x2 y2, px of the stored picture: what the 224 px one shows.
    """

    box: np.ndarray
    camera: np.ndarray
    joints_2d_px: np.ndarray
    joints_3d_mm: np.ndarray
    image: Path
    square: np.ndarray


def text_path(root: str | os.PathLike[str], folder: str, index: int) -> Path:
    """The file of one sample in one folder."""
    return Path(root) / folder / f"{index}.txt"


def read_box(path: str | os.PathLike[str]) -> np.ndarray:
    """A file of `bbx_all_new`: float32 `[4]` x1 y1 x2 y2.

    Raises:
      InputError: as `read_numbers`, or if a number is beyond `MAX_COORDINATE_PX` or a
        side below `MIN_BOX_PX`.
    """
    box = within(path, read_numbers(path, 4, STORED), MAX_COORDINATE_PX, "px")
    if np.min(box[2:] - box[:2]) < MIN_BOX_PX:
        values = " ".join(f"{value:g}" for value in box)
        raise InputError(
            f"{path}: the box x1 y1 x2 y2 must have x1 < x2 and y1 < y2, at least "
            f"{MIN_BOX_PX:g} px apart; received {values}"
        )
    return box


def read_square(root: str | os.PathLike[str], index: int) -> np.ndarray:
    """A sample's files of `center_x`, `center_y` and `scale`.

    Returns:
      float32 `[4]` x1 y1 x2 y2, px of the stored picture, which it may leave.

    Raises:
      InputError: as `read_numbers`, or if a number is beyond `MAX_COORDINATE_PX` or the
        side below `MIN_BOX_PX`.
    """

    def number(folder: str) -> np.ndarray:
        path = text_path(root, folder, index)
        return within(path, read_numbers(path, 1), MAX_COORDINATE_PX, "px")

    centre = np.concatenate([number("center_x"), number("center_y")])
    (side,) = number("scale")
    if side < MIN_BOX_PX:
        raise InputError(
            f"{text_path(root, 'scale', index)}: must be the side of the square that "
            f"shows the person, at least {MIN_BOX_PX:g} px; received {side:g}"
        )
    square: np.ndarray = np.concatenate([centre - side / 2, centre + side / 2])
    return square.astype(STORED)


def read_joints(path: str | os.PathLike[str], axes: Literal[2, 3]) -> np.ndarray:
    """A file of joints, float32 `[32, axes]`: px of the stored picture, or mm.

    Raises:
      InputError: as `read_numbers`, or if a number is beyond `MAX_COORDINATE_PX` or
        `MAX_COORDINATE_MM`.
    """
    joints = read_numbers(path, JOINTS_32 * axes, STORED).reshape(JOINTS_32, axes)
    if axes == 2:
        return within(path, joints, MAX_COORDINATE_PX, "px")
    return within(path, joints, MAX_COORDINATE_MM, "mm")


def read_camera(path: str | os.PathLike[str]) -> CameraFile:
    """A file of `camera_all`.

    Raises:
      InputError: naming the file and the field that is missing, has another count of
        numbers, or is a focal length or centre that no camera has (`limits`).
    """
    words = read_text(path).replace(":", ": ").split()
    fields: dict[str, list[str]] = {}
    current: list[str] | None = None
    for word in words:
        if word.endswith(":"):
            current = fields.setdefault(word[:-1], [])
        elif current is None:
            raise InputError(
                f"{path}: must begin with a field like `R:`; received {word!r}"
            )
        else:
            current.append(word)
    values = {}
    for name, count in _CAMERA_FIELDS.items():
        if not fields.get(name):
            meaning = " (the focal length)" if name == "f" else ""
            raise InputError(
                f"{path}: must have `{name}:`{meaning} and {count} numbers"
            )
        values[name] = numbers_of(path, fields[name], count, STORED, f"`{name}:` ")
    shortest, longest = FOCAL_LENGTHS_PX
    if not np.all((values["f"] >= shortest) & (values["f"] <= longest)):
        raise InputError(
            f"{path}: `f:` must be two focal lengths from {shortest:.0f} to "
            f"{longest:.0f} px; received {values['f'][0]:.7g} {values['f'][1]:.7g}"
        )
    within(path, values["c"], MAX_COORDINATE_PX, "px", "`c:` ")
    return CameraFile(
        values["R"].reshape(3, 3), *(values[name] for name in ("T", "f", "c", "k", "p"))
    )


def read_info(path: str | os.PathLike[str]) -> InfoFile:
    """A file of `info_all`: seven lines, the last a repetition of the first.

    Raises:
      InputError: naming the file, if there are not seven lines or those that should be
        whole numbers are not.
    """
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if len(lines) != 7:
        raise InputError(f"{path}: must have 7 lines; received {len(lines)}")
    try:
        action_number, subaction, camera, frame = (int(lines[i]) for i in (1, 3, 4, 5))
    except ValueError:
        raise InputError(f"{path}: lines 2, 4, 5, 6 must be whole numbers") from None
    return InfoFile(lines[0], action_number, lines[2], subaction, camera, frame)


def read_image_path(path: str | os.PathLike[str], root: str | os.PathLike[str]) -> Path:
    r"""The picture that a file of `image_path_file` names, under `<root>/images`.

    The original's paths are of the machine that made them (`E:\frame_images\20.png`);
    their last part is the name here.

    Raises:
      InputError: naming the file, if it is empty, has more than one line, or a NUL,
        which no path has.
    """
    lines = read_text(path).strip().splitlines()
    if len(lines) != 1:
        raise InputError(f"{path}: must be one line with a path; received {len(lines)}")
    if "\0" in lines[0]:
        raise InputError(f"{path}: must be a path without NUL; received {lines[0]!r}")
    return Path(root) / "images" / re.split(r"[\\/]", lines[0].strip())[-1]


def read_sample(root: str | os.PathLike[str], index: int) -> Sample:
    """Reads and checks every file of a sample, the picture included.

    Raises:
      InputError: for the first file that breaks a rule.
    """
    sample = read_texts(root, index)
    check_shown(sample.image, sample.square)
    return sample


def read_texts(root: str | os.PathLike[str], index: int) -> Sample:
    """Reads and checks the text files of a sample; its picture may not be there.

    Raises:
      InputError: for the first file that breaks a rule.
    """

    def at(folder: str) -> Path:
        return text_path(root, folder, index)

    box = read_box(at("bbx_all_new"))
    camera = read_camera(at("camera_all"))
    square = read_square(root, index)
    path = at("gt_joint_2d_raw_new")
    # Double precision gives single back where the square is a whole picture of 224 px.
    shown = to_picture(
        read_joints(path, 2).astype(np.float64), square.astype(np.float64)
    )
    joints_2d = within(
        path, shown.astype(STORED), MAX_COORDINATE_PX, "px of the 224 px picture"
    )
    joints_3d = read_joints(at("gt_joint_3d_mono_raw"), 3)
    image = read_image_path(at("image_path_file"), root)
    read_info(at("info_all"))
    return Sample(
        box,
        np.concatenate([camera.focal_px, camera.principal_px]),
        joints_2d,
        joints_3d,
        image,
        square,
    )
