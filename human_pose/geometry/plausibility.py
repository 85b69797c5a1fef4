"""Whether 2D and 3D joints that belong together could be what they are said to be.

Sizes and axes that are not what a file's format says give numbers and no error: metres
read as millimetres an error of "0.06 mm". What a body's size, and pictures beside the
truth, say of this is looked at once, where a file is read.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

# Largest extents of bodies, in the median of the frames: an infant that sits has some
# 300 mm, a tall person with arms stretched out some 2,400.
BODY_EXTENTS_MM: Final = (250.0, 10_000.0)
# Of frames, for what frames say of each other.
_MOST_FRAMES: Final = 64
# Misfits of pictures to the truth, as shares of a person's size: what is no more is as
# said, and something else must explain what is by so much less.
_FITS: Final = 0.2
_BETTER: Final = 0.5
# Joints that are high and low in people who stand.
_HIGH: Final = ("head_top", "nose", "neck", "thorax", "left_shoulder")
_LOW: Final = ("left_ankle", "right_ankle", "left_knee", "right_knee")


def axis_of_bodies(joints_3d_mm: np.ndarray, names: Sequence[str]) -> str:
    """The axis along which bodies have their heads above their feet.

    Args:
      joints_3d_mm: `[F, J, 3]`; NaN where one is missing. Those that are never there
        say nothing; frames that miss another one do not count.
      names: of the J joints, in the vocabulary's words.

    Returns:
      "z", or "-y" and so on, in the median frame; "" where no joints tell.
    """
    ever = np.isfinite(joints_3d_mm).all(axis=-1).any(axis=0)
    places = {name: j for j, name in enumerate(names) if ever[j]}
    high = [places[name] for name in _HIGH if name in places]
    low = [places[name] for name in _LOW if name in places]
    if not high or not low:
        return ""
    way = joints_3d_mm[:, high[0]] - joints_3d_mm[:, low].mean(axis=1)
    way = way[np.isfinite(way).all(axis=-1)]
    if not len(way):
        return ""
    middle = np.median(way, axis=0)
    most = int(np.abs(middle).argmax())
    return f"{'-' if middle[most] < 0 else ''}{'xyz'[most]}"


def implausible_size(joints_3d_mm: np.ndarray) -> str:
    """What is wrong with the size of bodies `[F, J, 3]`; "" for nothing.

    Joints that are NaN do not count, nor frames of one or none, which have no size.
    """
    known = np.isfinite(joints_3d_mm).all(axis=-1)
    frames = known.sum(axis=1) > 1
    if not frames.any():
        return ""
    there = known[frames, :, None]
    highest = np.where(there, joints_3d_mm[frames], -np.inf).max(axis=1)
    lowest = np.where(there, joints_3d_mm[frames], np.inf).min(axis=1)
    median = float(np.median((highest - lowest).max(axis=-1)))
    low, high = BODY_EXTENTS_MM
    if low <= median <= high:
        return ""
    units = {"metres": 1e-3, "centimetres": 0.1, "tenths of a millimetre": 10.0}
    meant = [n for n, size in units.items() if 500 * size <= median <= 2500 * size]
    said = f"; are they {meant[0]}?" if meant else ""
    return (
        f"must be millimetres, bodies of {low:g} to {high:g} mm; in the median frame "
        f"the joints are {median:.3g} mm apart{said}"
    )


def doubts(
    joints_2d_px: np.ndarray,
    joints_3d_mm: np.ndarray,
    rotations: np.ndarray,
    flip_order: Sequence[int],
    head_and_feet: tuple[int, Sequence[int]],
) -> Iterator[str]:
    """What speaks against views, sides and axes, a sentence each.

    Args:
      joints_2d_px: `[F, V, J, 2]`, y down; (0, 0) where not found.
      joints_3d_mm: `[F, J, 3]`, world, z up.
      rotations: `[F, V, 3, 3]`, world to camera.
      flip_order: `[J]`, for each joint that of the other side.
      head_and_feet: numbers of the head's joint and of the feet's.
    """
    every = -(-len(joints_2d_px) // _MOST_FRAMES)
    points, truth = joints_2d_px[::every], joints_3d_mm[::every]
    turns = rotations[::every]
    head, feet = head_and_feet
    over = truth[:, head, 2] - truth[:, list(feet), 2].mean(axis=1)
    upside_down = float(np.mean(over < 0))
    if upside_down > _BETTER:
        yield (
            "joint_3d: z should point upwards; the head is below the feet in "
            f"{100 * upside_down:.0f} % of frames"
        )
    # Files without cameras have zeros.
    if not turns.any():
        return
    misfits = _misfits(points, _seen(truth, turns))
    said = float(np.median(misfits))
    if said <= _FITS:
        for view in np.flatnonzero(np.median(misfits, axis=0) > _FITS):
            alone = points[:, [view]], truth, turns[:, [view]]
            word, least = _explained(*alone, flip_order)
            if least < _BETTER * np.median(misfits[:, view]):
                yield f"joint_2d of view {view} is off joint_3d: {word}"
        return
    order = _order(points, truth, turns)
    word, least = _explained(points, truth, turns, flip_order)
    ordered = _misfit(points[:, order], truth, turns)
    if ordered < least:
        word = f"views seem to be in the order {', '.join(map(str, order))}"
        least = ordered
    known = word if least < _BETTER * said else "they may not belong together"
    yield (
        f"joint_2d is off joint_3d, seen by the cameras, by {100 * said:.0f} % of the "
        f"person's size in the median view; {known}"
        + (f" (then by {100 * least:.0f} %)" if known == word else "")
    )


def _explained(
    points: np.ndarray, truth: np.ndarray, turns: np.ndarray, flip_order: Sequence[int]
) -> tuple[str, float]:
    """What explains best that pictures do not fit the truth, and the misfit then."""
    others = {
        "left and right seem to be exchanged": points[:, :, list(flip_order)],
        "x seems to point to the left": _mirrored(points, 0),
        "y seems to point upwards": _mirrored(points, 1),
    }
    misfits = {word: _misfit(p, truth, turns) for word, p in others.items()}
    return min(misfits.items(), key=lambda item: item[1])


def _mirrored(points: np.ndarray, axis: int) -> np.ndarray:
    """Points with an axis turned round; those not found stay (0, 0)."""
    turned = points.copy()
    turned[..., axis] *= -1
    return turned


def _misfit(points: np.ndarray, truth: np.ndarray, turns: np.ndarray) -> float:
    """How far pictures are from the truth's, by any scale and place: a median share."""
    return float(np.median(_misfits(points, _seen(truth, turns))))


def _seen(truth: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """The truth along the cameras' axes, `[F, V, J, 3]`."""
    seen: np.ndarray = np.einsum("fvij,fkj->fvki", turns, truth)
    return seen


def _order(points: np.ndarray, truth: np.ndarray, turns: np.ndarray) -> list[int]:
    """For each camera the view that fits it best."""
    seen, views = _seen(truth, turns), points.shape[1]
    cost = np.empty((views, views))
    for view in range(views):
        each = np.broadcast_to(points[:, view : view + 1], points.shape)
        cost[:, view] = np.median(_misfits(each, seen), axis=0)
    return [int(view) for view in linear_sum_assignment(cost)[1]]


def _misfits(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Of each frame and view, `[F, V]`, by weak perspective of the joints found."""
    there = (points != 0).any(axis=-1, keepdims=True)
    count = np.maximum(there.sum(axis=-2, keepdims=True), 1)
    a = np.where(there, points, 0.0)
    b = np.where(there, seen[..., :2], 0.0)
    a = np.where(there, a - a.sum(axis=-2, keepdims=True) / count, 0.0)
    b = np.where(there, b - b.sum(axis=-2, keepdims=True) / count, 0.0)
    size = (a * a).sum(axis=(-2, -1))
    scale = (a * b).sum(axis=(-2, -1)) / np.maximum((b * b).sum(axis=(-2, -1)), 1e-12)
    off = a - np.maximum(scale, 0.0)[..., None, None] * b
    return np.sqrt((off * off).sum(axis=(-2, -1)) / np.maximum(size, 1e-12))
