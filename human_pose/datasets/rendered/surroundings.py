"""What is behind a person: a wall, a floor in perspective, things standing about."""

from typing import Final

import numpy as np
from PIL import Image

_THINGS: Final = 5
_SHADOW_MM: Final = 330.0


def paint(
    rng: np.random.Generator,
    directions: np.ndarray,
    position_mm: np.ndarray,
    standing_mm: np.ndarray,
) -> np.ndarray:
    """A background.

    Args:
      rng: source of everything that varies.
      directions: `[3, H, W]`, the pixels' rays in the world, z up.
      position_mm: `[3]`, the camera in the world, above the floor z = 0.
      standing_mm: `[2]`, where on the floor the person is, who throws a soft shadow.

    Returns:
      float32 `[H, W, 3]`, RGB in [0, 1] or little beyond.
    """
    size = directions.shape[1]
    picture = _wall(rng, size)
    for _ in range(rng.integers(_THINGS + 1)):
        _put_thing(rng, picture)
    down = -directions[2]
    below = down > 1e-3
    reach = position_mm[2] / np.where(below, down, 1)
    x = position_mm[0] + reach * directions[0]
    y = position_mm[1] + reach * directions[1]
    below &= reach < rng.uniform(6000, 12000)  # where the wall begins
    picture[below] = _floor(rng, x[below], y[below])
    away = ((x - standing_mm[0]) ** 2 + (y - standing_mm[1]) ** 2) / _SHADOW_MM**2
    shadow = 1 - rng.uniform(0.2, 0.55) * np.exp(-0.5 * np.minimum(away, 50))
    picture *= np.where(below, shadow, 1)[..., None].astype(np.float32)
    return picture


def clouds(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth noise around 0 with deviation about 1, float32 `[size, size]`."""
    coarse = rng.normal(size=(cells, cells)).astype(np.float32)
    image = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)


def colour(rng: np.random.Generator) -> np.ndarray:
    """Of a thing: RGB, `[3]`, rather gray."""
    drawn = rng.uniform(0.05, 0.95, 3)
    return drawn + (drawn.mean() - drawn) * rng.choice([0.3, 0.8])


def _wall(rng: np.random.Generator, size: int) -> np.ndarray:
    step = np.linspace(0, 1, size)
    mix = step[:, None] if rng.uniform() < 0.5 else step[None, :]
    first = colour(rng)
    second = first + 0.5 * (colour(rng) - first)
    picture = first + np.broadcast_to(mix, (size, size))[..., None] * (second - first)
    spots = clouds(rng, size, int(rng.integers(3, 40))) * rng.uniform(0, 0.08)
    return (picture + spots[..., None]).astype(np.float32)


def _put_thing(rng: np.random.Generator, picture: np.ndarray) -> None:
    """A rectangle, with a gradient: a box, a door, a poster."""
    size = len(picture)
    left, top = rng.integers(-size // 4, size, 2)
    width, height = rng.integers(size // 12, size // 2, 2)
    rows = slice(max(top, 0), max(top + height, 0))
    columns = slice(max(left, 0), max(left + width, 0))
    place = picture[rows, columns]
    tilt = np.linspace(-0.1, 0.1, place.shape[1])[None, :, None] * rng.choice([-1, 1])
    place[:] = colour(rng) + tilt


def _floor(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Plain, tiled or planked, turned at random."""
    turn, width = rng.uniform(0, np.pi), rng.uniform(250, 900)
    u = (np.cos(turn) * x + np.sin(turn) * y) / width
    v = (np.cos(turn) * y - np.sin(turn) * x) / width
    cell = np.floor(u) + (np.floor(v) if rng.uniform() < 0.6 else 0)
    contrast = rng.choice([0.0, 0.06, 0.2])
    pattern = contrast * (np.mod(cell, 2) - 0.5)
    return (colour(rng) + pattern[:, None]).astype(np.float32)
