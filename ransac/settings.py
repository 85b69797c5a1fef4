"""The toy's command-line flags, checked where they are parsed.

Only the command imports this module. It defines nothing until `define_flags` is called
and imports no TensorFlow, so that `--help` is immediate.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from absl import flags

from human_pose.commands import shell
from human_pose.files.paths import locate, output_path

_SETTINGS = ("code", "paper")
_OPTIMIZERS = ("asgd", "adam", "sgd")
_MAX_SEED = 2**31 - 1
# Rates beyond it leave nothing that could be drawn.
_FASTEST = 1e3


@dataclass(frozen=True)
class ToySettings:
    """What the toy is asked for.

    Attributes:
      run_folder: results of this run, `<results_dir>/<name>`.
      steps: problems to learn from, or None for 10,000 or as many as `stream` has.
      seed: of the problems that are drawn.
      learning_rate: of the optimiser, > 0.
      damping: λ ≥ 0 of the trust-region variant.
      optimizer: asgd, adam or sgd.
      setting: how problems are drawn, code or paper.
      stream: a file with problems to replay, or None.
      streams: of how many streams to make the table, or None for one run.
      full: whether weights and centres are learned, too.
      lbfgs: whether estimates are searched for by L-BFGS, as the original meant.
    """

    run_folder: Path
    steps: int | None
    seed: int
    learning_rate: float
    damping: float
    optimizer: str
    setting: str
    stream: Path | None
    streams: int | None
    full: bool
    lbfgs: bool


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `toy.py`."""
    own = {"flag_values": flag_values}
    flags.DEFINE_integer(
        "steps",
        None,
        "Problems to learn from, one a step (default: 10000, or all of --stream).",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "Seed of the problems that are drawn.",
        lower_bound=0,
        upper_bound=_MAX_SEED,
        **own,
    )
    flags.DEFINE_float("lr", 0.5, "Learning rate.", **own)
    flags.register_validator(
        "lr",
        lambda x: 0 < x <= _FASTEST,
        f"must be positive, {_FASTEST:g} at most",
        flag_values,
    )
    flags.DEFINE_float("damping", 0.1, "λ of the trust-region variant.", **own)
    flags.register_validator(
        "damping", lambda x: 0 <= x < math.inf, "must be 0 or more", flag_values
    )
    flags.DEFINE_enum(
        "optimizer",
        _OPTIMIZERS[0],
        _OPTIMIZERS,
        "Averaged SGD as in the original, Adam, or plain SGD.",
        **own,
    )
    flags.DEFINE_enum(
        "setting",
        _SETTINGS[0],
        _SETTINGS,
        "Draw problems as the original's code does, or as the paper says.",
        **own,
    )
    flags.DEFINE_string(
        "name", "toy", "Name of the run: its folder in results_dir.", **own
    )
    flags.register_validator(
        "name", shell.is_folder_name, "must be a plain folder name", flag_values
    )
    flags.DEFINE_string("results_dir", "results", "Folder of all results.", **own)
    flags.DEFINE_string(
        "stream",
        None,
        "Replay the problems of this .npz file: points [T, inliers] and outliers "
        "[T, outliers].",
        **own,
    )
    flags.DEFINE_integer(
        "multi_seed",
        None,
        "Learn from this many streams at once and print a table instead of pictures.",
        lower_bound=2,
        **own,
    )
    flags.DEFINE_boolean(
        "full", False, "Learn the points' weights and centres as well as sigma.", **own
    )
    flags.DEFINE_boolean(
        "lbfgs",
        False,
        "Search by L-BFGS before the Newton step, as the original meant to.",
        **own,
    )
    shell.refuse_empty(flag_values, "results_dir", "stream")
    _check_together(flag_values)
    shell.show_in_help(flag_values, __name__)


def toy_settings(flag_values: flags.FlagValues) -> ToySettings:
    """Turns the parsed flags into settings.

    Raises:
      InputError: if the file of the problems does not exist.
    """
    stream = flag_values.stream
    return ToySettings(
        run_folder=output_path(flag_values.results_dir) / flag_values.name,
        steps=flag_values.steps,
        seed=flag_values.seed,
        learning_rate=flag_values.lr,
        damping=flag_values.damping,
        optimizer=flag_values.optimizer,
        setting=flag_values.setting,
        stream=None if stream is None else locate(stream),
        streams=flag_values.multi_seed,
        full=flag_values.full,
        lbfgs=flag_values.lbfgs,
    )


def _check_together(flag_values: flags.FlagValues) -> None:
    """Refuses flags that would have no effect."""
    for name, drawn in (("setting", _SETTINGS[0]), ("multi_seed", None)):
        flags.register_multi_flags_validator(
            ["stream", name],
            lambda values, name=name, drawn=drawn: (
                values["stream"] is None or values[name] == drawn
            ),
            f"--{name} is about problems that are drawn; --stream replays given ones",
            flag_values,
        )
