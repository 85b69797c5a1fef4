"""Errors between a true and a reconstructed 3D pose, in millimetres.

Every function takes `(truth, reconstruction)`, floating tensors `[..., J, 3]` in mm of
one dtype with any batch dimensions, and gives one number per pose, `[...]`. All but
`pck` and `auc`, which count joints, are differentiable in both arguments; the gradient
is finite where a distance is zero, where singular values coincide, and where a pose
has collapsed to a point or a line.

The Procrustes rotation is the minimiser of a least-squares problem, so its derivative
is implicit (see `_best_rotation`) instead of the derivative of an SVD, whose
1 / (s_i² − s_j²) breaks down for symmetric poses although the rotation does not.
First derivatives only.
"""

from typing import Any, Final, Literal

import numpy as np
import tensorflow as tf

Gradient = Literal["true", "published"]

ROOT: Final = 0  # the hip centre

# Mehta et al., Monocular 3D Human Pose Estimation In The Wild Using Improved CNN
# Supervision, 3DV 2017, https://arxiv.org/abs/1611.09813: 150 mm, about half a head,
# and the curve from 0 to there in steps of 5 mm.
PCK_THRESHOLD_MM: Final = 150.0
AUC_THRESHOLDS_MM: Final = tuple(float(mm) for mm in range(0, 151, 5))


def mpjpe(truth: Any, reconstruction: Any, *, gradient: Gradient = "true") -> tf.Tensor:
    """Mean per-joint position error, mm, without any alignment.

    Args:
      truth: `[..., J, 3]`, mm.
      reconstruction: `[..., J, 3]`, mm.
      gradient: "true", or "published": the layer of the original image network, a
        monitor without weight, passes back the gradient of the mean squared distance
        instead.

    Returns:
      `[...]`, mm. The mean over samples of absolute camera-frame poses is what that
      network's original calls "error(mm)".

    Raises:
      ValueError: if `gradient` is neither, or the poses have not the same joints.
    """
    truth, reconstruction = checked_pair(truth, reconstruction)
    mean = tf.reduce_mean(joint_distances(truth, reconstruction), axis=-1)
    if gradient == "true":
        return mean
    if gradient != "published":
        raise ValueError(f"gradient must be true or published; received {gradient!r}")
    squares = tf.reduce_sum(tf.square(reconstruction - truth), axis=-1)
    squares = tf.reduce_mean(squares, axis=-1)
    return squares + tf.stop_gradient(mean - squares)


def root_centred(joints: Any, root: int = ROOT) -> tf.Tensor:
    """Moves `joints`, `[..., J, 3]`, so that joint `root` is the origin."""
    joints = tf.convert_to_tensor(joints)
    return joints - joints[..., root : root + 1, :]


def pa_mpjpe(truth: Any, reconstruction: Any) -> tf.Tensor:
    """MPJPE, mm, after the best rotation, scale and translation of each pose."""
    return mpjpe(truth, procrustes_align(truth, reconstruction))


def n_mpjpe(truth: Any, reconstruction: Any, *, root: int = ROOT) -> tf.Tensor:
    """MPJPE, mm, of poses centred at joint `root` after the best scale of each.

    Scale <truth, rec> / <rec, rec>: Rhodin et al., Unsupervised Geometry-Aware
    Representation Learning for 3D Human Pose Estimation, ECCV 2018,
    https://arxiv.org/abs/1804.01110. A reconstruction that has collapsed to a point
    keeps scale 0.
    """
    truth, reconstruction = checked_pair(truth, reconstruction)
    truth, reconstruction = (root_centred(p, root) for p in (truth, reconstruction))
    scale = tf.math.divide_no_nan(
        _inner(truth, reconstruction), _inner(reconstruction, reconstruction)
    )
    return mpjpe(truth, scale * reconstruction)


def pck(
    truth: Any,
    reconstruction: Any,
    *,
    threshold_mm: float = PCK_THRESHOLD_MM,
    root: int = ROOT,
) -> tf.Tensor:
    """Share, in [0, 1], of joints nearer than `threshold_mm`, centred at joint `root`.

    Strictly nearer, as the evaluation code of MPI-INF-3DHP counts (reference at
    `PCK_THRESHOLD_MM`). Not differentiable.
    """
    truth, reconstruction = checked_pair(truth, reconstruction)
    truth, reconstruction = (root_centred(p, root) for p in (truth, reconstruction))
    distances = joint_distances(truth, reconstruction)
    return tf.reduce_mean(tf.cast(distances < threshold_mm, distances.dtype), axis=-1)


def auc(truth: Any, reconstruction: Any, *, root: int = ROOT) -> tf.Tensor:
    """Mean, in [0, 1], of `pck` over the thresholds 0, 5, ..., 150 mm.

    No joint is nearer than 0 mm, so a perfect pose scores 30/31. Not differentiable.
    """
    curve = [
        pck(truth, reconstruction, threshold_mm=threshold, root=root)
        for threshold in AUC_THRESHOLDS_MM
    ]
    return tf.add_n(curve) / len(curve)


def procrustes_align(truth: Any, reconstruction: Any) -> tf.Tensor:
    """Moves each reconstruction onto its truth by rotation, scale and translation.

    The least-squares solution, without reflection: Schönemann, A generalized solution
    of the orthogonal Procrustes problem, Psychometrika 1966, and Umeyama, PAMI 1991.

    Args:
      truth: `[..., J, 3]`, mm.
      reconstruction: `[..., J, 3]`, mm.

    Returns:
      `[..., J, 3]`, mm. A reconstruction that has collapsed to a point goes to the
      truth's mean.
    """
    truth, reconstruction = checked_pair(truth, reconstruction)
    mean, truth_unit, truth_size = _standardised(truth)
    _, unit, _ = _standardised(reconstruction)
    correlation = tf.matmul(truth_unit, unit, transpose_a=True)  # [..., 3, 3]
    rotation = _best_rotation(correlation)
    scale = tf.linalg.trace(tf.matmul(rotation, correlation))[..., None, None]
    return truth_size * scale * tf.matmul(unit, rotation) + mean


def _best_rotation(correlation: tf.Tensor) -> tf.Tensor:
    """The rotation T that maximises tr(T A), with its implicit derivative in A.

    At the maximum T A is symmetric. Let T₀ solve it for the value of A, and T =
    (I + [k]ₓ) T₀ for a small change of A. To first order (I + [k]ₓ) B is symmetric for
    B = T₀ A, that is (tr(B) I − B) k = vee(Bᵀ − B): one Newton step, whose value
    is 0 at A and whose derivative is that of the minimiser. Its matrix has the
    eigenvectors of B and the eigenvalues s_i + s_j; where those vanish the
    rotation about that axis is free, and gets no derivative.
    """
    singular, u, v = tf.linalg.svd(tf.stop_gradient(correlation))
    # Flipping the last axis turns a reflection into the best rotation.
    handedness = tf.sign(tf.linalg.det(u) * tf.linalg.det(v))[..., None]
    flip = tf.concat([tf.ones_like(u[..., 0, :2]), handedness], axis=-1)
    singular = singular * flip
    v = v * flip[..., None, :]
    rotation = tf.matmul(v, u, transpose_b=True)

    stiffness = tf.reduce_sum(singular, axis=-1, keepdims=True) - singular
    # The poses have unit size, so round-off in the singular values is one epsilon.
    free = stiffness < 10 * np.finfo(correlation.dtype.as_numpy_dtype).eps
    compliance = tf.where(free, tf.zeros_like(stiffness), 1 / stiffness)
    turned = tf.matmul(rotation, correlation)
    twist = _axis(tf.linalg.matrix_transpose(turned) - turned)
    twist = tf.linalg.matvec(v, twist, transpose_a=True)  # in the axes of B
    k = tf.linalg.matvec(v, compliance * twist)
    return rotation + tf.matmul(_skew(k), rotation)


def _skew(k: tf.Tensor) -> tf.Tensor:
    """[k]ₓ `[..., 3, 3]`: the matrix of the cross product with k `[..., 3]`."""
    x, y, z = tf.unstack(k, axis=-1)
    zero = tf.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def _axis(skew: tf.Tensor) -> tf.Tensor:
    """The k, `[..., 3]`, of a matrix [k]ₓ."""
    return tf.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], axis=-1)


def _standardised(joints: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mean `[..., 1, 3]`, pose of mean 0 and Frobenius norm 1, and the norm it had."""
    mean = tf.reduce_mean(joints, axis=-2, keepdims=True)
    centred = joints - mean
    size = _root(_inner(centred, centred))
    return mean, tf.math.divide_no_nan(centred, size), size


def _inner(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(a * b, axis=(-2, -1), keepdims=True)


def joint_distances(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Distance of every joint, `[..., J]`, of two poses `[..., J, 3]`."""
    return _root(tf.reduce_sum(tf.square(a - b), axis=-1))


def _root(square: tf.Tensor) -> tf.Tensor:
    """Square root whose derivative at 0 is 0, where the plain one's is infinite."""
    positive = square > 0
    root = tf.sqrt(tf.where(positive, square, tf.ones_like(square)))
    return tf.where(positive, root, tf.zeros_like(square))


def checked_pair(truth: Any, reconstruction: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Two poses `[..., J, 3]` as tensors of one dtype.

    Raises:
      ValueError: if their shapes are not those of poses with the same joints.
    """
    truth = tf.convert_to_tensor(truth)
    reconstruction = tf.convert_to_tensor(reconstruction, dtype=truth.dtype)
    for name, joints in (("truth", truth), ("reconstruction", reconstruction)):
        if joints.shape.rank is not None and joints.shape[-1] != 3:
            raise ValueError(
                f"`{name}` must have shape [..., J, 3]. Received: {joints.shape}"
            )
    if not truth.shape[-2:].is_compatible_with(reconstruction.shape[-2:]):
        raise ValueError(
            "`truth` and `reconstruction` must have the same joints. "
            f"Received: {truth.shape} and {reconstruction.shape}"
        )
    return truth, reconstruction
