"""Every command-line flag, checked where it is parsed and turned into configurations.

Only the commands (`main.py`, `Sample.py`) import this module. It defines nothing until
a `define_*_flags` function is called, and imports no TensorFlow, so that `--help` is
immediate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from absl import flags

from human_pose.commands import image_flags, places, shell
from human_pose.lifting.config import (
    DERIVATIVES,
    DTYPES,
    METRICS,
    MODEL_COUNTS,
    EvaluationConfig,
    LifterConfig,
    TrainingConfig,
)

_MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class MainSettings:
    """What `main.py` is asked for: a training, or an evaluation.

    Attributes:
      run_folder: results of this run, `<results_dir>/<name>`.
      lifter: the model.
      task: what to do with it.
    """

    run_folder: Path
    lifter: LifterConfig
    task: TrainingConfig | EvaluationConfig


@dataclass(frozen=True)
class ImageSettings:
    """What `main.py --model=i1` is asked for.

    Attributes:
      run_folder: results of this run, `<results_dir>/<name>`.
      task: a training, an evaluation or a conversion.
    """

    run_folder: Path
    task: image_flags.Task


@dataclass(frozen=True)
class SampleSettings:
    """What `Sample.py` is asked for.

    Attributes:
      lifter: the model.
      input_path: pose file with the frame.
      frame: its number in the file, from 0.
      picture_path: where to save the picture.
      show: whether to open a window, if there is a screen.
    """

    lifter: LifterConfig
    input_path: Path
    frame: int
    picture_path: Path
    show: bool


def define_lifter_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of every command that makes a lifter."""
    own = {"flag_values": flag_values}
    flags.DEFINE_integer(
        "models", 3, "Components of the PPCA mixture: 3, 6 or 10.", **own
    )
    flags.register_validator(
        "models", lambda n: n in MODEL_COUNTS, "must be 3, 6 or 10", flag_values
    )
    flags.DEFINE_boolean(
        "l2_solver", False, "Least squares instead of the pseudo-Huber energy.", **own
    )
    flags.DEFINE_enum("dtype", DTYPES[0], DTYPES, "Precision of the lifter.", **own)
    flags.DEFINE_string(
        "check_path",
        None,
        "Checkpoint to start from; looked for as given, and under results_dir.",
        **own,
    )
    flags.DEFINE_boolean(
        "as_published",
        False,
        "hl_params and ir_reg stay 1 when a checkpoint is loaded, as in the published "
        "evaluation.",
        **own,
    )
    flags.DEFINE_string(
        "data_dir",
        places.DATA_DIR,
        "Folder with train_sh.h5 and testing/ (i1: of pictures, data/images).",
        **own,
    )
    flags.DEFINE_string(
        "parameters_dir",
        None,
        "Folder with model_parameters.h5 and avg_cameras.h5 (default: data_dir).",
        **own,
    )
    flags.DEFINE_string(
        "results_dir", places.RESULTS_DIR, "Folder of all results.", **own
    )
    shell.refuse_empty(
        flag_values, "check_path", "data_dir", "parameters_dir", "results_dir"
    )
    shell.show_in_help(flag_values, __name__)


def define_main_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `main.py`."""
    own = {"flag_values": flag_values}
    define_lifter_flags(flag_values)
    flags.DEFINE_boolean("train", False, "Train; without it, evaluate.", **own)
    flags.DEFINE_string(
        "name", "New_test", "Name of the run: its folder in results_dir.", **own
    )
    flags.register_validator(
        "name", shell.is_folder_name, "must be a plain folder name", flag_values
    )
    flags.DEFINE_integer(
        "metric",
        2,
        "Training loss and stored error: 0 and 1 are Procrustes-aligned over 14 and 17 "
        "joints, 2 is not aligned.",
        **own,
    )
    flags.register_validator(
        "metric", lambda n: n in METRICS, "must be 0, 1 or 2", flag_values
    )
    flags.DEFINE_integer(
        "batch_size",
        4,
        "Frames in a batch (i1: the stage's own; 2 to evaluate).",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_integer(
        "subsample",
        5,
        "Every how many frames one is used (i1: 1).",
        lower_bound=1,
        **own,
    )
    _define_training_flags(flag_values)
    image_flags.define_flags(flag_values)
    _check_together(flag_values)
    shell.show_in_help(flag_values, __name__)


def define_sample_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `Sample.py`."""
    own = {"flag_values": flag_values}
    define_lifter_flags(flag_values)
    flag_values.set_default("check_path", places.TRAINED_MODEL)
    flags.DEFINE_string(
        "input_path", places.SAMPLE_FILE, "Pose file with the frame to lift.", **own
    )
    shell.refuse_empty(flag_values, "input_path")
    flags.DEFINE_integer(
        "frame", 0, "Number of the frame in that file, from 0.", lower_bound=0, **own
    )
    flags.DEFINE_boolean(
        "show", True, "Open a window with the picture, if there is a screen.", **own
    )
    image_flags.define_sample_flags(flag_values)
    shell.show_in_help(flag_values, __name__)


def _define_training_flags(flag_values: flags.FlagValues) -> None:
    own = {"flag_values": flag_values}
    flags.DEFINE_string(
        "input_path",
        f"{places.DATA_DIR}/{places.TRAINING_FILE}",
        f"Training frames (default: {places.TRAINING_FILE} in data_dir).",
        **own,
    )
    shell.refuse_empty(flag_values, "input_path")
    flags.DEFINE_float("wlr", 5e-2, "Learning rate (i1: the stage's own).", **own)
    flags.register_validator(
        "wlr", lambda x: 0 < x < math.inf, "must be positive", flag_values
    )
    flags.DEFINE_integer("epochs", 20, "Epochs to train, in all.", lower_bound=1, **own)
    flags.DEFINE_integer(
        "save_f",
        100,
        "Batches between two reports, checkpoints and saved states.",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_boolean(
        "shuffle", True, "Draw a new order of the frames in each epoch.", **own
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "Seed of the orders that --shuffle draws (i1: and of weights, augmentation).",
        lower_bound=0,
        upper_bound=_MAX_SEED,
        **own,
    )
    flags.DEFINE_enum(
        "derivative",
        DERIVATIVES[0],
        DERIVATIVES,
        "Derivative of the solution: exact at the minimum, or of the original's steps.",
        **own,
    )
    flags.DEFINE_float("damping", 0.0, "λ of the trust-region derivative.", **own)
    flags.register_validator(
        "damping", lambda x: 0 <= x < math.inf, "must be 0 or more", flag_values
    )
    flags.DEFINE_boolean(
        "resume", False, "Go on with the training run in the run's folder.", **own
    )
    flags.DEFINE_boolean(
        "overwrite",
        False,
        "Replace the training run, or what a conversion made, in the run's folder.",
        **own,
    )


def _check_together(flag_values: flags.FlagValues) -> None:
    """Refuses flags that would have no effect."""

    def register(names: list[str], rule: Callable[..., bool], message: str) -> None:
        flags.register_multi_flags_validator(
            names, lambda values: rule(**values), message, flag_values
        )

    register(
        ["resume", "overwrite"],
        lambda resume, overwrite: not (resume and overwrite),
        "--resume and --overwrite exclude each other",
    )
    register(
        ["train", "resume", "overwrite", "convert_caffemodel"],
        lambda train, resume, overwrite, convert_caffemodel: (
            train or not (resume or (overwrite and convert_caffemodel is None))
        ),
        "--resume and --overwrite need --train",
    )
    register(
        ["derivative", "damping"],
        lambda derivative, damping: derivative == "trust_region" or damping == 0,
        "--damping belongs to --derivative=trust_region",
    )


def main_settings(flag_values: flags.FlagValues) -> MainSettings:
    """Turns the parsed flags of `main.py` into its settings.

    Raises:
      InputError: if a file or folder that the flags name does not exist.
    """
    return MainSettings(
        run_folder=places.results_dir(flag_values) / flag_values.name,
        lifter=lifter_config(
            flag_values,
            derivative=flag_values.derivative,
            damping=flag_values.damping,
            # A resumed run holds its own parameters.
            load_checkpoint=not flag_values.resume,
        ),
        task=(
            _training_config(flag_values)
            if flag_values.train
            else _evaluation_config(flag_values)
        ),
    )


def image_settings(flag_values: flags.FlagValues) -> ImageSettings:
    """Turns the parsed flags of `main.py --model=i1` into its settings.

    Raises:
      InputError: if a file or folder that the flags name does not exist.
    """
    return ImageSettings(
        run_folder=places.results_dir(flag_values) / flag_values.name,
        task=image_flags.task(flag_values),
    )


def sample_settings(flag_values: flags.FlagValues) -> SampleSettings:
    """Turns the parsed flags of `Sample.py` into its settings.

    Raises:
      InputError: if a file that the flags name does not exist.
    """
    frame = flag_values.frame
    return SampleSettings(
        lifter=lifter_config(flag_values),
        input_path=places.pose_file(flag_values.input_path),
        frame=frame,
        picture_path=places.results_dir(flag_values) / "sample" / f"frame_{frame}.png",
        show=flag_values.show,
    )


def lifter_config(
    flag_values: flags.FlagValues,
    *,
    derivative: Literal["trust_region", "unrolled"] = "trust_region",
    damping: float = 0.0,
    load_checkpoint: bool = True,
) -> LifterConfig:
    """Turns the parsed lifter flags into a configuration.

    Raises:
      InputError: if a parameter file or the checkpoint does not exist.
    """
    from human_pose.files.paths import locate

    folder = Path(flag_values.parameters_dir or flag_values.data_dir)
    check_path = flag_values.check_path if load_checkpoint else None
    return LifterConfig(
        models=flag_values.models,
        solver="l2" if flag_values.l2_solver else "huber",
        derivative=derivative,
        damping=damping,
        dtype=flag_values.dtype,
        mixture_path=locate(folder / "model_parameters.h5"),
        cameras_path=locate(folder / "avg_cameras.h5"),
        check_path=(
            places.checkpoint(flag_values)
            # The original's default is the word.
            if check_path and check_path.lower() != "none"
            else None
        ),
        as_published=flag_values.as_published,
    )


def _training_config(flag_values: flags.FlagValues) -> TrainingConfig:
    return TrainingConfig(
        input_path=places.training_file(flag_values),
        subsample=flag_values.subsample,
        metric=flag_values.metric,
        learning_rate=flag_values.wlr,
        batch_size=flag_values.batch_size,
        epochs=flag_values.epochs,
        save_every=flag_values.save_f,
        shuffle=flag_values.shuffle,
        seed=flag_values.seed,
        resume=flag_values.resume,
        overwrite=flag_values.overwrite,
    )


def _evaluation_config(flag_values: flags.FlagValues) -> EvaluationConfig:
    return EvaluationConfig(
        data_dir=places.evaluation_dir(flag_values),
        subsample=flag_values.subsample,
        metric=flag_values.metric,
        batch_size=flag_values.batch_size,
    )
