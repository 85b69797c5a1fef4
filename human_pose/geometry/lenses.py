"""The models of lenses, by name: what `Camera.lens` may be."""

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np

from human_pose.geometry import distortion, fisheye


class Lens(Protocol):
    """What a module of a model has; see `distortion`."""

    def check(self, numbers: tuple[float, ...]) -> None:
        """Refuses numbers that are not the model's."""

    def distort(self, plane: np.ndarray, numbers: tuple[float, ...]) -> np.ndarray:
        """Where the lens shows rays."""

    def unfolded(self, plane: np.ndarray, numbers: tuple[float, ...]) -> np.ndarray:
        """Whether the lens shows rays on their own side of the fold."""

    def undistort(
        self, shown: np.ndarray, numbers: tuple[float, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The rays that the lens shows at points, and whether each was found."""


BROWN_CONRADY: Final = "brown_conrady"
FISHEYE: Final = "fisheye"
LENSES: Final[Mapping[str, Lens]] = {BROWN_CONRADY: distortion, FISHEYE: fisheye}
