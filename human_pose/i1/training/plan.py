"""What a configuration asks for: which stages are trained, and how."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

from human_pose.datasets.sampling import SEEDS
from human_pose.files.errors import InputError
from human_pose.i1 import curriculum
from human_pose.i1.config import ImageTrainingConfig
from human_pose.i1.curriculum import Recipe

SEEDS_APART: Final = 1000  # of two stages, lest they see the same batches


@dataclass(frozen=True)
class Plan:
    """What a configuration means.

    Attributes:
      recipe: with the stages to train, as they are trained.
      input_size: of the network, px.
      steps_per_execution: the most that Keras runs in one call.
    """

    recipe: Recipe
    input_size: int
    steps_per_execution: int


def plan(config: ImageTrainingConfig) -> Plan:
    """The stages that a configuration asks for.

    Raises:
      InputError: if there is no such stage, or the seed leaves some stage without one.
    """
    scaling = curriculum.SCALINGS[config.recipe, config.preset]
    recipe = curriculum.scaled(curriculum.RECIPES[config.recipe], scaling)
    stages = recipe.stages if config.stage is None else (recipe.stage(config.stage),)
    deepest = config.max_depth_bins
    changes: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "iterations": config.iterations,
        "batch_size": config.batch_size,
        "loss": curriculum.LOSSES[config.loss] if config.loss else None,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    stages = tuple(
        dataclasses.replace(stage, **changes)
        for stage in stages
        if deepest is None or stage.depth_bins <= deepest
    )
    if not stages:
        raise InputError(f"--depth_limit={deepest} leaves out every stage")
    seeds = SEEDS - SEEDS_APART * (len(stages) - 1)
    if not 0 <= config.seed < seeds:
        raise InputError(
            f"--seed must be from 0 to {seeds - 1}; received {config.seed}"
        )
    augment = config.augment or recipe.augment
    recipe = dataclasses.replace(recipe, stages=stages, augment=augment)
    return Plan(recipe, scaling.input_size, scaling.steps_per_execution)
