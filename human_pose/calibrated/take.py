"""What is known of a take: measured, or as of anybody."""

from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.prior.pose_prior import PosePrior

# People differ from the prior's body by that much in a bone: in size by 10 %, and by
# 5 % besides (as of `lengths`).
_UNLIKE: Final = 0.11


class Take(NamedTuple):
    """What is known of a take beside its detections, none of it learned.

    Attributes:
      lengths_mm: `[K]`, of the person's bones.
      spreads_mm: `[K]`, how far they may be wrong.
      sigma_px: `[V, J]`, of detections with confidence 1.
      lasting: share of the noise that lasts from frame to frame.
      fps: frames a second.
    """

    lengths_mm: np.ndarray
    spreads_mm: np.ndarray
    sigma_px: np.ndarray
    lasting: float
    fps: float


def of_anybody(prior: PosePrior, sigma_px: np.ndarray) -> Take:
    """The take of a person whom nobody has measured.

    Args:
      prior: with the lengths of its own body.
      sigma_px: `[V, J]` or what broadcasts to it, of detections with confidence 1.
    """
    spreads = _UNLIKE * prior.lengths_mm
    return Take(prior.lengths_mm, spreads, sigma_px, 0.0, prior.fps)
