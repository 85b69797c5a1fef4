"""Makes a lifter from its configuration and files."""

from absl import logging

from human_pose.lifting import (
    PPCALifter,
    load_checkpoint,
    read_cameras,
    read_checkpoint,
    read_mixture,
)
from human_pose.lifting.checkpoint import Checkpoint
from human_pose.lifting.config import LifterConfig


def build_lifter(config: LifterConfig) -> PPCALifter:
    """Makes a lifter, with its checkpoint's parameters if there is one.

    Raises:
      InputError: if a file cannot be read or fits another number of models.
    """
    lifter = PPCALifter(
        read_mixture(config.mixture_path, config.models),
        read_cameras(config.cameras_path),
        solver=config.solver,
        derivative=config.derivative,
        damping=config.damping,
        evidence=config.evidence,
        dtype=config.dtype,
    )
    if config.check_path is not None:
        checkpoint = read_checkpoint(config.check_path, config.models)
        _tell_other_lifter(config, checkpoint)
        load_checkpoint(lifter, checkpoint, as_published=config.as_published)
    return lifter


def _tell_other_lifter(config: LifterConfig, checkpoint: Checkpoint) -> None:
    """Warns where parameters were learned for a lifter that lifts otherwise."""
    for name in ("solver", "evidence"):
        learned, now = getattr(checkpoint, name), getattr(config, name)
        # The default's say nothing, nor do older ones: what is asked for is meant.
        if learned not in (now, getattr(Checkpoint, name)):
            logging.warning(
                "%s: was trained with %s %s, and lifts with %s here: errors are not "
                "those of the training",
                *(config.check_path, name, learned, now),
            )
