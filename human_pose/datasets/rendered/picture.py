"""One picture: the person, lit, in front of what is behind, as a camera records it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from human_pose.datasets.rendered import surroundings, wardrobe
from human_pose.datasets.rendered.figure import Figure
from human_pose.datasets.rendered.joints import unit
from human_pose.datasets.rendered.raycast import Grid, RoundCones, cast
from human_pose.datasets.rendered.solids import Solid, Surfaces, meet
from human_pose.geometry.cameras import Camera

SIZE_PX: Final = 224

# Rays per pixel along each axis, averaged: smooth outlines.
_SUPERSAMPLING: Final = 2

_MM_PER_M: Final = 1000.0


@dataclass(frozen=True)
class Recording:
    """How a camera spoils a picture; ranges of uniform draws.

    Attributes:
      blur_px: deviation of the blur.
      noise: deviation of the noise, grey levels; none where negative. More of it would
        double the files.
      gain: brightness.
    """

    blur_px: tuple[float, float] = (0.0, 0.6)
    noise: tuple[float, float] = (-0.6, 0.6)
    gain: tuple[float, float] = (0.75, 1.15)


def crop_grid(camera: Camera, box_px: np.ndarray, per_pixel: int = 1) -> Grid:
    """The rays of a crop of a camera's frame, enlarged to 224 px.

    The crop's coordinate u is the frame's `x1 + u (x2 − x1) / 224`; the middle of its
    first pixel is u = 0, as in the joints' files.

    Args:
      camera: the camera.
      box_px: `[4]`, x1 y1 x2 y2.
      per_pixel: rays per pixel along each axis.
    """
    u = (np.arange(SIZE_PX * per_pixel) + 0.5) / per_pixel - 0.5
    lines = [
        (box_px[i] + u * (box_px[i + 2] - box_px[i]) / SIZE_PX - camera.centre_px[i])
        / camera.focal_px[i]
        for i in (0, 1)
    ]
    return Grid(*lines)


def in_camera(figure: Figure, camera: Camera) -> RoundCones:
    """A person's parts in a camera's frame, metres."""
    start, end = camera.to_camera(figure.start), camera.to_camera(figure.end)
    return RoundCones(
        *((a / _MM_PER_M).astype("f4") for a in (start, end - start, figure.radius))
    )


def render(
    figure: Figure,
    camera: Camera,
    box_px: np.ndarray,
    clothes: wardrobe.Wardrobe,
    rng: np.random.Generator,
    recording: Recording | None = None,
    *,
    things: Sequence[Solid] = (),
    motion_px: tuple[float, float] = (0.0, 0.0),
) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a person.

    Args:
      figure: the person, world mm.
      camera: the camera.
      box_px: `[4]`, the square of the camera's frame that is shown.
      clothes: colours.
      rng: source of background, light and noise.
      recording: how the camera spoils it.
      things: what else is there, in front of the person or behind.
      motion_px: `(x, y)`, the path that the picture moves while it is exposed.

    Returns:
      The picture, uint8 `[224, 224, 3]` RGB, and how much of each pixel the person (and
      the stool) covers that is to be seen, float32 `[224, 224]` in [0, 1].
    """
    rays = crop_grid(camera, box_px).directions()
    behind = surroundings.paint(
        rng,
        np.tensordot(camera.rotation.T.astype("f4"), rays, 1),
        camera.position_mm,
        figure.start[figure.start[:, 2].argmin(), :2],
    )
    grid = crop_grid(camera, box_px, _SUPERSAMPLING)
    hits = cast(grid, in_camera(figure, camera))
    light = _Light.drawn(rng)
    colours = wardrobe.colours_at(clothes, figure, hits, camera.rotation)
    colours *= light.on(hits.normals, camera)
    front, cover = _averaged(hits.pixels, colours)
    picture = front + (1 - cover[..., None]) * behind
    if things:
        met = meet(grid, things, camera)
        first = np.linalg.norm(hits.points, axis=1) < met.distance.flat[hits.pixels]
        picture, cover = _with_things(
            met, hits.pixels[first], colours[first], light, camera, behind
        )
    picture = _moved(picture, motion_px)
    return _recorded(picture, rng, recording or Recording()), cover


@dataclass(frozen=True)
class _Light:
    """Light from all around and of two lamps, the second weaker.

    Attributes:
      sky: `[3]`, RGB.
      lamps: a direction in the world, `[3]`, and a colour, `[3]`, of each.
    """

    sky: np.ndarray
    lamps: tuple[tuple[np.ndarray, np.ndarray], ...]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "_Light":
        sky = _tinted(rng, rng.uniform(0.25, 0.5))
        lamps = []
        for strength in (rng.uniform(0.45, 0.8), rng.uniform(0.0, 0.3)):
            lamp = unit(rng.normal((0.0, 0.0, 0.8)))
            lamps.append((lamp * [1, 1, np.sign(lamp[2])], _tinted(rng, strength)))
        return cls(sky, tuple(lamps))

    def on(self, normals: np.ndarray, camera: Camera) -> np.ndarray:
        """What falls on surfaces by Lambert's law; normals `[N, 3]`, camera frame."""
        light = np.zeros((len(normals), 3), np.float32)
        up = camera.rotation[:, 2]
        light += (0.75 + 0.25 * (normals @ up.astype("f4")))[:, None] * self.sky
        for lamp, colour in self.lamps:
            towards = camera.rotation @ lamp
            facing = np.maximum(normals @ towards.astype("f4"), 0)
            light += facing[:, None] * colour
        return light


def _tinted(rng: np.random.Generator, strength: float) -> np.ndarray:
    return (strength * rng.uniform(0.9, 1.1, 3)).astype(np.float32)


def _averaged(pixels: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of colour `[H, W, 3]`, times coverage, and coverage `[H, W]`, per pixel."""
    fine = SIZE_PX * _SUPERSAMPLING
    row, column = np.divmod(pixels, fine)
    pixel = row // _SUPERSAMPLING * SIZE_PX + column // _SUPERSAMPLING
    planes = [
        np.bincount(pixel, weights, SIZE_PX**2).reshape(SIZE_PX, SIZE_PX)
        for weights in (*colours.T, None)
    ]
    stacked = np.stack(planes, axis=-1).astype(np.float32) / _SUPERSAMPLING**2
    return stacked[..., :3], stacked[..., 3]


def _with_things(
    met: Surfaces,
    pixels: np.ndarray,
    colours: np.ndarray,
    light: _Light,
    camera: Camera,
    behind: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Things beside what is in front of them: rays `[N]` and colours `[N, 3]`.

    Returns:
      The picture, and how much of each pixel is of those `pixels`.
    """
    own, cover = _averaged(pixels, colours)
    shown = np.isfinite(met.distance).ravel()
    shown[pixels] = False
    lit = met.colours.reshape(-1, 3)[shown]
    lit *= light.on(met.normals.reshape(-1, 3)[shown], camera)
    front, covered = _averaged(np.flatnonzero(shown), lit)
    return own + front + (1 - cover - covered)[..., None] * behind, cover


def _moved(picture: np.ndarray, motion_px: tuple[float, float]) -> np.ndarray:
    """The mean of a picture over a straight path; its edges go on beyond them."""
    length = float(np.hypot(*motion_px))
    if not length:
        return picture
    # Points of the path, a quarter of a pixel apart, as weights of whole pixels.
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    steps = np.linspace(-0.5, 0.5, int(4 * length) + 2)
    x, y = (reach + steps * motion for motion in motion_px)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for column, u in ((left, 1 - (x - left)), (left + 1, x - left)):
        for row, v in ((top, 1 - (y - top)), (top + 1, y - top)):
            np.add.at(kernel, (row, column), u * v / len(steps))
    height, width = picture.shape[:2]
    padded = np.pad(picture, [(reach, reach), (reach, reach), (0, 0)], "edge")
    moved = np.zeros_like(picture)
    for row, column in np.argwhere(kernel):
        part = padded[row : row + height, column : column + width]
        moved += np.float32(kernel[row, column]) * part
    return moved


def _recorded(
    picture: np.ndarray, rng: np.random.Generator, recording: Recording
) -> np.ndarray:
    gray = 255 * rng.uniform(*recording.gain) * picture
    image = Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(*recording.blur_px)))
    noise = rng.standard_normal(picture.shape, np.float32)
    noise *= np.float32(max(rng.uniform(*recording.noise), 0))
    noisy = np.asarray(image) + noise
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
