"""The flags of the image network, `--model=i1`, turned into configurations.

Part of `settings.py`, for which it imports no TensorFlow either.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from absl import flags

from human_pose.commands import places, shell
from human_pose.geometry.limits import (
    FOCAL_LENGTHS_PX,
    MAX_COORDINATE_PX,
    ROOT_DEPTHS_MM,
)
from human_pose.i1.config import (
    CURRICULA,
    LOSSES,
    PRESETS,
    READOUTS,
    SPLITS,
    ConversionConfig,
    ImageEvaluationConfig,
    ImageSampleConfig,
    ImageTrainingConfig,
)

MODELS: Final = ("lifter", "i1")

_BATCH_SIZE: Final = 2  # of the original's tests
_LIFTER_ONLY: Final = (
    "models", "l2_solver", "dtype", "as_published", "parameters_dir", "metric",
    "input_path", "epochs", "shuffle", "derivative", "damping",
)  # fmt: skip
_TRAINING_ONLY: Final = (
    "curriculum", "stage", "loss", "depth_limit", "iterations", "augment",
    "accumulate", "mixed_precision", "jit", "remat", "validation_samples",
    "validate_every", "wlr", "save_f", "seed",
)  # fmt: skip
_EVALUATION_ONLY: Final = ("readout",)
# All but the file, its network, and the run's folder.
_NOT_FOR_CONVERSION: Final = (
    "train", "resume", "check_path", "data_dir", "split", "skip_bad", "subsample",
    "batch_size", *_TRAINING_ONLY, *_EVALUATION_ONLY,
)  # fmt: skip
# Of `Sample.py`, which has some of the flags of `main.py`.
_PICTURE_ONLY: Final = ("box", "camera", "root_depth_mm", "readout")
_VIEWS_ONLY: Final = (
    "models", "l2_solver", "dtype", "as_published", "data_dir", "parameters_dir",
    "input_path", "frame",
)  # fmt: skip

Task = ImageTrainingConfig | ImageEvaluationConfig | ConversionConfig


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines `--model` and the flags of `--model=i1`."""
    own = {"flag_values": flag_values}
    flags.DEFINE_enum(
        "model", MODELS[0], MODELS, "Views to a pose, or i1: an image to a pose.", **own
    )
    flags.DEFINE_enum("preset", PRESETS[0], PRESETS, "i1: size of the network.", **own)
    flags.DEFINE_enum(
        "split", SPLITS[0], SPLITS, "i1: by subject, or the original's indices.", **own
    )
    flags.DEFINE_boolean(
        "skip_bad", False, "i1: leave out samples that break a rule.", **own
    )
    flags.DEFINE_enum(
        "readout", READOUTS[0], READOUTS, "i1: whose errors are stored.", **own
    )
    flags.DEFINE_string(
        "convert_caffemodel",
        None,
        "i1: Caffe's weights to make a checkpoint of.",
        **own,
    )
    shell.refuse_empty(flag_values, "convert_caffemodel")
    flags.DEFINE_integer(
        "depth_bins",
        None,
        "i1: depth of the volume of --convert_caffemodel.",
        lower_bound=1,
        **own,
    )
    _define_training_flags(flag_values)
    _check_together(flag_values)
    shell.show_in_help(flag_values, __name__)


def define_sample_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `Sample.py --image`."""
    own = {"flag_values": flag_values}
    flags.DEFINE_string(
        "image", None, "A picture of one person; needs --check_path=<.keras>.", **own
    )
    shell.refuse_empty(flag_values, "image")
    flags.DEFINE_list(
        "box", None, "x1,y1,x2,y2: the person in the picture, px (default: all).", **own
    )
    flags.DEFINE_list(
        "camera", None, "fx,fy,cx,cy: the camera, px (default: from the box).", **own
    )
    flags.DEFINE_float(
        "root_depth_mm",
        None,
        "Depth of the hip (default: from the box and --camera, or 5000).",
        **own,
    )
    flags.DEFINE_enum(
        "readout", READOUTS[0], READOUTS, "How joints are read from heatmaps.", **own
    )
    nearest, farthest = ROOT_DEPTHS_MM
    flags.register_validator(
        "root_depth_mm",
        lambda depth: depth is None or nearest <= depth <= farthest,
        f"must be from {nearest:.0f} to {farthest:.0f} mm",
        flag_values,
    )
    for name in ("box", "camera"):
        flags.register_validator(
            name, _are_four_numbers, "must be four numbers, as 1,2,3,4", flag_values
        )
    shortest, longest = FOCAL_LENGTHS_PX
    flags.register_validator(
        "camera",
        _is_camera,
        f"must be focal lengths from {shortest:.0f} to {longest:.0f} px and a centre "
        f"at most {MAX_COORDINATE_PX:.0f} px from the corner",
        flag_values,
    )
    _check_sample_flags(flag_values)
    shell.show_in_help(flag_values, __name__)


def _check_sample_flags(flag_values: flags.FlagValues) -> None:
    """Refuses flags that would have no effect."""

    def present(name: str) -> bool:
        return bool(flag_values[name].present)

    def for_the_input(values: dict[str, Any]) -> bool:
        if values["image"] is None:
            _refuse(filter(present, _PICTURE_ONLY), "--image")
        else:
            _refuse_beside(filter(present, _VIEWS_ONLY), "--image")
        return True

    flags.register_multi_flags_validator(
        ["image"], for_the_input, flag_values=flag_values
    )


def _four_numbers(
    texts: list[str] | None,
) -> tuple[float, float, float, float] | None:
    if texts is None:
        return None
    a, b, c, d = map(float, texts)
    return a, b, c, d


def _are_four_numbers(texts: list[str] | None) -> bool:
    try:
        return texts is None or (
            len(texts) == 4 and all(math.isfinite(float(text)) for text in texts)
        )
    except ValueError:
        return False


def _is_camera(texts: list[str] | None) -> bool:
    camera = _four_numbers(texts)
    shortest, longest = FOCAL_LENGTHS_PX
    return camera is None or (
        all(shortest <= focal_px <= longest for focal_px in camera[:2])
        and all(abs(centre_px) <= MAX_COORDINATE_PX for centre_px in camera[2:])
    )


def sample_config(flag_values: flags.FlagValues) -> ImageSampleConfig:
    """Turns the parsed flags of `Sample.py --image` into a configuration.

    Raises:
      InputError: if a file that the flags name does not exist, or the picture is where
        a result goes.
    """
    from human_pose.files.errors import InputError
    from human_pose.files.paths import locate

    if not flag_values["check_path"].present:
        raise InputError("--image needs --check_path, a .keras checkpoint")
    image = locate(flag_values.image)
    results_dir = places.results_dir(flag_values)
    chosen = ImageSampleConfig(
        image=image,
        check_path=places.checkpoint(flag_values),
        box=_four_numbers(flag_values.box),
        camera=_four_numbers(flag_values.camera),
        root_depth_mm=flag_values.root_depth_mm,
        readout=flag_values.readout,
        picture_path=results_dir / "sample" / f"{image.stem}.png",
        show=flag_values.show,
    )
    for result in (chosen.picture_path, chosen.joints_path):
        if result.exists() and result.samefile(image):
            raise InputError(
                f"--image={flag_values.image}: {result}, a result, would replace it; "
                "--results_dir must name another folder"
            )
    return chosen


def _define_training_flags(flag_values: flags.FlagValues) -> None:
    own = {"flag_values": flag_values}
    flags.DEFINE_enum(
        "curriculum", CURRICULA[0], CURRICULA, "i1: which stages to train.", **own
    )
    flags.DEFINE_string("stage", None, "i1: the only stage to train.", **own)
    flags.DEFINE_enum(
        "loss", None, LOSSES, "i1: in every stage (default: the stage's own).", **own
    )
    flags.DEFINE_integer(
        "depth_limit", None, "i1: leave out deeper stages.", lower_bound=1, **own
    )
    flags.DEFINE_integer(
        "iterations",
        None,
        "i1: updates of each stage (default: the stage's own).",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_enum(
        "augment",
        None,
        ("published", "modern", "mild"),
        "i1: augmentation (default: the curriculum's).",
        **own,
    )
    flags.DEFINE_integer(
        "accumulate", 1, "i1: batches averaged for an update.", lower_bound=1, **own
    )
    flags.DEFINE_boolean("mixed_precision", False, "i1: compute in bfloat16.", **own)
    flags.DEFINE_boolean("jit", False, "i1: compile the step with XLA.", **own)
    flags.DEFINE_boolean(
        "remat", False, "i1: compute activations twice, for less memory.", **own
    )
    flags.DEFINE_integer(
        "validation_samples",
        200,
        "i1: test samples to measure while training; 0 for none.",
        lower_bound=0,
        **own,
    )
    flags.DEFINE_integer(
        "validate_every", 5, "i1: saves between validations.", lower_bound=1, **own
    )


def _check_together(flag_values: flags.FlagValues) -> None:
    """Refuses flags that would have no effect."""

    def present(name: str) -> bool:
        return bool(flag_values[name].present)

    def for_the_model(values: dict[str, Any]) -> bool:
        if values["model"] == "i1":
            _refuse(filter(present, _LIFTER_ONLY), "--model=lifter")
            if values["convert_caffemodel"] is not None:
                _refuse_beside(
                    filter(present, _NOT_FOR_CONVERSION), "--convert_caffemodel"
                )
            elif values["train"]:
                _refuse_beside(filter(present, _EVALUATION_ONLY), "--train=1")
            else:
                # The checkpoint knows its size.
                _refuse(filter(present, (*_TRAINING_ONLY, "preset")), "--train=1")
            return True
        own = {flag.name for flag in flag_values.get_flags_for_module(__name__)}
        _refuse(filter(present, sorted(own - {"model"})), "--model=i1")
        return True

    flags.register_multi_flags_validator(
        ["model", "train", "convert_caffemodel"], for_the_model, flag_values=flag_values
    )
    flags.register_multi_flags_validator(
        ["convert_caffemodel", "depth_bins"],
        lambda values: (
            (values["convert_caffemodel"] is None) == (values["depth_bins"] is None)
        ),
        "--convert_caffemodel and --depth_bins need each other",
        flag_values,
    )


def _refuse(names: Iterable[str], needed: str) -> None:
    for name in names:
        raise flags.ValidationError(f"--{name} needs {needed}")


def _refuse_beside(names: Iterable[str], other: str) -> None:
    for name in names:
        raise flags.ValidationError(f"--{name} has no effect beside {other}")


def task(flag_values: flags.FlagValues) -> Task:
    """Turns the parsed flags into what `--model=i1` is asked for.

    Raises:
      InputError: if a file or folder that the flags name does not exist.
    """
    from human_pose.files.errors import InputError
    from human_pose.files.paths import locate

    if flag_values.convert_caffemodel is not None:
        return ConversionConfig(
            caffemodel=locate(flag_values.convert_caffemodel),
            depth_bins=flag_values.depth_bins,
            preset=flag_values.preset,
            overwrite=flag_values.overwrite,
        )
    # A resumed run holds its own weights.
    check_path = None
    if flag_values.check_path is not None and not flag_values.resume:
        check_path = places.checkpoint(flag_values)
    data_dir = places.pictures_dir(_given(flag_values, "data_dir", places.PICTURES_DIR))
    if flag_values.train:
        return _training_config(flag_values, data_dir, check_path)
    if check_path is None:
        raise InputError("--check_path must name the checkpoint to evaluate")
    return ImageEvaluationConfig(
        data_dir=data_dir,
        split=flag_values.split,
        check_path=check_path,
        readout=flag_values.readout,
        every=_given(flag_values, "subsample", 1),
        batch_size=_given(flag_values, "batch_size", _BATCH_SIZE),
        skip_bad=flag_values.skip_bad,
    )


def _training_config(
    flag_values: flags.FlagValues, data_dir: Path, check_path: Path | None
) -> ImageTrainingConfig:
    return ImageTrainingConfig(
        data_dir=data_dir,
        split=flag_values.split,
        recipe=flag_values.curriculum,
        preset=flag_values.preset,
        stage=flag_values.stage,
        loss=flag_values.loss,
        max_depth_bins=flag_values.depth_limit,
        every=_given(flag_values, "subsample", 1),
        check_path=check_path,
        learning_rate=_given(flag_values, "wlr", None),
        iterations=flag_values.iterations,
        batch_size=_given(flag_values, "batch_size", None),
        augment=flag_values.augment,
        accumulate=flag_values.accumulate,
        mixed_precision=flag_values.mixed_precision,
        jit=flag_values.jit,
        remat=flag_values.remat,
        skip_bad=flag_values.skip_bad,
        save_every=flag_values.save_f,
        validation_samples=flag_values.validation_samples,
        validate_every=flag_values.validate_every,
        seed=flag_values.seed,
        resume=flag_values.resume,
        overwrite=flag_values.overwrite,
    )


def _given(flag_values: flags.FlagValues, name: str, otherwise: Any) -> Any:
    """The value of a flag whose default is the lifter's."""
    flag = flag_values[name]
    return flag.value if flag.present else otherwise
