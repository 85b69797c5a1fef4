"""Figures by which to choose the damping λ of a trust-region derivative."""

from typing import Any, Literal, NamedTuple

import tensorflow as tf

from wiberg_tf._as_written import entry
from wiberg_tf._isolation import Isolation
from wiberg_tf._linear.damping import Adaptive, adaptive_rule
from wiberg_tf._linear.dense import eigen_or_nan
from wiberg_tf._linear.length import norm
from wiberg_tf._nest import Packing, as_parameters, as_tensors
from wiberg_tf._problem import Energy, Problem


class Diagnostics(NamedTuple):
    """What the damping meets at a minimiser, one figure per problem, `[*batch]`.

    All are NaN for a problem that is not finite there, and for it alone.

    Attributes:
      smallest_eigenvalue: of H. Where it is not well above 0, the implicit derivative
        is large or meaningless; λ must exceed its negative.
      largest_eigenvalue: of H.
      condition: the condition number of H + λI, infinite if that is not positive
        definite.
      mixed_norm: |∂²E/∂x∂θ|, Frobenius, over all floating parameters together.
      bound: |∂²E/∂x∂θ| / (smallest eigenvalue + λ), which |dx/dθ| does not exceed;
        infinite if H + λI is not positive definite. For positive semi-definite H it is
        at most |∂²E/∂x∂θ| / λ.
      damping: λ, which a rule has chosen or the caller.
      change: how far the damping moves the derivative, |D_λ − D₀| / |D₀| for
        D = −(H + λI)⁻¹ ∂²E/∂x∂θ: 0 is no bias, 1 a derivative that is damped away.
        NaN where H is singular.
    """

    smallest_eigenvalue: tf.Tensor
    largest_eigenvalue: tf.Tensor
    condition: tf.Tensor
    mixed_norm: tf.Tensor
    bound: tf.Tensor
    damping: tf.Tensor
    change: tf.Tensor


@entry
def diagnose(
    energy: Energy,
    value: Any,
    parameters: Any = (),
    *,
    damping: float | tf.Tensor | Adaptive | Literal["adaptive"] = 0.0,
    batch_dims: int = 0,
) -> Diagnostics:
    """Says what `TrustRegion(damping)` does at a minimiser.

    It forms H and ∂²E/∂x∂θ, so it is for looking at problems of moderate size, not for
    training.

    Args:
      energy: as of `argmin`.
      value: the minimiser, `solution.value`.
      parameters: θ, as of `argmin`.
      damping: λ, or its rule, as of `TrustRegion`.
      batch_dims: as of `argmin`.
    """
    value = as_tensors(value, "value")
    packing = Packing(value, batch_dims)
    parameters = as_parameters(parameters, packing.dtype)
    problem = Problem(energy, packing, parameters)
    x = packing.pack(value)
    level, gradient = problem.value_and_gradient(x)
    faults = Isolation(x, level, norm(gradient))
    x, parameters = faults.borrow((x, parameters))
    problem = Problem(energy, packing, parameters)
    if faults.has_borrowed:
        faults.check(problem.value(x))
    values, vectors = eigen_or_nan(problem.hessian(x))
    smallest, largest = tf.reduce_min(values, -1), tf.reduce_max(values, -1)
    if rule := adaptive_rule(damping):
        damping = rule.least_damping(smallest, tf.reduce_max(tf.abs(values), -1))
    if isinstance(damping, int | float):  # Which `cast` would round to float32.
        damping = tf.constant(damping, x.dtype)
    damping = tf.broadcast_to(tf.cast(damping, x.dtype), tf.shape(smallest))
    mixed = tf.matmul(vectors, _mixed(problem, x), transpose_a=True)
    damped = values + damping[..., None]
    free, moved = mixed / values[..., None], mixed / damped[..., None]
    positive = smallest + damping > 0
    # NaN where the Hessian is not finite.
    infinite = float("inf") + 0 * smallest
    mixed_norm = _norm(mixed)
    figures = Diagnostics(
        smallest,
        largest,
        tf.where(positive, (largest + damping) / (smallest + damping), infinite),
        mixed_norm,
        tf.where(positive, mixed_norm / (smallest + damping), infinite),
        damping,
        _norm(moved - free) / _norm(free),
    )
    return faults.lose(figures)


def _mixed(problem: Problem, x: tf.Tensor) -> tf.Tensor:
    """∂²E/∂x∂θ, `[*batch, n, p]`, with the entries of all floating parameters."""
    floating = [p for p in tf.nest.flatten(problem.parameters) if p.dtype.is_floating]
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(floating)
        _, gradient = problem.value_and_gradient(x)
    rows = tf.shape(x)
    parts = []
    for parameter in floating:
        part = tape.jacobian(gradient, parameter)
        if part is not None:  # A parameter that only shifts the energy.
            part = tf.reshape(part, tf.concat([rows, [-1]], 0))
            parts.append(tf.cast(part, x.dtype))
    return tf.concat(parts, -1) if parts else tf.zeros_like(x)[..., None]


def _norm(matrix: tf.Tensor) -> tf.Tensor:
    return tf.norm(matrix, axis=[-2, -1])
