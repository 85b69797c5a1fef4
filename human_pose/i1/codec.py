"""Between camera-frame millimetres and what the network sees and says.

Depths are parts of a fixed range about the root joint, positions parts of the 256 px
crop. The original decodes both otherwise than it encodes them: with other depth bounds,
and by a mapping that takes the crop for the box, though the box covers only 200 of its
256 px (docs/fidelity.md). Both ways are here, by name.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import tensorflow as tf

from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.i1.config import CROP_SIZE_PX

Mapping = Literal["published", "corrected"]

# Picture pixels per crop pixel at test time: 0.005 times the sample's `scale` of 224.
SCALE_OF_PICTURE: Final = 1.12


@dataclass(frozen=True)
class DepthBounds:
    """Ends of the range of depths relative to the root joint, mm.

    Attributes:
      nearest_mm: depth 0; negative, in front of the root.
      farthest_mm: depth 1.
    """

    nearest_mm: float
    farthest_mm: float

    @property
    def extent_mm(self) -> float:
        """Their distance."""
        return self.farthest_mm - self.nearest_mm


# int-3dhuman-I1: `ConvertDepth` of the training nets, and of its test-time decoder.
ENCODING: Final = DepthBounds(-1005.185902, 980.8599)
PUBLISHED_DECODING: Final = DepthBounds(-950.637313, 892.544664)


@dataclass(frozen=True)
class CropMapping:
    """Where the 224 px picture of the box lies in the crop at test time.

    Attributes:
      crop_px: side of the crop.
      picture_px: side of the picture.
      scale: picture pixels per crop pixel, 224 · 0.005.
      offset_px: crop pixel of the picture's pixel 0: half the gray border of 28 px, and
        half a pixel by which the original's rotation shifts even at 0 degrees.
    """

    crop_px: float = float(CROP_SIZE_PX)
    picture_px: float = float(IMAGE_SIZE_PX)
    scale: float = SCALE_OF_PICTURE
    offset_px: float = 28.5


CROP: Final = CropMapping()


def encode_depth(z_mm: Any, bounds: DepthBounds = ENCODING) -> tf.Tensor:
    """Depths as parts of a range about the root joint.

    Args:
      z_mm: floating `[..., J]`, camera frame, joint 0 the root.
      bounds: the range.

    Returns:
      `[..., J]`, [0, 1] within the range; the root is at 0.50612 of `ENCODING`.
    """
    z_mm = tf.convert_to_tensor(z_mm)
    return (z_mm - z_mm[..., :1] - bounds.nearest_mm) / bounds.extent_mm


def decode_depth(
    depth: Any, root_z_mm: Any, bounds: DepthBounds = ENCODING
) -> tf.Tensor:
    """Camera-frame depths from parts of a range about the root.

    Args:
      depth: floating `[..., J]`.
      root_z_mm: `[...]`, the root's camera-frame depth; the original takes the truth's.
      bounds: the range; `PUBLISHED_DECODING` is what the original's evaluation uses.

    Returns:
      `[..., J]`, mm.
    """
    depth = tf.convert_to_tensor(depth)
    root_z_mm = tf.cast(root_z_mm, depth.dtype)[..., None]
    return depth * bounds.extent_mm + bounds.nearest_mm + root_z_mm


def to_frame_px(joints_2d: Any, box: Any, mapping: Mapping = "corrected") -> tf.Tensor:
    """Positions in the crop as pixels of the camera's whole frame.

    Args:
      joints_2d: floating `[..., J, 2]`, [0, 1] across the crop.
      box: `[..., 4]`, x1 y1 x2 y2 of the picture in the frame, px.
      mapping: "corrected", or "published", which takes the crop for the box and so
        shrinks a person by 200 / 256.

    Returns:
      `[..., J, 2]`, px.

    Raises:
      ValueError: if `mapping` is neither.
    """
    joints_2d = tf.convert_to_tensor(joints_2d)
    box = tf.cast(box, joints_2d.dtype)[..., None, :]
    if mapping == "corrected":
        picture_px = (joints_2d * CROP.crop_px - CROP.offset_px) * CROP.scale
        joints_2d = picture_px / CROP.picture_px
    elif mapping != "published":
        raise ValueError(
            f"mapping must be published or corrected; received {mapping!r}"
        )
    return joints_2d * (box[..., 2:] - box[..., :2]) + box[..., :2]


def frame_px_per_crop(box: Any) -> tf.Tensor:
    """Pixels of the camera's frame that the crop's sides span, x and y: `[..., 2]`.

    Args:
      box: `[..., 4]`, as of `to_frame_px`.
    """
    box = tf.convert_to_tensor(box)
    return CROP.crop_px * CROP.scale / CROP.picture_px * (box[..., 2:] - box[..., :2])


def to_crop(frame_px: Any, box: Any) -> tf.Tensor:
    """The inverse of `to_frame_px`, corrected: pixels of the frame in the crop.

    Args:
      frame_px: floating `[..., J, 2]`.
      box: `[..., 4]`, see `to_frame_px`.

    Returns:
      `[..., J, 2]`, [0, 1] across the crop.
    """
    frame_px = tf.convert_to_tensor(frame_px)
    box = tf.cast(box, frame_px.dtype)[..., None, :]
    picture = (frame_px - box[..., :2]) / (box[..., 2:] - box[..., :2])
    return (picture * CROP.picture_px / CROP.scale + CROP.offset_px) / CROP.crop_px


def back_project(
    joints_2d: Any,
    z_mm: Any,
    box: Any,
    camera: Any,
    mapping: Mapping = "corrected",
) -> tf.Tensor:
    """Camera-frame positions of joints of known depth, by a pinhole camera.

    Args:
      joints_2d: floating `[..., J, 2]`, [0, 1] across the crop.
      z_mm: `[..., J]`, camera frame.
      box: `[..., 4]`, x1 y1 x2 y2 of the picture in the frame, px.
      camera: `[..., 4]`, fx fy cx cy, px; distortion is left out, as in the original.
      mapping: see `to_frame_px`.

    Returns:
      `[..., J, 3]`, mm.

    Raises:
      ValueError: if `mapping` is neither.
    """
    frame_px = to_frame_px(joints_2d, box, mapping)
    camera = tf.cast(camera, frame_px.dtype)[..., None, :]
    z_mm = tf.cast(z_mm, frame_px.dtype)[..., None]
    plane = (frame_px - camera[..., 2:]) / camera[..., :2] * z_mm
    return tf.concat([plane, z_mm], axis=-1)
