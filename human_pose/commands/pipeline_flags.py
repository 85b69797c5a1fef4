"""The flags of `--model=pipeline`, turned into configurations.

Part of `flags.py`, for which it imports no TensorFlow either.
"""

from pathlib import Path
from typing import Final

from absl import flags

from human_pose.commands import places, shell
from human_pose.commands.tasks import Asked, Default
from human_pose.files.errors import InputError
from human_pose.files.paths import locate
from human_pose.pipeline.config import (
    GRADIENTS,
    LossWeights,
    Outliers,
    PipelineEvaluationConfig,
    PipelineTrainingConfig,
)

TAKES: Final = frozenset({
    "split", "skip_bad", "views", "outliers", "seed", "parameters_dir",
})  # fmt: skip
TRAINING_TAKES: Final = frozenset({
    "preset", "iterations", "wlr", "energy_wlr", "save_f", "resume_or_start",
    "derivative", "damping", "gradients", "network_from", "energy_from", "clip",
    "loss_3d", "loss_network", "learned", "validation_moments",
})  # fmt: skip
_TRAINING: Final = PipelineTrainingConfig(Path())
_EVALUATION: Final = PipelineEvaluationConfig(Path(), ())
_PICTURES: Final = {"data_dir": Default(places.PICTURES_DIR)}
TRAINING_DEFAULTS: Final = _PICTURES | {
    "batch_size": Default(_TRAINING.batch_size),
    "iterations": Default(_TRAINING.iterations),
    "wlr": Default(_TRAINING.learning_rate),
    "save_f": Default(_TRAINING.save_every),
    "damping": Default(_TRAINING.damping),
}
EVALUATION_DEFAULTS: Final = _PICTURES | {"batch_size": Default(_EVALUATION.batch_size)}

PipelineTask = PipelineTrainingConfig | PipelineEvaluationConfig


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `--model=pipeline` that no other model has."""
    own = {"flag_values": flag_values}
    flags.DEFINE_list(
        "views", [*map(str, _TRAINING.views)], "Numbers of the cameras, from 0.", **own
    )
    flags.DEFINE_enum(
        "gradients",
        GRADIENTS[0],
        GRADIENTS,
        "Whether the error in 3D reaches the network, or its own loss alone does.",
        **own,
    )
    flags.DEFINE(
        shell.FiniteParser(0.0),
        "energy_wlr",
        _TRAINING.energy_learning_rate,
        "Learning rate of the readout and the energy.",
        **own,
    )
    for name, part in (("network", "network"), ("energy", "readout and the energy")):
        flags.DEFINE_integer(
            f"{name}_from",
            0,
            f"Update with which the {part} begins to learn.",
            lower_bound=0,
            **own,
        )
    flags.DEFINE(
        shell.FiniteParser(0.0),
        "clip",
        None,
        "Largest norm of a moment's gradient by its detections, loss per px.",
        **own,
    )
    flags.DEFINE(
        shell.FiniteParser(0.0, 1.0),
        "outliers",
        0.0,
        "Share of the detections that are put elsewhere.",
        **own,
    )
    loss = LossWeights()
    for name, value, of in (
        ("loss_3d", loss.joints_3d, "mean distance of joints, per mm"),
        ("loss_network", loss.network, "network's own loss"),
    ):
        parser = shell.FiniteParser(0.0)
        flags.DEFINE(parser, name, value, f"Weight of the {of}.", **own)
    flags.DEFINE_list(
        "learned",
        None,
        "Names of the energy's weights that learn (default: the head's own choice).",
        **own,
    )
    flags.DEFINE_integer(
        "validation_moments",
        _TRAINING.validation_moments,
        "Test moments to measure with every saved state.",
        lower_bound=1,
        **own,
    )
    shell.show_in_help(flag_values, __name__)


def task(asked: Asked) -> PipelineTask:
    """Turns the parsed flags into what `--model=pipeline` is asked for.

    Raises:
      InputError: if a file or folder that the flags name does not exist.
    """
    common = {
        "data_dir": places.pictures_dir(asked.data_dir),
        "split": asked.split,
        "views": _views(asked.views),
        "check_path": _checkpoints(asked),
        "batch_size": asked.batch_size,
        "outliers": Outliers(asked.outliers),
        "seed": asked.seed,
        "skip_bad": asked.skip_bad,
        "parameters_dir": Path(asked.parameters_dir or places.DATA_DIR),
    }
    if not asked.train:
        if not common["check_path"]:
            raise InputError("--check_path must name the checkpoint to evaluate")
        return PipelineEvaluationConfig(**common)
    return PipelineTrainingConfig(
        **common,
        preset=asked.preset,
        gradients=asked.gradients,
        derivative=asked.derivative,
        damping=asked.damping if asked.derivative == "trust_region" else 0.0,
        loss=LossWeights(asked.loss_3d, asked.loss_network),
        learned=None if asked.learned is None else tuple(asked.learned),
        learning_rate=asked.wlr,
        energy_learning_rate=asked.energy_wlr,
        network_from=asked.network_from,
        energy_from=asked.energy_from,
        clip=asked.clip,
        iterations=asked.iterations or _TRAINING.iterations,
        save_every=asked.save_f,
        validation_moments=asked.validation_moments,
        resume=asked.resume,
        overwrite=asked.overwrite,
        resume_or_start=asked.resume_or_start,
    )


def _views(words: list[str]) -> tuple[int, ...]:
    try:
        views = tuple(map(int, words))
    except ValueError:
        raise InputError("views", "must be numbers of cameras", words) from None
    if len(set(views)) < len(views) or min(views, default=-1) < 0:
        raise InputError("views", "must be different cameras, from 0", list(views))
    return views


def _checkpoints(asked: Asked) -> tuple[Path, ...]:
    """The files that `--check_path` names, as given or under `--results_dir`."""
    # A resumed run holds its own weights, but is made of the same parts.
    words = (asked.check_path or "").split(",")
    return tuple(locate(word, also_under=[asked.results_dir]) for word in words if word)
