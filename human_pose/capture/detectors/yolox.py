"""YOLOX, which finds people in pictures, from an ONNX file that the user has.

Its input has blue first, values from 0 to 255, and gray below or to the right of the
picture (github.com/Megvii-BaseDetection/YOLOX; mmdetection's `yolox` configurations).
Two kinds of files are known: mmdeploy's, with `dets [1, N, 5]` of corners and a score,
sorted out by the network itself, and `labels [1, N]`; and YOLOX's own, with one output
`[1, A, 5 + classes]`: centres and logarithms of sides in cells of strides 8, 16 and 32,
or both in pixels already, a score of there being anything, and one of each class. The
first class is the person.
"""

import os
from typing import Final

import numpy as np
from PIL import Image

from human_pose.capture.detectors.onnx_model import OnnxModel

_DETS, _LABELS = "dets", "labels"
_GRAY: Final = 114
_STRIDES: Final = (8, 16, 32)
# Corners, or centre and sides, and a score.
_NUMBERS: Final = 5
# Centres are within a cell or so of their own; in pixels they are all over the picture,
# of which the smallest that YOLOX takes has 320.
_MOST_CELLS: Final = 16.0
_LEAST_SCORE: Final = 0.3
# Of two boxes of which more than this is common, the surer one stays.
_MOST_OVERLAP: Final = 0.45


class Yolox:
    """Finds people; `model` is its network."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Reads the network.

        Raises:
          InputError: naming the file, if it is of neither kind.
        """
        self.model = OnnxModel(path)
        outputs = self.model.outputs
        if _DETS not in outputs and len(outputs) != 1:
            raise self._refused(f"outputs {', '.join(outputs)}")

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Boxes of people, the surest first.

        Args:
          picture: uint8 `[H, W, 3]`, red first.

        Returns:
          float64 `[P, 4]`: x1, y1, x2, y2, px.

        Raises:
          InputError: if the network gives something else than it must.
        """
        pixels, scale = self._fitted(picture)
        given = self.model(pixels)
        rows = self._sorted_out(given) if _DETS in given else self._decoded(given)
        rows = rows[np.isfinite(rows).all(axis=-1) & (rows[:, 4] > _LEAST_SCORE)]
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        boxes = rows[:, :4] / scale
        boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=-1)]
        return boxes if _DETS in given else _distinct(boxes)

    def _fitted(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
        """The picture as the network takes it, and its pixels per pixel."""
        model, (height, width) = self.model, picture.shape[:2]
        scale = min(model.height_px / height, model.width_px / width)
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        small = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
        pixels = np.full((model.height_px, model.width_px, 3), _GRAY, np.float32)
        pixels[: size[1], : size[0]] = np.asarray(small)[..., ::-1]
        return pixels, scale

    def _sorted_out(self, given: dict[str, np.ndarray]) -> np.ndarray:
        dets = given[_DETS]
        if dets.ndim != 3 or dets.shape[2] != _NUMBERS:
            raise self._refused(f"{_DETS} {list(dets.shape)}")
        rows = dets[0].astype(np.float64)
        labels = given.get(_LABELS, np.zeros(dets.shape[:2]))
        if labels.shape != dets.shape[:2]:
            raise self._refused(f"{_LABELS} {list(labels.shape)}")
        return np.asarray(rows[labels[0] == 0])

    def _decoded(self, given: dict[str, np.ndarray]) -> np.ndarray:
        ((name, raw),) = given.items()
        cells, strides = self._cells()
        if raw.ndim != 3 or raw.shape[1] != len(cells) or raw.shape[2] <= _NUMBERS:
            raise self._refused(f"{name} {list(raw.shape)}")
        rows = raw[0].astype(np.float64)
        if np.median(np.abs(rows[:, :2])) > _MOST_CELLS:
            centres, halves = rows[:, :2], rows[:, 2:4] / 2
        else:
            centres = (rows[:, :2] + cells) * strides
            # Larger ones are no boxes of this picture, and would overflow.
            halves = np.exp(np.minimum(rows[:, 2:4], 20.0)) * strides / 2
        classes = rows[:, _NUMBERS:]
        person = (rows[:, 4] * classes[:, 0])[:, None] * (classes.argmax(axis=-1) == 0)[
            :, None
        ]
        return np.concatenate([centres - halves, centres + halves, person], axis=-1)

    def _cells(self) -> tuple[np.ndarray, np.ndarray]:
        """X and y of all cells, `[A, 2]`, and their strides, `[A, 1]`."""
        cells, strides = [], []
        for stride in _STRIDES:
            rows, columns = (
                self.model.height_px // stride,
                self.model.width_px // stride,
            )
            y, x = np.indices((rows, columns)).reshape(2, -1)
            cells.append(np.stack([x, y], axis=-1))
            strides.append(np.full((len(x), 1), stride))
        return np.concatenate(cells), np.concatenate(strides)

    def _refused(self, has: str) -> Exception:
        rule = "outputs dets [1, N, 5] and labels, or one [1, A, 5 + classes], as YOLOX"
        return self.model.refused(rule, has)


def _distinct(boxes: np.ndarray) -> np.ndarray:
    """Boxes, the surest first, without those that are mostly another's."""
    kept: list[np.ndarray] = []
    for box in boxes:
        if all(_overlap(box, each) <= _MOST_OVERLAP for each in kept):
            kept.append(box)
    return np.array(kept).reshape(-1, 4)


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """The common area of two boxes over that of both."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    common = np.prod(np.maximum(high - low, 0.0))
    areas = np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])
    return float(common / (areas - common))
