"""The prior, as tensors that may be learned, retargeted to a person's bones."""

from typing import Final, NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.calibrated.config import EnergyConfig
from human_pose.calibrated.energy import Body
from human_pose.calibrated.joints import ModelJoints
from human_pose.calibrated.prior.pose_prior import PosePrior, retargeting

# Beside the accelerations' scale, at any frame rate: detectors and floats have more.
_LEAST_ACCELERATION_MM: Final = 0.1


class Bases(NamedTuple):
    """The prior's numbers, from which a `Body` is made.

    Attributes:
      log_shares: `[M]`.
      means_mm: `[M, 3K]`.
      factors_mm: `[M, 3K, 3K]`, whose products with their transposes are covariances.
      acceleration_mm: `[3K, 3K]`, the same of accelerations.
    """

    log_shares: tf.Tensor
    means_mm: tf.Tensor
    factors_mm: tf.Tensor
    acceleration_mm: tf.Tensor


def bases_of(prior: PosePrior) -> dict[str, np.ndarray]:
    """The values of `Bases`, float64."""
    count = 3 * len(prior.skeleton)
    return {
        "log_shares": np.log(prior.shares),
        "means_mm": prior.means_mm.reshape(-1, count),
        "factors_mm": np.stack([_root(c) for c in prior.covariances_mm2]),
        "acceleration_mm": np.linalg.cholesky(prior.acceleration_mm2),
    }


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0))


def make_body(
    bases: Bases,
    prior: PosePrior,
    joints: ModelJoints,
    lengths_mm: np.ndarray,
    spreads_mm: np.ndarray,
    fps: float,
    config: EnergyConfig,
) -> Body:
    """The prior of a person with these bones, of all the model's joints.

    Joints that the prior does not know stand about those that they hang on, as do their
    accelerations.

    Args:
      bases: the prior's numbers.
      prior: whose skeleton and lengths they have.
      joints: the model's.
      lengths_mm: `[K]`, of the person, by child.
      spreads_mm: `[K]`, how far they may be wrong.
      fps: of the recording; accelerations scale with the square of a frame's time.
      config: has the flat part's and the other joints' deviations.
    """
    dtype = bases.means_mm.dtype
    known = 3 * len(prior.skeleton)
    move = retargeting(prior.skeleton, prior.lengths_mm, lengths_mm)
    move = tf.constant(np.kron(move, np.eye(3)), dtype)
    roots = move @ bases.factors_mm
    flat = config.flat_mm**2 * tf.eye(known, dtype=dtype)
    factors = tf.linalg.cholesky(tf.matmul(roots, roots, transpose_b=True) + flat)
    units = tf.eye(known, batch_shape=[factors.shape[0]], dtype=dtype)
    inverse = tf.linalg.cholesky_solve(factors, units)
    centre = tf.constant(_centring(len(prior.skeleton)), dtype)
    precisions = centre @ inverse @ centre
    halves = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factors)), -1)
    means = tf.linalg.matvec(move, bases.means_mm)
    step = (prior.fps / fps) ** 2
    root = step * bases.acceleration_mm
    scale = tf.matmul(root, root, transpose_b=True)
    scale += _LEAST_ACCELERATION_MM**2 * tf.eye(known, dtype=dtype)
    acceleration = tf.linalg.inv(scale)
    spread, rough = _extras(joints, config, tf.linalg.diag_part(scale))
    bones = [child for _, child in joints.bones]
    log_shares = tf.nn.log_softmax(bases.log_shares) - halves
    return Body(
        _with_extra_means(means, joints),
        _embedded(precisions, joints) + spread,
        # What is the same for all components changes nothing.
        log_shares - tf.reduce_max(tf.stop_gradient(log_shares)),
        tf.constant(lengths_mm[bones], dtype),
        tf.constant(spreads_mm[bones], dtype),
        _embedded(acceleration, joints) + rough,
    )


def _centring(count: int) -> np.ndarray:
    return np.kron(np.eye(count) - 1 / count, np.eye(3))


def _with_extra_means(means: tf.Tensor, joints: ModelJoints) -> tf.Tensor:
    apart = tf.reshape(means, [means.shape[0], -1, 3])
    order = [*range(apart.shape[1]), *joints.hangs_on]
    whole = tf.gather(apart, order, axis=1)
    return whole - tf.reduce_mean(whole, 1, keepdims=True)


def _embedded(matrix: tf.Tensor, joints: ModelJoints) -> tf.Tensor:
    extra = 3 * len(joints.hangs_on)
    return tf.pad(matrix, [[0, 0]] * (len(matrix.shape) - 2) + [[0, extra]] * 2)


def _extras(
    joints: ModelJoints, config: EnergyConfig, variances: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Precisions `[3J, 3J]` of other joints' offsets, and of their accelerations."""
    count, known = len(joints), len(joints.prior)
    offsets = np.zeros((len(joints.hangs_on), count))
    for row, anchor in enumerate(joints.hangs_on):
        offsets[row, known + row] = 1
        offsets[row, anchor] -= 1
    wide = np.kron(offsets, np.eye(3))
    strays = np.array(joints.strays, bool)
    far_mm = np.repeat(np.where(strays, config.stray_mm, config.extra_mm), 3)
    spread = wide.T @ (wide / far_mm[:, None] ** 2)
    # As rough as the joint that they hang on, or, if nobody knows it, as any.
    of_joints = tf.reduce_mean(tf.reshape(variances, [-1, 3]), -1)
    rough = tf.gather(of_joints, np.array(joints.hangs_on, np.int32))
    rough = tf.repeat(tf.where(strays, tf.reduce_max(of_joints), rough), 3)
    rows = tf.constant(wide, variances.dtype)
    return (
        tf.constant(spread, variances.dtype),
        tf.matmul(rows, rows / rough[:, None], transpose_a=True),
    )
