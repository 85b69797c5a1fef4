"""What lifts detections: a lifter, and how its joints stand to those of the network."""

from typing import Any

import keras

from human_pose.geometry.skeleton import Skeleton, places_of


class Head(keras.Model):
    """A lifter as a part of the pipeline.

    A head of a lifter's kind is called with `Detections` of V views and D joints and
    `projection` `[F, V, 3, 4]`, and gives joints `[F, D, 3]`, world mm. It chooses the
    derivative of its minimiser (`derive`) and names what is learned (`learnable`).

    Args:
      lifter: a Keras model.
      detector: the D joints of the detections.
      skeleton: the J joints of the lifter.
      **kwargs: of `keras.Model`; `dtype` is "float64" unless given.

    Attributes:
      lifter: see above.
      joints: D.
      places: `[J]`, of each joint of the lifter its place among the detections, or -1.
      back: `[D]`, of each detection its place among the lifter's joints.
    """

    def __init__(
        self, lifter: Any, detector: Skeleton, skeleton: Skeleton, **kwargs: Any
    ) -> None:
        super().__init__(**{"dtype": "float64", **kwargs})
        self.lifter = lifter
        self.joints = len(detector)
        self.places = places_of(detector, skeleton)
        self.back = places_of(skeleton, detector)
        self.built = True

    def check_views(self, count: int) -> None:
        """Refuses a number of views that the lifter cannot take; most take any.

        Raises:
          InputError: naming the rule.
        """

    def get_config(self) -> dict[str, Any]:
        """The arguments of the model, as JSON keeps them."""
        lifter = keras.saving.serialize_keras_object(self.lifter)
        return {**super().get_config(), "lifter": lifter}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Head":
        """The model of what `get_config` gives, before its weights are loaded."""
        config = dict(config)
        lifter = keras.saving.deserialize_keras_object(config.pop("lifter"))
        return cls(lifter, **config)
