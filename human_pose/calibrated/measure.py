"""What is measured of a take before its poses: bone lengths, σ, what of it lasts."""

from typing import Any, Final

import numpy as np

from human_pose.calibrated import noise
from human_pose.calibrated.lengths import estimate_lengths
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.work import Work
from human_pose.files.errors import InputError

# Frames that show somebody, from which lengths and noise are estimated, in that many
# runs of a long take.
_SAMPLE: Final = 1024
_RUNS: Final = 4
# The median of the length of a vector of two normal coordinates, by their deviation.
_MEDIAN_OF_RAYLEIGH: Final = 1.1774
# Coordinates of a triangulated point, which its own detections' residuals lack.
_TAKEN: Final = 3
_LEAST_FREE: Final = 0.25
# σ that changes less than that has been found.
_FOUND: Final = 0.03
# σ where no joint is seen by two views (dev).
_UNSEEN_PX: Final = 4.0
# Bones in all beside the prior's: nobody is so much larger, or smaller.
_MOST_TIMES: Final = 5.0


def check_known(
    lifter: CalibratedLifter,
    views: int,
    lengths_mm: np.ndarray | None,
    sigma_px: np.ndarray | None,
) -> None:
    """Refuses what is said of a person, or of detections, that cannot be meant.

    Args:
      lifter: the model.
      views: how many there are.
      lengths_mm: `[K]`, of the person's bones; None if they are not known.
      sigma_px: `[V, J]`, of the detections; None as well.

    Raises:
      InputError: if a shape is another, a number not positive, or bones are those of
        nobody in millimetres.
    """
    own = lifter.prior.lengths_mm
    if sigma_px is not None:
        sigma = np.asarray(sigma_px, np.float64)
        wanted = (views, len(lifter.joints))
        if sigma.shape != wanted or not (np.isfinite(sigma) & (sigma > 0)).all():
            rule = f"must be positive numbers of shape {list(wanted)}"
            raise InputError("sigma_px", rule, _received(sigma, wanted))
    if lengths_mm is not None:
        lengths = np.asarray(lengths_mm, np.float64)
        # The root has no bone.
        bones = lengths[own > 0] if lengths.shape == own.shape else np.zeros(1)
        if not (np.isfinite(bones) & (bones > 0)).all():
            rule = (
                "must be one for each joint of the prior, positive but for the root: "
                f"{', '.join(lifter.prior.skeleton.names)}"
            )
            raise InputError("lengths_mm", rule, _received(lengths, own.shape))
        if not 1 / _MOST_TIMES < bones.sum() / own.sum() < _MOST_TIMES:
            rule = f"must be millimetres; the prior's are {own.sum():.4g} in all"
            raise InputError("lengths_mm", rule, f"{bones.sum():.4g} in all")


def _received(values: np.ndarray, shape: tuple[int, ...]) -> list[float] | str:
    if values.shape != shape:
        return f"shape {list(values.shape)}"
    return [*values[~(np.isfinite(values) & (values > 0))][:3].tolist()]


def measure(work: Work, lengths_mm: np.ndarray | None, temporal: bool) -> None:
    """Measures the take of a triangulated recording; takes off its views' shifts.

    σ and what is left of the residuals determine each other, so that they are found in
    turns (an EM of the noise).

    Args:
      work: with points; its take and detections are changed.
      lengths_mm: `[K]`, of the person's bones, if they are known.
      temporal: whether it is asked what of the noise lasts.
    """
    sample = _runs(np.flatnonzero(work.shows), _SAMPLE)
    known = work.take.sigma_px  # measured before, with other exchanges
    sigma = known if known.size else _first_sigma(work)
    lengths, spreads = _lengths(work, sample, sigma, lengths_mm)
    given = work.lifter.config.energy.lasting
    work.take = work.take._replace(
        lengths_mm=lengths, spreads_mm=spreads, sigma_px=sigma, lasting=given or 0.0
    )
    rounds = work.lifter.config.solver.noise_rounds
    starts: dict[int, tuple[Any, Any]] = {}
    for done in range(rounds):
        work.tell("measuring", done / rounds)
        found = _statistics(work, sample, starts)
        before = work.take.sigma_px
        # Residuals are in units of what the lifter takes the deviations for.
        units = work.lifter.sigma_px(work.take).numpy()
        sigma = noise.estimate(found, units, work.lifter.joints.counterpart)
        shift = noise.view_shifts(found, before)
        if shift.any():
            work.shift(shift)
        if given is None and temporal:
            work.take = work.take._replace(lasting=noise.lasting_share(found))
        work.take = work.take._replace(sigma_px=sigma)
        if np.abs(np.log(sigma / before)).max() < _FOUND and not shift.any():
            break
    lengths, spreads = _lengths(work, sample, sigma, lengths_mm)
    work.take = work.take._replace(lengths_mm=lengths, spreads_mm=spreads)


def _statistics(
    work: Work, sample: list[np.ndarray], starts: dict[int, tuple[Any, Any]]
) -> noise.Statistics:
    """Statistics of the sample's frames, which begin where they ended before."""
    body, terms = work.body(), work.terms(False)
    total = None
    for run, part in enumerate(sample):
        observed = work.observed(part)
        if run in starts:
            x, turn = work.stages.refined(*starts[run], observed, body, terms)
        else:
            points = work.triangulated(part)
            x, turn = work.stages.frames(points, observed, body, terms)
        starts[run] = x, turn
        follows = work.follows[part] * (np.diff(part, prepend=-1) == 1)
        follows[0] = 0
        found = work.stages.statistics(x, turn, observed, body, terms, follows)
        found = noise.Statistics(*(value.numpy() for value in found))
        total = found if total is None else total + found
    assert total is not None
    return total


def _first_sigma(work: Work) -> np.ndarray:
    """σ from the residuals of triangulated points, `[V, J]`."""
    profile = work.lifter.profile_px()
    shown = work.sight.confidence > 0
    views = max(len(work.showing), 1)
    told = shown & work.points.known[:, None]
    off = (work.points.residual_px / profile)[told]
    free = max(1 - _TAKEN / (2 * views), _LEAST_FREE)
    scale = np.median(off) / _MEDIAN_OF_RAYLEIGH / np.sqrt(free) if off.size else 0.0
    return np.tile((scale if scale > 0 else _UNSEEN_PX) * profile, (shown.shape[1], 1))


def _lengths(
    work: Work, sample: list[np.ndarray], sigma: np.ndarray, given_mm: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Bone lengths, and their deviations, `[K]` each."""
    if given_mm is not None:
        given = np.asarray(given_mm, np.float64)
        return given, np.zeros_like(given)
    prior = work.lifter.prior
    count = len(prior.skeleton)
    joints, known, information = (
        np.concatenate([values[part, :count] for part in sample])
        for values in (
            work.points.points_mm,
            work.points.known,
            work.points.information,
        )
    )
    joints = np.where(known[..., None], joints, np.nan)
    scale = np.mean(sigma[:, :count] ** 2, axis=0)[:, None, None]
    tiny = np.finfo(float).tiny ** 0.5 * np.eye(3)
    covariance = scale * np.linalg.pinv(information + tiny, hermitian=True)
    return estimate_lengths(joints, covariance, prior)


def _runs(rows: np.ndarray, most: int) -> list[np.ndarray]:
    """Runs of frames that follow each other, evenly over those of a take.

    Args:
      rows: `[N]`, the frames that show somebody: of a long recording the person may
        be there for a part of it alone.
      most: of how many frames all runs are together.
    """
    if len(rows) <= most:
        return [rows]
    length = most // _RUNS
    starts = np.linspace(0, len(rows) - length, _RUNS).astype(int)
    return [rows[start : start + length] for start in starts]
