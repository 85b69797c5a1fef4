"""What makes pictures hard, and in which way detectors then err.

    occluders  things hide limbs: outliers; some stand there for good: lasting bias
    blur       the camera moves: spread
    dark       little light and much noise: spread, outliers
    mirrored   a back looks like a front: exchanged sides

Every kind has random numbers of its own, so that none changes what another does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from human_pose.datasets.rendered import occluders
from human_pose.datasets.rendered.picture import Recording
from human_pose.datasets.rendered.solids import Solid
from human_pose.files.errors import InputError
from human_pose.geometry.cameras import Camera

Kind = Literal["occluders", "blur", "dark", "mirrored"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True)
class Rates:
    """How often and how much, by eye; ranges of uniform draws.

    Attributes:
      share: of pictures, for each kind; of moments for "mirrored", because a person
        wears the same in all views.
      standing_share: of the views of each subject that have a standing occluder,
        beside those of `share`.
      motion_px: length of the path that the picture moves while it is exposed.
      gain: brightness of dark pictures.
      noise: deviation of their noise at full brightness, grey levels. Cameras amplify
        it with the light, so it is this over the gain.
    """

    share: float = 0.35
    standing_share: float = 0.25
    motion_px: tuple[float, float] = (2.5, 8.0)
    gain: tuple[float, float] = (0.12, 0.35)
    noise: float = 0.6


@dataclass(frozen=True)
class Trouble:
    """What makes one picture hard.

    Attributes:
      things: stand in front.
      motion_px: `(x, y)`, the path that the picture moves while it is exposed.
      recording: how the camera spoils it.
    """

    things: tuple[Solid, ...] = ()
    motion_px: tuple[float, float] = (0.0, 0.0)
    recording: Recording | None = None


def checked(kinds: Iterable[str]) -> tuple[Kind, ...]:
    """Kinds in the order of `KINDS`, each once.

    Raises:
      InputError: for an unknown one.
    """
    given = tuple(kinds)
    for kind in given:
        if kind not in KINDS:
            raise InputError("hard", f"must be of {', '.join(KINDS)}", kind)
    return tuple(kind for kind in KINDS if kind in given)


def is_mirrored(stream: np.random.SeedSequence, kinds: tuple[Kind, ...]) -> bool:
    """Whether a moment's person is dressed alike in front and behind."""
    rng = np.random.default_rng(stream)
    return "mirrored" in kinds and bool(rng.uniform() < Rates().share)


def trouble(
    stream: np.random.SeedSequence,
    kinds: tuple[Kind, ...],
    camera: Camera,
    joints_mm: np.ndarray,
    standing: np.random.Generator,
) -> Trouble:
    """What makes one picture hard.

    Args:
      stream: of the picture's trouble alone.
      kinds: what may happen.
      camera: that takes it.
      joints_mm: `[32, 3]`, the person's, world.
      standing: source of what stands before this camera for good, the same for all
        pictures that it takes.
    """
    rates = Rates()
    things: tuple[Solid, ...] = ()
    streams = map(np.random.default_rng, stream.spawn(len(KINDS)))
    draws = dict(zip(KINDS, streams, strict=True))
    happens = {
        kind: kind in kinds and draws[kind].uniform() < rates.share for kind in KINDS
    }
    if "occluders" in kinds and standing.uniform() < rates.standing_share:
        things += occluders.standing(standing, camera)
    if happens["occluders"]:
        things += occluders.passing(draws["occluders"], camera, joints_mm)
    return Trouble(
        things,
        _motion(draws["blur"], rates) if happens["blur"] else (0.0, 0.0),
        _darkness(draws["dark"], rates) if happens["dark"] else None,
    )


def _motion(rng: np.random.Generator, rates: Rates) -> tuple[float, float]:
    angle, length = rng.uniform(0, np.pi), rng.uniform(*rates.motion_px)
    return length * float(np.cos(angle)), length * float(np.sin(angle))


def _darkness(rng: np.random.Generator, rates: Rates) -> Recording:
    gain = rng.uniform(*rates.gain)
    noise = rates.noise / gain
    return Recording(noise=(noise, noise), gain=(gain, gain))
