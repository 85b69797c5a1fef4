"""One picture of one person to a 3D pose: what `Sample.py --image` does."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic
from human_pose.geometry.limits import MIN_BOX_PX
from human_pose.geometry.skeletons import JOINT_NAMES_16
from human_pose.i1 import codec, readout, viewpoint
from human_pose.i1.config import ImageSampleConfig
from human_pose.i1.input import placement, resampling
from human_pose.i1.network.hourglass import PoseNetwork


@dataclass(frozen=True)
class Sample:
    """A picture and the pose found in it.

    Attributes:
      image: `[S, S, 3]`, what the network saw.
      heatmap: `[H, W, 16]`.
      heatmap2: `[H, W, 16, D]`.
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


def find_pose(network: PoseNetwork, config: ImageSampleConfig) -> Sample:
    """Finds the pose of the person in a picture.

    Args:
      network: made by `build_network`.
      config: the picture and what is known of it.

    Raises:
      InputError: naming the file or argument and the rule.
      FloatingPointError: naming the checkpoint, if the pose is not finite.
    """
    picture = read_picture(config.image)
    height, width = picture.shape[:2]
    box = _whole_box(config.box or _square(width, height), width, height)
    view = viewpoint.complete(config.camera, config.root_depth_mm, box, width, height)
    image = crop(picture, box, network.input_size)
    outputs = network(image[None], training=False)
    bins = network.depth_bins
    position = readout.positions(outputs["heatmap2"], bins, config.readout)
    batch: Mapping[str, Any] = {
        "z_mm": tf.constant([[view.root_depth_mm]], tf.float32),
        "box": tf.constant([box], tf.float32),
        "camera": tf.constant([view.camera], tf.float32),
    }
    joints_3d_mm = readout.pose_mm(position, batch)[0].numpy()
    if not np.isfinite(joints_3d_mm).all():
        raise FloatingPointError(
            f"{config.check_path}: finds no finite pose in {config.image}"
        )
    frame_px = codec.to_frame_px(position[..., :2], batch["box"])
    size = outputs["heatmap2"].shape[1]
    return Sample(
        image=image.numpy(),
        heatmap=outputs["heatmap"][0].numpy(),
        heatmap2=np.reshape(outputs["heatmap2"][0], [size, size, -1, bins]),
        joints_2d=position[0, :, :2].numpy(),
        joints_2d_px=frame_px[0].numpy(),
        joints_3d_mm=joints_3d_mm,
        camera=view.camera,
        root_depth_mm=view.root_depth_mm,
    )


def read_picture(path: Path) -> np.ndarray:
    """A PNG, JPEG, GIF or BMP picture, uint8 `[H, W, 3]`, red first.

    Raises:
      InputError: naming the file, if it is none of these.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        picture = tf.io.decode_image(content, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        raise InputError(
            f"{path}: is no PNG, JPEG, GIF or BMP picture that can be decoded"
        ) from None
    return np.asarray(picture)


def crop(picture: np.ndarray, box: tuple[int, int, int, int], size: int) -> tf.Tensor:
    """What the network takes of a picture, as at test time.

    Args:
      picture: uint8 `[H, W, 3]`, red first.
      box: x1, y1, x2, y2, px; may leave the picture, whose edge then continues.
      size: S, a divisor of 256.

    Returns:
      float32 `[S, S, 3]`, blue first, (grey level - 128) / 256.
    """
    x1, y1, x2, y2 = box
    # One axis after the other: the whole box is never there at its full size.
    across = _resized(picture, slice(x1, x2), axis=1)
    resized = _resized(across, slice(y1, y2), axis=0)
    levels = tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)
    opaque = tf.pad(levels, [[0, 0], [0, 0], [0, 1]])[None]
    crops = resampling.crop_published(opaque, placement.at_test([1]))
    return resampling.network_input(crops, size)[0]


def _resized(picture: Any, part: slice, axis: int) -> tf.Tensor:
    """A part of a picture's rows or columns, resized to the number of a stored one."""
    places = np.arange(part.start, part.stop).clip(0, picture.shape[axis] - 1)
    shape = list(picture.shape[:2])
    shape[axis] = IMAGE_SIZE_PX
    taken = tf.cast(tf.gather(picture, places, axis=axis), tf.float32)
    return tf.image.resize(taken, shape, "bicubic", antialias=True)


def write_joints(sample: Sample, path: Path) -> None:
    """Writes the joints as a table: name, picture px, and mm from the root.

    Raises:
      InputError: if the file cannot be written.
    """
    head = ("joint", "x_px", "y_px", "x_mm", "y_mm", "z_mm")
    with atomic(path) as temporary, temporary.open("w", newline="") as file:
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


def _square(width: int, height: int) -> tuple[float, float, float, float]:
    """The square about the whole picture."""
    side = max(width, height)
    x1, y1 = (width - side) / 2, (height - side) / 2
    return x1, y1, x1 + side, y1 + side


def _whole_box(
    box: tuple[float, float, float, float], width: int, height: int
) -> tuple[int, int, int, int]:
    """The least box of whole pixels about a box that may be used.

    Joints are mapped by it, too: by its own fractions they would be off the picture
    that the network sees.
    """
    x1, y1, x2, y2 = box
    if not (x2 - x1 >= MIN_BOX_PX and y2 - y1 >= MIN_BOX_PX):
        raise InputError(
            f"--box must have x1 < x2 and y1 < y2, at least {MIN_BOX_PX:.0f} px apart; "
            f"received {box}"
        )
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        raise InputError(
            f"--box must meet the picture of {width}x{height} px; received {box}"
        )
    side = max(width, height)
    if min(x1, y1) < -side or x2 > width + side or y2 > height + side:
        raise InputError(
            f"--box must not leave the picture of {width}x{height} px by more than "
            f"{side} px; received {box}"
        )
    return math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)
