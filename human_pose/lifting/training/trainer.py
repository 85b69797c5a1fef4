"""The lifter as `keras.Model.fit` trains it: its error in mm is the loss."""

from typing import Any

import keras
import tensorflow as tf

from human_pose.lifting import PPCALifter
from human_pose.lifting.comparison import beside_truth, training_error
from human_pose.lifting.training.batches import Batch
from human_pose.runs import distribution


@keras.saving.register_keras_serializable("human_pose")
class PoseError(keras.losses.Loss):
    """Mean error in mm of poses of relative size, given the truth's size.

    The truth is centred at its mean joint; the pose gets the truth's size and is not
    centred, as in the original (docs/fidelity.md, Q7).

    Args:
      metric: 0, 1 or 2, see `comparison.training_error`.
    """

    def __init__(self, metric: int = 2, **options: Any) -> None:
        # Keras would round to float32.
        super().__init__(**{"dtype": "float64", "name": "pose_error", **options})
        self.metric = metric

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The error of each frame, `[N]`.

        Args:
          y_true: `joints_3d_mm`, `[N, 17, 3]`.
          y_pred: the lifter's `pose`, `[N, 17, 3]`.
        """
        return training_error(*beside_truth(y_pred, y_true), self.metric)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        return {**super().get_config(), "metric": self.metric}


class LiftingTrainer(distribution.BuiltModel):
    """A lifter and its loss; `fit` also learns the norm of each step's gradient.

    On several replicas of `tf.distribute` both are those of the whole batch.

    Args:
      lifter: the model to train.
      metric: 0, 1 or 2, the loss.
    """

    def __init__(self, lifter: PPCALifter, metric: int) -> None:
        super().__init__(dtype="float64")
        self.lifter = lifter
        # Keras's own mean would be one of the replica's part, divided by the replicas.
        self._error = PoseError(metric, reduction="none")

    def compile_as_published(self, learning_rate: float) -> None:
        """Compiles with the original's Adam, its slots made at once."""
        optimizer = keras.optimizers.Adam(
            learning_rate, beta_1=0.9, beta_2=0.999, epsilon=0.1
        )
        optimizer.build(self.trainable_variables)
        # On CPUs XLA's batched Cholesky is a loop, ten times slower than TensorFlow's.
        self.compile(optimizer=optimizer, jit_compile=False)

    def call(self, inputs: dict[str, Any], training: bool = False) -> tf.Tensor:
        """The lifter's pose, `[N, 17, 3]`, of relative size."""
        return self.lifter(inputs, training=training)["pose"]

    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """One step of the optimiser; the loss is from before it, in mm."""
        with tf.GradientTape() as tape:
            part = self.error(batch, training=True)
        gradients = self._gradients(tape, part)
        self.optimizer.apply(gradients)  # adds those of all replicas
        loss, gradients = distribution.total((part, gradients))
        return {"loss": loss, "gradient_norm": tf.linalg.global_norm(gradients)}

    def error(self, batch: Batch, *, training: bool = False) -> tf.Tensor:
        """The mean error of one batch, mm; on a replica, its samples' part of it."""
        inputs, joints_3d_mm = batch
        errors_mm = self._error(joints_3d_mm, self(inputs, training=training))
        frames = distribution.samples(errors_mm, errors_mm.dtype)
        return tf.reduce_sum(errors_mm) / frames

    def _gradients(self, tape: tf.GradientTape, loss: tf.Tensor) -> list[tf.Tensor]:
        """One gradient per trainable variable.

        Raises:
          ValueError: naming the trainable variables that the loss does not depend on.
        """
        variables = self.trainable_variables
        gradients = tape.gradient(loss, [v.value for v in variables])
        pairs = zip(variables, gradients, strict=True)
        lost = [variable.path for variable, gradient in pairs if gradient is None]
        if lost:
            raise ValueError(f"no gradient reaches {', '.join(lost)}")
        return gradients
