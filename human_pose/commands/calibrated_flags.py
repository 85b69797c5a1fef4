"""The flags of `--model=calibrated`, turned into what lifting a recording needs.

Part of `flags.py`, for which it imports no TensorFlow either.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from absl import flags

from human_pose.calibrated.config import CalibratedConfig, RecordingConfig
from human_pose.calibrated.training.config import CalibratedTrainingConfig
from human_pose.commands import places, shell
from human_pose.commands.recording_flags import frame_range
from human_pose.commands.tasks import Asked, Default
from human_pose.files.errors import InputError
from human_pose.files.paths import locate

_READS: Final = frozenset(
    {
        "recording", "cameras", "skeleton", "person", "frames", "fps", "units",
        "up", "truth", "prior", "check_path",
    }
)  # fmt: skip
TAKES: Final = _READS | {"temporal", "film"}
TRAINING_TAKES: Final = _READS | {"train", "epochs", "wlr", "seed", "overwrite"}
_TRAINING: Final = CalibratedTrainingConfig()
TRAINING_DEFAULTS: Final = {
    "epochs": Default(_TRAINING.epochs),
    "wlr": Default(_TRAINING.learning_rate),
}


@dataclass(frozen=True)
class CalibratedTask:
    """A recording that is to be lifted, or learned from.

    Attributes:
      recording: where it is, and what is known of it.
      prior: a prior or the folder of its run; None: the embedded one.
      checkpoint: a lifter with learned weights, which holds its prior, or the folder
        of its run; None: the weights of `config`.
      config: of the lifter.
      film: the ending of a film of the poses; None: none is made.
      training: how weights are learned; None: the recording is lifted.
    """

    recording: RecordingConfig
    prior: Path | None
    checkpoint: Path | None
    config: CalibratedConfig
    film: str | None = None
    training: CalibratedTrainingConfig | None = None


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `--model=calibrated` that no other model has."""
    own = {"flag_values": flag_values}
    flags.DEFINE_string(
        "recording",
        None,
        "2D detections of calibrated cameras, a file or a folder such as a project of "
        "Pose2Sim (docs/formats.md).",
        **own,
    )
    flags.DEFINE_integer(
        "person",
        None,
        "Whose motion, 0 is who is seen most; default: all.",
        lower_bound=0,
        **own,
    )
    flags.DEFINE_string(
        "truth",
        None,
        "Known motion of the recording, to compare with, or to learn from.",
        **own,
    )
    flags.DEFINE_string(
        "prior",
        None,
        "Prior, or the name or folder of a run of --model=prior; default: embedded.",
        **own,
    )
    flags.DEFINE_boolean(
        "temporal", True, "Whether frames that follow each other are a sequence.", **own
    )
    flags.DEFINE_enum("film", None, ["gif", "mp4"], "Also make a film of it.", **own)
    shell.refuse_empty(flag_values, "recording", "truth", "prior")
    shell.show_in_help(flag_values, __name__)


def task(asked: Asked) -> CalibratedTask:
    """Turns the parsed flags into what is asked for.

    Raises:
      InputError: if no recording, or to learn from no truth, is given, a file does not
        exist, or a prior stands beside a checkpoint, which has its own.
    """
    if asked.recording is None:
        raise InputError("recording", "must name 2D detections")
    learns = asked.task.switch == "train"
    if learns and asked.truth is None:
        raise InputError("truth", "must name the motion to learn from")
    from human_pose.exchange.recording import check_fps

    check_fps("--fps", asked.fps)
    return CalibratedTask(
        RecordingConfig(
            path=locate(asked.recording),
            cameras=optional_path(asked.cameras),
            frames=frame_range(asked.frames),
            fps=asked.fps,
            units=asked.units,
            up=asked.up,
            skeleton=asked.skeleton,
            person=asked.person,
            truth=optional_path(asked.truth),
        ),
        prior=prior_path(asked),
        checkpoint=None
        if asked.check_path is None
        else places.checkpoint(asked.flag_values),
        # What is learned is learned of sequences, too.
        config=CalibratedConfig(temporal=learns or asked.temporal),
        film=None if learns else asked.film,
        training=_training(asked) if learns else None,
    )


def _training(asked: Asked) -> CalibratedTrainingConfig:
    return dataclasses.replace(
        _TRAINING,
        learning_rate=asked.wlr,
        epochs=asked.epochs,
        seed=asked.seed,
        overwrite=asked.overwrite,
    )


def optional_path(path: str | None) -> Path | None:
    """Where a file or folder is that a flag may name; None for none.

    Raises:
      InputError: if it does not exist.
    """
    return None if path is None else locate(path)


def prior_path(asked: Asked) -> Path | None:
    """A prior's path, also of the name of a run among the results; None: embedded.

    Raises:
      InputError: if it does not exist, or stands beside a lifter, which has its own.
    """
    if asked.prior is None:
        return None
    if asked.check_path is not None and not asked.check_path.endswith(".keras"):
        raise InputError("prior", "has no effect beside `check_path`")
    return locate(asked.prior, also_under=[asked.results_dir])
