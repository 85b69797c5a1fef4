"""Joint angles: their names, anatomical limits, sums and mirror images.

A motion is a dictionary from angle names to tracks `[F]` in degrees. Motions are built
from layers (legs, trunk, each arm) that are summed, then held within the limits.
All angles 0 is standing upright with straight legs and hanging arms.

Flexion raises a thigh or an arm forward and bends a knee, elbow, back or neck;
abduction leads a limb away from the middle; rotation turns it inward about its own
axis. `side` leans and `twist` turns towards the right (towards the left: negative).
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

Angles = dict[str, np.ndarray]

_MIDDLE_LIMITS: Final = {
    "pelvis_pitch": (-40.0, 65.0),
    "pelvis_roll": (-20.0, 20.0),
    "back_flex": (-25.0, 75.0),
    "back_side": (-30.0, 30.0),
    "back_twist": (-45.0, 45.0),
    "neck_flex": (-45.0, 50.0),
    "neck_side": (-35.0, 35.0),
    "neck_twist": (-70.0, 70.0),
}
_SIDE_LIMITS: Final = {
    "hip_flex": (-25.0, 130.0),
    "hip_abduct": (-25.0, 55.0),
    "hip_rotate": (-55.0, 40.0),
    "knee_flex": (0.0, 150.0),
    "shoulder_raise": (-10.0, 30.0),
    "shoulder_protract": (-20.0, 25.0),
    "shoulder_flex": (-50.0, 175.0),
    "shoulder_abduct": (-45.0, 130.0),
    "shoulder_rotate": (-90.0, 90.0),
    "elbow_flex": (0.0, 150.0),
}

# Ranges in degrees of healthy adults, rounded (after the goniometry tables of the
# American Academy of Orthopaedic Surgeons, 1965; the pelvis by eye).
LIMITS_DEG: Final[Mapping[str, tuple[float, float]]] = {
    **_MIDDLE_LIMITS,
    **{
        f"{side}_{name}": limits
        for side in ("right", "left")
        for name, limits in _SIDE_LIMITS.items()
    },
}

# The share of a range, at each end, in which a limit makes itself felt.
_SOFT_SHARE: Final = 0.05

_OTHER_SIDE: Final = {"right": "left", "left": "right"}


def total(frames: int, *layers: Angles) -> Angles:
    """The sum of layers, with every angle present, within the limits.

    Values near a limit are bent smoothly towards it, so that tracks keep their
    smoothness and never pass it.

    Args:
      frames: the number of frames, F.
      *layers: angles in degrees, each `[F]` or a scalar.

    Raises:
      KeyError: if a layer has an angle that no body has.
    """
    angles = {name: np.zeros(frames) for name in LIMITS_DEG}
    for layer in layers:
        for name, track in layer.items():
            angles[name] = angles[name] + track
    return {name: _limited(track, *LIMITS_DEG[name]) for name, track in angles.items()}


def mirrored(layer: Angles) -> Angles:
    """The mirror image: sides exchanged, leans and turns reversed."""
    image = {}
    for name, track in layer.items():
        side, _, angle = name.partition("_")
        if side in _OTHER_SIDE:
            image[f"{_OTHER_SIDE[side]}_{angle}"] = track
        else:
            image[name] = -track if angle in ("roll", "side", "twist") else track
    return image


def blend(first: Angles, second: Angles, weight: np.ndarray) -> Angles:
    """Goes from one layer (`weight` 0) to another (1), angle by angle."""
    return {
        name: (1 - weight) * first.get(name, 0.0) + weight * second.get(name, 0.0)
        for name in {**first, **second}
    }


def _limited(track: np.ndarray, low: float, high: float) -> np.ndarray:
    margin = _SOFT_SHARE * (high - low)
    over = np.maximum(track - (high - margin), 0.0)
    under = np.maximum((low + margin) - track, 0.0)
    inside = np.clip(track, low + margin, high - margin)
    return inside + margin * (np.tanh(over / margin) - np.tanh(under / margin))
