"""RTMPose, from ONNX files that the user has.

The network is shown one person, cut out by a box and widened to its own aspect, with
red first and ImageNet's mean and spread, and gives for each joint how likely it is at
each x and each y, in parts of a pixel (SimCC; `simcc_x [1, J, 2 W]`, `simcc_y
[1, J, 2 H]`: mmpose's `projects/rtmpose` and mmdeploy's export). Boxes are those of
YOLOX, or are about the joints of the picture before; the first picture then is taken
whole, and read twice.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
from PIL import Image

from human_pose.capture.detectors.boxes import Four, extent_about, inside
from human_pose.capture.detectors.onnx_model import OnnxModel
from human_pose.capture.detectors.protocol import Detect, Found
from human_pose.capture.detectors.yolox import Yolox
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import by_count
from human_pose.geometry.skeleton import Skeleton

_X, _Y = "simcc_x", "simcc_y"
_MEAN: Final = np.array([123.675, 116.28, 103.53])
_SPREAD: Final = np.array([58.395, 57.12, 57.375])
# The cut-out over the box of the person, as in training.
_PADDING: Final = 1.25
# The box of a person over the extent of the joints, which end within the body.
_MARGIN: Final = 1.25
# COCO, Halpe and COCO-WholeBody, of which the body with its feet counts.
_COUNTS: Final = (17, 26, 133)
_SURE: Final = 0.3
# Fewer of the joints than this show a part of a person, or nobody.
_FEWEST: Final = 1 / 3

# Joints `[J, 2]`, px, and confidences `[J]`.
One = tuple[np.ndarray, np.ndarray]


class RTMPose:
    """The detector; see `Detector`."""

    name = "rtmpose"
    # onnxruntime uses all cores by itself.
    parallel = 1

    def __init__(self, files: Sequence[str | os.PathLike[str]]) -> None:
        """Reads the networks.

        Args:
          files: of the network, after that of YOLOX if it finds the people.

        Raises:
          InputError: if they are not so many, or one of them is no such network.
        """
        if len(files) not in (1, 2):
            rule = "must name RTMPose's .onnx file, after YOLOX's if people are found"
            received = (",".join(map(str, files)),) if files else ()
            raise InputError("detector_files", rule, *received)
        self._model = OnnxModel(files[-1])
        self.skeleton = _skeleton(self._model)
        self._finder = Yolox(files[0]) if len(files) == 2 else None

    @property
    def version(self) -> str:
        """The files' contents."""
        finder = self._finder
        found = "" if finder is None else f", found by yolox {finder.model.digest}"
        return f"{self._model.digest}{found}"

    @contextmanager
    def started(self) -> Iterator[Detect]:
        """Everything is there already; see `Detector`."""
        yield self._following if self._finder is None else self._beside

    def _beside(self, pictures: Iterable[np.ndarray]) -> Iterator[Found]:
        """The people that YOLOX finds."""
        assert self._finder is not None
        for picture in pictures:
            boxes = self._finder(picture).tolist()
            yield self._joined([self._one(picture, tuple(box)) for box in boxes])

    def _following(self, pictures: Iterable[np.ndarray]) -> Iterator[Found]:
        """One person, about whose joints the next picture's box is."""
        box = None
        for picture in pictures:
            found = None
            if box is not None:
                found = self._one(picture, box)
                box = _about(found, picture)
            if found is None or box is None:
                found, box = self._searched(picture)
            yield self._joined([found])

    def _searched(self, picture: np.ndarray) -> tuple[One, Four | None]:
        """The person in the whole picture, read again by the box; and the next box."""
        height, width = picture.shape[:2]
        found = self._one(picture, (0.0, 0.0, float(width), float(height)))
        box = _about(found, picture)
        if box is None:
            return found, None
        found = self._one(picture, box)
        return found, _about(found, picture)

    def _one(self, picture: np.ndarray, box: Four) -> One:
        """The person in a box."""
        pixels, origin, scale = _cut_out(picture, box, self._model)
        given = self._model(((pixels - _MEAN) / _SPREAD).astype(np.float32))
        count = len(self.skeleton)
        x, y = given[_X][0, :count], given[_Y][0, :count]
        bins = np.stack([x.argmax(axis=-1), y.argmax(axis=-1)], axis=-1)
        likely = np.minimum(x.max(axis=-1), y.max(axis=-1)).astype(np.float64)
        seen = likely > 0  # not so where it is NaN
        joints = bins * self._model.width_px / x.shape[-1] * scale + origin
        joints = np.where(seen[:, None], joints, np.nan)
        return joints, np.where(seen, likely.clip(0, 1), 0.0)

    def _joined(self, people: Sequence[One]) -> Found:
        count = len(self.skeleton)
        joints = np.array([joints for joints, _ in people]).reshape(-1, count, 2)
        confidence = np.array([sure for _, sure in people]).reshape(-1, count)
        return Found(joints, confidence)


def _skeleton(model: OnnxModel) -> Skeleton:
    """The joints that a network finds, which its file need not say: it is asked.

    Raises:
      InputError: if it is no network of this kind, or of other joints.
    """
    rule = "outputs simcc_x [1, J, n W] and simcc_y [1, J, n H], as RTMPose"
    if not {_X, _Y} <= set(model.outputs):
        raise model.refused(rule, f"outputs {', '.join(model.outputs)}")
    height, width = model.height_px, model.width_px
    given = model(np.zeros((height, width, 3), np.float32))
    x, y = given[_X].shape, given[_Y].shape
    if not (
        len(x) == len(y) == 3
        and x[:2] == y[:2]
        and x[0] == 1
        and x[2] >= width
        and x[2] * height == y[2] * width
    ):
        raise model.refused(rule, f"{_X} {list(x)}, {_Y} {list(y)}")
    if x[1] not in _COUNTS:
        raise model.refused("17, 26 or 133 joints", str(x[1]))
    return by_count(x[1], "detector")


def _about(one: One, picture: np.ndarray) -> Four | None:
    """The box about the joints that are sure, if they are enough."""
    joints, confidence = one
    sure = confidence > _SURE
    if sure.mean() < _FEWEST:
        return None
    return inside(extent_about(joints[sure], _MARGIN), picture)


def _cut_out(
    picture: np.ndarray, box: Four, model: OnnxModel
) -> tuple[np.ndarray, np.ndarray, float]:
    """What the network is shown of a picture.

    Returns:
      uint8 `[H, W, 3]`, black beyond the picture; x and y of its first pixel, px; and
      how many of the picture's pixels one of its pixels is.
    """
    corners = np.array(box).reshape(2, 2)
    size = np.array([model.width_px, model.height_px])
    scale = float((_PADDING * (corners[1] - corners[0]) / size).max())
    origin = corners.mean(axis=0) - scale * size / 2
    # Pillow's coordinates are of pixels' corners, those of joints of their middles.
    x, y = (origin + 0.5 - scale / 2).tolist()
    cut = Image.fromarray(picture).transform(
        (model.width_px, model.height_px),
        Image.Transform.AFFINE,
        (scale, 0.0, x, 0.0, scale, y),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(cut), origin, scale
