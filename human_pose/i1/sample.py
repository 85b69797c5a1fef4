"""Pictures of one person each to 3D poses.

Any picture will do, and nothing need be known of its camera (`viewpoint`).
"""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError
from human_pose.i1 import codec, viewpoint
from human_pose.i1.config import Readout
from human_pose.i1.input.picture import (
    Four,
    Picture,
    cut_out,
    is_path,
    joints_box,
    network_inputs,
    pixels_of,
    square_about,
    whole_box,
)
from human_pose.i1.network.hourglass import PoseNetwork
from human_pose.i1.readout import check_readout, pose_mm, positions
from human_pose.media.ahead import in_order

# What `find_poses` may be told of each.
_KNOWN: Final = ("boxes", "cameras", "root_depths_mm")
_MOST_READERS: Final = 8

Error = InputError | FloatingPointError


@dataclass(frozen=True)
class Sample:
    """A picture and the pose found in it.

    Attributes:
      image: `[S, S, 3]`, what the network saw.
      heatmap: float32 `[H, W, 16]`.
      heatmap2: float32 `[H, W, 16, D]`.
      joints_2d: `[16, 2]`, [0, 1] across `image`.
      joints_2d_px: `[16, 2]`, px of the picture; (0, 0) is the middle of its first.
      joints_3d_mm: `[16, 3]`, camera frame.
      box: x1, y1, x2, y2, px of the picture, what was cut out.
      camera: fx, fy, cx, cy, px, given or assumed.
      root_depth_mm: of the hip, likewise.
    """

    image: np.ndarray
    heatmap: np.ndarray
    heatmap2: np.ndarray
    joints_2d: np.ndarray
    joints_2d_px: np.ndarray
    joints_3d_mm: np.ndarray
    box: tuple[int, int, int, int]
    camera: tuple[float, float, float, float]
    root_depth_mm: float

    @property
    def relative_mm(self) -> np.ndarray:
        """`[16, 3]`, from the root joint."""
        return self.joints_3d_mm - self.joints_3d_mm[:1]


@dataclass(frozen=True)
class _Asked:
    """A picture to be read, what is known of it, and how errors call it."""

    name: str
    picture: Picture
    box: Four | None
    camera: Four | None
    root_depth_mm: float | None


@dataclass(frozen=True)
class _Shown:
    """A person cut out of a picture, and from where."""

    name: str
    cut_out: tf.Tensor
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
      FloatingPointError: naming the network and the picture, if the pose, or what it is
        read from, is not finite.
    """
    check_readout(readout)
    name = os.fspath(picture) if is_path(picture) else "the picture"
    shown = _shown(_Asked(name, picture, box, camera, root_depth_mm))
    (found,) = _read(network, [shown], readout)
    return _good(found)


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
    options = (boxes, cameras, root_depths_mm)
    found = try_poses(network, pictures, *options, readout, batch_size)
    return (_good(one, number) for number, one in enumerate(found))


def try_poses(
    network: PoseNetwork,
    pictures: Iterable[Picture],
    boxes: Iterable[Four | None] | None = None,
    cameras: Iterable[Four | None] | None = None,
    root_depths_mm: Iterable[float | None] | None = None,
    readout: Readout = "integral",
    batch_size: int = 8,
) -> Iterator[Sample | Error]:
    """As `find_poses`, but a picture without a pose loses none of the others.

    Args:
      network: see `find_poses`, and so are the others.
      pictures: see `find_poses`.
      boxes: see `find_poses`.
      cameras: see `find_poses`.
      root_depths_mm: see `find_poses`.
      readout: see `find_poses`.
      batch_size: see `find_poses`.

    Yields:
      For each picture what was found, or why nothing was.

    Raises:
      InputError: for an argument that is wrong whatever the pictures are.
    """
    check_readout(readout)
    check_whole("batch_size", batch_size, 1)
    given = (boxes, cameras, root_depths_mm)
    for argument, values in zip(_KNOWN, given, strict=True):
        # Of pictures that somebody has sorted out, say, which moves all behind them.
        if isinstance(pictures, Sized) and isinstance(values, Sized):
            if len(values) > len(pictures):
                rule = f"must hold one for each of {len(pictures)} pictures"
                raise InputError(argument, rule, len(values))
    known = [
        itertools.repeat(None) if values is None else iter(values) for values in given
    ]
    return _found(network, _asked(pictures, known), readout, batch_size)


def _good(found: Sample | Error, number: int | None = None) -> Sample:
    """What was found; raises why nothing was, with the picture's number."""
    if isinstance(found, Sample):
        return found
    if number is None or isinstance(found, FloatingPointError):
        raise found
    raise InputError(f"picture {number}: {found}") from None


def _found(
    network: PoseNetwork, asked: Iterable[_Asked], chosen: Readout, batch_size: int
) -> Iterator[Sample | Error]:
    workers = min(os.cpu_count() or 1, _MOST_READERS)
    prepared = in_order(_tried, asked, workers=workers, waiting=batch_size + workers)
    while batch := list(itertools.islice(prepared, batch_size)):
        shown = [one for one in batch if isinstance(one, _Shown)]
        found = iter(_read(network, shown, chosen, compiled=True) if shown else ())
        yield from (next(found) if isinstance(one, _Shown) else one for one in batch)


def _asked(
    pictures: Iterable[Picture], known: Sequence[Iterator[Any]]
) -> Iterator[_Asked]:
    for number, picture in enumerate(pictures):
        values = []
        for argument, left in zip(_KNOWN, known, strict=True):
            try:
                values.append(next(left))
            except StopIteration:
                raise InputError(
                    argument,
                    "must hold one for each picture; there is none for picture "
                    f"{number}",
                ) from None
        yield _Asked(f"picture {number}", picture, *values)


def _tried(asked: _Asked) -> _Shown | Error:
    try:
        return _shown(asked)
    except InputError as error:
        return error


def _shown(asked: _Asked) -> _Shown:
    """Reads a picture and takes the person out of it."""
    pixels = pixels_of(asked.picture)
    height, width = pixels.shape[:2]
    chosen = square_about(width, height) if asked.box is None else asked.box
    whole = whole_box(viewpoint.four_numbers("box", chosen), width, height)
    view = viewpoint.complete(asked.camera, asked.root_depth_mm, whole, width, height)
    return _Shown(asked.name, cut_out(pixels, whole), whole, view)


def _read(
    network: PoseNetwork,
    batch: Sequence[_Shown],
    chosen: Readout,
    *,
    compiled: bool = False,
) -> list[Sample | Error]:
    """The poses that the network finds, of one batch."""
    images = network_inputs([shown.cut_out for shown in batch], network.input_size)
    outputs = network.graph(images) if compiled else network(images, training=False)
    heatmap, heatmap2 = (outputs[name].numpy() for name in ("heatmap", "heatmap2"))
    position = positions(outputs["heatmap2"], network.depth_bins, chosen).numpy()
    views = [shown.view for shown in batch]
    known: Mapping[str, Any] = {
        "z_mm": tf.constant([[view.root_depth_mm] for view in views], tf.float32),
        "box": tf.constant([joints_box(shown.box) for shown in batch], tf.float32),
        "camera": tf.constant([view.camera for view in views], tf.float32),
    }
    joints_3d_mm = pose_mm(position, known).numpy()
    frame_px = codec.to_frame_px(position[..., :2], known["box"]).numpy()
    *volume, _ = heatmap2.shape[1:]
    samples = (
        Sample(
            image=image,
            heatmap=heatmap[row],
            heatmap2=heatmap2[row].reshape(*volume, -1, network.depth_bins),
            joints_2d=position[row, :, :2],
            joints_2d_px=frame_px[row],
            joints_3d_mm=joints_3d_mm[row],
            box=shown.box,
            camera=shown.view.camera,
            root_depth_mm=shown.view.root_depth_mm,
        )
        for row, (image, shown) in enumerate(zip(images.numpy(), batch, strict=True))
    )
    return [
        _finite(sample, f"{network.name} finds no finite pose in {shown.name}")
        for sample, shown in zip(samples, batch, strict=True)
    ]


def _finite(sample: Sample, complaint: str) -> Sample | FloatingPointError:
    # The highest voxel is somewhere, even where some or all of them are NaN.
    if np.isfinite(sample.heatmap2).all() and np.isfinite(sample.joints_3d_mm).all():
        return sample
    return FloatingPointError(complaint)
