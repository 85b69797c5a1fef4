"""The pipeline as `keras.Model.fit` trains it on batches of moments."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import keras
import tensorflow as tf

from human_pose.geometry import metrics
from human_pose.i1.curriculum import BALANCED
from human_pose.i1.objective.terms import Objective
from human_pose.i1.optimizers.adamw import FusedAdamW
from human_pose.pipeline.checkpoint import save_pipeline
from human_pose.pipeline.config import PipelineTrainingConfig
from human_pose.pipeline.model import Pipeline
from human_pose.pipeline.outliers import displaced
from human_pose.pipeline.training.schedule import Later
from human_pose.runs import distribution, divergence

_LOSS: Final = "loss"
# Of any batch; the others are of a step backwards.
_MEASURED: Final = (_LOSS, "network_loss", "joints_3d_mm", "mpjpe_mm")
_TINY: Final = 1e-30


class PipelineTrainer(distribution.BuiltModel):
    """A pipeline and its loss; `fit` takes batches of `batches.MomentSet`.

    The loss is that of `config.LossWeights`. Logged beside it are the error of the
    joints, absolute and from the root, and what passes the minimiser backwards: of each
    moment the norm of the loss' gradient by its 3D joints and by its detections, and
    the share of moments whose gradient is clipped.

    Args:
      pipeline: the model to train.
      config: the loss, and what reaches which weights.

    Raises:
      InputError: for an unknown name of a weight.
    """

    def __init__(self, pipeline: Pipeline, config: PipelineTrainingConfig) -> None:
        super().__init__()
        self.pipeline = pipeline
        self._config = config
        depth_bins = pipeline.network.depth_bins
        self._objective = Objective(BALANCED, depth_bins)
        self.network_variables = pipeline.network.trainable_variables
        self.energy_variables = [
            *pipeline.readout.trainable_variables,
            *pipeline.head.learnable(config.learned),
        ]
        names = (
            *_MEASURED,
            "gradient_joints",
            "gradient_detections",
            "clipped",
        )
        self._meters = {name: distribution.LocalMean(name) for name in names}
        self._worst_loss = distribution.Largest(self, "worst_loss")
        self._largest_gradient = distribution.Largest(self, "largest_gradient")

    def compile_as_configured(self) -> None:
        """Makes both optimisers, with their slots."""
        config = self._config
        optimizer = FusedAdamW(
            Later(config.learning_rate, config.network_from, config.iterations),
            decay=_DECAY,
        )
        self.compile(optimizer, jit_compile=False)
        optimizer.build(self.network_variables)
        self.energy_optimizer = keras.optimizers.Adam(
            Later(config.energy_learning_rate, config.energy_from, config.iterations)
        )
        self.energy_optimizer.build(self.energy_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """One mean for each logged value."""
        return [*self._meters.values()]

    @property
    def state_variables(self) -> list[Any]:
        """Everything that training changes, in the order of a state file."""
        return [
            *self.pipeline.variables,
            *self.optimizer.variables,
            *self.energy_optimizer.variables,
        ]

    @property
    def largest_loss(self) -> float:
        """The loss above which joints mean nothing."""
        return self._config.loss.joints_3d * divergence.LARGEST_ERROR_MM + _FAR_OFF

    def write_model(self, path: str | os.PathLike[str]) -> None:
        """Writes the pipeline, atomically; see `checkpoint.save_pipeline`."""
        save_pipeline(self.pipeline, path)

    def take_worst_loss(self) -> float:
        """The largest loss of a step since this was last asked, or NaN."""
        return self._worst_loss.take()

    def take_largest_gradient(self) -> float:
        """The largest norm of a moment's gradient by its detections, likewise."""
        return self._largest_gradient.take()

    def loss_now(self, batch: Mapping[str, Any]) -> float:
        """The loss of a batch by the weights as they are, measured nowhere."""
        _, parts = self._forward(batch, training=False)
        return float(tf.add_n([*parts.values()]))

    def train_step(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """One step of both optimisers; logged is what was found before it."""
        marks: dict[str, tf.Tensor] = {}
        with tf.GradientTape() as tape:

            def mark(name: str, tensor: tf.Tensor) -> None:
                tape.watch(tensor)
                marks[name] = tensor

            joints, parts = self._forward(batch, training=True, mark=mark)
            part = tf.add_n([*parts.values()])
        network = [variable.value for variable in self.network_variables]
        energy = [variable.value for variable in self.energy_variables]
        found = tape.gradient(
            part, [network, energy, marks], unconnected_gradients="zero"
        )
        self.optimizer.apply(found[0], self.network_variables)
        self._step_of_energy(found[1])
        self._measure(parts, joints, batch, found[2])
        return self.get_metrics_result()

    def _step_of_energy(self, gradients: list[tf.Tensor]) -> None:
        """One step of the readout and the energy, without clips before their start.

        A rate of 0 moves nothing, but constraints act after each step all the same.
        """
        optimizer = self.energy_optimizer
        held = tf.identity(optimizer.iterations.value) < self._config.energy_from
        clipped = [v for v in self.energy_variables if v.constraint is not None]
        before = [tf.identity(variable.value) for variable in clipped]
        optimizer.apply(gradients, self.energy_variables)
        for variable, old in zip(clipped, before, strict=True):
            variable.assign(tf.where(held, old, variable.value))

    def test_step(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Measures a batch."""
        joints, parts = self._forward(batch, training=False)
        self._measure(parts, joints, batch, {})
        found = self.get_metrics_result()
        return {name: found[name] for name in _MEASURED}

    def _forward(
        self,
        batch: Mapping[str, Any],
        *,
        training: bool,
        mark: Callable[[str, tf.Tensor], None] = lambda name, tensor: None,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Joints, and the parts of the loss of this replica's moments."""
        config, pipeline = self._config, self.pipeline
        outputs = self._outputs(batch["image"], training)
        heatmap2 = outputs["heatmap2"]
        if config.gradients == "apart":
            heatmap2 = tf.stop_gradient(heatmap2)
        detections = pipeline.read(heatmap2, batch)
        mark("detections", detections.points_px)
        seeds = self._seeds(batch["moment"], training)
        detections = displaced(detections, config.outliers, seeds)
        if config.clip is not None:
            clipped = clip_gradient(detections.points_px, config.clip)
            detections = detections._replace(points_px=clipped)
        joints = pipeline.lift(detections, batch)
        mark("joints", joints)
        errors = tf.norm(joints - batch["joints_world_mm"], axis=-1)
        moments = distribution.samples(errors, errors.dtype)
        mean = tf.reduce_sum(tf.reduce_mean(errors, -1)) / moments
        own = tf.add_n([*self._objective(outputs, batch).values()])
        dtype = own.dtype
        return joints, {
            "joints_3d": config.loss.joints_3d * tf.cast(mean, dtype),
            "network": config.loss.network * own,
        }

    def _outputs(self, image: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        """The network's; one that does not learn yet keeps its batch statistics."""
        network, first = self.pipeline.network, self._config.network_from
        if not training or first == 0 or first >= self._config.iterations:
            return network(image, training=training and first == 0)
        return tf.cond(
            self.optimizer.iterations.value >= first,
            lambda: network(image, training=True),
            lambda: network(image, training=False),
        )

    def _seeds(self, moment: tf.Tensor, training: bool) -> tf.Tensor:
        """Of each moment's outliers, `[F, 2]`: others in each step of training."""
        step = self.optimizer.iterations.value if training else -1
        step = tf.cast(step, tf.int64) + 2
        which = tf.fill(tf.shape(moment), step * (1 << 20) + self._config.seed)
        return tf.stack([moment, which], -1)

    def _measure(
        self,
        parts: Mapping[str, tf.Tensor],
        joints: tf.Tensor,
        batch: Mapping[str, Any],
        gradients: Mapping[str, tf.Tensor],
    ) -> None:
        """Adds a batch to the means: those of all replicas' moments."""
        truth = batch["joints_world_mm"]
        sums = {
            "joints_3d_mm": metrics.mpjpe(truth, joints),
            "mpjpe_mm": metrics.mpjpe(
                metrics.root_centred(truth), metrics.root_centred(joints)
            ),
        }
        if gradients:
            # Gradients are of this batch's mean; a moment's own is that times F.
            count = distribution.samples(joints, joints.dtype)
            norms = {
                name: count * tf.sqrt(_squares(value) + _TINY)
                for name, value in gradients.items()
            }
            sums["gradient_joints"] = norms["joints"]
            sums["gradient_detections"] = norms["detections"]
            clip = self._config.clip
            # What the clipping leaves has just that norm.
            sums["clipped"] = (
                tf.cast(norms["detections"] > (1 - 1e-6) * clip, joints.dtype)
                if clip is not None
                else tf.zeros_like(norms["joints"])
            )
            self._largest_gradient.note(tf.reduce_max(norms["detections"]))
        loss = tf.cast(tf.add_n([*parts.values()]), tf.float64)
        own = tf.cast(parts["network"], tf.float64)
        number = tf.cast(tf.shape(joints)[0], tf.float64)
        columns = [tf.reduce_sum(tf.cast(s, tf.float64)) for s in sums.values()]
        whole = distribution.total(tf.stack([loss, own, *columns, number]))
        loss, own, *values, number = tf.unstack(tf.stop_gradient(whole))
        means = {name: v / number for name, v in zip(sums, values, strict=True)}
        for name, value in {_LOSS: loss, "network_loss": own, **means}.items():
            self._meters[name].update_state(value, sample_weight=number)
        if gradients:
            self._worst_loss.note(loss)


# Of AdamW, as the modern curriculum's.
_DECAY: Final = 1e-2
# Beside the error of the joints, a loss of the network that is none of a picture's.
_FAR_OFF: Final = 1e6


def clip_gradient(values: tf.Tensor, norm: float) -> tf.Tensor:
    """The same values, whose gradient is clipped for each entry of the first axis.

    Args:
      values: `[F, ...]`.
      norm: the largest of a gradient `[...]` times F, which of a mean over the batch is
        that of one entry's own.
    """

    @tf.custom_gradient
    def same(values: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
        def backward(upstream: tf.Tensor) -> tf.Tensor:
            count = distribution.samples(upstream, upstream.dtype)
            size = count * tf.sqrt(_squares(upstream) + _TINY)
            factor = tf.minimum(norm / size, 1.0)
            # What is not finite has no direction.
            factor = tf.where(tf.math.is_finite(size), factor, 0.0)
            wide = tf.reshape(factor, [-1] + [1] * (upstream.shape.rank - 1))
            return tf.math.multiply_no_nan(upstream, wide)

        return tf.identity(values), backward

    return same(values)


def _squares(values: tf.Tensor) -> tf.Tensor:
    """Σ of squares for each entry of the first axis."""
    return tf.reduce_sum(tf.square(values), tf.range(1, tf.rank(values)))
