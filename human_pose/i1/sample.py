"""Pictures of one person each to 3D poses.

Any picture will do, and nothing need be known of its camera (`viewpoint`).
"""

import csv
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic
from human_pose.geometry.skeletons import JOINT_NAMES_16
from human_pose.i1 import codec, viewpoint
from human_pose.i1.config import Readout
from human_pose.i1.input.picture import (
    Four,
    Picture,
    crop,
    is_path,
    pixels_of,
    square_about,
    whole_box,
)
from human_pose.i1.network.hourglass import PoseNetwork
from human_pose.i1.readout import check_readout, pose_mm, positions

# What `find_poses` may be told of each.
_KNOWN: Final = ("boxes", "cameras", "root_depths_mm")


@dataclass(frozen=True)
class Sample:
    """A picture and the pose found in it.

    Attributes:
      image: `[S, S, 3]`, what the network saw.
      heatmap: float32 `[H, W, 16]`.
      heatmap2: float32 `[H, W, 16, D]`.
      joints_2d: `[16, 2]`, [0, 1] across `image`.
      joints_2d_px: `[16, 2]`, px of the picture.
      joints_3d_mm: `[16, 3]`, camera frame.
      camera: fx, fy, cx, cy, px, given or assumed.
      root_depth_mm: of the hip, likewise.
    """

    image: np.ndarray
    heatmap: np.ndarray
    heatmap2: np.ndarray
    joints_2d: np.ndarray
    joints_2d_px: np.ndarray
    joints_3d_mm: np.ndarray
    camera: tuple[float, float, float, float]
    root_depth_mm: float

    @property
    def relative_mm(self) -> np.ndarray:
        """`[16, 3]`, from the root joint."""
        return self.joints_3d_mm - self.joints_3d_mm[:1]


@dataclass(frozen=True)
class _Shown:
    """A picture as the network sees it, and from where it was taken."""

    name: str
    image: tf.Tensor
    box: tuple[int, int, int, int]
    view: viewpoint.Viewpoint


def find_pose(
    network: PoseNetwork,
    picture: Picture,
    *,
    box: Four | None = None,
    camera: Four | None = None,
    root_depth_mm: float | None = None,
    readout: Readout = "integral",
) -> Sample:
    """Finds the pose of the person in a picture.

    Args:
      network: made by `build_network`, or loaded.
      picture: a file (`media.pictures`), or uint8 `[H, W, 3]`, red first.
      box: of the person, x1 y1 x2 y2 px; None takes the square about the picture.
      camera: fx fy cx cy px; None takes what the box means (`viewpoint`).
      root_depth_mm: of the hip from the camera; None likewise.
      readout: "integral" or "argmax".

    Raises:
      InputError: naming the file or argument and the rule.
      FloatingPointError: naming the network and the picture, if the pose is not finite.
    """
    check_readout(readout)
    name = os.fspath(picture) if is_path(picture) else "the picture"
    shown = _shown(network, picture, name, box, camera, root_depth_mm)
    return _read(network, [shown], readout)[0]


def find_poses(
    network: PoseNetwork,
    pictures: Iterable[Picture],
    *,
    boxes: Iterable[Four | None] | None = None,
    cameras: Iterable[Four | None] | None = None,
    root_depths_mm: Iterable[float | None] | None = None,
    readout: Readout = "integral",
    batch_size: int = 8,
) -> Iterator[Sample]:
    """Finds the poses in many pictures, several at once; each is read when it is due.

    A network with "moving" statistics finds what `find_pose` finds in each, within
    rounding. One with those of the "batch" normalises pictures by each other: results
    depend on which ones go together, and neighbours of a video, which are alike, are
    served worse than a mixed batch (`batch_size=1` gives what `find_pose` gives).

    Args:
      network: see `find_pose`.
      pictures: see `find_pose`; of one size or of several.
      boxes: one for each picture, and so are the others: see `find_pose`. One camera
        for all is `itertools.repeat(camera)`.
      cameras: see `boxes`.
      root_depths_mm: see `boxes`.
      readout: see `find_pose`.
      batch_size: pictures at once.

    Yields:
      As many as there are pictures, in their order.

    Raises:
      InputError: naming the picture's number, from 0, and what is wrong.
      FloatingPointError: likewise, if a pose is not finite.
    """
    check_readout(readout)
    check_whole("batch_size", batch_size, 1)
    known = [
        itertools.repeat(None) if values is None else iter(values)
        for values in (boxes, cameras, root_depths_mm)
    ]
    return _found(network, pictures, known, readout, batch_size)


def _found(
    network: PoseNetwork,
    pictures: Iterable[Picture],
    known: Sequence[Iterator[Any]],
    chosen: Readout,
    batch_size: int,
) -> Iterator[Sample]:
    shown = (
        _numbered(network, number, picture, known)
        for number, picture in enumerate(pictures)
    )
    while batch := list(itertools.islice(shown, batch_size)):
        yield from _read(network, batch, chosen)


def _numbered(
    network: PoseNetwork, number: int, picture: Picture, known: Sequence[Iterator[Any]]
) -> _Shown:
    name = f"picture {number}"
    values = []
    for argument, left in zip(_KNOWN, known, strict=True):
        try:
            values.append(next(left))
        except StopIteration:
            raise InputError(
                argument, f"must hold one for each picture; there is none for {name}"
            ) from None
    try:
        return _shown(network, picture, name, *values)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _shown(
    network: PoseNetwork,
    picture: Picture,
    name: str,
    box: Four | None,
    camera: Four | None,
    root_depth_mm: float | None,
) -> _Shown:
    """Reads a picture and takes the person out of it."""
    pixels = pixels_of(picture)
    height, width = pixels.shape[:2]
    chosen = square_about(width, height) if box is None else box
    whole = whole_box(viewpoint.four_numbers("box", chosen), width, height)
    view = viewpoint.complete(camera, root_depth_mm, whole, width, height)
    return _Shown(name, crop(pixels, whole, network.input_size), whole, view)


def _read(
    network: PoseNetwork, batch: Sequence[_Shown], chosen: Readout
) -> list[Sample]:
    """The poses that the network finds, of one batch."""
    outputs = network(tf.stack([shown.image for shown in batch]), training=False)
    heatmap, heatmap2 = (outputs[name].numpy() for name in ("heatmap", "heatmap2"))
    position = positions(outputs["heatmap2"], network.depth_bins, chosen)
    views = [shown.view for shown in batch]
    known: Mapping[str, Any] = {
        "z_mm": tf.constant([[view.root_depth_mm] for view in views], tf.float32),
        "box": tf.constant([shown.box for shown in batch], tf.float32),
        "camera": tf.constant([view.camera for view in views], tf.float32),
    }
    joints_3d_mm = pose_mm(position, known).numpy()
    frame_px = codec.to_frame_px(position[..., :2], known["box"]).numpy()
    for shown, joints in zip(batch, joints_3d_mm, strict=True):
        if not np.isfinite(joints).all():
            raise FloatingPointError(
                f"{network.name} finds no finite pose in {shown.name}"
            )
    *volume, _ = heatmap2.shape[1:]
    return [
        Sample(
            image=shown.image.numpy(),
            heatmap=heatmap[row],
            heatmap2=heatmap2[row].reshape(*volume, -1, network.depth_bins),
            joints_2d=position[row, :, :2].numpy(),
            joints_2d_px=frame_px[row],
            joints_3d_mm=joints_3d_mm[row],
            camera=shown.view.camera,
            root_depth_mm=shown.view.root_depth_mm,
        )
        for row, shown in enumerate(batch)
    ]


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
