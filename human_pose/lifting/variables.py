"""The lifter's 17 variables: shapes, start values and clips of the original."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import keras
import numpy as np
from keras import ops

from human_pose.geometry.skeletons import JOINTS, VIEWS
from human_pose.lifting.config import Evidence
from human_pose.lifting.method import METHOD
from human_pose.lifting.parameters import MixtureParameters
from human_pose.lifting.quantities import Scales, start_regulariser


@keras.saving.register_keras_serializable("human_pose")
class Clip(keras.constraints.Constraint):
    """Clips every entry into [lowest, highest] after each step.

    Args:
      lowest: the smallest value.
      highest: the largest value.
    """

    def __init__(self, lowest: float, highest: float):
        self.lowest = lowest
        self.highest = highest

    def __call__(self, w: Any) -> Any:
        """The clipped tensor."""
        return ops.clip(w, self.lowest, self.highest)

    def get_config(self) -> dict[str, float]:
        """The arguments."""
        return {"lowest": self.lowest, "highest": self.highest}


class _Rule(NamedTuple):
    clip: tuple[float, float] | None = None
    trainable: bool = True


# In the original's order. The `*_rec` poses and `warping_weights` are stored with a
# checkpoint, never used, and never trained.
_RULES: Final = {
    "mean_pose": _Rule(),
    "base_vectors": _Rule(),
    "mean_pose_rec": _Rule(trainable=False),
    "base_vectors_rec": _Rule(trainable=False),
    "joint_weights": _Rule((0.001, 1e5)),
    "exp_weights": _Rule((1e-5, 1000.0)),
    "exp_weights_model": _Rule((1e-5, 1000.0)),
    "exp_additive_model": _Rule(),
    "scaling_coefficient": _Rule(),
    "lambda_0": _Rule(),
    "lambda_scale": _Rule(),
    "scale_regularizer": _Rule(),
    "warping_weights": _Rule((1e-5, 1.0), trainable=False),
    # Not inert: most start values exceed 5. See docs/fidelity.md, Q9.
    "sigma_variance": _Rule((-5.0, 5.0)),
    "cameras": _Rule(),
    "hl_params": _Rule((0.001, 5.0)),
    "ir_reg": _Rule((0.001, 5.0)),
}

# Only the Huber formulation uses them.
ROBUST_NAMES: Final = ("hl_params", "ir_reg")
# Only the published evidence uses it.
_PUBLISHED_NAMES: Final = ("exp_weights_model",)


def start_values(mixture: MixtureParameters, scales: Scales) -> dict[str, np.ndarray]:
    """The start value of every variable, under the checkpoint's names."""
    ones = np.ones((mixture.models, 1))
    mean_pose = mixture.mean_poses_mm / scales.mean_pose
    bases = mixture.bases / scales.bases
    return {
        "mean_pose": mean_pose,
        "base_vectors": bases,
        "mean_pose_rec": mean_pose,
        "base_vectors_rec": bases,
        "joint_weights": np.ones((mixture.models, 2 * JOINTS)),
        "exp_weights": ones,
        "exp_weights_model": ones,
        "exp_additive_model": METHOD.exp_additive_model * ones,
        "scaling_coefficient": np.array(METHOD.scaling_coefficient),
        "lambda_0": ones,
        "lambda_scale": METHOD.lambda_scale * ones,
        "scale_regularizer": np.array(1.0),
        "warping_weights": np.ones((2, JOINTS)),
        "sigma_variance": start_regulariser(mixture) / scales.deviations,
        "cameras": np.ones((VIEWS, 3, 3)),
        # One entry per model; the original has three whatever M is (Q2).
        "hl_params": np.ones(mixture.models),
        "ir_reg": np.ones(mixture.models),
    }


def parameter_shapes(models: int) -> dict[str, tuple[int, ...]]:
    """The shape of every variable in a checkpoint of M models."""
    poses, bases = (models, 3, JOINTS), (models, METHOD.basis, 3, JOINTS)
    column, square = (models, 1), 2 * (METHOD.coefficients,)
    return {
        "mean_pose": poses,
        "base_vectors": bases,
        "mean_pose_rec": poses,
        "base_vectors_rec": bases,
        "joint_weights": (models, 2 * JOINTS),
        "exp_weights": column,
        "exp_weights_model": column,
        "exp_additive_model": column,
        "scaling_coefficient": (),
        "lambda_0": column,
        "lambda_scale": column,
        "scale_regularizer": (),
        "warping_weights": (2, JOINTS),
        "sigma_variance": (models, *square),
        "cameras": (VIEWS, 3, 3),
        "hl_params": (models,),
        "ir_reg": (models,),
    }


def add_variables(
    layer: keras.Layer,
    mixture: MixtureParameters,
    scales: Scales,
    *,
    robust: bool,
    evidence: Evidence,
) -> Mapping[str, keras.Variable]:
    """Adds the 17 variables to a layer, each with its clip as a constraint."""
    values = start_values(mixture, scales)
    # What is not used has no gradient to train with.
    unused: tuple[str, ...] = () if robust else ROBUST_NAMES
    if evidence == "full":
        unused += _PUBLISHED_NAMES
    return {
        name: layer.add_weight(
            name=name,
            shape=values[name].shape,
            initializer=keras.initializers.Constant(values[name]),
            constraint=None if rule.clip is None else Clip(*rule.clip),
            trainable=rule.trainable and name not in unused,
        )
        for name, rule in _RULES.items()
    }
