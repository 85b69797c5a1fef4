"""Measures of lifted frames: the original's three errors and the field's."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from human_pose.geometry.skeletons import JOINTS, UNDETECTED_JOINT
from human_pose.lifting.comparison import training_error
from human_pose.lifting.config import METRICS
from human_pose.runs.measures import common

DETECTED_JOINTS: Final = tuple(j for j in range(JOINTS) if j != UNDETECTED_JOINT)


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
    return Scores(
        actions=actions,
        training_errors_mm=np.stack(training, axis=-1),
        common_16=common(
            truth_mm[:, DETECTED_JOINTS], reconstruction_mm[:, DETECTED_JOINTS]
        ),
        common_17=common(truth_mm, reconstruction_mm),
    )
