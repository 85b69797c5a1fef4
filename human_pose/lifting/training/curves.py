"""TensorBoard: the original's 30 tags, learning rate, gradient norm and pictures.

Tags are those of the original's summaries, so that its runs and ours can be laid over
each other; a mixture of M components has `{0, ..., M-1}` where the original has
`{0, 1, 2}`.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from human_pose.runs.tensorboard import Events

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


def write_curves(
    events: Events,
    step: int,
    parameters: Mapping[str, Any],
    scalars: Mapping[str, float],
) -> None:
    """Writes the summaries of one step.

    Args:
      events: where they go.
      step: steps taken so far.
      parameters: the lifter's, by their checkpoint names.
      scalars: further values by their tags.
    """
    values = {name: np.asarray(value) for name, value in parameters.items()}
    histograms = {
        f"weights/joints/{component}": weights
        for component, weights in enumerate(values["joint_weights"])
    }
    histograms["variance"] = values["sigma_variance"]
    events.write(step, _parameter_scalars(values) | dict(scalars), histograms)


def _parameter_scalars(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    scalars = {tag: float(values[name]) for tag, name in _SCALARS.items()}
    for tag, name in _PER_COMPONENT.items():
        for component, value in enumerate(values[name].ravel()):
            scalars[f"{tag}/{component}"] = float(value)
    return scalars
