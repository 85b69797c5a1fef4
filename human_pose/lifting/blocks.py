"""The structured linear systems of the lifter.

In the unknowns (a, q) every Gram matrix and every Hessian of the energy is

  [ K   -B ]      K = B Bᵀ + k DᵀD + ridge I        29 x 29, one per model
  [ -Bᵀ  Q ]      Q = 17 blocks of 3 x 3, one per joint

so q is eliminated joint by joint (Schur complement) and a 29 x 29 system is left:
S = K - Σ_j B_j Q_j⁻¹ B_jᵀ. A symmetric Q_j⁻¹ has six entries, so the sum over joints
is one product of `[P, 102]` with a constant matrix per model.
"""

from typing import NamedTuple

import tensorflow as tf

from human_pose.lifting.method import METHOD
from human_pose.lifting.pairs import Pairs, per_model_product
from human_pose.lifting.quantities import Quantities
from human_pose.skeleton import JOINTS, VIEWS

# The entries of a symmetric 3 x 3 block, in the order in which they are stored.
_ENTRIES = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
_DIAGONAL = (1.0, 0.0, 0.0, 1.0, 0.0, 1.0)


class ModelBlocks(NamedTuple):
    """What the systems of one set of parameters share.

    Attributes:
      bases_gram: B Bᵀ, `[M, 29, 29]`.
      regulariser_gram: DᵀD, `[M, 29, 29]`.
      outer: `[M, 102, 841]`, maps the entries of all Q_j⁻¹ to Σ_j B_j Q_j⁻¹ B_jᵀ.
      squares: `[R, 6, 8]`, entries of p pᵀ for each image row p.
      crosses: `[R, 6, 4]`, entries of p_x p_yᵀ + p_y p_xᵀ for each view.
    """

    bases_gram: tf.Tensor
    regulariser_gram: tf.Tensor
    outer: tf.Tensor
    squares: tf.Tensor
    crosses: tf.Tensor


def model_blocks(quantities: Quantities) -> ModelBlocks:
    """Computes what is shared by all frames."""
    coefficients = METHOD.coefficients
    per_axis = tf.reshape(quantities.bases, [-1, coefficients, 3, JOINTS])
    # [M, 3, 17, 29]
    per_axis = tf.transpose(per_axis, [0, 2, 3, 1])
    outer = []
    for a, b in _ENTRIES:
        products = per_axis[:, a, :, :, None] * per_axis[:, b, :, None, :]
        if a != b:
            products += tf.linalg.matrix_transpose(products)
        outer.append(tf.reshape(products, [-1, JOINTS, coefficients**2]))
    p = quantities.projections
    x, y = p[:, :VIEWS], p[:, VIEWS:]
    return ModelBlocks(
        tf.matmul(quantities.bases, quantities.bases, transpose_b=True),
        tf.matmul(quantities.regulariser, quantities.regulariser, transpose_a=True),
        tf.concat(outer, 1),
        tf.stack([p[..., a] * p[..., b] for a, b in _ENTRIES], 1),
        tf.stack(
            [x[..., a] * y[..., b] + y[..., a] * x[..., b] for a, b in _ENTRIES], 1
        ),
    )


class JointBlocks(NamedTuple):
    """The entries of Q_j⁻¹ for all joints, `[..., 6, 17]`."""

    inverse: tf.Tensor

    def solve(self, right: tf.Tensor) -> tf.Tensor:
        """Q⁻¹ f, for f `[..., 3, 17]` that broadcasts."""
        xx, xy, xz, yy, yz, zz = tf.unstack(self.inverse, axis=-2)
        x, y, z = tf.unstack(right, axis=-2)
        return tf.stack(
            [
                xx * x + xy * y + xz * z,
                xy * x + yy * y + yz * z,
                xz * x + yz * y + zz * z,
            ],
            axis=-2,
        )


def invert_joint_blocks(entries: tf.Tensor, shift: tf.Tensor) -> JointBlocks:
    """Inverts Q_j = shift I + Σ w p pᵀ, given the entries of the sum.

    Args:
      entries: `[..., 6, 17]`, of a positive semi-definite sum.
      shift: positive, broadcasts to `[..., 1, 1]`.
    """
    diagonal = tf.constant(_DIAGONAL, entries.dtype)[:, None]
    xx, xy, xz, yy, yz, zz = tf.unstack(entries + shift * diagonal, axis=-2)
    a = yy * zz - yz * yz
    b = xz * yz - xy * zz
    c = xy * yz - xz * yy
    inverse_determinant = 1 / (xx * a + xy * b + xz * c)
    cofactors = tf.stack(
        [a, b, c, xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy], axis=-2
    )
    return JointBlocks(cofactors * inverse_determinant[..., None, :])


class Weights(NamedTuple):
    """The diagonal and what else weights the rows of P problems.

    Attributes:
      rows: `[P, 8, 17]`, of each squared image row.
      crosses: `[P, 4, 17]`, of the product of a view's two rows; None for none.
      stiffness: `[M]`, of the regulariser's rows.
      shift: `[P]`, ridge + damping, added to the whole diagonal.
    """

    rows: tf.Tensor
    crosses: tf.Tensor | None
    stiffness: tf.Tensor
    shift: tf.Tensor


def solve_pairs(
    shared: ModelBlocks,
    quantities: Quantities,
    pairs: Pairs,
    weights: Weights,
    right: tuple[tf.Tensor, tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solves one system per problem.

    Args:
      shared: of `quantities`.
      quantities: the energy's θ.
      pairs: the problems.
      weights: of the rows.
      right: right-hand sides `[P, 29]` and `[P, 3, 17]`.

    Returns:
      a `[P, 29]` and q `[P, 3, 17]`.
    """
    entries = tf.gather(shared.squares, pairs.rotation) @ weights.rows
    if weights.crosses is not None:
        entries += tf.gather(shared.crosses, pairs.rotation) @ weights.crosses
    joints = invert_joint_blocks(entries, 1 + weights.shift[:, None, None])
    factor = tf.linalg.cholesky(
        _schur_complements(shared, joints, pairs.counts, weights)
    )
    right_a, right_q = right
    flat = tf.reshape(joints.solve(right_q), [-1, 3 * JOINTS])
    moved = per_model_product(flat, quantities.bases, pairs.counts, transpose=True)
    a = tf.linalg.cholesky_solve(factor, (right_a + moved)[..., None])[..., 0]
    back = per_model_product(a, quantities.bases, pairs.counts)
    return a, joints.solve(right_q + tf.reshape(back, [-1, 3, JOINTS]))


def _schur_complements(
    shared: ModelBlocks, joints: JointBlocks, counts: tf.Tensor, weights: Weights
) -> tf.Tensor:
    """S of P problems, `[P, 29, 29]`.

    K and the shift ride along as two more columns of the one matrix product, so S is
    written once.
    """
    size = METHOD.coefficients
    flat = tf.reshape(joints.inverse, [-1, shared.outer.shape[1]])
    shift = weights.shift[:, None]
    columns = tf.concat([flat, tf.ones_like(shift), shift], 1)
    models = shared.outer.shape[0]
    identity = tf.tile(tf.eye(size, batch_shape=[1], dtype=flat.dtype), [models, 1, 1])
    diagonal = [gram(shared, weights.stiffness), identity]
    rows = tf.concat(
        [-shared.outer, *(tf.reshape(k, [models, 1, -1]) for k in diagonal)], 1
    )
    return tf.reshape(per_model_product(columns, rows, counts), [-1, size, size])


def gram(shared: ModelBlocks, stiffness: tf.Tensor) -> tf.Tensor:
    """K without its ridge, `[M, 29, 29]`, for k `[M]`."""
    return shared.bases_gram + stiffness[:, None, None] * shared.regulariser_gram
