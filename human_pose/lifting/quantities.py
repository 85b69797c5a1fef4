"""From the learned parameters to the quantities of the energy.

The energy of one frame, model m and rotation i, over x = (a, q), is

  ½ |Bᵀa − q|² + Σ ρ(w v (P q − p)) + ½ k |D a − t e₀|² + ½ ridge |x|²

with B the bases, q the pose's 17 joints, P the two image rows of the four cameras
turned by the rotation, p the normalised 2D joints, w and v row and visibility weights.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.geometry.skeletons import JOINTS, VIEWS
from human_pose.lifting.method import METHOD, Formulation, Method
from human_pose.lifting.parameters import MixtureParameters


class Robustness(NamedTuple):
    """What only the Huber formulation has, both `[M]`.

    Attributes:
      stiffness: k, the weight of the regulariser's rows.
      threshold: where the pseudo-Huber loss turns linear.
    """

    stiffness: tf.Tensor
    threshold: tf.Tensor


class Quantities(NamedTuple):
    """The energy's θ.

    Attributes:
      bases: B, `[M, 29, 51]`: mean pose, three translations, 25 learned ones; the 51
        are x of all joints, then y, then z.
      regulariser: D, `[M, 29, 29]`.
      size_target: t, `[]`.
      row_weights: w, `[M, 8, 17]`, image x of each view, then image y.
      projections: P, `[R, 8, 3]`.
      robustness: `Robustness`, or `()` in the L2 formulation, where k is 1.
    """

    bases: tf.Tensor
    regulariser: tf.Tensor
    size_target: tf.Tensor
    row_weights: tf.Tensor
    projections: tf.Tensor
    robustness: Robustness | tuple[()]

    @property
    def stiffness(self) -> tf.Tensor:
        """k, `[M]`."""
        if self.robustness:
            return self.robustness.stiffness
        return tf.ones(self.bases.shape[:1], self.bases.dtype)

    @property
    def threshold(self) -> tf.Tensor:
        """Where the pseudo-Huber loss turns linear, `[M]`."""
        if self.robustness:
            return self.robustness.threshold
        raise ValueError("the L2 formulation has no threshold")


@dataclass(frozen=True)
class Scales:
    """Fixed scales that make learned parameters of order one.

    They come from the PPCA parameters, also when a checkpoint is loaded.

    Attributes:
      mean_pose: mean |entry| of the mean poses, mm.
      bases: mean |entry| of the bases.
      deviations: mean |entry| of the start regularisers, their zeros included.
      residual_weights: `[M]`, 1/mm.
    """

    mean_pose: float
    bases: float
    deviations: float
    residual_weights: np.ndarray

    @classmethod
    def of(cls, mixture: MixtureParameters) -> "Scales":
        """The scales of a mixture."""
        return cls(
            float(np.mean(np.abs(mixture.mean_poses_mm))),
            float(np.mean(np.abs(mixture.bases))),
            float(np.mean(np.abs(start_regulariser(mixture)))),
            mixture.inverse_deviations[:, METHOD.basis],
        )


def start_regulariser(mixture: MixtureParameters) -> np.ndarray:
    """`[M, 29, 29]`: diagonal, 1/std of each coefficient, nothing on the size."""
    diagonals = np.zeros((len(mixture.mean_poses_mm), METHOD.coefficients))
    diagonals[:, 1 : 1 + METHOD.translations] = METHOD.translation_deviation
    diagonals[:, 1 + METHOD.translations :] = mixture.inverse_deviations[
        :, : METHOD.basis
    ]
    return diagonals[:, :, None] * np.eye(METHOD.coefficients)


def headings(method: Method = METHOD) -> np.ndarray:
    """Rotations about the vertical, `[R, 3, 3]`, of the original's convention."""
    angles_rad = 2 * math.pi * (np.arange(method.rotations) / method.rotations)
    sine, cosine = np.sin(angles_rad), np.cos(angles_rad)
    zero, one = np.zeros_like(sine), np.ones_like(sine)
    rows = [[sine, cosine, zero], [-cosine, sine, zero], [zero, zero, one]]
    return np.moveaxis(np.array(rows), -1, 0)


def quantities(
    parameters: Mapping[str, tf.Tensor],
    scales: Scales,
    cameras: np.ndarray,
    formulation: Formulation,
) -> Quantities:
    """Builds the energy's θ; differentiable in every parameter.

    Args:
      parameters: tensors under the checkpoint's names.
      scales: of the PPCA parameters.
      cameras: `[4, 3, 3]`, averaged world-to-camera rotations.
      formulation: Huber or L2.
    """
    p = parameters
    dtype = p["mean_pose"].dtype
    models = p["mean_pose"].shape[0]

    def constant(value: np.ndarray | float) -> tf.Tensor:
        return tf.constant(value, dtype)

    translations = np.repeat(np.eye(METHOD.translations), JOINTS, axis=1)
    bases = tf.concat(
        [
            tf.reshape(scales.mean_pose * p["mean_pose"], [models, 1, 3 * JOINTS]),
            constant(np.tile(translations, (models, 1, 1))),
            tf.reshape(
                scales.bases * p["base_vectors"], [models, METHOD.basis, 3 * JOINTS]
            ),
        ],
        axis=1,
    )
    residual_weight = constant(scales.residual_weights)[:, None] * p["lambda_scale"]
    joint_weights = tf.reshape(p["joint_weights"], [models, JOINTS, 2])
    rows = residual_weight[..., None] * tf.linalg.matrix_transpose(joint_weights)
    image_rows = (constant(cameras) * p["cameras"])[:, :2]
    turned = tf.einsum("kac,icd->iakd", image_rows, constant(headings()))
    robustness: Robustness | tuple[()] = ()
    if formulation.robust:
        # The names are swapped against their use in the original; see
        # docs/fidelity.md, Q1.
        robustness = Robustness(
            METHOD.huber_stiffness * p["hl_params"],
            METHOD.huber_threshold * p["ir_reg"],
        )
    return Quantities(
        bases=bases,
        regulariser=p["lambda_0"][..., None] * scales.deviations * p["sigma_variance"],
        size_target=METHOD.size_target * p["scale_regularizer"],
        row_weights=tf.repeat(rows, VIEWS, axis=1),
        projections=tf.reshape(turned, [METHOD.rotations, 2 * VIEWS, 3]),
        robustness=robustness,
    )
