"""Measures of reconstructed frames, and their means over frames and actions.

Two families. The training errors are the original project's metrics 0, 1 and 2, in mm
over its 17 joints. The common measures are those of the field, on poses centred at the
hip, over the 16 joints that are ever detected and over all 17.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from human_pose import metrics
from human_pose.config import METRICS
from human_pose.datasets.pose_files import ACTIONS
from human_pose.skeleton import JOINTS, UNDETECTED_JOINT

DETECTED_JOINTS: Final = tuple(j for j in range(JOINTS) if j != UNDETECTED_JOINT)


@dataclass(frozen=True)
class Measure:
    """A measure of a root-centred pose.

    Attributes:
      name: for table heads.
      unit: "mm" or "%".
      of: from truth and reconstruction, `[..., J, 3]` mm, to one number per pose.
    """

    name: str
    unit: str
    of: Callable[[Any, Any], Any]


COMMON_MEASURES: Final = (
    Measure("MPJPE", "mm", metrics.mpjpe),
    Measure("PA-MPJPE", "mm", metrics.pa_mpjpe),
    Measure("N-MPJPE", "mm", metrics.n_mpjpe),
    Measure("PCK@150", "%", lambda truth, pose: 100 * metrics.pck(truth, pose)),
    Measure("AUC", "%", lambda truth, pose: 100 * metrics.auc(truth, pose)),
)


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
        metrics.training_error(truth_mm, reconstruction_mm, metric)
        for metric in METRICS
    ]
    return Scores(
        actions=actions,
        training_errors_mm=np.stack(training, axis=-1),
        common_16=common(
            truth_mm[:, DETECTED_JOINTS], reconstruction_mm[:, DETECTED_JOINTS]
        ),
        common_17=common(truth_mm, reconstruction_mm),
    )


def common(truth_mm: Any, reconstruction_mm: Any) -> np.ndarray:
    """The `COMMON_MEASURES` of poses `[F, J, 3]`, mm, joint 0 the root: `[F, 5]`."""
    truth = metrics.root_centred(truth_mm)
    pose = metrics.root_centred(reconstruction_mm)
    return np.stack([measure.of(truth, pose) for measure in COMMON_MEASURES], axis=-1)


def action_means(actions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means `[15, ...]` of `values`, `[F, ...]`; NaN for an action without frames."""
    means = np.full((len(ACTIONS), *values.shape[1:]), np.nan)
    for action in np.unique(actions):
        means[action] = values[actions == action].mean(axis=0)
    return means


def mean_over_frames(values: np.ndarray) -> np.ndarray:
    """The frame-weighted mean: every frame of `values`, `[F, ...]`, counts alike."""
    return np.asarray(values.mean(axis=0))


def mean_over_actions(actions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The action-weighted mean: every action that has frames counts alike."""
    return np.asarray(action_means(actions, values)[np.unique(actions)].mean(axis=0))
