"""TensorBoard: the original's 30 tags, learning rate, gradient norm and pictures.

Tags are those of the original's summaries, so that its runs and ours can be laid over
each other; a mixture of M components has `{0, ..., M-1}` where the original has
`{0, 1, 2}`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

# Parameter by tag; one scalar per component of the mixture.
_PER_COMPONENT: Final = {
    "weights/rotation": "exp_weights",
    "weights/model": "exp_weights_model",
    "weights/additional": "exp_additive_model",
    "ir/hl_param": "hl_params",
    "ir/ir_reg": "ir_reg",
    "coefficient/lambda_0": "lambda_0",
    "coefficient/lambda_scale": "lambda_scale",
}
_SCALARS: Final = {
    "coefficient/magic_scale": "scaling_coefficient",
    "coefficient/scale_regularizer": "scale_regularizer",
}


class Summaries:
    """Writes one run's events, within a `with` block.

    Args:
      folder: where the event file goes.
    """

    def __init__(self, folder: Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

    def write(
        self, step: int, parameters: Mapping[str, Any], scalars: Mapping[str, float]
    ) -> None:
        """Writes the summaries of one step.

        Args:
          step: steps taken so far.
          parameters: the lifter's, by their checkpoint names.
          scalars: further values by their tags.
        """
        values = {name: np.asarray(value) for name, value in parameters.items()}
        with self._writer.as_default(step):
            for tag, scalar in (_parameter_scalars(values) | dict(scalars)).items():
                tf.summary.scalar(tag, scalar)
            for component, weights in enumerate(values["joint_weights"]):
                tf.summary.histogram(f"weights/joints/{component}", weights)
            tf.summary.histogram("variance", values["sigma_variance"])
        self._writer.flush()

    def write_picture(self, step: int, tag: str, image: np.ndarray) -> None:
        """Writes a picture, uint8 `[H, W, 3]`.

        Args:
          step: steps taken so far.
          tag: its name.
          image: the picture.
        """
        with self._writer.as_default(step):
            tf.summary.image(tag, image[None])
        self._writer.flush()

    def __enter__(self) -> "Summaries":
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()


def _parameter_scalars(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    scalars = {tag: float(values[name]) for tag, name in _SCALARS.items()}
    for tag, name in _PER_COMPONENT.items():
        for component, value in enumerate(values[name].ravel()):
            scalars[f"{tag}/{component}"] = float(value)
    return scalars
