"""Pictures of several views to one 3D pose, as one Keras model.

    pictures (network) volumes (readout) detections (head) joints in the world

The network sees each view by itself, with shared weights, in float32 (or less); places,
deviations and the minimiser are float64. All is differentiable, the minimiser by the
derivative that the lifter was made with.
"""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from human_pose.pipeline.detections import Detections, VolumeReadout
from human_pose.pipeline.head import Head


@keras.saving.register_keras_serializable("human_pose")
class Pipeline(keras.Model):
    """A network, its readout, and a lifter.

    From `image` `[F V, S, S, 3]`, `box` `[F V, 4]` and `projection` `[F, V, 3, 4]` to
    joints `[F, J, 3]`, world mm.

    Args:
      network: gives `heatmap2` `[F V, H, W, J D]`, and knows `depth_bins`.
      readout: of its volumes.
      head: lifts detections.
      **kwargs: of `keras.Model`.
    """

    def __init__(
        self,
        network: keras.Model,
        readout: VolumeReadout,
        head: Head,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.network, self.readout, self.head = network, readout, head
        self.built = True

    def call(self, batch: Mapping[str, Any], training: bool = False) -> tf.Tensor:
        """The joints."""
        heatmap2 = self.network(batch["image"], training=training)["heatmap2"]
        return self.lift(self.read(heatmap2, batch), batch)

    def read(self, heatmap2: tf.Tensor, batch: Mapping[str, Any]) -> Detections:
        """Detections of volumes."""
        views = batch["projection"].shape[1]
        return self.readout(heatmap2, batch["box"], views=views)

    def lift(self, detections: Detections, batch: Mapping[str, Any]) -> tf.Tensor:
        """Joints of detections."""
        return self.head(detections, batch["projection"])

    def get_config(self) -> dict[str, Any]:
        """The arguments of the model, as JSON keeps them."""
        parts = {"network": self.network, "readout": self.readout, "head": self.head}
        return {
            **super().get_config(),
            **{n: keras.saving.serialize_keras_object(p) for n, p in parts.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Pipeline":
        """The model of what `get_config` gives, before its weights are loaded."""
        config = dict(config)  # the caller's stays whole
        parts = {
            name: keras.saving.deserialize_keras_object(config.pop(name))
            for name in ("network", "readout", "head")
        }
        return cls(**parts, **config)
