"""The prior that comes with the package: fitted to the embedded motion, and broadened.

That motion is invented (`datasets.synthetic`): its poses are few of what people do, and
its movements far too smooth. So that the prior serves people whom nobody invented, all
bones are also allowed to swing by an angle, and to be accelerated as people's are.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.calibrated.prior.config import PriorConfig
from human_pose.calibrated.prior.em import centring
from human_pose.calibrated.prior.fitting import fit_prior
from human_pose.calibrated.prior.pose_prior import PosePrior, in_order
from human_pose.datasets.protocol import ACTIONS, TRAIN_SUBJECTS
from human_pose.datasets.synthetic.body import BODIES
from human_pose.datasets.synthetic.motion import FINEST_HZ, perform
from human_pose.exchange.recording import Motion
from human_pose.geometry.skeletons import LIFTER_17

_OVERSAMPLING: Final = 2  # 25 frames a second
_FRAMES: Final = 100


@dataclass(frozen=True)
class Breadth:
    """By how much a prior is broadened; round numbers of how people move.

    Attributes:
      swing_rad: of each bone about what the poses say.
      swing_rad_s2: angular acceleration of each bone.
      shift_mm_s2: acceleration of the whole body.
    """

    swing_rad: float = 0.15
    swing_rad_s2: float = 8.0
    shift_mm_s2: float = 1500.0


def embedded_prior(
    subjects: Iterable[int] = TRAIN_SUBJECTS,
    frames: int = _FRAMES,
    config: PriorConfig | None = None,
    breadth: Breadth | None = None,
) -> PosePrior:
    """Makes the embedded prior anew; equal arguments give equal numbers.

    Args:
      subjects: whose motion is invented; those of tests stay unseen.
      frames: of each action.
      config: of the fit.
      breadth: see `Breadth`.
    """
    fit = fit_prior(embedded_motion(subjects, frames), config, hold_out=False)
    return broadened(fit.prior, breadth or Breadth())


def embedded_motion(subjects: Iterable[int], frames: int) -> Iterator[Motion]:
    """Every action by every subject, as the generator invents it."""
    for subject in subjects:
        for number, action in enumerate(ACTIONS):
            rng = np.random.default_rng([subject, number])
            take = perform(
                action, BODIES[subject], rng, frames, oversampling=_OVERSAMPLING
            )
            yield Motion(
                take.joints_3d_mm,
                LIFTER_17,
                FINEST_HZ / _OVERSAMPLING,
                source=f"subject {subject}, {action}",
            )


def broadened(prior: PosePrior, breadth: Breadth) -> PosePrior:
    """A prior with wider covariances and accelerations."""
    swings = _swings(prior)
    joints = len(prior.skeleton)
    centre = centring(joints)
    frame_s2 = 1 / prior.fps**2
    shift = np.kron(np.ones((joints, joints)), np.eye(3))
    return dataclasses.replace(
        prior,
        covariances_mm2=prior.covariances_mm2
        + breadth.swing_rad**2 * centre @ swings @ centre,
        acceleration_mm2=prior.acceleration_mm2
        + (breadth.swing_rad_s2 * frame_s2) ** 2 * swings
        + (breadth.shift_mm_s2 * frame_s2) ** 2 * shift,
    )


def _swings(prior: PosePrior) -> np.ndarray:
    """Covariance `[3K, 3K]`, mm², of joints whose bones each move by one radian.

    The body hangs on its root; lengths are held by the lifter's own term, so bones
    move along themselves as far as across.
    """
    parents = prior.skeleton.parents
    moves = np.zeros((len(parents), len(parents)))  # of joints, by bones
    for joint in in_order(parents):
        if parents[joint] >= 0:
            moves[joint] = moves[parents[joint]]
            moves[joint, joint] = prior.lengths_mm[joint]
    return np.kron(moves @ moves.T, np.eye(3))
