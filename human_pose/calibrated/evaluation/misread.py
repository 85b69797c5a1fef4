"""How detections and cameras that do not agree may have been meant.

Pictures of another size, axes that point elsewhere, poses from camera to world: all are
lifted to a body of a person's size, and no detection is far from what it makes of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from human_pose.calibrated.baselines.linear import triangulated
from human_pose.calibrated.baselines.views import distances_px, pinhole_views
from human_pose.exchange.recording import Recording
from human_pose.geometry.cameras import Camera
from human_pose.geometry.lenses import BROWN_CONRADY

# Frames that tell.
_MOST_FRAMES: Final = 50
# Misfits as shares of a person's size: what is no more is noise, and something else
# must explain what is by so much less. Of two views much fits by chance.
_FITS: Final = 0.04
_BETTER: Final = 0.5
_BETTER_OF_TWO: Final = 0.25
# Heights of pictures beside each other: 1080 and 720, 2160 and 1440, 1080 and 480 ...
_SCALES: Final = (4 / 3, 3 / 2, 2.0, 9 / 4, 3.0, 4.0)
# A recording as it may have been meant, and how many of its pixels are one of ours.
_Meant = tuple[str, Recording, float]


def said_of_cameras(recording: Recording) -> str:
    """A sentence where detections fit the cameras far better if read otherwise, or "".

    Args:
      recording: of one person, with cameras.
    """
    views = len(recording.view_names)
    if views < 2:
        return ""
    some = recording.of_frames(slice(None, None, -(-len(recording) // _MOST_FRAMES)))
    said, noise = _misfit_px(some), _FITS * _size_px(some)
    if not said > noise:  # nor where nothing is known
        return ""
    most = min(_BETTER * said if views > 2 else _BETTER_OF_TWO * said, noise)
    for meanings in (_of_all, _of_one) if views > 2 else (_of_all,):
        found = {what: _misfit_px(r) / scale for what, r, scale in meanings(some)}
        least = min(found, key=lambda what: found[what])
        if found[least] < most:
            off = f"by {said:.0f} px in the median"
            return (
                "Detections of the views do not fit together: they are off "
                f"{off if np.isfinite(said) else 'as far as behind cameras'}, and by "
                f"{found[least]:.0f} px if {least}"
            )
    return ""


def _misfit_px(recording: Recording) -> float:
    """The median distance of detections from what all views make of the joint."""
    detected = recording.joints_2d_px[:, :, 0], recording.confidence[:, :, 0]
    views = pinhole_views(*detected, recording.cameras)
    seen = views.weights > 0
    off = distances_px(triangulated(views, views.weights), views)
    off = off[seen & (seen.sum(axis=1, keepdims=True) > 1)]
    off = off[~np.isnan(off)]
    return float(np.median(off)) if len(off) else np.nan


def _size_px(recording: Recording) -> float:
    """The diagonal of the box around a person, in the median frame and view."""
    points = recording.joints_2d_px[:, :, 0]
    known = np.isfinite(points).all(axis=-1, keepdims=True)
    low = np.where(known, points, np.inf).min(axis=2)
    high = np.where(known, points, -np.inf).max(axis=2)
    sizes = np.linalg.norm((high - low)[known.any(axis=(2, 3))], axis=-1)
    return float(np.median(sizes)) if len(sizes) else np.nan


def _of_all(recording: Recording) -> Iterator[_Meant]:
    """What may have been meant by all views."""
    for scale in _scales():
        changed = recording.replace(joints_2d_px=scale * recording.joints_2d_px)
        yield f"they are {_of_scale(scale)}", changed, scale
    for what, move in _TURNED.items():
        yield f"pictures are taken as {what}", _moved(recording, move), 1.0
    for what, turn in _POSES.items():
        turned = tuple(map(turn, recording.cameras))
        yield f"cameras' {what}?", recording.replace(cameras=turned), 1.0


def _of_one(recording: Recording) -> Iterator[_Meant]:
    """What may have been meant by one view of several."""
    for view, name in enumerate(recording.view_names):
        for scale in _scales():
            points = recording.joints_2d_px.copy()
            points[:, view] *= scale
            what = f"those of view {name} are {_of_scale(scale)}"
            yield what, recording.replace(joints_2d_px=points), 1.0


def _scales() -> tuple[float, ...]:
    return (*_SCALES, *(1 / scale for scale in _SCALES))


def _of_scale(scale: float) -> str:
    return (
        f"taken {scale:.3g} times as large: are they in pixels of pictures of the "
        "calibration's size?"
    )


def _moved(
    recording: Recording, move: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Recording:
    """With points that are elsewhere in the calibration's pictures."""
    points = recording.joints_2d_px.copy()
    for view, camera in enumerate(recording.cameras):
        size = camera.size_px or 2 * camera.centre_px
        points[:, view] = move(points[:, view], np.asarray(size, np.float64))
    return recording.replace(joints_2d_px=points)


# Of points, and the size of the calibration's pictures.
_TURNED: Final[dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "upside down: does y point upwards?": lambda p, size: np.stack(
        [p[..., 0], size[1] - p[..., 1]], -1
    ),
    "mirrored: does x point to the left?": lambda p, size: np.stack(
        [size[0] - p[..., 0], p[..., 1]], -1
    ),
    "turned by 180°: how was the camera held?": lambda p, size: size - p,
    "turned by 90°: how was the camera held?": lambda p, size: np.stack(
        [size[0] - p[..., 1], p[..., 0]], -1
    ),
    "turned by 270°: how was the camera held?": lambda p, size: np.stack(
        [p[..., 1], size[1] - p[..., 0]], -1
    ),
}


def _turned_round(camera: Camera) -> Camera:
    return replace(camera, rotation=camera.rotation.T)


def _placed(camera: Camera) -> Camera:
    """With its translation taken for its place."""
    return replace(camera, translation_mm=-camera.rotation @ camera.translation_mm)


_HELD: Final = "is that how the calibration has them"
_POSES: Final[dict[str, Callable[[Camera], Camera]]] = {
    f"rotations go from camera to world: {_HELD}": _turned_round,
    f"translations are their places: {_HELD}": _placed,
    f"poses go from camera to world: {_HELD}": lambda c: _placed(_turned_round(c)),
    "lenses are left out: are the pictures undistorted already": lambda c: replace(
        c, distortion=(), lens=BROWN_CONRADY
    ),
}
