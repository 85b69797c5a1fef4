"""Fits a prior to motion: one pass over the files, then EM over what was kept on disk.

Every take's body is measured, and its poses are given the mean body's bone lengths;
poses and accelerations are mirrored, too. Memory holds one file and one part of the
poses at a time.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.prior.acceleration import fit_scale
from human_pose.calibrated.prior.config import PriorConfig
from human_pose.calibrated.prior.em import (
    Mixture,
    fit_mixture,
    fit_single,
    log_likelihood,
)
from human_pose.calibrated.prior.kept import Kept, Place, Source
from human_pose.calibrated.prior.pose_prior import PosePrior
from human_pose.exchange.recording import Motion
from human_pose.geometry.skeleton import Skeleton
from human_pose.geometry.skeletons import LIFTER_17

# One of so many takes is held out.
_FOLDS: Final = 5

Progress = Callable[[str, int, int], None]


class HeldOut(NamedTuple):
    """Log-likelihoods a pose, in nats, of takes that a fit saw and of those it did not.

    Attributes:
      components: of the fit.
      seen: of the takes that it was fitted to.
      unseen: of the others.
    """

    components: int
    seen: float
    unseen: float


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted prior, and how it came about.

    Attributes:
      prior: of all takes.
      config: of the fit.
      sources: one for each motion.
      held_out: for 1 to M components; empty where there is but one take.
    """

    prior: PosePrior
    config: PriorConfig
    sources: tuple[Source, ...]
    held_out: tuple[HeldOut, ...]


def fit_prior(
    motions: Iterable[Motion],
    config: PriorConfig | None = None,
    *,
    skeleton: Skeleton = LIFTER_17,
    hold_out: bool = True,
    progress: Progress = lambda what, done, total: None,
) -> Fit:
    """Fits a prior.

    Args:
      motions: each is read once, and one at a time.
      config: see `PriorConfig`.
      skeleton: of the prior; it must have hips or shoulders, left and right.
      hold_out: whether to measure, before, how well fits to some takes foretell others.
      progress: called with what was fitted, and how many fits of all are done.

    Raises:
      InputError: if a motion has no frame rate or none of the joints, a joint is never
        there, or there are too few poses or accelerations.
    """
    config = config or PriorConfig()
    with closing(Kept(skeleton, config)) as kept:
        sources = tuple(kept.add(motion) for motion in motions)
        lengths_mm = kept.retarget()
        tried = range(1, config.components + 1)
        tried = tried if hold_out and len(kept.takes) > 1 else range(0)
        held_out = []
        for done, components in enumerate(tried):
            progress("held-out takes", done, len(tried) + 1)
            held_out.append(_held_out(kept, replace(config, components=components)))
        progress("all takes", len(tried), len(tried) + 1)
        prior = _prior(kept, lengths_mm, config)
        progress("all takes", len(tried) + 1, len(tried) + 1)
    return Fit(prior, config, sources, tuple(held_out))


def _prior(kept: Kept, lengths_mm: np.ndarray, config: PriorConfig) -> PosePrior:
    mixture = _mixture(kept, kept.takes, config)
    count = len(kept.skeleton)
    return PosePrior(
        kept.skeleton,
        lengths_mm,
        mixture.shares,
        mixture.means_mm.reshape(-1, count, 3),
        mixture.covariances_mm2,
        fit_scale(kept.accelerations, 3 * count, config.freedom),
        config.fps,
    )


def _mixture(kept: "Kept", takes: list["Place"], config: PriorConfig) -> Mixture:
    chunks = kept.poses_of(takes)
    single = fit_single(chunks, len(kept.skeleton), config)
    return fit_mixture(chunks, single, kept.drawn(takes), config)


def _held_out(kept: "Kept", config: PriorConfig) -> HeldOut:
    """Fits to all takes but every fifth."""
    last = min(_FOLDS, len(kept.takes)) - 1
    out = [n % _FOLDS == last for n in range(len(kept.takes))]
    seen = [take for take, is_out in zip(kept.takes, out, strict=True) if not is_out]
    unseen = [take for take, is_out in zip(kept.takes, out, strict=True) if is_out]
    mixture = _mixture(kept, seen, config)
    return HeldOut(
        config.components,
        log_likelihood(kept.poses_of(seen), mixture, config.flat_mm),
        log_likelihood(kept.poses_of(unseen), mixture, config.flat_mm),
    )
