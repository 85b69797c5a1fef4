"""The flags of `--model=prior`, turned into what a fit needs.

Part of `flags.py`, for which it imports no TensorFlow either, nor NumPy.
"""

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from absl import flags

from human_pose.calibrated.prior.config import (
    COVARIANCES,
    MOST_COMPONENTS,
    PriorConfig,
)
from human_pose.commands import shell
from human_pose.commands.tasks import Asked
from human_pose.files.errors import InputError
from human_pose.files.paths import PROJECT_ROOT, expanded, is_there

if TYPE_CHECKING:
    from human_pose.exchange.recording import Motion

TAKES: Final = frozenset(
    {
        "motion", "components", "covariance", "rank", "fps", "units", "up", "seed",
        "overwrite",
    }
)  # fmt: skip
_DEFAULTS: Final = PriorConfig()


@dataclass(frozen=True)
class PriorFit:
    """A fit that is asked for.

    Attributes:
      files: of motion.
      config: of the fit.
      fps: frames a second of files that do not say.
      units: of the files' lengths, or None where they say or imply them.
      up: the files' axis that points upwards, or None for their formats'.
      overwrite: whether an earlier prior of the run is replaced.
    """

    files: tuple[Path, ...]
    config: PriorConfig
    fps: float | None
    units: str | None
    up: str | None
    overwrite: bool

    def motions(self) -> "Iterator[Motion]":
        """The files' motion, one after the other.

        Raises:
          InputError: naming a file that cannot be read.
        """
        from human_pose.exchange import formats

        for path in self.files:
            yield formats.read_motion(path, self.units, self.up, self.fps)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `--model=prior` that no other model has."""
    own = {"flag_values": flag_values}
    flags.DEFINE_list(
        "motion",
        None,
        "Files of motion (BVH, C3D, TRC, AMC, npz, h5): paths, folders, or patterns "
        "such as 'mocap/**/*.bvh', with commas between them.",
        **own,
    )
    flags.DEFINE_integer(
        "components",
        _DEFAULTS.components,
        "Components of the mixture.",
        lower_bound=1,
        upper_bound=MOST_COMPONENTS,
        **own,
    )
    flags.DEFINE_enum(
        "covariance",
        _DEFAULTS.covariance,
        COVARIANCES,
        "Covariances of the components: full, or those of probabilistic PCA.",
        **own,
    )
    flags.DEFINE_integer(
        "rank", _DEFAULTS.rank, "Rank of --covariance=ppca.", lower_bound=1, **own
    )
    shell.refuse_empty(flag_values, "motion")
    shell.show_in_help(flag_values, __name__)


def task(asked: Asked) -> PriorFit:
    """Turns the parsed flags into what is asked for.

    Raises:
      InputError: if no motion is given, or a pattern fits no file.
    """
    if not asked.motion:
        raise InputError("motion", "must name files of motion")
    if asked.given("rank") and asked.covariance != "ppca":
        raise InputError("rank", "needs `covariance` ppca")
    from human_pose.exchange.recording import check_fps

    check_fps("--fps", asked.fps)
    return PriorFit(
        files=_files(asked.motion),
        config=PriorConfig(
            components=asked.components,
            covariance=asked.covariance,
            rank=asked.rank,
            seed=asked.seed,
        ),
        fps=asked.fps,
        units=asked.units,
        up=asked.up,
        overwrite=asked.overwrite,
    )


def _files(patterns: list[str]) -> tuple[Path, ...]:
    """The files that patterns fit, each once, those of a pattern in order."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        paths = _fitting(pattern)
        if not paths:
            raise InputError("motion", "must name files that there are", pattern)
        found.update(dict.fromkeys(paths))
    return tuple(found)


def _fitting(pattern: str) -> list[Path]:
    """The files that one pattern fits, here or else in the project's root."""
    for base in (Path(), PROJECT_ROOT):
        place = base / expanded(pattern)
        # A name is taken as it stands, whatever letters of patterns it has.
        paths = [place] if is_there(place) else _globbed(str(place))
        if files := [file for path in paths for file in _inside(path)]:
            return files
    return []


def _globbed(pattern: str) -> list[Path]:
    return [Path(path) for path in sorted(glob.glob(pattern, recursive=True))]


def _inside(path: Path) -> list[Path]:
    """A file itself; of a folder the files in it that hold motion."""
    if not path.is_dir():
        return [path]
    from human_pose.exchange import table

    known = table.of_kind(table.MOTION)
    return [
        file
        for file in sorted(path.iterdir())
        if file.is_file() and any(each.recognises(file) for each in known)
    ]
