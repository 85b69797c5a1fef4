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

from human_pose.geometry.skeletons import JOINTS, VIEWS
from human_pose.lifting.method import METHOD
from human_pose.lifting.pairs import Pairs, per_model_product
from human_pose.lifting.quantities import Quantities

# The entries of a symmetric 3 x 3 block, in the order in which they are stored.
_ENTRIES = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
_DIAGONAL = (1.0, 0.0, 0.0, 1.0, 0.0, 1.0)


class ModelBlocks(NamedTuple):
    """What the systems of one set of parameters share.

    Attributes:
      system: `[M, 105, 841]`, S as a linear function of the entries of all Q_j⁻¹, 1, k
        and the shift of the diagonal: rows -B_j(..)B_jᵀ, B Bᵀ, DᵀD and I.
      squares: `[R, 6, 8]`, entries of p pᵀ for each image row p.
      crosses: `[R, 6, 4]`, entries of p_x p_yᵀ + p_y p_xᵀ for each view.
    """

    system: tf.Tensor
    squares: tf.Tensor
    crosses: tf.Tensor


def model_blocks(quantities: Quantities) -> ModelBlocks:
    """Computes what is shared by all frames."""
    p = quantities.projections
    x, y = p[:, :VIEWS], p[:, VIEWS:]
    return ModelBlocks(
        _system(quantities),
        tf.stack([p[..., a] * p[..., b] for a, b in _ENTRIES], 1),
        tf.stack(
            [x[..., a] * y[..., b] + y[..., a] * x[..., b] for a, b in _ENTRIES], 1
        ),
    )


def _system(quantities: Quantities) -> tf.Tensor:
    bases, regulariser = quantities.bases, quantities.regulariser
    models, size = bases.shape[:2]
    # [M, 3, 17, 29]
    per_axis = tf.reshape(bases, [models, size, 3, JOINTS])
    per_axis = tf.transpose(per_axis, [0, 2, 3, 1])
    rows = []
    for a, b in _ENTRIES:
        products = -per_axis[:, a, :, :, None] * per_axis[:, b, :, None, :]
        if a != b:
            products += tf.linalg.matrix_transpose(products)
        rows.append(products)
    grams = [
        tf.matmul(bases, bases, transpose_b=True),
        tf.matmul(regulariser, regulariser, transpose_a=True),
        tf.eye(size, batch_shape=[models], dtype=bases.dtype),
    ]
    rows += [gram[:, None] for gram in grams]
    return tf.reshape(tf.concat(rows, 1), [models, -1, size * size])


def system_columns(
    inverse: tf.Tensor, stiffness: tf.Tensor, shift: tf.Tensor
) -> tf.Tensor:
    """What `ModelBlocks.system` is multiplied with, `[..., 105]`.

    One matrix product then writes S once, its diagonal included.

    Args:
      inverse: the entries of all Q_j⁻¹, `[..., 6, 17]`.
      stiffness: k, `[...]`.
      shift: ridge + damping, `[...]`.
    """
    flat = tf.reshape(inverse, tf.concat([tf.shape(shift), [6 * JOINTS]], 0))
    rest = tf.stack([tf.ones_like(shift), stiffness, shift], -1)
    return tf.concat([flat, rest], -1)


class JointBlocks(NamedTuple):
    """What solves with Q, and its determinant.

    Attributes:
      inverse: the entries of Q_j⁻¹ for all joints, `[..., 6, 17]`.
      determinant: of each Q_j, `[..., 17]`.
    """

    inverse: tf.Tensor
    determinant: tf.Tensor

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
    determinant = xx * a + xy * b + xz * c
    inverse_determinant = 1 / determinant
    cofactors = tf.stack(
        [a, b, c, xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy], axis=-2
    )
    return JointBlocks(cofactors * inverse_determinant[..., None, :], determinant)


class Weights(NamedTuple):
    """The diagonal and what else weights the rows of P problems.

    Attributes:
      rows: `[P, 8, 17]`, of each squared image row.
      crosses: `[P, 4, 17]`, of the product of a view's two rows; None for none.
      stiffness: k, `[P]`, of the regulariser's rows.
      shift: `[P]`, ridge + damping, added to the whole diagonal.
    """

    rows: tf.Tensor
    crosses: tf.Tensor | None
    stiffness: tf.Tensor
    shift: tf.Tensor


class Factors(NamedTuple):
    """The systems of P problems, factorised.

    Attributes:
      joints: the blocks Q_j.
      schur: Cholesky factors of S, `[P, 29, 29]`.
    """

    joints: JointBlocks
    schur: tf.Tensor

    def log_determinant(self) -> tf.Tensor:
        """Of the whole systems, of 80 unknowns each: `[P]`."""
        diagonal = tf.linalg.diag_part(self.schur)
        joints = tf.reduce_sum(tf.math.log(self.joints.determinant), -1)
        return joints + 2 * tf.reduce_sum(tf.math.log(diagonal), -1)


def factorise(shared: ModelBlocks, pairs: Pairs, weights: Weights) -> Factors:
    """Factorises one system per problem; the arguments are those of `solve_pairs`."""
    entries = tf.gather(shared.squares, pairs.rotation) @ weights.rows
    if weights.crosses is not None:
        entries += tf.gather(shared.crosses, pairs.rotation) @ weights.crosses
    joints = invert_joint_blocks(entries, 1 + weights.shift[:, None, None])
    columns = system_columns(joints.inverse, weights.stiffness, weights.shift)
    schur = per_model_product(columns, shared.system, pairs.counts)
    size = METHOD.coefficients
    return Factors(joints, tf.linalg.cholesky(tf.reshape(schur, [-1, size, size])))


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
    joints, factor = factorise(shared, pairs, weights)
    right_a, right_q = right
    flat = tf.reshape(joints.solve(right_q), [-1, 3 * JOINTS])
    moved = per_model_product(flat, quantities.bases, pairs.counts, transpose=True)
    a = tf.linalg.cholesky_solve(factor, (right_a + moved)[..., None])[..., 0]
    back = per_model_product(a, quantities.bases, pairs.counts)
    return a, joints.solve(right_q + tf.reshape(back, [-1, 3, JOINTS]))
