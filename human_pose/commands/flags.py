"""Every task of `main.py` and `Sample.py`: the table of its flags, and its settings.

Only the commands import this module. It defines nothing until a `define_*_flags`
function is called, and imports no TensorFlow, so that `--help` is immediate.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from absl import flags

from human_pose.capture.config import CaptureConfig
from human_pose.commands import (
    calibrated_flags,
    capture_flags,
    image_flags,
    lifter_flags,
    picture_flags,
    pipeline_flags,
    places,
    prior_flags,
    recording_flags,
    rules,
    sample_flags,
    shell,
)
from human_pose.commands.tasks import Asked, Default, Table, Task
from human_pose.lifting.config import (
    EvaluationConfig,
    LifterConfig,
    LiftingConfig,
    TrainingConfig,
)

TaskT = TypeVar("TaskT")

_EVERY_TASK: Final = frozenset({"model", "name", "results_dir"})
_WORK_ON_DATA: Final = _EVERY_TASK | {
    "train", "check_path", "data_dir", "subsample", "batch_size",
    # Refused by their values, not for being given: `--noresume` may stand anywhere.
    "resume", "overwrite",
}  # fmt: skip
# One command line serves both tasks, as in the original: an evaluation takes the
# training's flags, and they have no effect on it.
_LIFTER: Final = _WORK_ON_DATA | {
    "models", "l2_solver", "evidence", "dtype", "as_published", "parameters_dir",
    "metric", "input_path", "wlr", "epochs", "save_f", "shuffle", "seed", "derivative",
    "damping", "distribute", "dataset",
}  # fmt: skip
_LIFT: Final = _WORK_ON_DATA | {
    "lift", "models", "l2_solver", "evidence", "dtype", "as_published",
    "parameters_dir",
}  # fmt: skip
_IMAGES: Final = _WORK_ON_DATA | image_flags.TAKES
_MOMENTS: Final = (_WORK_ON_DATA - {"subsample"}) | pipeline_flags.TAKES

MAIN: Final = Table(
    Task(
        "lifter training",
        _LIFTER | {"resume_or_start"},
        word="--train=1",
        model="lifter",
    ),
    Task(
        "lifter lifting",
        _LIFT,
        word="--lift",
        model="lifter",
        defaults={"subsample": Default(1)},
    ),
    Task("lifter evaluation", _LIFTER, model="lifter"),
    Task(
        "i1 conversion",
        _EVERY_TASK | {"overwrite", "convert_caffemodel", "depth_bins", "preset"},
        word="--convert_caffemodel",
        model="i1",
    ),
    Task(
        "i1 training",
        _IMAGES | image_flags.TRAINING_TAKES,
        word="--train=1",
        model="i1",
        defaults=image_flags.TRAINING_DEFAULTS,
    ),
    Task(
        "i1 evaluation",
        # The checkpoint knows its size, so there is no preset.
        _IMAGES | {"readout", "distribute"},
        model="i1",
        defaults=image_flags.EVALUATION_DEFAULTS,
    ),
    Task(
        "recording training",
        _EVERY_TASK | calibrated_flags.TRAINING_TAKES,
        word="--train=1",
        model="calibrated",
        defaults=calibrated_flags.TRAINING_DEFAULTS,
    ),
    Task(
        "pipeline training",
        _MOMENTS | pipeline_flags.TRAINING_TAKES,
        word="--train=1",
        model="pipeline",
        defaults=pipeline_flags.TRAINING_DEFAULTS,
    ),
    Task(
        "pipeline evaluation",
        _MOMENTS,
        model="pipeline",
        defaults=pipeline_flags.EVALUATION_DEFAULTS,
    ),
    Task("recording lifting", _EVERY_TASK | calibrated_flags.TAKES, model="calibrated"),
    Task("capture", _EVERY_TASK | capture_flags.TAKES, model="capture"),
    Task("prior fitting", _EVERY_TASK | prior_flags.TAKES, model="prior"),
)  # fmt: skip

_EVERY_SAMPLE: Final = frozenset({"check_path", "results_dir", "show"})
_FOUND_IN_PICTURES: Final = frozenset(
    {
        "out", "draw", "box", "detector", "detector_files", "camera", "root_depth_mm",
        "readout",
    }
)  # fmt: skip
_NETWORK: Final = {"check_path": Default(None, "must be given")}
SAMPLE: Final = Table(
    Task(
        "video",
        _EVERY_SAMPLE | _FOUND_IN_PICTURES | {"video", "frames"},
        word="--video",
        defaults=_NETWORK,
    ),
    Task(
        "picture",
        _EVERY_SAMPLE | _FOUND_IN_PICTURES | {"image"},
        word="--image",
        defaults=_NETWORK,
    ),
    Task(
        "views",
        _EVERY_SAMPLE
        | {
            "models", "l2_solver", "evidence", "dtype", "as_published", "data_dir",
            "parameters_dir", "input_path", "frame",
        },
    ),
)  # fmt: skip


@dataclass(frozen=True)
class MainSettings:
    """What `main.py` is asked for: a training, a lifting, or an evaluation.

    Attributes:
      run_folder: results of this run, `<results_dir>/<name>`.
      lifter: the model.
      task: what to do with it.
    """

    run_folder: Path
    lifter: LifterConfig
    task: TrainingConfig | LiftingConfig | EvaluationConfig


@dataclass(frozen=True)
class RunSettings(Generic[TaskT]):
    """What `main.py` is asked for with a `--model` that is no lifter of views.

    Attributes:
      run_folder: results of this run, `<results_dir>/<name>`.
      task: what to do.
    """

    run_folder: Path
    task: TaskT


PriorSettings = RunSettings[prior_flags.PriorFit]
CalibratedSettings = RunSettings[calibrated_flags.CalibratedTask]
CaptureSettings = RunSettings[CaptureConfig]
PipelineSettings = RunSettings[pipeline_flags.PipelineTask]
ImageSettings = RunSettings[image_flags.ImageTask]


def define_main_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `main.py`."""
    own = {"flag_values": flag_values}
    flags.DEFINE_enum(
        "model",
        MAIN.models[0],
        MAIN.models,
        "Views to a pose, i1: an image to a pose, pipeline: images of several views to "
        "a pose, calibrated: detections of any cameras to motion, capture: their "
        "videos to motion, or prior: fits one to motion.",
        **own,
    )
    flags.DEFINE_boolean("train", False, "Train; without it, evaluate.", **own)
    flags.DEFINE_string(
        "name", "New_test", "Name of the run: its folder in results_dir.", **own
    )
    flags.register_validator(
        "name", shell.is_folder_name, "must be a plain folder name", flag_values
    )
    flags.DEFINE_boolean(
        "resume", False, "Go on with the training run in the run's folder.", **own
    )
    flags.DEFINE_boolean(
        "overwrite",
        False,
        "Replace the training run, or what a conversion or a fit made, in the run's "
        "folder.",
        **own,
    )
    lifter_flags.define_lifter_flags(flag_values)
    lifter_flags.define_run_flags(flag_values)
    image_flags.define_flags(flag_values)
    recording_flags.define_flags(flag_values)
    recording_flags.define_up(flag_values)
    calibrated_flags.define_flags(flag_values)
    capture_flags.define_flags(flag_values)
    pipeline_flags.define_flags(flag_values)
    prior_flags.define_flags(flag_values)
    MAIN.rule(flag_values)
    rules.check_together(flag_values)
    shell.show_in_help(flag_values, __name__)


def define_sample_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `Sample.py`."""
    lifter_flags.define_lifter_flags(flag_values)
    flag_values.set_default("check_path", places.TRAINED_MODEL)
    sample_flags.define_frame_flags(flag_values)
    flags.DEFINE_boolean(
        "show",
        True,
        "Open a window with the picture, if there is a screen.",
        flag_values=flag_values,
    )
    picture_flags.define_picture_flags(flag_values)
    SAMPLE.rule(flag_values)
    shell.show_in_help(flag_values, __name__)


def main_settings(flag_values: flags.FlagValues) -> MainSettings:
    """Turns the parsed flags of `main.py` into its settings.

    Raises:
      InputError: if a file or folder that the flags name does not exist.
    """
    asked = MAIN.asked(flag_values)
    return MainSettings(
        run_folder=_run_folder(flag_values),
        lifter=lifter_config(asked),
        task=lifter_flags.task(asked),
    )


def lifter_config(asked: Asked) -> LifterConfig:
    """Turns the flags of a lifter's task into what makes the lifter.

    Raises:
      InputError: if a file that the flags name does not exist.
    """
    if asked.task.switch == "lift":  # without a derivative
        return lifter_flags.lifter_config(asked)
    return lifter_flags.lifter_config(
        asked,
        derivative=asked.derivative,
        damping=asked.damping,
        # A resumed run holds its own parameters.
        load_checkpoint=not asked.resume,
    )


def image_settings(flag_values: flags.FlagValues) -> ImageSettings:
    """Turns the parsed flags of `main.py --model=i1` into its settings.

    Raises:
      InputError: if a file or folder that the flags name does not exist.
    """
    task = image_flags.task(MAIN.asked(flag_values))
    return ImageSettings(_run_folder(flag_values), task)


def calibrated_settings(flag_values: flags.FlagValues) -> CalibratedSettings:
    """Turns the parsed flags of `main.py --model=calibrated` into its settings.

    Raises:
      InputError: if no recording is named, or a file does not exist.
    """
    task = calibrated_flags.task(MAIN.asked(flag_values))
    return CalibratedSettings(_run_folder(flag_values), task)


def capture_settings(flag_values: flags.FlagValues) -> CaptureSettings:
    """Turns the parsed flags of `main.py --model=capture` into its settings.

    Raises:
      InputError: if no video is named, or a file does not exist.
    """
    task = capture_flags.task(MAIN.asked(flag_values))
    return CaptureSettings(_run_folder(flag_values), task)


def pipeline_settings(flag_values: flags.FlagValues) -> PipelineSettings:
    """Turns the parsed flags of `main.py --model=pipeline` into its settings.

    Raises:
      InputError: if a file or folder that the flags name does not exist.
    """
    task = pipeline_flags.task(MAIN.asked(flag_values))
    return PipelineSettings(_run_folder(flag_values), task)


def prior_settings(flag_values: flags.FlagValues) -> PriorSettings:
    """Turns the parsed flags of `main.py --model=prior` into its settings.

    Raises:
      InputError: if no file of motion is named, or one does not exist.
    """
    task = prior_flags.task(MAIN.asked(flag_values))
    return PriorSettings(_run_folder(flag_values), task)


def sample_settings(
    flag_values: flags.FlagValues,
) -> sample_flags.FrameConfig | picture_flags.PictureSettings:
    """Turns the parsed flags of `Sample.py` into its settings.

    Raises:
      InputError: if a file that the flags name does not exist, or the picture is where
        a result goes.
    """
    asked = SAMPLE.asked(flag_values)
    if asked.task.name == "picture":
        return picture_flags.picture_settings(asked)
    if asked.task.name == "video":
        return picture_flags.video_settings(asked)
    return sample_flags.frame_config(asked)


def _run_folder(flag_values: flags.FlagValues) -> Path:
    return places.results_dir(flag_values) / flag_values.name
