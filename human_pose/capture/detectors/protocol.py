"""What every detector is: pictures in, joints with their confidences out."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from human_pose.geometry.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Found:
    """The people found in one picture.

    Attributes:
      joints_2d_px: float64 `[P, J, 2]`, NaN where a joint was not found.
      confidence: float64 `[P, J]`, from 0 to 1.
      covariance_px2: float64 `[P, J, 2, 2]`, of the joints, where it is known.
    """

    joints_2d_px: np.ndarray
    confidence: np.ndarray
    covariance_px2: np.ndarray | None = None


# Takes the pictures of one video, uint8 `[H, W, 3]`, upright, red first, one after the
# other, and yields as many answers in their order. A new call is a new video.
Detect = Callable[[Iterable[np.ndarray]], Iterator[Found]]


class Detector(Protocol):
    """A detector that is ready to be started.

    Attributes:
      name: in files' names and reports, of letters, digits and hyphens.
      version: of it and its weights; detections of another version are made again.
      skeleton: of the joints that it finds.
      parallel: how many may be started at once to use all cores.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class

    @property
    def version(self) -> str: ...  # noqa: D102

    @property
    def skeleton(self) -> Skeleton: ...  # noqa: D102

    @property
    def parallel(self) -> int: ...  # noqa: D102

    def started(self) -> AbstractContextManager[Detect]:
        """Starts it; leaving the context ends it.

        Raises:
          InputError: if it cannot be started here, saying what is missing.
        """
        ...
