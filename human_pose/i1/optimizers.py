"""The optimiser of a stage, and what the next one takes over from it."""

from typing import Any, Final

import keras

from human_pose.i1.adamw import FusedAdamW
from human_pose.i1.curriculum import Recipe, Stage
from human_pose.i1.rmsprop import CaffeRMSProp

# Part of the rate that a cosine ends with: below it steps are lost time.
_COSINE_END: Final = 0.01


def make_optimizer(
    recipe: Recipe, stage: Stage, accumulate: int = 1
) -> keras.optimizers.Optimizer:
    """The optimiser of a stage, its counter at 0.

    Args:
      recipe: kind, schedule and weight decay.
      stage: learning rate and number of updates.
      accumulate: batches whose gradients are averaged for one update.
    """
    # A schedule counts batches, not updates.
    batches = stage.iterations * accumulate
    rate: Any = stage.learning_rate
    if recipe.schedule == "cosine":
        warm = int(recipe.warmup * batches)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warm else rate,
            max(batches - warm, 1),
            alpha=_COSINE_END,
            warmup_target=rate if warm else None,
            warmup_steps=warm,
        )
    options: dict[str, Any] = {
        "gradient_accumulation_steps": accumulate if accumulate > 1 else None
    }
    if recipe.optimizer == "rmsprop":
        return CaffeRMSProp(rate, **options)
    return FusedAdamW(rate, decay=recipe.weight_decay, **options)


def hand_over(source: CaffeRMSProp, target: CaffeRMSProp) -> None:
    """Gives a new optimiser the history of variables of equal path and shape.

    Caffe's solver state does so when a stage continues the one before; what the last
    layer of another depth would get there is meaningless, and starts anew here.

    Args:
      source: built.
      target: built, on the variables of the next stage.
    """
    known = {slot.path: slot for slot in source.square_sums}
    for slot in target.square_sums:
        old = known.get(slot.path)
        if old is not None and old.shape == slot.shape:
            slot.assign(old)
