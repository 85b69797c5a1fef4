"""The flags of the lifter, turned into configurations.

Part of `flags.py`, for which it imports no TensorFlow either.
"""

import math
from pathlib import Path
from typing import Any, Final, Literal

from absl import flags

from human_pose.calibrated.config import ADAPTIVE
from human_pose.calibrated.config import DERIVATIVES as PIPELINE_DERIVATIVES
from human_pose.commands import places, shell
from human_pose.commands.tasks import Asked
from human_pose.files.errors import InputError
from human_pose.files.paths import locate
from human_pose.lifting.config import (
    DERIVATIVES,
    DTYPES,
    EVIDENCES,
    METRICS,
    MODEL_COUNTS,
    EvaluationConfig,
    LifterConfig,
    LiftingConfig,
    TrainingConfig,
)
from human_pose.runs.kinds import DISTRIBUTIONS

_MAX_SEED: Final = 2**31 - 1
_MOST_OF_A_BATCH: Final = 2**31 - 1
_MIXTURE_FILE: Final = "model_parameters.h5"


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
    flags.DEFINE_enum(
        "evidence",
        EVIDENCES[0],
        EVIDENCES,
        "By which components of the mixture weigh: their scores, or full evidence.",
        **own,
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
        "Folder with train_sh.h5 and testing/, of pictures, or of prepared sets.",
        **own,
    )
    flags.DEFINE_string(
        "parameters_dir",
        None,
        "Folder with model_parameters.h5 and avg_cameras.h5 (default: data_dir; where "
        f"--dataset is in one without them, {places.DATA_DIR}).",
        **own,
    )
    flags.DEFINE_string(
        "results_dir", places.RESULTS_DIR, "Folder of all results.", **own
    )
    shell.refuse_empty(
        flag_values, "check_path", "data_dir", "parameters_dir", "results_dir"
    )
    shell.show_in_help(flag_values, __name__)


def define_run_flags(flag_values: flags.FlagValues) -> None:
    """Defines the other flags of `main.py`, some of which other models share."""
    own = {"flag_values": flag_values}
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
        "Frames in a batch.",
        lower_bound=1,
        upper_bound=_MOST_OF_A_BATCH,
        **own,
    )
    flags.DEFINE_integer(
        "subsample",
        5,
        "Every how many frames one is used.",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_string(
        "input_path",
        f"{places.DATA_DIR}/{places.TRAINING_FILE}",
        f"Training frames (default: {places.TRAINING_FILE} in data_dir), or the folder "
        "of a prepared set, to train on and to evaluate.",
        **own,
    )
    flags.DEFINE_string(
        "lift",
        None,
        "Detections to lift, a file or folder of any known format; no truth and no "
        "cameras are needed.",
        **own,
    )
    shell.refuse_empty(flag_values, "input_path", "lift")
    _define_training_flags(flag_values)
    shell.show_in_help(flag_values, __name__)


def _define_training_flags(flag_values: flags.FlagValues) -> None:
    own = {"flag_values": flag_values}
    flags.DEFINE_float("wlr", 5e-2, "Learning rate.", **own)
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
        PIPELINE_DERIVATIVES[0],
        PIPELINE_DERIVATIVES,
        "Derivative of the solution: exact at the minimum, or of the solver's steps; "
        "pipeline: implicit is the first without λ, by the Hessian as it stands.",
        **own,
    )
    flags.DEFINE_enum(
        "distribute",
        DISTRIBUTIONS[0],
        DISTRIBUTIONS,
        "Devices that share every batch: one, all GPUs here, or those of the processes "
        "in TF_CONFIG.",
        **own,
    )
    flags.DEFINE_boolean(
        "resume_or_start",
        False,
        "Go on with the training run if there is one, else start it: for schedulers, "
        "which repeat a command.",
        **own,
    )
    flags.DEFINE(
        _DampingParser(),
        "damping",
        0.0,
        "λ of the trust-region derivative; pipeline: or adaptive.",
        **own,
    )
    flags.register_multi_flags_validator(
        ["derivative", "damping"],
        lambda values: values["derivative"] == "trust_region" or values["damping"] == 0,
        "--damping belongs to --derivative=trust_region",
        flag_values,
    )
    flags.register_multi_flags_validator(
        ["model", "derivative", "damping"],
        lambda values: (
            values["model"] == "pipeline"
            or (values["derivative"] in DERIVATIVES and values["damping"] != ADAPTIVE)
        ),
        "--derivative=implicit and --damping=adaptive need --model=pipeline",
        flag_values,
    )


class _DampingParser(flags.ArgumentParser):
    """Reads a number from 0, or the word for the rule."""

    syntactic_help = "a number from 0, or adaptive"

    def parse(self, argument: Any) -> Any:
        """The number, or the word."""
        if argument == ADAPTIVE:
            return argument
        try:
            number = float(argument)
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise ValueError("must be 0 or more, or adaptive")
        return number

    def flag_type(self) -> str:
        """What `--help` calls it."""
        return "number or word"


def task(asked: Asked) -> TrainingConfig | LiftingConfig | EvaluationConfig:
    """Turns the parsed flags into what `main.py` is asked for.

    Raises:
      InputError: if a file or folder that the flags name does not exist.
    """
    if asked.task.switch == "lift":
        return _lifting_config(asked)
    return _training_config(asked) if asked.train else _evaluation_config(asked)


def lifter_config(
    asked: Asked,
    *,
    derivative: Literal["trust_region", "unrolled"] = "trust_region",
    damping: float = 0.0,
    load_checkpoint: bool = True,
) -> LifterConfig:
    """Turns the parsed lifter flags into a configuration.

    Raises:
      InputError: if a parameter file or the checkpoint does not exist.
    """
    folder = _parameters_dir(asked)
    check_path = asked.check_path if load_checkpoint else None
    return LifterConfig(
        models=asked.models,
        solver="l2" if asked.l2_solver else "huber",
        derivative=derivative,
        damping=damping,
        dtype=asked.dtype,
        mixture_path=places.parameters(folder, _MIXTURE_FILE),
        cameras_path=places.parameters(folder, "avg_cameras.h5"),
        check_path=(
            places.checkpoint(asked.flag_values)
            # The original's default is the word.
            if check_path and check_path.lower() != "none"
            else None
        ),
        as_published=asked.as_published,
        evidence=asked.evidence,
    )


def _parameters_dir(asked: Asked) -> Path:
    """The folder of the lifter's parameters."""
    if asked.parameters_dir is not None:
        return Path(asked.parameters_dir)
    folder = Path(asked.data_dir)
    if "dataset" in asked.task.takes and asked.dataset is not None:
        try:  # A folder of prepared sets need not have them, too.
            locate(folder / _MIXTURE_FILE)
        except InputError:
            return Path(places.DATA_DIR)
    return folder


def _training_config(asked: Asked) -> TrainingConfig:
    return TrainingConfig(
        input_path=_prepared(asked) or places.training_frames(asked.flag_values),
        subsample=asked.subsample,
        metric=asked.metric,
        learning_rate=asked.wlr,
        batch_size=asked.batch_size,
        epochs=asked.epochs,
        save_every=asked.save_f,
        shuffle=asked.shuffle,
        seed=asked.seed,
        resume=asked.resume,
        overwrite=asked.overwrite,
        resume_or_start=asked.resume_or_start,
        distribute=asked.distribute,
    )


def _prepared(asked: Asked) -> Path | None:
    """The folder of the set that `--dataset` names; None without that flag."""
    if asked.dataset is None:
        return None
    return places.prepared_set(asked.data_dir, asked.dataset)


def _lifting_config(asked: Asked) -> LiftingConfig:
    return LiftingConfig(
        recording_path=locate(asked.lift),
        subsample=asked.subsample,
        batch_size=asked.batch_size,
    )


def _evaluation_config(asked: Asked) -> EvaluationConfig:
    return EvaluationConfig(
        data_dir=_prepared(asked) or places.evaluation_dir(asked.flag_values),
        subsample=asked.subsample,
        metric=asked.metric,
        batch_size=asked.batch_size,
        distribute=asked.distribute,
    )
