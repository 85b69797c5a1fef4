"""The optimiser of a stage, and what the next one takes over from it."""

from typing import Any, Final

import keras

from human_pose.i1.curriculum import Recipe, Stage
from human_pose.i1.optimizers.adamw import FusedAdamW
from human_pose.i1.optimizers.rmsprop import CaffeRMSProp

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
    rate: Any = stage.learning_rate
    if recipe.schedule == "cosine":
        warm = int(recipe.warmup * stage.iterations)
        cosine = keras.optimizers.schedules.CosineDecay(
            0.0 if warm else rate,
            max(stage.iterations - warm, 1),
            alpha=_COSINE_END,
            warmup_target=rate if warm else None,
            warmup_steps=warm,
        )
        rate = cosine if accumulate == 1 else PerUpdate(cosine, accumulate)
    options: dict[str, Any] = {
        "gradient_accumulation_steps": accumulate if accumulate > 1 else None
    }
    if recipe.optimizer == "rmsprop":
        return CaffeRMSProp(rate, **options)
    return FusedAdamW(rate, decay=recipe.weight_decay, **options)


@keras.saving.register_keras_serializable("human_pose")
class PerUpdate(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule over updates for an optimiser that counts the batches it gathers.

    Args:
      schedule: of the rate by the number of updates before.
      batches: to an update.
    """

    def __init__(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule, batches: int
    ) -> None:
        self.schedule = schedule
        self.batches = batches

    def __call__(self, step: Any) -> Any:
        """The rate when `step` batches have gone before."""
        return self.schedule(step // self.batches)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        schedule = keras.optimizers.schedules.serialize(self.schedule)
        return {"schedule": schedule, "batches": self.batches}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PerUpdate":
        """A schedule from `get_config`."""
        inner = keras.optimizers.schedules.deserialize(config["schedule"])
        return cls(inner, config["batches"])


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
