"""A DataLoader that reads and augments as the original does, by OpenCV's own functions.

Its samples are those of `datasets.images` with `augment="published"`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils import data

from i1_rows import problem

_CROP_PX, _PICTURE_PX, _GRAY = 256, 224, 128
_FLIP_ORDER = [0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 13, 14, 15, 10, 11, 12]
_NEAREST_MM, _FARTHEST_MM = -1005.185902, 980.8599


def batches(folder: Path, workers: int) -> Iterator[dict[str, torch.Tensor]]:
    """Endless batches, made by worker processes."""
    return endless(Pictures(problem.annotations_file(folder)), workers)


def endless(pictures: data.Dataset, workers: int) -> Iterator[dict[str, torch.Tensor]]:
    """Endless batches of any pictures."""
    loader = data.DataLoader(
        pictures,
        batch_size=problem.PICTURES_BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=True,
        # One thread each: the workers are as many as the cores.
        worker_init_fn=lambda _: cv2.setNumThreads(0),
    )
    while True:
        yield from loader


class Pictures(data.Dataset):
    """Samples of a folder of pictures, augmented anew each time.

    Args:
      annotations: written by `keras_side prepare`.
    """

    def __init__(self, annotations: Path) -> None:
        with np.load(annotations) as arrays:
            self._arrays = {name: arrays[name] for name in arrays.files}
        self._folder = str(self._arrays.pop("folder"))

    def __len__(self) -> int:
        return len(self._arrays["image"])

    def __getitem__(self, row: int) -> dict[str, Any]:
        arrays = self._arrays
        name = arrays["image"][row]
        name = name.decode() if isinstance(name, bytes) else str(name)
        picture = cv2.imread(f"{self._folder}/{name}")
        return sample(picture, arrays, row)


def sample(
    picture: np.ndarray, arrays: Mapping[str, np.ndarray], row: int
) -> dict[str, Any]:
    """What the network is shown of a picture, blue first, and its numbers in a row."""
    draws = np.random.default_rng(torch.randint(2**62, ()).item()).random(6)
    crop, joints_px = augmented(picture, arrays["joints_2d_px"][row], draws)
    pose_mm = arrays["joints_3d_mm"][row]
    z_mm = pose_mm[:, 2]
    extent_mm = _FARTHEST_MM - _NEAREST_MM
    return {
        "image": (crop.astype(np.float32) - _GRAY) / 256,
        "joints_2d": (joints_px / _CROP_PX).astype(np.float32),
        "z_mm": z_mm,
        "depth": (z_mm - z_mm[0] - _NEAREST_MM) / extent_mm,
        "joints_3d_mm": pose_mm,
        "box": arrays["box"][row],
        "camera": arrays["camera"][row],
    }


def augmented(
    picture: np.ndarray, joints_px: np.ndarray, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A crop `[256, 256, 3]` and joints in it: scaled, rotated, cropped, mirrored."""
    scale = (0.7 + 0.6 * draws[1]) / 1.12
    scaled = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
    )
    matrix, side = _rotation(len(scaled), 80 * draws[2] - 40)
    rotated = cv2.warpAffine(
        scaled, matrix, (side, side), flags=cv2.INTER_CUBIC, borderValue=[_GRAY] * 3
    )
    centre = _moved(matrix, np.full((1, 2), scale * _PICTURE_PX / 2))[0]
    corner = np.floor(centre).astype(int) - _CROP_PX // 2
    joints_px = _moved(matrix, scale * joints_px) - corner
    crop = _cropped(rotated, corner)
    if draws[5] < 0.5:
        mirrored = np.stack([_CROP_PX - 1 - joints_px[:, 0], joints_px[:, 1]], axis=-1)
        return crop[:, ::-1], mirrored[_FLIP_ORDER]
    return crop, joints_px


def _rotation(side: int, degrees: float) -> tuple[np.ndarray, int]:
    """Into the square that holds the rotated one."""
    middle = side / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    reach = middle * np.abs(matrix[0, :2]).sum()
    rotated_side = int(np.ceil(middle + reach) - np.floor(middle - reach)) + 1
    matrix[:, 2] += rotated_side / 2 - middle
    return matrix, rotated_side


def _moved(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _cropped(picture: np.ndarray, corner: np.ndarray) -> np.ndarray:
    crop = np.full((_CROP_PX, _CROP_PX, 3), _GRAY, np.uint8)
    first = np.maximum(corner, 0)
    last = np.minimum(corner + _CROP_PX, len(picture))
    (x, y), (right, down) = first - corner, last - corner
    crop[y:down, x:right] = picture[first[1] : last[1], first[0] : last[0]]
    return crop
