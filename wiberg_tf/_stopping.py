"""When a minimisation has converged, whatever the units of E and x."""

from typing import Any

import tensorflow as tf

from wiberg_tf._options import check_counts, check_numbers
from wiberg_tf._problem import round_off


def default_rtol(dtype: tf.DType) -> float:
    """1e-8 in float64, 1e-4 in float32: about the square root of round-off."""
    return 1e-8 if dtype == tf.float64 else 1e-4


def check_limits(tolerance: Any, rtol: Any, max_iterations: Any) -> None:
    """Refuses two rules at once, and limits that are none.

    Raises:
      ValueError: for them.
    """
    check_numbers(tolerance=tolerance)
    check_counts(max_iterations=max_iterations)
    if rtol is None:
        return
    if tolerance is not None:
        raise ValueError(
            "`tolerance` is absolute and `rtol` relative: give one of them; "
            f"received tolerance={tolerance}, rtol={rtol}"
        )
    if isinstance(rtol, bool) or not isinstance(rtol, int | float) or not 0 < rtol < 1:
        raise ValueError(f"`rtol` must be above 0 and below 1; received {rtol!r}")


def settled(
    gradient: tf.Tensor,
    correction: tf.Tensor,
    energy: tf.Tensor,
    first_energy: tf.Tensor,
    size: tf.Tensor,
    rtol: float | None,
) -> tf.Tensor:
    """Whether what is left to gain is nothing beside what there is, bool `[*batch]`.

    With M the matrix of the solver's steps and g the gradient, the decrement gᵀM⁻¹g is
    twice the decrease that M still promises. It has the units of E, and no scaling of
    the unknowns changes it (Boyd and Vandenberghe, Convex Optimization, section
    9.5.1). It is small enough at rtol² times the smaller of |E| and the decrease since
    the start, for neither a constant added to E nor a far start may end a search; or
    at what round-off leaves of |E|, of that decrease, and of x in M's norm.

    Args:
      gradient: g, `[*batch, n]`.
      correction: M⁻¹g, `[*batch, n]`.
      energy: E, `[*batch]`.
      first_energy: E at the start, `[*batch]`.
      size: xᵀ diag(M) x, `[*batch]`.
      rtol: as of the solvers.
    """
    dtype = energy.dtype
    rtol = default_rtol(dtype) if rtol is None else rtol
    epsilon = round_off(dtype)
    decrement = tf.reduce_sum(tf.abs(gradient * correction), -1)
    decrease = _finite(tf.maximum(first_energy - energy, 0))
    level = _finite(tf.abs(energy))
    # Sums of some thousand terms leave ten times this of their gradient in float64. In
    # float32 there is nothing between round-off and the default.
    noise = epsilon**1.5 if dtype == tf.float64 else default_rtol(dtype) ** 2
    size = _finite(size)
    return (
        tf.reduce_all(gradient == 0, -1)
        | (decrement <= rtol**2 * tf.minimum(level, decrease))
        | (decrement <= min(noise, rtol**2) * tf.maximum(level, decrease))
        | (decrement <= (16 * epsilon) ** 2 * size)
    )


def jammed(
    start: tf.Tensor,
    first_energy: tf.Tensor,
    x: tf.Tensor,
    energy: tf.Tensor,
    gradient: tf.Tensor,
) -> tf.Tensor:
    """Whether a search has stopped beside a slope that it should follow, `[*batch]`.

    At a kink, or where the energy ends, searches shorten their steps without end. A
    matrix that is told by steps alone then promises nothing, though the slope is as
    steep as ever: along the way that was made it is worth as much as was gained.

    Args:
      start: x at the start, `[*batch, n]`.
      first_energy: E there, `[*batch]`.
      x: at the end.
      energy: E there.
      gradient: g there, `[*batch, n]`.
    """
    # Of each unknown by itself: units may differ.
    slope = tf.reduce_sum(tf.abs(gradient * (x - start)), -1)
    rtol = default_rtol(energy.dtype)
    # Of what a start beside the minimum gains, round-off leaves nothing to compare.
    gain = tf.maximum(first_energy - energy, 0) + rtol**0.5 * tf.abs(energy)
    # A parabola leaves rtol times the root of its condition number.
    return slope > rtol**0.25 * gain


def _finite(size: tf.Tensor) -> tf.Tensor:
    """The size, or 0: what has left the range of numbers measures nothing."""
    return tf.where(tf.math.is_finite(size), size, tf.zeros_like(size))
