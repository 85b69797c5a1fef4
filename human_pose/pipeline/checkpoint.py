"""Pipelines on disk, and made of parts that were trained by themselves."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import keras

from human_pose.calibrated.checkpoint import load_lifter
from human_pose.calibrated.config import (
    CalibratedConfig,
    Damping,
    Derivative,
    SolverConfig,
)
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.files import load_prior
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, locate
from human_pose.geometry.skeletons import IMAGE_16
from human_pose.i1.config import Preset
from human_pose.i1.curriculum import MODERN, SCALINGS
from human_pose.i1.network.checkpoint import as_network, read_model
from human_pose.i1.network.hourglass import PoseNetwork, build_network
from human_pose.lifting import (
    PPCALifter,
    load_checkpoint,
    read_cameras,
    read_checkpoint,
    read_mixture,
)
from human_pose.pipeline.averaged_head import AveragedHead
from human_pose.pipeline.calibrated_head import CalibratedHead
from human_pose.pipeline.detections import VolumeReadout
from human_pose.pipeline.head import Head
from human_pose.pipeline.model import Pipeline
from human_pose.runs import divergence

# Detections of a network that is still learning are so far off that a fifth of the
# minimisers take more steps than twelve (dev).
_ITERATIONS: Final = 30
_SUFFIX: Final = ".keras"


def save_pipeline(pipeline: Pipeline, path: str | os.PathLike[str]) -> None:
    """Writes a pipeline, atomically.

    Raises:
      InputError: if the file cannot be written.
    """
    with atomic(path) as temporary:
        pipeline.save(temporary)


def load_pipeline(path: str | os.PathLike[str]) -> Pipeline:
    """Reads a pipeline that `save_pipeline` wrote.

    Raises:
      InputError: naming the file, if it is missing, unreadable, another model, or has
        weights that are not finite.
    """
    path = locate(path)
    return _as_pipeline(read_model(path), path)


def _as_pipeline(model: keras.Model, path: Path) -> Pipeline:
    if not isinstance(model, Pipeline):
        raise InputError(f"{path}: is not a pipeline")
    if not divergence.are_finite(model.variables):
        raise InputError(f"{path}: has weights that are not finite")
    return model


def open_pipeline(
    paths: Sequence[str | os.PathLike[str]],
    *,
    derivative: Derivative = "trust_region",
    damping: Damping = 1e-3,
    preset: Preset = "published",
    seed: int = 0,
    parameters_dir: str | os.PathLike[str] = "data",
) -> Pipeline:
    """A pipeline of files: one of its own, or a network's and a lifter's.

    Args:
      paths: a pipeline's `.keras` file alone; or an image network's, a lifter's, or
        both. A lifter is a calibrated one's `.npz` file (or its run's folder), or a
        checkpoint `.h5` of the published one. What is missing is made anew: a network
        of `preset`, or a calibrated lifter with the embedded prior.
      derivative: of the minimiser; that of a pipeline in a file is replaced.
      damping: λ of the trust region, likewise.
      preset: of a new network.
      seed: of its weights.
      parameters_dir: folder with the published lifter's `model_parameters.h5` and
        `avg_cameras.h5`.

    Raises:
      InputError: naming the file and the rule.
    """
    places = [locate(path) for path in paths]
    networks = [path for path in places if path.suffix == _SUFFIX]
    lifters = [path for path in places if path.suffix != _SUFFIX]
    for kind, found in (("image network", networks), ("lifter", lifters)):
        if len(found) > 1:
            listed = ", ".join(map(str, found))
            raise InputError("check_path", f"must name one {kind} at most", listed)
    model = read_model(networks[0]) if networks else None
    if isinstance(model, Pipeline) and not lifters:
        pipeline = _as_pipeline(model, networks[0])
    else:
        network = (
            _fresh(preset, seed) if model is None else as_network(model, networks[0])
        )
        head = _head(lifters[0] if lifters else None, parameters_dir)
        pipeline = assemble(network, head)
    pipeline.head.derive(derivative, damping)
    return pipeline


def _head(path: Path | None, parameters_dir: str | os.PathLike[str]) -> Head:
    """The head of a lifter's file, or one that starts anew."""
    if path is None:
        config = CalibratedConfig(
            temporal=False, solver=SolverConfig(frame_iterations=_ITERATIONS)
        )
        return CalibratedHead(CalibratedLifter(load_prior(), IMAGE_16, config))
    if path.suffix != ".h5":
        return CalibratedHead(load_lifter(path, IMAGE_16, temporal=False))
    found = read_checkpoint(path)
    folder = Path(parameters_dir)
    lifter = PPCALifter(
        read_mixture(
            locate(folder / "model_parameters.h5"), len(found.values["exp_weights"])
        ),
        read_cameras(locate(folder / "avg_cameras.h5")),
        solver=found.solver,
        evidence=found.evidence,
    )
    load_checkpoint(lifter, found)
    return AveragedHead(lifter)


def _fresh(preset: Preset, seed: int) -> PoseNetwork:
    """A network as the modern curriculum's first stage starts it."""
    stage = MODERN.stages[0]
    return build_network(
        stage.depth_bins,
        input_size=SCALINGS[MODERN.name, preset].input_size,
        preset=preset,
        batch_norm=MODERN.batch_norm,
        initializer=MODERN.initializer,
        last_layer_std=stage.last_layer_std,
        seed=seed,
    )


def assemble(network: PoseNetwork, head: Head) -> Pipeline:
    """A pipeline of its parts, with a readout before anything is measured.

    Raises:
      InputError: if the network has other joints than the lifter's detections.
    """
    if network.joints != head.joints:
        raise InputError("network", f"must have {head.joints} joints", network.joints)
    return Pipeline(network, VolumeReadout(network.depth_bins, network.joints), head)
