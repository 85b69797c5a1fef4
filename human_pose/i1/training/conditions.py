"""What must be as it was for a run to be continued, and what may have grown."""

import dataclasses
import json
import os
import re
from typing import Any

from absl import logging

from human_pose.datasets.images import ImageSet
from human_pose.files.errors import InputError
from human_pose.i1.config import ImageTrainingConfig
from human_pose.i1.curriculum import Stage
from human_pose.i1.training.plan import Plan
from human_pose.i1.training.progress import Progress
from human_pose.runs.state import read_conditions, read_progress

# Of a configuration; the recipe and the samples come beside them.
_NAMES = (
    "split", "every", "preset", "accumulate", "mixed_precision", "seed", "save_every",
    "sync_bn",
)  # fmt: skip
# May change, but then errors of validations do not compare.
_VALIDATED = "validation_samples"
# May change, but then steps are rounded otherwise.
_COMPUTED = ("jit", "remat")
_FREE = (_VALIDATED, *_COMPUTED)
_SINCE_0_1 = ("sync_bn",)


def conditions(
    config: ImageTrainingConfig, chosen: Plan, data: ImageSet
) -> dict[str, Any]:
    """What decides how a training goes on, JSON values by name."""
    recipe = json.loads(json.dumps(dataclasses.asdict(chosen.recipe)))
    return {
        **{name: getattr(config, name) for name in (*_NAMES, *_FREE)},
        "samples": data.identity,
        "recipe": recipe,
    }


def continued(
    config: ImageTrainingConfig,
    chosen: Plan,
    data: ImageSet,
    path: str | os.PathLike[str],
) -> tuple[Plan, Progress]:
    """What is left of a training that was stopped.

    Only the iterations may be others than before, and only more, the samples of
    validations, and how steps are computed (told by a warning); where `iterations` is
    None, all stages keep theirs. A stage that is finished does so anyway; the running
    one and those behind it get the new ones. Under a constant rate a longer run ends as
    one that was meant to be so long from its start; a cosine is that of the new length
    from here on.

    Args:
      config: of the run as it is to go on.
      chosen: what it asks for.
      data: the samples.
      path: of the state.

    Returns:
      The plan, with the iterations of each stage, and how far it is.

    Raises:
      InputError: if the file is no state, the run was trained under other conditions,
        or a stage that is not finished was to be longer.
    """
    saved = read_conditions(path, Progress)
    before = _iterations(saved)
    stages = chosen.recipe.stages
    same = _with_iterations(chosen, before) if len(before) == len(stages) else chosen
    wanted = conditions(config, same, data)
    comparable = _comparable(wanted, saved)
    progress = read_progress(path, comparable, Progress, free=_FREE)
    now = wanted[_VALIDATED]
    progress.validated_by(now, saved.get(_VALIDATED, now), "samples")
    for name in _COMPUTED:
        if saved.get(name, wanted[name]) != wanted[name]:
            logging.warning(
                "%s was %s, is %s: steps are rounded otherwise from here on",
                name, saved[name], wanted[name],
            )  # fmt: skip
    if (
        progress.stage >= len(stages)
        or progress.step > before[progress.stage] * config.accumulate
    ):
        raise InputError(f"{path}: is no training state of this kind")
    if config.iterations is None:
        return same, progress
    return _with_iterations(chosen, _grown(chosen, before, progress.stage)), progress


def _comparable(wanted: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """What must be equal, as far as a state says it: version 0.1 said less."""
    lacking = {name for name in _SINCE_0_1 if name not in saved}
    known = {name: wanted[name] for name in wanted if name not in lacking}
    if ", pictures" not in str(saved.get("samples")):
        known["samples"] = re.sub(r", pictures \w+", "", wanted["samples"])
    return known


def _grown(chosen: Plan, before: list[int], running: int) -> list[int]:
    """The iterations of every stage: as before where finished, else as they are asked.

    Raises:
      InputError: if those of a stage that is not finished were more.
    """
    iterations = []
    for number, stage in enumerate(chosen.recipe.stages):
        old, new = before[number], stage.iterations
        if number < running:
            if new != old:
                logging.warning(
                    "stage %s is finished and keeps its %d iterations", stage.name, old
                )
            new = old
        elif new < old:
            rule = f"must be {old} or more, those of stage {stage.name}"
            raise InputError("iterations", rule, new)
        elif new > old:
            _log_growth(chosen, stage, old, begun=number == running)
        iterations.append(new)
    return iterations


def _log_growth(chosen: Plan, stage: Stage, before: int, *, begun: bool) -> None:
    logging.info(
        "stage %s has %d iterations instead of %d", stage.name, stage.iterations, before
    )
    if begun and chosen.recipe.schedule == "cosine":
        logging.warning(
            "the learning rate follows the cosine of %d iterations from here on; the "
            "updates that are made followed that of %d",
            stage.iterations, before,
        )  # fmt: skip


def _iterations(saved: dict[str, Any]) -> list[int]:
    """Those of every stage, or nothing where the file has not what a state has."""
    try:
        return [int(stage["iterations"]) for stage in saved["recipe"]["stages"]]
    except (KeyError, TypeError, ValueError):
        return []


def _with_iterations(chosen: Plan, iterations: list[int]) -> Plan:
    stages = tuple(
        dataclasses.replace(stage, iterations=number)
        for stage, number in zip(chosen.recipe.stages, iterations, strict=True)
    )
    recipe = dataclasses.replace(chosen.recipe, stages=stages)
    return dataclasses.replace(chosen, recipe=recipe)
