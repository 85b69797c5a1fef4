"""Pipelines on disk, and made of parts that were trained by themselves."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import keras

from human_pose.calibrated.checkpoint import load_lifter
from human_pose.calibrated.config import Damping, Derivative
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.files import load_prior
from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, check_is_file, locate
from human_pose.geometry.skeletons import IMAGE_16
from human_pose.i1.config import Preset
from human_pose.i1.curriculum import MODERN, SCALINGS
from human_pose.i1.network.checkpoint import load_network
from human_pose.i1.network.hourglass import PoseNetwork, build_network
from human_pose.pipeline.calibrated_head import CalibratedHead
from human_pose.pipeline.detections import VolumeReadout
from human_pose.pipeline.model import Pipeline
from human_pose.runs import divergence

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
    check_is_file(path)
    pipeline = _read(path)
    if not isinstance(pipeline, Pipeline):
        raise InputError(f"{path}: is not a pipeline")
    if not divergence.are_finite(pipeline.variables):
        raise InputError(f"{path}: has weights that are not finite")
    return pipeline


def _read(path: Path) -> keras.Model:
    with refusing(path, "is not a readable checkpoint"):
        # Nothing in the file may name a function to be run.
        return keras.models.load_model(path, compile=False, safe_mode=True)


def open_pipeline(
    paths: Sequence[str | os.PathLike[str]],
    *,
    derivative: Derivative = "trust_region",
    damping: Damping = 1e-4,
    preset: Preset = "published",
    seed: int = 0,
) -> Pipeline:
    """A pipeline of files: one of its own, or a network's and a lifter's.

    Args:
      paths: a pipeline's `.keras` file alone; or an image network's, a calibrated
        lifter's `.npz` file (or its run's folder), or both. What is missing is made
        anew: a network of `preset`, or a lifter with the embedded prior.
      derivative: of the minimiser; that of a pipeline in a file is replaced.
      damping: λ of the trust region, likewise.
      preset: of a new network.
      seed: of its weights.

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
    if networks and not lifters:
        check_is_file(networks[0])
        if isinstance(_read(networks[0]), Pipeline):
            pipeline = load_pipeline(networks[0])
            lifter = pipeline.head.lifter
            lifter.derivative, lifter.damping = derivative, damping
            return pipeline
    network = load_network(networks[0]) if networks else _fresh(preset, seed)
    lifter = (
        load_lifter(lifters[0], IMAGE_16, temporal=False)
        if lifters
        else CalibratedLifter(load_prior(), IMAGE_16)
    )
    lifter.derivative, lifter.damping = derivative, damping
    return assemble(network, lifter)


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


def assemble(network: PoseNetwork, lifter: CalibratedLifter) -> Pipeline:
    """A pipeline of its parts, with a readout before anything is measured.

    Raises:
      InputError: if the network has other joints than the lifter's detections.
    """
    joints = len(lifter.joints.detector)
    if network.joints != joints:
        raise InputError("network", f"must have {joints} joints", network.joints)
    readout = VolumeReadout(network.depth_bins, network.joints)
    return Pipeline(network, readout, CalibratedHead(lifter))
