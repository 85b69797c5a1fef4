"""What a user should look into before trusting results, in sentences."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from human_pose.calibrated import gaps
from human_pose.calibrated.baselines.linear import weighted_dlt
from human_pose.calibrated.evaluation.clocks import said_of_clocks
from human_pose.calibrated.evaluation.detections import shown_joints
from human_pose.calibrated.evaluation.misread import said_of_cameras
from human_pose.calibrated.evaluation.motion_measures import height_mm
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Recording
from human_pose.geometry.plausibility import axis_of_bodies

# Bodies, from a small child's to the tallest.
_HEIGHTS_MM: Final = (700.0, 2400.0)
# Views that see fewer joints see nobody; frames of one view below it are few.
_FEWEST_JOINTS: Final = 4
_ALONE_SHARE: Final = 0.02
# Frames that tell how large a body is.
_OF_HEIGHT: Final = 100
# Mean offsets of a view's detections that no detector makes by itself.
_OFFSET_PX: Final = 8.0
_OFFSET_SHARE: Final = 0.5  # of the view's median error
_OUTLIER_SHARE: Final = 0.25
_MISSING_SHARE: Final = 0.5
_SWAP_SHARE: Final = 0.05
_OUTSIDE_SHARE: Final = 0.02
# Exchanges of the whole body: within that time joints of the sides move that far, and
# to less than that share of it from where the other side's were. At lower rates bodies
# turn round from frame to frame.
_SUDDEN_S: Final = 0.1
_LEAST_FPS: Final = 8.0
_JUMP_MM: Final = 150.0
_CROSSED: Final = 0.4


def cautions(
    poses: Poses, recording: Recording, offsets_px: np.ndarray
) -> Iterator[str]:
    """What looks wrong, one sentence each.

    Args:
      poses: the results.
      recording: of the same views and frames; one person, with cameras.
      offsets_px: mean offsets of the views' detections, `[V, 2]`.
    """
    # What does not fit at all tells nothing of time.
    if misread := said_of_cameras(recording) or said_of_clocks(recording):
        yield misread
    yield from _of_size(poses, recording)
    yield from _of_axes(poses)
    yield from _of_all(poses)
    yield from _exchanges(poses)
    for view, name in enumerate(poses.view_names):
        yield from _of_view(poses, recording, view, name, offsets_px[view])


def _of_size(poses: Poses, recording: Recording) -> Iterator[str]:
    """Says where bodies are of no size: by the detections, and as they were lifted."""
    # The prior knows people's sizes, so that what it was given is judged without it.
    some = recording.of_frames(slice(None, None, -(-len(recording) // _OF_HEIGHT)))
    joints = weighted_dlt(
        some.joints_2d_px[:, :, 0], some.confidence[:, :, 0], some.cameras
    )
    if _wrong(given := height_mm(joints, some.skeleton)):
        yield (
            f"The bones imply a body of {given / 1000:.2g} m: are the calibration's "
            "units the right ones?"
        )
    elif _wrong(found := height_mm(poses.joints_3d_mm, poses.skeleton)):
        yield (
            f"The lifted body has {found / 1000:.2g} m: are the calibration's units "
            "the right ones, and the prior's?"
        )


def _wrong(height: float) -> bool:
    return not (np.isnan(height) or _HEIGHTS_MM[0] <= height <= _HEIGHTS_MM[1])


def _of_axes(poses: Poses) -> Iterator[str]:
    """Says where bodies do not stand, as in worlds that begin at a camera."""
    axis = axis_of_bodies(poses.joints_3d_mm, poses.skeleton.names)
    if axis not in ("", "z"):
        yield (
            f"Bodies lie or stand on their heads: these are along {axis} from the "
            "feet. Results and their files take the calibration's z-axis for upwards; "
            "if it is another, `up` says which."
        )


def _of_all(poses: Poses) -> Iterator[str]:
    yield from _alone(poses)
    if poses.fps is None:
        yield "The frame rate is unknown; nothing could be said of time."
    lost = ~np.isfinite(poses.joints_3d_mm).all(axis=-1)
    if lost.any():
        yield f"{100 * lost.mean():.1f} % of the joints have no estimate."
    blind = ~shown_joints(poses)
    if blind.any():
        names = [n for n, b in zip(poses.skeleton.names, blind, strict=True) if b]
        yield f"No view ever sees {', '.join(names)}: what is there is the prior's."


def _alone(poses: Poses) -> Iterator[str]:
    """Says where no two views see the body."""
    if len(poses.view_names) == 1:
        yield (
            "One view alone does not show depth: distances are the prior's, and rely "
            "on the body's size."
        )
        return
    views = np.isfinite(poses.reprojection_px).sum(axis=-1) >= _FEWEST_JOINTS
    nobody = np.mean(~views.any(axis=-1))
    if nobody > _ALONE_SHARE:
        yield (
            f"In {100 * nobody:.0f} % of frames no view sees the body: what is there "
            "lies between other frames', and its ellipsoids are likely too small."
        )
    share = np.mean(views.sum(axis=-1) == 1)
    if share > _ALONE_SHARE:
        yield (
            f"In {100 * share:.0f} % of frames one view alone sees the body: distances "
            "there rely on its size."
        )


def _exchanges(poses: Poses) -> Iterator[str]:
    """Says where left and right change places at once, which no single view shows."""
    if poses.fps is None or poses.fps < _LEAST_FPS or not poses.skeleton.pairs:
        return
    reach = max(1, round(_SUDDEN_S * poses.fps))
    sides = list(poses.skeleton.left + poses.skeleton.right)
    joints = poses.joints_3d_mm
    before, after = joints[:-reach], joints[reach:]
    crossed = before[:, list(poses.skeleton.flip_order)]
    with np.errstate(invalid="ignore"):
        straight, exchanged = (
            np.linalg.norm(after - start, axis=-1)[:, sides].mean(axis=-1)
            for start in (before, crossed)
        )
        jumps = (straight > _JUMP_MM) & (exchanged < _CROSSED * straight)
    # Who is lost for long may have turned round meanwhile.
    takes = gaps.stretches(poses.frames, poses.sequence, poses.fps)
    jumps &= takes[:-reach] == takes[reach:]
    first = np.flatnonzero(np.diff(jumps.astype(int), prepend=0) == 1) + reach
    if first.size:
        places = ", ".join(map(str, poses.frames[first]))
        yield (
            "Left and right change places in all views at once, near these frames: "
            f"{places}. Before or after they may be exchanged."
        )


def _of_view(
    poses: Poses, recording: Recording, view: int, name: str, offset_px: np.ndarray
) -> Iterator[str]:
    joints = shown_joints(poses)
    errors = poses.reprojection_px[:, view, joints]
    seen = np.isfinite(errors)
    if not seen.any():
        yield f"View {name} has no detection at all."
        return
    missing, used = 1 - seen.mean(), poses.views_used[:, view, joints][seen]
    if missing > _MISSING_SHARE:
        yield f"View {name} lacks {100 * missing:.0f} % of the detections."
    if np.mean(~used) > _OUTLIER_SHARE:
        yield (
            f"{100 * np.mean(~used):.0f} % of the detections of view {name} were not "
            "believed: is its calibration right, and its time?"
        )
    size = np.linalg.norm(offset_px)
    if size > max(_OFFSET_PX, _OFFSET_SHARE * np.median(errors[seen])):
        x, y = offset_px
        yield (
            f"Detections of view {name} lie ({x:+.0f}, {y:+.0f}) px from the joints' "
            "images on average: its calibration may be off."
        )
    swapped = poses.swapped[:, view].any(axis=-1).mean()
    if swapped > _SWAP_SHARE:
        yield f"View {name} swaps left and right in {100 * swapped:.0f} % of frames."
    yield from _outside(recording, view, name)


def _outside(recording: Recording, view: int, name: str) -> Iterator[str]:
    size = recording.cameras[view].size_px
    if size is None:
        return
    points = recording.joints_2d_px[:, view, 0]
    known = np.isfinite(points).all(axis=-1)
    outside = ((points < 0) | (points > size)).any(axis=-1) & known
    share = outside.sum() / max(known.sum(), 1)
    if share > _OUTSIDE_SHARE:
        yield (
            f"{100 * share:.0f} % of the detections of view {name} lie outside its "
            f"image of {size[0]} x {size[1]}: are they in pixels of that image?"
        )
