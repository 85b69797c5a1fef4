"""Pictures of poses: 2D detections view by view, and 3D poses over one another.

One look everywhere: the body's left side blue, its right side orange, the middle grey
(told apart by colour-blind readers too); a reconstruction solid, the truth pale and
dashed. Only Matplotlib's object interface is used, so nothing needs a display.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import Locator, MultipleLocator, NullLocator
from mpl_toolkits.mplot3d import Axes3D

from human_pose.files.paths import atomic
from human_pose.geometry.skeleton import Skeleton

# Okabe and Ito's colour-blind-safe blue and vermilion.
LEFT_COLOUR: Final = "#0072B2"
RIGHT_COLOUR: Final = "#D55E00"
MIDDLE_COLOUR: Final = "#4D4D4D"
GRID_COLOUR: Final = "#DDDDDD"
FRAME_COLOUR: Final = "#B3B3B3"
TEXT_COLOUR: Final = "#808080"
# Matplotlib takes these of 3D axes only when it makes them.
ROOM_LOOK: Final = {
    "grid.color": GRID_COLOUR,
    "grid.linewidth": 0.6,
    "axes3d.xaxis.panecolor": "#F7F7F7",
    "axes3d.yaxis.panecolor": "#F7F7F7",
    "axes3d.zaxis.panecolor": "#F7F7F7",
}

_MARGIN: Final = 0.08  # of the drawn extent, on each side
_LEAST_BREADTH: Final = 0.6  # of the height, of the room around a 3D pose
# Parts of the 3D axes that the room fills; Matplotlib leaves a third empty.
_FILL_BREADTH: Final = 0.68
_FILL_HEIGHT: Final = 1.15
_MOST_LINES: Final = 40  # of a grid; an outlier far away would ask for millions

GRID_MM: Final = 400  # between the lines behind a 3D pose

# Two sides of every 3D pose: one picture alone does not show depth.
AZIMUTHS_DEG: Final = (-60.0, 30.0)
ELEVATION_DEG: Final = 12.0


@dataclass(frozen=True)
class Style:
    """How one pose is drawn: Matplotlib's line style, width (pt) and opacity."""

    line: str | tuple[int, tuple[float, ...]]
    width: float
    alpha: float
    marker: float


DETECTION: Final = Style(line="-", width=2.2, alpha=1.0, marker=4.0)
RECONSTRUCTION: Final = Style(line="-", width=3.0, alpha=1.0, marker=4.5)
TRUTH: Final = Style(line=(0, (2.2, 1)), width=2.0, alpha=0.6, marker=2.5)


def draw_poses(
    axes: Axes3D,
    reconstruction_mm: Any,
    truth_mm: Any = None,
    *,
    skeleton: Skeleton,
    azimuth_deg: float = AZIMUTHS_DEG[0],
) -> None:
    """Draws a reconstruction over the truth, neither moved nor aligned.

    Args:
      axes: 3D axes.
      reconstruction_mm: `[J, 3]`, mm, z up.
      truth_mm: `[J, 3]`, mm, or None.
      skeleton: of J joints.
      azimuth_deg: from where to look, about the vertical.
    """
    reconstruction = np.asarray(reconstruction_mm, dtype=np.float64)
    joints = reconstruction
    if truth_mm is not None:
        truth = np.asarray(truth_mm, dtype=np.float64)
        joints = np.concatenate([joints, truth])
        draw_skeleton(axes, truth, TRUTH, skeleton=skeleton)
    draw_skeleton(axes, reconstruction, RECONSTRUCTION, skeleton=skeleton)
    frame_room(axes, joints)
    axes.view_init(elev=ELEVATION_DEG, azim=azimuth_deg)


def draw_skeleton(
    axes: Axes | Axes3D,
    joints: np.ndarray,
    style: Style,
    visible: np.ndarray | None = None,
    *,
    skeleton: Skeleton,
) -> None:
    """Draws limbs between visible joints (`Skeleton.visible_limbs`), and the joints.

    Args:
      axes: of as many dimensions as the joints.
      joints: `[J, 2 or 3]`.
      style: of the lines.
      visible: bool `[J]`; default: all.
      skeleton: of J joints.
    """
    if visible is None:
        visible = np.ones(len(skeleton), dtype=bool)
    for a, b in skeleton.visible_limbs(visible.tolist()):
        axes.plot(
            *joints[[a, b]].T, color=_colour(skeleton, a, b), **line_options(style)
        )
    seen = np.flatnonzero(visible).tolist()
    for colour in (MIDDLE_COLOUR, LEFT_COLOUR, RIGHT_COLOUR):
        alike = [joint for joint in seen if _colour(skeleton, joint) == colour]
        axes.plot(
            *joints[alike].T,
            color=colour,
            linestyle="none",
            marker="o",
            markersize=style.marker,
            alpha=style.alpha,
            clip_on=False,
        )


def plain(text: str) -> str:
    r"""A text that Matplotlib draws as it stands, such as the name of somebody's file.

    A `$` is no mathematics. Characters that none of Matplotlib's fonts
    (`rcParams["font.family"]`) has, and halves of characters in names that are not
    UTF-8, are written as Python would: a picture with `\u732b` is better than none.
    """
    families = FontProperties().get_family()
    fonts = [get_font(findfont(FontProperties(family=[f]))) for f in families]
    drawn = {ord("\n")}.union(*(font.get_charmap() for font in fonts))
    shown = (
        c if ord(c) in drawn else c.encode("unicode_escape").decode() for c in text
    )
    return "".join(shown).replace("$", r"\$")


def figure_image(figure: Figure) -> np.ndarray:
    """The figure as an image, uint8 `[H, W, 3]`, for example for TensorBoard."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def save(
    figure: Figure,
    path: str | os.PathLike[str],
    *,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Writes the figure, atomically, in the format of the path's suffix.

    Args:
      figure: the picture.
      path: where to.
      notes: texts to keep in the file; the format decides which there are.

    Raises:
      InputError: if the folder cannot be made or written to.
    """
    options: dict[str, Any] = {"metadata": dict(notes)} if notes else {}
    with atomic(path) as temporary:
        figure.savefig(temporary, **options)


def _colour(skeleton: Skeleton, *joints: int) -> str:
    if any(joint in skeleton.left for joint in joints):
        return LEFT_COLOUR
    if any(joint in skeleton.right for joint in joints):
        return RIGHT_COLOUR
    return MIDDLE_COLOUR


def frame_room(axes: Axes3D, joints: np.ndarray) -> None:
    """Sets limits and look of 3D axes: one scale for x, y and z, a pale room.

    Args:
      axes: 3D axes.
      joints: `[N, 3]`, what is to have room, mm.
    """
    extents = extents_of(joints)
    # The same breadth and depth, so that the room looks alike from every side.
    extents[:2] = max(extents[0], extents[1], _LEAST_BREADTH * extents[2])
    limits = limits_of(joints, extents)
    axes.set(xlim=limits[0], ylim=limits[1], zlim=limits[2])
    fill = min(_FILL_BREADTH / extents[0], _FILL_HEIGHT / extents[2])
    # A tuple, because Matplotlib would scale the array in place.
    axes.set_box_aspect(tuple(extents), zoom=fill * np.linalg.norm(extents))
    for name, axis in zip("xyz", (axes.xaxis, axes.yaxis, axes.zaxis), strict=True):
        axis.set_major_locator(grid_locator(GRID_MM, extents.max()))
        axis.set_ticklabels([])
        axis.set_tick_params(color="none")
        axis.set_label_text(name, color=TEXT_COLOUR)
        axis.labelpad = -14
        axis.line.set_color(FRAME_COLOUR)


def grid_locator(step: float, extent: float) -> Locator:
    """Lines `step` apart, or none where `extent` would hold too many."""
    if extent > _MOST_LINES * step:
        return NullLocator()
    return MultipleLocator(step)


def extents_of(joints: np.ndarray) -> np.ndarray:
    """The joints' range on each axis; 1, which can be drawn, where they have none."""
    if not len(joints):
        return np.ones(joints.shape[-1])
    return np.maximum(np.ptp(joints, axis=0), 1.0)


def limits_of(joints: np.ndarray, extent: Any) -> np.ndarray:
    """Limits `[axes, 2]` round the joints' middle, `extent` and a margin apart."""
    middle = (joints.min(axis=0) + joints.max(axis=0)) / 2
    half = np.broadcast_to(extent, middle.shape) * (0.5 + _MARGIN)
    return np.stack([middle - half, middle + half], axis=-1)


def line_options(style: Style) -> dict[str, Any]:
    """A style as Matplotlib takes it."""
    return {
        "linestyle": style.line,
        "linewidth": style.width,
        "alpha": style.alpha,
        "solid_capstyle": "round",
        # Matplotlib would cut a zoomed 3D pose at the square axes.
        "clip_on": False,
    }
