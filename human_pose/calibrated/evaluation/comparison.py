"""Ours beside the baselines on the user's own recording."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from tqdm import tqdm

from human_pose.calibrated import gaps
from human_pose.calibrated.baselines import (
    BASELINES,
    EXHAUSTIVE,
    MOST_EXHAUSTIVE_VIEWS,
    NEED_FPS,
    Method,
)
from human_pose.calibrated.evaluation import leave_one_out, motion_measures
from human_pose.calibrated.evaluation.truth import (
    TruthErrors,
    known_frames,
    said_of_numbers,
    truth_errors,
    truth_of,
)
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Motion, Recording
from human_pose.geometry.skeleton import convert
from human_pose.runs import tables

__all__ = ["BASELINES", "MOST_FRAMES", "OURS", "Comparison", "Method", "compare"]

OURS: Final = "ours"
# What methods are compared on; more would only take longer.
MOST_FRAMES: Final = 1000
# Drawn beside ours, if it is there.
_BESIDE: Final = "Pose2Sim's rule"


@dataclass(frozen=True)
class Row:
    """What one method's joints are like, without truth.

    Attributes:
      reprojection_px: median over all detections.
      found: share of the joints that have an estimate.
      bones: mean variation of the long bones; see `motion_measures.variation`.
      jerk_m_s3: see `motion_measures`.
      left_out: errors in cameras left out, by the number of cameras used.
    """

    reprojection_px: float
    found: float
    bones: float
    jerk_m_s3: float
    left_out: Mapping[int, leave_one_out.Errors]


@dataclass(frozen=True)
class Comparison:
    """All methods, ours first.

    Attributes:
      joints_mm: of each method, `[F, J, 3]`, the detector's joints in the frames
        compared.
      frames: which of the recording's they are.
      rows: by method.
      truth: errors to the truth by method; empty without one.
      notes: what was left out, one sentence each.
    """

    joints_mm: Mapping[str, np.ndarray]
    frames: slice
    rows: Mapping[str, Row]
    truth: Mapping[str, TruthErrors]
    notes: Sequence[str]

    def beside(self, count: int) -> dict[str, np.ndarray]:
        """The method to draw beside ours in `count` frames: NaN where not compared."""
        if _BESIDE not in self.joints_mm:
            return {}
        found = self.joints_mm[_BESIDE]
        joints = np.full((count, *found.shape[1:]), np.nan)
        joints[self.frames] = found
        return {_BESIDE: joints}

    def paler(self) -> str:
        """How the picture of bones shows it, in words."""
        return f"; {_BESIDE} pale" if _BESIDE in self.joints_mm else ""

    def table(self) -> str:
        """The rows, Markdown; what is nowhere known has no column."""
        counts = sorted({n for row in self.rows.values() for n in row.left_out})
        head = [
            *("method", "reprojection (px)", "found (%)", "bones (%)", "jerk (m/s³)"),
            *(
                f"{n} cameras, left out: median / mean / 90 % (px), near (%)"
                for n in reversed(counts)
            ),
        ]
        lines = [
            [
                name,
                *tables.cells(_numbers(row)),
                *(_left_out(row.left_out.get(n)) for n in reversed(counts)),
            ]
            for name, row in self.rows.items()
        ]
        return tables.markdown(head, lines)


def compare(
    poses: Poses,
    recording: Recording,
    baselines: Mapping[str, Method],
    method: Method | None,
    truth: Motion | None,
) -> Comparison:
    """Runs the baselines, and every method without some cameras if there is no truth.

    Args:
      poses: ours.
      recording: of the same views and frames; one person, with cameras. What is
        compared are its joints.
      baselines: methods by name.
      method: our lifter, for cameras left out; it gives the joints of `poses`.
      truth: known joints, or None.

    Raises:
      InputError: if the truth has no frame or joint of the recording.
    """
    known = None if truth is None else truth_of(truth, recording)
    frames = _compared(np.zeros(len(poses)) if known is None else known_frames(known))
    part = recording.of_frames(frames)
    notes: list[str] = []
    if len(part) < len(poses):
        notes.append(
            f"Methods are compared on {len(part)} of the {len(poses)} frames, numbers "
            f"{part.frames[0]} to {part.frames[-1]}."
        )
    usable, missing = _usable(baselines, part)
    notes += missing
    joints = {OURS: _detected(poses.joints_3d_mm[frames], poses, part)}
    bar = tqdm(usable.items(), desc="baselines", leave=False, disable=None)
    joints |= {name: each(part) for name, each in bar}
    methods = dict(usable)
    if method:
        methods[OURS] = lambda given: _detected(method(given), poses, given)
    # Ours has a core's worth to do, and the others have one together.
    with ThreadPoolExecutor(2) as pool:
        waiting = {
            name: pool.submit(
                _row, found, part, methods.get(name) if truth is None else None, name
            )
            for name, found in joints.items()
        }
        rows = {name: each.result() for name, each in waiting.items()}
    errors = {}
    if known is not None:
        errors = _truths(poses, joints, part, frames, known[frames])
        numbers = part.frames, part.sequence
        said = said_of_numbers(joints[OURS], known[frames], *numbers)
        notes += [said] if said else []
    return Comparison(joints, frames, rows, errors, notes)


def _usable(
    baselines: Mapping[str, Method], recording: Recording
) -> tuple[dict[str, Method], list[str]]:
    """The baselines that a recording allows, and why others are left out."""
    usable, notes, views = dict(baselines), [], len(recording.view_names)
    if views < 2:
        return {}, ["One view: no method that triangulates can stand beside ours."]
    if recording.fps is None:
        usable = {n: each for n, each in usable.items() if n not in NEED_FPS}
        notes.append("The frame rate is unknown: no filters, no jerk.")
    if views > MOST_EXHAUSTIVE_VIEWS:
        usable = {n: each for n, each in usable.items() if n not in EXHAUSTIVE}
        notes.append(
            f"{EXHAUSTIVE[0]} is left out: its choices of {views} cameras are too many."
        )
    return usable, notes


def _detected(values: np.ndarray, poses: Poses, recording: Recording) -> np.ndarray:
    """Values `[F, J, C]` of our joints for the detector's; NaN where there are none."""
    return convert(values, poses.skeleton, recording.skeleton, fill=np.nan)


def _compared(known: np.ndarray) -> slice:
    """The frames compared: in a row, as measures need, where most are known `[F]`.

    Of several such, those in the middle.
    """
    size = min(len(known), MOST_FRAMES)
    before = np.append(0, np.cumsum(known))
    held = before[size:] - before[: len(before) - size]
    best = np.flatnonzero(held == held.max())
    first = int(best[(len(best) - 1) // 2])
    return slice(first, first + size)


def _row(
    joints_mm: np.ndarray, part: Recording, method: Method | None, name: str
) -> Row:
    distances = leave_one_out.distances_px(joints_mm, part)
    known = distances[~np.isnan(distances)]
    ends = [e for p in motion_measures.long_bones(part.skeleton).values() for e in p]
    bones = motion_measures.variation(
        motion_measures.lengths_mm(joints_mm, ends or list(part.skeleton.limbs))
    )
    stretches = gaps.stretches(part.frames, part.sequence, part.fps)
    sizes = leave_one_out.sizes(len(part.view_names)) if method else ()
    return Row(
        float(np.median(known)) if known.size else float("nan"),
        float(np.isfinite(joints_mm).all(axis=-1).mean()) if joints_mm.size else 0.0,
        float(np.mean(bones[np.isfinite(bones)]))
        if np.isfinite(bones).any()
        else np.nan,
        motion_measures.jerk_m_s3(joints_mm, part.fps, stretches),
        {
            n: leave_one_out.leave_cameras_out(
                method, part, n, title=f"{name}, from {n} cameras"
            )
            for n in sizes
            if method
        },
    )


def _truths(
    poses: Poses,
    joints: Mapping[str, np.ndarray],
    part: Recording,
    frames: slice,
    truth_mm: np.ndarray,
) -> dict[str, TruthErrors]:
    flat = poses.covariance_mm2[frames].reshape(len(part), -1, 9)
    covariance = _detected(flat, poses, part).reshape(len(part), -1, 3, 3)
    return {
        name: truth_errors(
            found, truth_mm, part.skeleton, covariance if name == OURS else None
        )
        for name, found in joints.items()
    }


def _numbers(row: Row) -> np.ndarray:
    return np.array(
        [row.reprojection_px, 100 * row.found, 100 * row.bones, row.jerk_m_s3]
    )


def _left_out(errors: leave_one_out.Errors | None) -> str:
    if errors is None or np.isnan(errors.mean):
        return "-"
    return (
        f"{errors.median:.1f} / {errors.mean:.1f} / {errors.ninety:.1f}, "
        f"{100 * errors.within_50:.0f}"
    )
