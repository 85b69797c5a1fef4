"""What the solvers of the damped system insist on, and say where it fails.

At a minimum H + λI is positive definite. Elsewhere the formula still gives numbers
while the matrix is not singular, but no bound holds on them and they derive no
minimiser, so the solvers raise unless they are told that this is wanted. Compiled by
XLA, which drops assertions, they return NaN instead.
"""

import tensorflow as tf

INDEFINITE = (
    "H + damping * I is singular or indefinite at the minimiser, so the minimiser has "
    "no derivative there; use TrustRegion with a larger damping."
)
SINGULAR = (
    "H + damping * I is singular at the minimiser, so the minimiser has no derivative "
    "there; use TrustRegion with another damping."
)
NAN = float("nan")


def dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The inner product over the last axis, which stays with size 1."""
    return tf.reduce_sum(a * b, -1, keepdims=True)


def insist(holds: tf.Tensor, *message: str | tf.Tensor) -> "tf.control_dependencies":
    """A context whose operations run only if `holds` is true everywhere."""
    check = tf.debugging.Assert(tf.reduce_all(holds), [*message])
    return tf.control_dependencies([] if check is None else [check])
