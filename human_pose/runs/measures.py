"""Measures of reconstructed frames, and their means over frames and actions.

They are those of the field, on poses centred at their root joint.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from human_pose.geometry import metrics


@dataclass(frozen=True)
class Measure:
    """A measure of a pose that is centred at its root.

    Attributes:
      name: for table heads.
      unit: "mm" or "%".
      of: from truth and reconstruction, `[..., J, 3]` mm, and the number of their root
        joint, to one number per pose.
    """

    name: str
    unit: str
    of: Callable[[Any, Any, int], Any]


COMMON_MEASURES: Final = (
    Measure("MPJPE", "mm", lambda t, p, root: metrics.mpjpe(t, p)),
    Measure("PA-MPJPE", "mm", lambda t, p, root: metrics.pa_mpjpe(t, p)),
    Measure("N-MPJPE", "mm", lambda t, p, root: metrics.n_mpjpe(t, p, root=root)),
    Measure("PCK@150", "%", lambda t, p, root: 100 * metrics.pck(t, p, root=root)),
    Measure("AUC", "%", lambda t, p, root: 100 * metrics.auc(t, p, root=root)),
)


def common(
    truth_mm: Any, reconstruction_mm: Any, *, root: int = metrics.ROOT
) -> np.ndarray:
    """The `COMMON_MEASURES` of poses `[F, J, 3]`, mm, centred at `root`: `[F, 5]`."""
    truth = metrics.root_centred(truth_mm, root)
    pose = metrics.root_centred(reconstruction_mm, root)
    columns = [measure.of(truth, pose, root) for measure in COMMON_MEASURES]
    return np.stack(columns, axis=-1)


def action_means(
    actions: np.ndarray, values: np.ndarray, labels: Sequence[str]
) -> np.ndarray:
    """Means by action; NaN for an action without frames.

    Args:
      actions: int `[F]`, index into `labels`.
      values: `[F, ...]`.
      labels: names of the A actions.

    Returns:
      `[A, ...]`.

    Raises:
      ValueError: if an action is none of the labels.
    """
    means = np.full((len(labels), *values.shape[1:]), np.nan)
    for action in np.unique(actions):
        if not 0 <= action < len(labels):
            raise ValueError(
                f"`actions` must be numbers of the {len(labels)} `labels`. "
                f"Received: {action}"
            )
        means[action] = values[actions == action].mean(axis=0)
    return means


def mean_over_frames(values: np.ndarray) -> np.ndarray:
    """The frame-weighted mean: every frame of `values`, `[F, ...]`, counts alike."""
    return np.asarray(values.mean(axis=0))


def mean_over_actions(actions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The action-weighted mean: every action that has frames counts alike."""
    means = [values[actions == action].mean(axis=0) for action in np.unique(actions)]
    return np.asarray(np.mean(means, axis=0))
