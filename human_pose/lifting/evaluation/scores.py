"""Measures of lifted frames: the original's three errors and the field's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from human_pose.geometry.skeletons import LIFTER_17
from human_pose.lifting.comparison import training_error
from human_pose.lifting.config import METRICS
from human_pose.runs.measures import common


@dataclass(frozen=True)
class Scores:
    """Measures frame by frame.

    Attributes:
      actions: int `[F]`, index into `ACTIONS`.
      training_errors_mm: `[F, 3]`, metrics 0, 1 and 2.
      common_16: `[F, 5]`, the `COMMON_MEASURES` over the 16 detected joints.
      common_17: `[F, 5]`, over all joints.
    """

    actions: np.ndarray
    training_errors_mm: np.ndarray
    common_16: np.ndarray
    common_17: np.ndarray


def score(actions: np.ndarray, truth_mm: Any, reconstruction_mm: Any) -> Scores:
    """Measures reconstructions `[F, 17, 3]` against the truth, both in mm."""
    training = [
        training_error(truth_mm, reconstruction_mm, metric) for metric in METRICS
    ]
    detected = LIFTER_17.detected
    return Scores(
        actions=actions,
        training_errors_mm=np.stack(training, axis=-1),
        common_16=common(truth_mm[:, detected], reconstruction_mm[:, detected]),
        common_17=common(truth_mm, reconstruction_mm),
    )
