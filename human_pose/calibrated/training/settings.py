"""What is done to a recording, so that what is learned holds beyond its own rig."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from human_pose.calibrated.training.config import CalibratedTrainingConfig
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError

# Two views are the fewest of which a point can be triangulated.
_FEWEST_VIEWS: Final = 2


def with_settings(
    recording: Recording, config: CalibratedTrainingConfig
) -> Iterator[Recording]:
    """The recording once in each of the config's settings that it can have.

    Raises:
      InputError: if a setting is unknown.
    """
    unknown = [name for name in config.settings if name not in SETTINGS]
    if unknown or not config.settings:
        raise InputError("settings", f"must be of {', '.join(SETTINGS)}", unknown)
    rng = np.random.default_rng(config.seed)
    for name in config.settings:
        changed = SETTINGS[name](recording, config, rng)
        if changed is not None:
            yield changed


_Setting = Callable[
    [Recording, CalibratedTrainingConfig, np.random.Generator], Recording | None
]


def _as_it_is(
    recording: Recording, config: CalibratedTrainingConfig, rng: np.random.Generator
) -> Recording:
    del config, rng
    return recording


def _of_some_views(
    recording: Recording, config: CalibratedTrainingConfig, rng: np.random.Generator
) -> Recording | None:
    """Of two views or more that show somebody, not of all; None if there are two."""
    shown = np.flatnonzero(recording.seen.any(axis=(0, 2, 3)))
    count = len(shown)
    if count <= _FEWEST_VIEWS:
        return None
    del config
    chosen = shown[rng.permutation(count)[: rng.integers(_FEWEST_VIEWS, count)]]
    names = [recording.view_names[view] for view in sorted(chosen)]
    some = recording.of_views(names)
    return some.replace(source=f"{recording.source} by {', '.join(names)}")


def _with_gaps(
    recording: Recording, config: CalibratedTrainingConfig, rng: np.random.Generator
) -> Recording:
    lost = rng.random(recording.confidence.shape) < config.missing
    return recording.replace(
        confidence=np.where(lost, 0.0, recording.confidence),
        source=f"{recording.source}, {100 * config.missing:.0f} % missing",
    )


SETTINGS: Final[dict[str, _Setting]] = {
    "as it is": _as_it_is,
    "some views": _of_some_views,
    "missing": _with_gaps,
}
