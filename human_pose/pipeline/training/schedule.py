"""Learning rates that begin later than the training: freezing schedules."""

from typing import Any, Final

import keras
import tensorflow as tf

# Part of the rate that a cosine ends with.
_LAST: Final = 0.01


class Later(keras.optimizers.schedules.LearningRateSchedule):
    """A cosine from a rate to almost 0, that is 0 before its start.

    Args:
      rate: at the start.
      start: updates before it.
      end: updates in all.
    """

    def __init__(self, rate: float, start: int, end: int) -> None:
        self._options = {"rate": rate, "start": start, "end": end}
        self._start = start
        self._cosine = keras.optimizers.schedules.CosineDecay(
            rate, max(end - start, 1), alpha=_LAST
        )

    def __call__(self, step: Any) -> Any:
        """The rate when `step` updates have gone before."""
        step = tf.cast(step, tf.float32)
        rate = self._cosine(tf.maximum(step - self._start, 0.0))
        return tf.where(step < self._start, tf.zeros_like(rate), rate)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        return dict(self._options)
