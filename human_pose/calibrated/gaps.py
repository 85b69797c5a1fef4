"""Frames that are not there, or that no view shows anything in, and what is unknown."""

from typing import Final

import numpy as np

from human_pose.exchange.numbering import ASSUMED_FPS, LONGEST_GAP_S

# How fast a body moves is seen in that part of how far it is carried on (dev).
_OF_REACH: Final = 4


def following(frames: np.ndarray, sequence: np.ndarray, fps: float) -> np.ndarray:
    """Where a frame goes on from the one before it: float64 `[F]`, 1 or 0.

    Args:
      frames: `[F]`, their numbers.
      sequence: `[F]`, equal for the frames of one take; where frames of more than
        `LONGEST_GAP_S` lack, which readers do not fill up, another one begins.
      fps: frames a second.
    """
    steps = np.diff(frames)
    same = sequence[1:] == sequence[:-1]
    usual = max(np.median(steps[same]), 1) if same.any() else 1
    return np.append(0.0, same & (steps <= (round(LONGEST_GAP_S * fps) + 1.5) * usual))


def stretches(
    frames: np.ndarray, sequence: np.ndarray, fps: float | None
) -> np.ndarray:
    """Numbers of what is moved through without an end: int64 `[F]`.

    A take that lacks more than `LONGEST_GAP_S` is two: arguments as of `following`,
    but that takes may be in any order and the rate unknown.
    """
    order = np.argsort(sequence, kind="stable")
    follows = following(frames[order], sequence[order], fps or ASSUMED_FPS)
    result = np.empty(len(order), np.int64)
    result[order] = np.cumsum(follows[: len(order)] == 0)
    return result


def nearest_seen(
    seen: np.ndarray, follows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest frames of the same sequence that show something.

    Args:
      seen: bool `[F]`, whether a frame shows anything.
      follows: `[F]`, 1 where a frame follows the one before it in a sequence.

    Returns:
      Their numbers before and after each frame, `[F]` each, the frame itself where it
      shows something; -1 where there is none.
    """
    take = np.cumsum(follows == 0)
    count = len(seen)
    number = np.arange(count)
    before = np.maximum.accumulate(np.where(seen, number, -1))
    after = np.minimum.accumulate(np.where(seen, number, count)[::-1])[::-1]

    def of_take(side: np.ndarray) -> np.ndarray:
        there = (side >= 0) & (side < count)
        same = take[np.where(there, side, 0)] == take
        return np.where(there & same, side, -1)

    return of_take(before), of_take(after)


def nearest(seen: np.ndarray, follows: np.ndarray) -> np.ndarray:
    """The nearer of both, `[F]`; a frame itself where there is neither."""
    number = np.arange(len(seen))
    before, after = nearest_seen(seen, follows)
    sooner = (before >= 0) & ((after < 0) | (number - before <= after - number))
    chosen = np.where(sooner, before, after)
    return np.where(chosen >= 0, chosen, number)


def bridged(
    joints_mm: np.ndarray, turns: np.ndarray, seen: np.ndarray, follows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Joints `[F, J, 3]` and turns `[F, 3, 3]`, between those of frames that show some.

    What frames by themselves give where nothing is seen is the prior's, anywhere.
    """
    sides = nearest_seen(seen, follows)
    number = np.arange(len(seen))
    before, after = (
        np.where(side >= 0, side, np.where(other >= 0, other, number))
        for side, other in (sides, sides[::-1])
    )
    share = (number - before) / np.maximum(after - before, 1)
    share = np.clip(share, 0, 1)[:, None, None]
    joints = (1 - share) * joints_mm[before] + share * joints_mm[after]
    return joints, turns[nearest(seen, follows)]


def spans(seen: np.ndarray, follows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last frame of each frame's sequence that show something.

    Args:
      seen: as of `nearest_seen`.
      follows: see there.

    Returns:
      Their numbers, int64 `[F]` each; F and -1 of a sequence that shows nothing.
    """
    take, number = np.cumsum(follows == 0), np.arange(len(seen))
    first = np.full(len(seen) + 1, len(seen))
    last = np.full(len(seen) + 1, -1)
    np.minimum.at(first, take[seen], number[seen])
    np.maximum.at(last, take[seen], number[seen])
    return first[take], last[take]


def carried_on(
    joints_mm: np.ndarray, seen: np.ndarray, follows: np.ndarray, reach: int
) -> np.ndarray:
    """Joints `[F, J, 3]`, with those of frames beyond their spans by the body's way.

    The nearest pose that is seen moves on as the middle of its joints did before, or
    after, until it is out of reach.

    Args:
      joints_mm: `[F, J, 3]`; those within the spans stay.
      seen: as of `nearest_seen`.
      follows: see there.
      reach: over how many frames.
    """
    first, last = spans(seen, follows)
    number = np.arange(len(seen))
    beyond = (last >= 0) & ((number < first) | (number > last))
    number, first, last = number[beyond], first[beyond], last[beyond]
    near = np.clip(number, first, last)
    steps = np.minimum(max(reach // _OF_REACH, 1), last - first)
    other = np.where(number < first, near + steps, near - steps)
    middle = joints_mm.mean(axis=1)
    way = (middle[near] - middle[other]) / np.where(steps, near - other, 1)[:, None]
    off = np.clip(number - near, -reach, reach)
    result = joints_mm.copy()
    result[beyond] = joints_mm[near] + (off[:, None] * way)[:, None]
    return result


def unknown(seen: np.ndarray, follows: np.ndarray, reach: int) -> np.ndarray:
    """Frames of which nothing is known, bool `[F]`: none within reach shows anything.

    Args:
      seen: as of `nearest_seen`.
      follows: see there.
      reach: how many frames before or after still tell of one.
    """
    number = np.arange(len(seen))
    sides = nearest_seen(seen, follows)
    near = [(side >= 0) & (np.abs(number - side) <= reach) for side in sides]
    return ~(near[0] | near[1])
