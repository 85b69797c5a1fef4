"""`viewer.html`: results to look at in any browser, from one file and without a net.

The page (`viewer.html` beside this module) draws the 3D scene with Plotly, whose code
is within the file, and the views by itself. Numbers are float32 in base64. Recordings
too long for a page of about 20 MB are thinned, and the page says so.
"""

import base64
import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import numpy as np
from scipy import stats

from human_pose.calibrated.evaluation import detections
from human_pose.calibrated.evaluation.matching import in_skeleton, matched
from human_pose.exchange.numbering import moments
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Recording
from human_pose.files.extras import needed
from human_pose.files.paths import atomic
from human_pose.geometry.cameras import Camera
from human_pose.geometry.skeleton import Skeleton

VIEWER: Final = "viewer.html"
# Frames a second of results that do not say; of the videos, too.
UNKNOWN_FPS: Final = 25.0
# Of the numbers; Plotly is some 5 MB.
MOST_BYTES: Final = 14_000_000
_DATA, _PLOTLY = "/*DATA*/", "/*PLOTLY*/"

_SHARE: Final = 0.95  # of errors within the ellipsoids
_ROOM_MM: Final = 400.0  # beyond joints and cameras
_GRID_MM: Final = 500.0
_MOST_LINES: Final = 40
_PERCENT: Final = (1.0, 99.0)  # of points; outliers may leave the picture
_MARGIN: Final = 0.12
# Plotly's lens has 45°: that far away a ball of radius 1 fills it, with some room.
_DISTANCE: Final = 3.2
_CAMERA_SHARE: Final = 0.08  # a drawn camera's length, of the rig's radius
_LEAST_TOP_PX: Final = 5.0


class Film(NamedTuple):
    """A video of a view with the results drawn over it, a picture for each frame.

    Attributes:
      path: relative to the page.
      size_px: of the pictures that the detections are of; the video may be smaller.
    """

    path: str
    size_px: tuple[int, int]


def write_viewer(
    path: str | os.PathLike[str],
    poses: Poses,
    recording: Recording,
    title: str = "",
    *,
    films: Mapping[str, Film] = MappingProxyType({}),
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Writes the page.

    Args:
      path: of the page.
      poses: the results.
      recording: what they were found from: one person, with cameras, the views and
        frames of the results.
      title: default: the recording's source.
      films: of the views, by their names.
      most_bytes: of the numbers in the page; with more, frames are left out evenly.

    Returns:
      The page's path.

    Raises:
      InputError: if results and recording do not belong together, Plotly is not
        installed, or the page cannot be written.
    """
    path = Path(path)
    script = needed("plotly.offline", VIEWER, "viewer").get_plotlyjs()
    seen = in_skeleton(matched(poses, recording), poses.skeleton)
    title = title or Path(recording.source).name
    content = _content(poses, seen, title, films, most_bytes)
    # `<` could end the page's element wherever a name holds it.
    text = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    page = resources.files(__package__).joinpath(VIEWER).read_text("utf-8")
    start, rest = page.split(_DATA)
    middle, end = rest.split(_PLOTLY)
    with atomic(path) as temporary:
        temporary.write_text(
            "".join([start, text, middle, script, end]),
            encoding="utf-8",
            errors="backslashreplace",
        )
    return path


def _content(
    poses: Poses,
    seen: Recording,
    title: str,
    films: Mapping[str, Film],
    most_bytes: int,
) -> dict[str, Any]:
    every = stride(poses, most_bytes)
    chosen = slice(None, None, every)
    skeleton, views = poses.skeleton, range(len(poses.view_names))
    images = detections.images_px(poses, seen, chosen)
    detected = seen.joints_2d_px[chosen, :, 0]
    errors = detections.medians_px(poses)[chosen]
    rate = "frame rate unknown" if poses.fps is None else f"{poses.fps:g} frames/s"
    return {
        "title": title,
        "about": f"{len(poses)} frames, {rate}, {len(views)} views, mm",
        "thinned": f"Long recording: one frame in {every} is shown."
        if every > 1
        else "",
        "frames": poses.frames[chosen].tolist(),
        # In frames: numbers may go on in steps, as of every fifth frame.
        "moments": moments(poses.frames, poses.sequence)[chosen].tolist(),
        "sequence": poses.sequence[chosen].tolist(),
        "takes": len(np.unique(poses.sequence)),
        "fps": poses.fps,
        # Frames of the page a second.
        "rate": (poses.fps or UNKNOWN_FPS) / every,
        # Into the middle of a video's frame, s.
        "half": 0.5 / (poses.fps or UNKNOWN_FPS),
        "joints": skeleton.names,
        "joint_sides": [side_of(skeleton, j) for j in range(len(skeleton))],
        "limbs": skeleton.limbs,
        "limb_sides": [side_of(skeleton, *limb) for limb in skeleton.limbs],
        "points": _packed(poses.joints_3d_mm[chosen]),
        "shapes": _packed(_triangles(poses.covariance_mm2[chosen])),
        "quantile": float(np.sqrt(stats.chi2.ppf(_SHARE, 3))),
        "detected": _packed(detected),
        "shown": _packed(images),
        "believed": _packed(poses.views_used[chosen]),
        "errors": _packed(errors),
        "top": max(_percentile(errors, 98.0, 0.0), _LEAST_TOP_PX),
        "swapped": [_swaps(poses, chosen, v) for v in views],
        "views": [
            {
                "name": name,
                "size": seen.cameras[v].size_px,
                **_film(films.get(name)),
                "window": _window(detected[:, v], images[:, v]),
                "pyramid": _pyramid(seen.cameras[v], _radius(poses, seen)),
            }
            for v, name in enumerate(poses.view_names)
        ],
        **_room(poses, seen),
    }


def _film(film: Film | None) -> dict[str, Any]:
    """A view's video, for the page; a name may hold what an address may not."""
    if film is None:
        return {"video": None}
    return {"video": quote(film.path), "video_size": film.size_px}


def stride(poses: Poses, most_bytes: int) -> int:
    """Every how many frames one is shown."""
    joints, views = len(poses.skeleton), len(poses.view_names)
    floats = joints * (3 + 6 + 5 * views) + views
    # Four letters of base64 for three bytes; frame, time, take and swaps in words.
    each = floats * 4 * 4 / 3 + 20 + 8 * views
    return max(1, int(np.ceil(len(poses) * each / most_bytes)))


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def side_of(skeleton: Skeleton, *joints: int) -> str:
    """Of a joint, or of a limb by its ends: "left", "right" or "middle"."""
    if any(joint in skeleton.left for joint in joints):
        return "left"
    return "right" if any(joint in skeleton.right for joint in joints) else "middle"


def _triangles(covariance_mm2: np.ndarray) -> np.ndarray:
    """The lower triangles L of Σ = L Lᵀ, `[F, J, 6]`, mm; NaN where Σ is."""
    known = np.isfinite(covariance_mm2).all(axis=(-2, -1), keepdims=True)
    safe = np.where(known, covariance_mm2, np.eye(3))
    # A direction without any error is drawn as a thin one.
    size = np.trace(safe, axis1=-2, axis2=-1)[..., None, None]
    lower = np.linalg.cholesky(safe + (1e-6 * size + 1e-12) * np.eye(3))
    rows, columns = np.tril_indices(3)
    return np.where(known[..., 0], lower[..., rows, columns], np.nan)


def _swaps(poses: Poses, chosen: slice, view: int) -> list[str]:
    """What is swapped in each frame, in words; "" for nothing."""
    return [
        ", ".join(n for n, s in zip(poses.swap_names, row, strict=True) if s)
        for row in poses.swapped[chosen, view].tolist()
    ]


def _window(*points_px: np.ndarray) -> list[list[float]]:
    """The part of the image that is shown, two corners."""
    flat = np.concatenate([points.reshape(-1, 2) for points in points_px])
    flat = flat[np.isfinite(flat).all(axis=-1)]
    if not len(flat):
        return [[0.0, 0.0], [1.0, 1.0]]
    low, high = np.percentile(flat, _PERCENT, axis=0)
    pad = _MARGIN * max(*(high - low), 10.0)
    return [(low - pad).tolist(), (high + pad).tolist()]


def _known(poses: Poses) -> np.ndarray:
    joints = poses.joints_3d_mm.reshape(-1, 3)
    known = joints[np.isfinite(joints).all(axis=-1)]
    return known if len(known) else np.zeros((1, 3))


def _radius(poses: Poses, seen: Recording) -> float:
    """The mean distance of the cameras from the people, mm."""
    middle = np.median(_known(poses), axis=0)
    places = np.array([camera.position_mm for camera in seen.cameras])
    return float(np.linalg.norm(places - middle, axis=-1).mean())


def _pyramid(camera: Camera, radius_mm: float) -> dict[str, list[float | None]]:
    """A camera's outline: its centre, and the corners of its image."""
    width, height = camera.size_px or 2 * camera.centre_px
    corners_px = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    rays = (corners_px - camera.centre_px) / camera.focal_px
    depth = _CAMERA_SHARE * radius_mm
    inside = depth * np.concatenate([rays, np.ones((4, 1))], axis=1)
    a, b, c, d = (inside - camera.translation_mm) @ camera.rotation
    tip, gap = camera.position_mm, np.full(3, np.nan)
    path = np.array([tip, a, b, tip, c, d, tip, gap, b, c, gap, d, a])
    return {
        axis: [None if np.isnan(x) else float(x) for x in path[:, k]]
        for k, axis in enumerate("xyz")
    }


def _room(poses: Poses, seen: Recording) -> dict[str, Any]:
    """Ranges of the axes, their scale, and from where to look: at the people."""
    low, high = np.percentile(_known(poses), _PERCENT, axis=0)
    places = np.array([camera.position_mm for camera in seen.cameras])
    floor = np.minimum(low, places.min(axis=0)) - _ROOM_MM
    ceiling = np.maximum(high, places.max(axis=0)) + _ROOM_MM
    extent = ceiling - floor
    scale = 2.0 / extent.max()  # Plotly's units a millimetre
    middle = ((low + high) / 2 - (floor + ceiling) / 2) * scale
    distance = _DISTANCE * scale * np.linalg.norm(high - low) / 2
    eye = middle + distance * np.array([0.55, -0.78, 0.3])

    def named(values: np.ndarray) -> dict[str, float]:
        return {axis: float(value) for axis, value in zip("xyz", values, strict=True)}

    return {
        "room": np.stack([floor, ceiling], axis=1).tolist(),
        "step": max(_GRID_MM, float(extent.max()) / _MOST_LINES),
        "ratio": named(extent * scale),
        "camera": {
            "center": named(middle),
            "eye": named(eye),
            "up": {"x": 0, "y": 0, "z": 1},
        },
    }


def _percentile(values: np.ndarray, percent: float, default: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if known.size else default
