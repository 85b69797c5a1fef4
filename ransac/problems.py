"""Streams of problems: inliers around a mean to be found, among outliers."""

import os
from typing import Final, NamedTuple, Protocol

import numpy as np

from human_pose.files.errors import InputError
from ransac.files import read_arrays


class Problems(NamedTuple):
    """Problems to estimate the mean of the inliers in; float64.

    Attributes:
      inliers: `[..., A]`.
      outliers: `[..., B]`.
    """

    inliers: np.ndarray
    outliers: np.ndarray


class Setting(NamedTuple):
    """How problems are drawn.

    Attributes:
      inliers: how many, normally distributed.
      outliers: how many, uniformly distributed.
      centre: bounds between which each problem's inliers are centred.
      deviation: standard deviation of the inliers.
      spread: bounds of the outliers.
    """

    inliers: int
    outliers: int
    centre: tuple[float, float]
    deviation: float
    spread: tuple[float, float]


SETTINGS: Final = {
    # What the published code draws.
    "code": Setting(10, 100, (2.0, 2.0), 4.0, (-60.0, 20.0)),
    # What the paper's text says.
    "paper": Setting(10, 100, (-40.0, 40.0), 4.0, (-40.0, 40.0)),
}
# The problem of the published code's first picture.
PICTURE: Final = Setting(100, 300, (50.0, 50.0), 20.0, (-150.0, 50.0))


class Stream(Protocol):
    """An endless or finite sequence of problems.

    Attributes:
      points: how many points each problem has, inliers and outliers.
    """

    points: int

    def take(self, count: int) -> Problems:
        """The next `count` problems, `[count, A]` and `[count, B]`."""
        ...


class DrawnStream:
    """Draws problems; the same ones however many are taken at a time.

    Args:
      setting: how to draw.
      seed: of all streams.
      index: which of the streams of this seed; they are independent.
    """

    def __init__(self, setting: Setting, seed: int, index: int = 0) -> None:
        self.points = setting.inliers + setting.outliers
        self._setting = setting
        seeds = np.random.SeedSequence(seed, spawn_key=(index,)).spawn(3)
        # One generator for each quantity, so that the number taken does not matter.
        self._centre, self._inliers, self._outliers = map(np.random.default_rng, seeds)

    def take(self, count: int) -> Problems:
        """The next `count` problems."""
        setting = self._setting
        centre = self._centre.uniform(*setting.centre, [count, 1])
        noise = self._inliers.standard_normal([count, setting.inliers])
        return Problems(
            centre + setting.deviation * noise,
            self._outliers.uniform(*setting.spread, [count, setting.outliers]),
        )


class RecordedStream:
    """Replays problems from a file.

    Args:
      path: an `.npz` file with `points` `[T, A]` (the inliers) and `outliers`
        `[T, B]`.

    Raises:
      InputError: if the file is not there or holds something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # T problems of A inliers and B outliers.
        shapes = {"points": ("T", "A"), "outliers": ("T", "B")}
        arrays = read_arrays(path, shapes)
        for name, array in arrays.items():
            if not array.size:
                raise InputError(
                    f"{path}: {name} must have one number or more; received "
                    f"{list(array.shape)}"
                )
        self._problems = Problems(arrays["points"], arrays["outliers"])
        self.length = len(arrays["points"])
        self.points = sum(array.shape[1] for array in self._problems)
        self._taken = 0

    def take(self, count: int) -> Problems:
        """The next `count` problems."""
        start = self._taken
        self._taken += count
        return Problems(*(array[start : start + count] for array in self._problems))
