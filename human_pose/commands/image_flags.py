"""The flags of the image network, `--model=i1`, turned into configurations.

Part of `flags.py`, for which it imports no TensorFlow either.
"""

from pathlib import Path
from typing import Final

from absl import flags

from human_pose.commands import places, shell
from human_pose.commands.tasks import Asked, Default
from human_pose.datasets.shards.folders import is_prepared
from human_pose.files.errors import InputError
from human_pose.files.paths import locate
from human_pose.i1.config import (
    AUGMENTS,
    CURRICULA,
    LOSSES,
    PRESETS,
    READOUTS,
    SPLITS,
    ConversionConfig,
    ImageEvaluationConfig,
    ImageTrainingConfig,
)

# Flags of this model alone, or that not all others have: of all its work on pictures,
# and of its training besides.
TAKES: Final = frozenset({"dataset", "split", "skip_bad"})
TRAINING_TAKES: Final = frozenset({
    "curriculum", "stage", "loss", "depth_limit", "iterations", "augment",
    "accumulate", "mixed_precision", "jit", "remat", "validation_samples",
    "validate_every", "wlr", "save_f", "seed", "preset", "distribute",
    "resume_or_start", "sync_bn", "data_service",
})  # fmt: skip

_DEFAULTS: Final = {
    "data_dir": Default(places.PICTURES_DIR),
    "subsample": Default(1),
}
_STAGES_OWN: Final = Default(None, "the stage's own")
TRAINING_DEFAULTS: Final = _DEFAULTS | {"batch_size": _STAGES_OWN, "wlr": _STAGES_OWN}
EVALUATION_DEFAULTS: Final = _DEFAULTS | {
    "batch_size": Default(2),  # of the original's tests
}

ImageTask = ImageTrainingConfig | ImageEvaluationConfig | ConversionConfig


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `--model=i1`."""
    own = {"flag_values": flag_values}
    flags.DEFINE_enum("preset", PRESETS[0], PRESETS, "Size of the network.", **own)
    flags.DEFINE_enum(
        "split", SPLITS[0], SPLITS, "By subject, or the original's indices.", **own
    )
    flags.DEFINE_string(
        "dataset",
        None,
        "A prepared set in data_dir, by the name that TFDS gives it: NAME/CONFIG or "
        f"NAME/CONFIG:VERSION (data_dir is {places.DATA_DIR} then unless given).",
        **own,
    )
    flags.DEFINE_boolean(
        "skip_bad", False, "Leave out samples that break a rule.", **own
    )
    flags.DEFINE_enum(
        "readout", READOUTS[0], READOUTS, "Whose errors are stored.", **own
    )
    flags.DEFINE_string(
        "convert_caffemodel",
        None,
        "Caffe's weights to make a checkpoint of.",
        **own,
    )
    shell.refuse_empty(flag_values, "convert_caffemodel", "dataset")
    flags.DEFINE_integer(
        "depth_bins",
        None,
        "Depth of the volume of --convert_caffemodel.",
        lower_bound=1,
        **own,
    )
    _define_training_flags(flag_values)
    flags.register_multi_flags_validator(
        ["model", "convert_caffemodel", "depth_bins"],
        lambda values: (
            values["model"] != "i1"
            or (values["convert_caffemodel"] is None) == (values["depth_bins"] is None)
        ),
        "--convert_caffemodel and --depth_bins need each other",
        flag_values,
    )
    shell.show_in_help(flag_values, __name__)


def _define_training_flags(flag_values: flags.FlagValues) -> None:
    own = {"flag_values": flag_values}
    flags.DEFINE_enum(
        "curriculum", CURRICULA[0], CURRICULA, "Which stages to train.", **own
    )
    flags.DEFINE_string("stage", None, "The only stage to train.", **own)
    flags.DEFINE_enum(
        "loss", None, LOSSES, "In every stage (default: the stage's own).", **own
    )
    flags.DEFINE_integer(
        "depth_limit", None, "Leave out deeper stages.", lower_bound=1, **own
    )
    flags.DEFINE_integer(
        "iterations",
        None,
        "Updates of each stage (default: the stage's own).",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_enum(
        "augment",
        None,
        AUGMENTS,
        "Augmentation (default: the curriculum's).",
        **own,
    )
    flags.DEFINE_integer(
        "accumulate", 1, "Batches averaged for an update.", lower_bound=1, **own
    )
    flags.DEFINE_list(
        "data_service",
        [],
        "Addresses grpc://host:port of tf.data services of one worker that make the "
        "batches, equal parts each.",
        **own,
    )
    flags.DEFINE_boolean("mixed_precision", False, "Compute in bfloat16.", **own)
    flags.DEFINE_boolean("jit", False, "Compile the step with XLA.", **own)
    flags.DEFINE_boolean(
        "remat", False, "Compute activations twice, for less memory.", **own
    )
    flags.DEFINE_boolean(
        "sync_bn",
        True,
        "Normalise by the whole batch where devices share it, else by their parts.",
        **own,
    )
    flags.DEFINE_integer(
        "validation_samples",
        200,
        "Test samples to measure while training; 0 for none.",
        lower_bound=0,
        **own,
    )
    flags.DEFINE_integer(
        "validate_every", 5, "Saves between validations.", lower_bound=1, **own
    )


def task(asked: Asked) -> ImageTask:
    """Turns the parsed flags into what `--model=i1` is asked for.

    Raises:
      InputError: if a file or folder that the flags name does not exist.
    """
    if asked.task.name == "i1 conversion":
        return ConversionConfig(
            caffemodel=locate(asked.convert_caffemodel),
            depth_bins=asked.depth_bins,
            preset=asked.preset,
            overwrite=asked.overwrite,
        )
    # A resumed run holds its own weights.
    check_path = None
    if asked.check_path is not None and not asked.resume:
        check_path = places.checkpoint(asked.flag_values)
    data_dir = _data_dir(asked)
    if asked.train:
        return _training_config(asked, data_dir, check_path)
    if check_path is None:
        raise InputError("--check_path must name the checkpoint to evaluate")
    return ImageEvaluationConfig(
        data_dir=data_dir,
        split=asked.split,
        check_path=check_path,
        readout=asked.readout,
        every=asked.subsample,
        batch_size=asked.batch_size,
        skip_bad=asked.skip_bad,
        distribute=asked.distribute,
    )


def _data_dir(asked: Asked) -> Path:
    """The folder of the pictures: of the original's layout, or of shards."""
    if asked.dataset is None:
        folder = places.pictures_dir(asked.data_dir)
    else:
        data_dir = asked.data_dir if asked.given("data_dir") else places.DATA_DIR
        folder = places.prepared_set(data_dir, asked.dataset)
    if asked.given("split") and is_prepared(folder):
        rule = f"is for the original's layout; {folder} was prepared with its own"
        raise InputError("split", rule, asked.split)
    return folder


def _training_config(
    asked: Asked, data_dir: Path, check_path: Path | None
) -> ImageTrainingConfig:
    return ImageTrainingConfig(
        data_dir=data_dir,
        split=asked.split,
        recipe=asked.curriculum,
        preset=asked.preset,
        stage=asked.stage,
        loss=asked.loss,
        max_depth_bins=asked.depth_limit,
        every=asked.subsample,
        check_path=check_path,
        learning_rate=asked.wlr,
        iterations=asked.iterations,
        batch_size=asked.batch_size,
        augment=asked.augment,
        accumulate=asked.accumulate,
        mixed_precision=asked.mixed_precision,
        jit=asked.jit,
        remat=asked.remat,
        skip_bad=asked.skip_bad,
        save_every=asked.save_f,
        validation_samples=asked.validation_samples,
        validate_every=asked.validate_every,
        seed=asked.seed,
        resume=asked.resume,
        overwrite=asked.overwrite,
        resume_or_start=asked.resume_or_start,
        distribute=asked.distribute,
        sync_bn=asked.sync_bn,
        data_service=tuple(asked.data_service),
    )
