"""Colours of skin, hair and clothes, and what they are at a point of a body."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.datasets.rendered.figure import Figure, Material
from human_pose.datasets.rendered.raycast import Hits

# Light to dark, and the colours of hair; RGB in [0, 1].
_SKIN: Final = np.array(
    [(0.96, 0.80, 0.69), (0.87, 0.67, 0.52), (0.68, 0.46, 0.33), (0.40, 0.26, 0.18)]
)
_HAIR: Final = np.array(
    [(0.08, 0.06, 0.05), (0.26, 0.16, 0.09), (0.55, 0.40, 0.20), (0.45, 0.43, 0.42)]
)

# Probabilities.
_LONG_SLEEVES: Final = 0.4
_SHORTS: Final = 0.25
_STRIPES: Final = 0.3
_OPEN_JACKET: Final = 0.5

# Where a shirt's front shows something else, by cosines from forward: a field on the
# chest, or what an open jacket leaves free of it; by eye.
_PRINT_COSINE: Final = 0.7
_JACKET_EDGE: Final = 0.4
# Least distance of its colour from the shirt's: fronts of clothes tell from backs.
_CONTRAST: Final = 0.35

# Directions on a head of hair (by cosine from the face's middle or from above), of eyes
# (right, forward, up) and how large they are; by eye.
_HAIRLINE: Final = 0.25
_CROWN: Final = 0.62
_EYES: Final = np.array([(0.36, 0.90, 0.22), (-0.36, 0.90, 0.22)])
_EYE_COSINE: Final = 0.983


@dataclass(frozen=True)
class Wardrobe:
    """What one person wears.

    Attributes:
      colours: float `[materials, 3]`, RGB in [0, 1], by `Material`.
      hair, eyes, stripe, front: `[3]`, further colours; the last two of the shirt.
      stripe_m: width of the shirt's stripes; 0 for none.
      open_jacket: whether the front is what a jacket leaves free, or a print.
      alike: whether the back looks like the front, and hair hides the face.
    """

    colours: np.ndarray
    hair: np.ndarray
    eyes: np.ndarray
    stripe: np.ndarray
    front: np.ndarray
    stripe_m: float
    open_jacket: bool
    alike: bool = False


def draw(rng: np.random.Generator) -> Wardrobe:
    """A random wardrobe."""
    tone = rng.uniform(0, len(_SKIN) - 1)
    skin = np.stack([np.interp(tone, range(len(_SKIN)), c) for c in _SKIN.T])
    cloth = rng.uniform(0.04, 0.95, (4, 3))
    # Half of all clothes are rather gray, as clothes are.
    gray = cloth.mean(axis=1, keepdims=True)
    cloth += (gray - cloth) * rng.choice([0.2, 0.85], (4, 1))
    colours = np.empty((len(Material), 3))
    shirt, trousers, shoes, furniture = cloth
    long, shorts = rng.uniform() < _LONG_SLEEVES, rng.uniform() < _SHORTS
    colours[Material.SKIN] = colours[Material.HEAD] = skin
    colours[Material.NOSE] = skin
    colours[Material.SHIRT] = colours[Material.SLEEVE] = shirt
    colours[Material.FOREARM] = shirt if long else skin
    colours[Material.TROUSERS] = trousers
    colours[Material.LEG] = skin if shorts else trousers
    colours[Material.SHOES] = shoes
    colours[Material.FURNITURE] = furniture
    return Wardrobe(
        colours,
        hair=_HAIR[rng.integers(len(_HAIR))] * rng.uniform(0.8, 1.2),
        eyes=np.full(3, 0.08),
        stripe=rng.uniform(0.05, 0.95, 3),
        front=_unlike(shirt, rng),
        stripe_m=rng.uniform(0.05, 0.12) if rng.uniform() < _STRIPES else 0.0,
        open_jacket=bool(rng.uniform() < _OPEN_JACKET),
    )


def _unlike(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another colour, far enough from a given one."""
    while True:
        other = rng.uniform(0.05, 0.95, 3)
        if np.linalg.norm(other - colour) >= _CONTRAST:
            return other


def colours_at(
    wardrobe: Wardrobe, figure: Figure, hits: Hits, rotation: np.ndarray
) -> np.ndarray:
    """The colours of what is seen, before light.

    Args:
      wardrobe: the colours.
      figure: the person.
      hits: what is seen, camera frame.
      rotation: `[3, 3]`, world to camera.

    Returns:
      float32 `[N, 3]`, RGB in [0, 1].
    """
    material = figure.material[hits.part]
    colours = wardrobe.colours.astype(np.float32)[material]
    _paint_head(colours, wardrobe, hits, material, figure.head @ rotation.T)
    _paint_shirt(colours, wardrobe, hits, material, figure.chest @ rotation.T)
    return colours


def _paint_head(
    colours: np.ndarray,
    wardrobe: Wardrobe,
    hits: Hits,
    material: np.ndarray,
    frame: np.ndarray,
) -> None:
    if wardrobe.alike:
        colours[np.isin(material, (Material.HEAD, Material.NOSE))] = wardrobe.hair
        return
    on = np.flatnonzero(material == Material.HEAD)
    local = hits.normals[on] @ frame.T.astype(np.float32)  # right, forward, up
    eyes = (local @ _EYES.T > _EYE_COSINE).any(axis=1)
    hair = (local[:, 1] < _HAIRLINE) | (local[:, 2] > _CROWN)
    colours[on[hair]] = wardrobe.hair
    colours[on[eyes]] = wardrobe.eyes


def _paint_shirt(
    colours: np.ndarray,
    wardrobe: Wardrobe,
    hits: Hits,
    material: np.ndarray,
    frame: np.ndarray,
) -> None:
    frame = frame.astype(np.float32)
    on = np.flatnonzero(material == Material.SHIRT)
    if wardrobe.stripe_m:
        height = hits.points[on] @ frame[2]
        colours[on[np.mod(height / wardrobe.stripe_m, 2) < 1]] = wardrobe.stripe
    sideways, forward = hits.normals[on] @ frame[0], hits.normals[on] @ frame[1]
    if wardrobe.alike:
        forward = np.abs(forward)
    if wardrobe.open_jacket:
        front = (np.abs(sideways) < _JACKET_EDGE) & (forward > 0)
    else:
        front = forward > _PRINT_COSINE
    colours[on[front]] = wardrobe.front
