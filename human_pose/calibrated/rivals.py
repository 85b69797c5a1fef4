"""Whole bodies with their sides exchanged, where two views alone see them.

Of three views two outvote the one that takes left for right. Of two, rays that do not
meet show that one of them errs, but the joints give way to either. So frames are lifted
once for each of the four ways to read them, and the likeliest course through these is
found over time (Viterbi).
"""

import itertools
from typing import Final

import numpy as np

from human_pose.calibrated import swaps
from human_pose.calibrated.work import Work

# Of `ModelJoints.exchanges`, which are sets of arms (1) and legs (2): all is both.
_ALL: Final = 3
_LIMBS: Final = (1, 2)


def undo_exchanged_bodies(work: Work) -> bool:
    """Undoes exchanges of whole bodies in recordings of two views.

    Args:
      work: measured; its exchanges, and its points, are changed.

    Returns:
      Whether these are others than before.
    """
    views = work.showing
    if len(views) != 2:
        return False
    before = work.exchanges
    base = np.where(np.isin(before, _LIMBS), before, 0)
    readings = []
    for turned in itertools.product((False, True), repeat=2):
        states = base.copy()
        states[:, views] = np.where(turned, _ALL - base[:, views], base[:, views])
        readings.append(states)
    unary = np.stack([-_energies(work, states) for states in readings], axis=-1)
    chosen = _course(work, np.stack(readings, axis=1)[..., views], unary)
    exchanges = np.stack(readings)[chosen, np.arange(len(work))]
    work.undo(exchanges)
    work.triangulate()
    return not np.array_equal(exchanges, before)


def _energies(work: Work, exchanges: np.ndarray) -> np.ndarray:
    """Energies of the frames where they are lifted with these undone, `[F]`."""
    work.undo(exchanges)
    work.triangulate()
    body, terms = work.body(), work.terms(False)
    parts = []
    for part in work.batches("swaps"):
        observed = work.observed(part)
        points = work.triangulated(part)
        x, turn = work.stages.frames(points, observed, body, terms)
        parts.append(work.stages.energies(x, turn, observed, body, terms))
    return np.concatenate(parts)


def _course(work: Work, readings: np.ndarray, unary: np.ndarray) -> np.ndarray:
    """The likeliest course: numbers of readings, `[F]`.

    Args:
      work: the recording.
      readings: `[F, R, 2]`, the views' exchanges in each reading.
      unary: `[F, R]`, log densities of the readings.
    """
    views = work.showing
    prior = np.log(work.terms(True).swaps.numpy())
    unary = unary + prior[readings].sum(axis=-1)
    links = swaps.links(
        work.original.points_px[:, views],
        work.original.confidence[:, views] > 0,
        work.follows > 0,
        work.lifter.joints,
    )
    frame, view = np.ogrid[: len(work) - 1, :2]
    between = links[
        frame[..., None, None],
        view[..., None, None],
        np.moveaxis(readings[:-1], 1, 2)[..., :, None],
        np.moveaxis(readings[1:], 1, 2)[..., None, :],
    ].sum(axis=1)
    return swaps.best_course(unary[:, None], between[:, None])[:, 0]
