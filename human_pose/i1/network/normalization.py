"""Caffe's batch normalisation, by the whole batch wherever its samples are."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import keras
import tensorflow as tf

from human_pose.runs import distribution

Tensor = Any
BatchNorm = Literal["batch", "moving"]

_EPSILON: Final = 1e-5  # Caffe's BatchNorm
# Caffe's where moving statistics are only kept; where they are used they must keep up.
_MOVING_FRACTION: Final[dict[str, float]] = {"batch": 0.999, "moving": 0.99}

# Whether layers run a second time for the same step, see `remat`.
_recomputing: Final = contextvars.ContextVar("recomputing", default=False)


@contextlib.contextmanager
def recomputation() -> Iterator[None]:
    """In the block layers run again: their statistics must not move twice."""
    token = _recomputing.set(True)
    try:
        yield
    finally:
        _recomputing.reset(token)


@keras.saving.register_keras_serializable("human_pose")
class ScaledBatchNormalization(keras.layers.Layer):
    """Caffe's BatchNorm and Scale in one, with the name of the former.

    The latter's has `scale` in the place of `bn` or `batch`.

    Args:
      statistics: what normalises in inference: those of the "batch" at hand, as in the
        original, or the "moving" ones. Training always takes the batch's, and keeps
        the moving ones (fraction 0.999, for "moving" 0.99, unbiased variance) as Caffe
        does: weights of what was seen sum to `moving_factor`, so that the first steps
        count in full. The batch is the whole one, also where replicas share it.
      **options: of `keras.layers.Layer`.

    Attributes:
      synchronized: False for statistics of each replica's part in training; moving ones
        are then the replicas' mean.
    """

    def __init__(self, statistics: BatchNorm = "batch", **options: Any) -> None:
        super().__init__(**options)
        if statistics not in ("batch", "moving"):
            raise ValueError(
                f"batch_norm must be batch or moving; received {statistics!r}"
            )
        self.statistics = statistics
        self.synchronized = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the variables, one number per channel each but for the factor."""

        def number(
            name: str, initial: str, trainable: bool, shape: tuple[int | None, ...]
        ) -> Any:
            return self.add_weight(
                shape=shape,
                initializer=initial,
                name=name,
                trainable=trainable,
                # Sums over a batch, and their use, need float32 at least.
                dtype="float64" if self.compute_dtype == "float64" else "float32",
                autocast=False,
            )

        channels = input_shape[-1:]
        self.gamma = number("gamma", "ones", True, channels)
        self.beta = number("beta", "zeros", True, channels)
        self.moving_mean = number("moving_mean", "zeros", False, channels)
        self.moving_variance = number("moving_variance", "ones", False, channels)
        self.moving_factor = number("moving_factor", "zeros", False, ())

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Normalises floating `[B, H, W, C]` over all axes but the last."""
        if not training and self.statistics == "moving":
            return self._by_moving(inputs)
        # In a short last batch a replica may have no sample to take statistics of.
        whole = distribution.in_parts() and (self.synchronized or not training)
        # TensorFlow's kernel knows no float64.
        written_out = whole or self.gamma.dtype == "float64"
        outputs, mean, variance = (
            self._in_parts(inputs, distribution.of_each if whole else _alone)
            if written_out
            else self._normalized(inputs)
        )
        if not whole:
            mean, variance = distribution.mean((mean, variance))
        if training and not _recomputing.get():
            self._move(mean, variance)
        return outputs

    def _move(self, mean: Tensor, variance: Tensor) -> None:
        seen = _MOVING_FRACTION[self.statistics] * self.moving_factor.value
        part = 1 / (seen + 1)
        for moving, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            moving.assign(moving + part * (value - moving))
        self.moving_factor.assign(seen + 1)

    def _by_moving(self, inputs: Tensor) -> Tensor:
        moving = {
            "mean": self.moving_mean.value,
            "variance": self.moving_variance.value,
        }
        if self.gamma.dtype == "float64":
            return self._scaled(inputs, **moving)
        return self._normalized(inputs, **moving)[0]

    def _scaled(self, inputs: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return tf.nn.batch_normalization(
            inputs, mean, variance, self.beta.value, self.gamma.value, _EPSILON
        )

    def _normalized(self, inputs: Tensor, **moving: Tensor) -> Any:
        # Several times faster on CPUs than moments and arithmetic.
        return tf.compat.v1.nn.fused_batch_norm(
            inputs,
            self.gamma.value,
            self.beta.value,
            epsilon=_EPSILON,
            is_training=not moving,
            **moving,
        )

    def _in_parts(
        self, inputs: Tensor, of_each: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `_normalized`, by statistics of the samples of all parts.

        Each part's number, mean and squared differences from it are put together
        (Chan, Golub and LeVeque, 1979): no digits are lost, and replicas meet once.

        Args:
          inputs: this part.
          of_each: gets the statistics of all parts.
        """
        x = tf.cast(inputs, self.gamma.dtype)
        axes, channels = [0, 1, 2], x.shape[-1]
        number = tf.cast(tf.size(x[..., :1]), x.dtype)
        mean = tf.reduce_sum(x, axes) / tf.maximum(number, 1)
        # They are smallest at the mean, so that their sum has no gradient in it.
        squares = tf.reduce_sum(tf.square(x - tf.stop_gradient(mean)), axes)
        parts = of_each(tf.concat([[number], mean, squares], axis=0))
        numbers, means, squares = tf.split(parts, [1, channels, channels], axis=1)
        number = tf.reduce_sum(numbers, 0)
        mean = tf.reduce_sum(numbers * means, 0) / number
        apart = numbers * tf.square(means - tf.stop_gradient(mean))
        squares = tf.reduce_sum(squares + apart, 0)
        outputs = self._scaled(x, mean, squares / number)
        unbiased = squares / tf.maximum(number - 1, 1)
        return tf.cast(outputs, inputs.dtype), mean, unbiased

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {**super().get_config(), "statistics": self.statistics}


def _alone(values: Tensor) -> Tensor:
    return values[None]
