"""Things that stand between a camera and a person: boxes, posts and rails, plants.

They stand in the world, so that perspective is theirs too, and an arm that reaches
round a post is in front of it. Sizes are by eye.
"""

from typing import Final

import numpy as np

from human_pose.datasets.rendered.joints import index
from human_pose.datasets.rendered.solids import Solid
from human_pose.datasets.rendered.surroundings import colour
from human_pose.geometry.cameras import Camera

# What a thing is put in front of.
_HIDDEN: Final = tuple(
    index(f"{side}{name}")
    for side in ("Right", "Left")
    for name in ("UpLeg", "Leg", "Foot", "Arm", "ForeArm", "Hand")
)

# Where between the camera and what it hides, as a share of the way.
_SHARES: Final = (0.5, 0.85)
# The same of things that stand there for good, before the middle of the room, and how
# high and how far aside (mm) of the line to it.
_STANDING_SHARES: Final = (0.4, 0.6)
_STANDING_HEIGHTS_MM: Final = (300.0, 1000.0)
_STANDING_ASIDE_MM: Final = 350.0
# How far a thing is off the line to what it hides, so that some is half hidden.
_OFF_MM: Final = 60.0
# Boxes are no higher: a cupboard would hide everything.
_HIGHEST_BOX_MM: Final = 900.0

_CEILING_MM: Final = 2700.0


def passing(
    rng: np.random.Generator, camera: Camera, joints_mm: np.ndarray
) -> tuple[Solid, ...]:
    """One thing, sometimes two, in front of limbs.

    Args:
      rng: source of everything that varies.
      camera: from which they hide something.
      joints_mm: `[32, 3]`, the person's, world.
    """
    solids: tuple[Solid, ...] = ()
    for _ in range(1 + (rng.uniform() < 0.3)):
        hidden = joints_mm[rng.choice(_HIDDEN)]
        solids += _thing(rng, camera, _between(rng, camera, hidden, _SHARES))
    return solids


def standing(rng: np.random.Generator, camera: Camera) -> tuple[Solid, ...]:
    """A thing before the middle of the room, whoever comes there.

    Args:
      rng: source of everything that varies.
      camera: before which it stands.
    """
    aside = rng.uniform(-1, 1) * _STANDING_ASIDE_MM * camera.rotation[0]
    height = rng.uniform(*_STANDING_HEIGHTS_MM) * np.array([0, 0, 1])
    return _thing(rng, camera, _between(rng, camera, aside + height, _STANDING_SHARES))


def _between(
    rng: np.random.Generator,
    camera: Camera,
    point_mm: np.ndarray,
    shares: tuple[float, float],
) -> np.ndarray:
    start = camera.position_mm
    off = rng.normal(0, _OFF_MM, 3)
    return np.asarray(start + rng.uniform(*shares) * (point_mm - start) + off)


def _thing(
    rng: np.random.Generator, camera: Camera, point_mm: np.ndarray
) -> tuple[Solid, ...]:
    """A thing of some kind that has a point, world mm, within or near it."""
    kind = rng.integers(4)
    if kind == 0:
        return _rail(rng, camera, point_mm)
    if kind == 1:
        return _plant(rng, point_mm)
    if kind == 2 and point_mm[2] < _HIGHEST_BOX_MM:
        return _box(rng, point_mm)
    return _post(rng, point_mm)


def _box(rng: np.random.Generator, point_mm: np.ndarray) -> tuple[Solid, ...]:
    """On the floor, up to the point or little higher."""
    top = float(np.clip(point_mm[2] + rng.uniform(0, 120), 250, _HIGHEST_BOX_MM))
    width, depth = rng.uniform(90, 230, 2)
    return (_upright(rng, point_mm, (width, depth), top),)


def _post(rng: np.random.Generator, point_mm: np.ndarray) -> tuple[Solid, ...]:
    """From the floor to the ceiling."""
    side = rng.uniform(25, 65)
    return (_upright(rng, point_mm, (side, side), _CEILING_MM),)


def _upright(
    rng: np.random.Generator,
    point_mm: np.ndarray,
    half_mm: tuple[float, float],
    top_mm: float,
) -> Solid:
    axes = _turned(rng.uniform(0, np.pi))
    centre = np.array([*point_mm[:2], top_mm / 2])
    return Solid(centre, axes, np.array([*half_mm, top_mm / 2]), colour(rng))


def _rail(
    rng: np.random.Generator, camera: Camera, point_mm: np.ndarray
) -> tuple[Solid, ...]:
    """Level, across the view."""
    x, y, _ = camera.rotation[0]
    axes = _turned(np.arctan2(y, x) + rng.uniform(-0.4, 0.4))
    half = np.array([1500.0, rng.uniform(20, 60), rng.uniform(25, 75)])
    centre = np.array([*point_mm[:2], max(point_mm[2], 200.0)])
    return (Solid(centre, axes, half, colour(rng)),)


def _plant(rng: np.random.Generator, point_mm: np.ndarray) -> tuple[Solid, ...]:
    """Leaves about the point, on a stem in a pot."""
    crown = np.array([*point_mm[:2], max(point_mm[2], 450.0)])
    stem, pot = rng.uniform(10, 25), rng.uniform(100, 160)
    green = rng.uniform((0.03, 0.25, 0.02), (0.30, 0.60, 0.25))
    return (
        _upright(rng, crown, (pot, pot), 2 * pot),
        _upright(rng, crown, (stem, stem), crown[2]),
        *(_leaf(rng, crown, green) for _ in range(rng.integers(14, 32))),
    )


def _leaf(rng: np.random.Generator, crown_mm: np.ndarray, green: np.ndarray) -> Solid:
    outward = rng.normal((0.0, 0.0, 0.5))
    axes = np.linalg.qr(np.stack([outward, *rng.normal(size=(2, 3))]).T)[0].T
    axes[0] *= np.sign(axes[0] @ outward)
    half = np.array([rng.uniform(80, 180), rng.uniform(20, 45), 4.0])
    centre = crown_mm + axes[0] * half[0] + rng.normal(0, (60, 60, 90))
    return Solid(centre, axes, half, green * rng.uniform(0.6, 1.3), rounded=True)


def _turned(angle_rad: float) -> np.ndarray:
    """Axes turned about the vertical."""
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1.0]])
