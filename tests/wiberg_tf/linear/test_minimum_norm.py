"""Derivatives of minimisers with gauge freedom."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from default_cases import large_unless

import wiberg_tf as wt

_MODES = [lambda function: function, tf.function]
_LENGTHS = tf.constant([[1.0, 0.5, -2.0], [0.3, 0.1, 0.2]], tf.float64)
# x up to a common shift; units of x differ, which equilibration would mend.
_STRETCH = np.array([1.0, 1.0, 1.0, 10.0])
_MATRIX = np.diff(np.eye(4), axis=0) * _STRETCH


def _chain(x, lengths):
    return 0.5 * tf.reduce_sum((tf.linalg.matvec(_MATRIX, x) - lengths) ** 2, -1)


def _jacobian(derivative, start=None, energy=_chain):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(_LENGTHS)
        start = tf.zeros([2, 4], tf.float64) if start is None else start
        x = wt.argmin(
            energy, start, _LENGTHS, derivative=derivative, batch_dims=1
        ).value
        entries = [tf.reduce_sum(x[:, k]) for k in range(4)]
    return np.stack([tape.gradient(entry, _LENGTHS) for entry in entries], 1)


@pytest.mark.parametrize(
    "choice", ["minimum-norm", wt.MinimumNorm(), wt.MinimumNorm(rtol=1e-6)]
)
def test_the_derivative_is_the_shortest(choice):
    found = _jacobian(wt.Implicit(choice))
    expected = np.linalg.pinv(_MATRIX)
    np.testing.assert_allclose(found, [expected, expected], atol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "compiled"),
    large_unless(
        [(tf.float32, False), (tf.float64, True)],
        itertools.product([tf.float32, tf.float64], [False, True]),
    ),
)
def test_graphs_and_single_precision(dtype, compiled):
    # XLA's eigenvalues are exact to about 1e-12 only, which would be refused as
    # unclear, and its eigenvectors to 1e-6.
    rough = compiled or dtype == tf.float32
    rtol = 1e-9 if compiled and dtype == tf.float64 else None
    matrix = tf.constant(np.diff(np.eye(4), axis=0), dtype)

    @tf.function(jit_compile=compiled)
    def gradient(lengths):
        with tf.GradientTape() as tape:
            tape.watch(lengths)
            x = wt.argmin(
                lambda x, t: tf.reduce_sum((tf.linalg.matvec(matrix, x) - t) ** 2, -1),
                tf.zeros([2, 4], dtype),
                lengths,
                solver=wt.Newton(max_iterations=1),
                derivative=wt.Implicit(wt.MinimumNorm(rtol=rtol)),
                batch_dims=1,
            ).value
            loss = tf.reduce_sum(x[:, 3])
        return tape.gradient(loss, lengths)

    found = gradient(tf.cast(_LENGTHS, dtype))
    expected = np.linalg.pinv(matrix.numpy().astype(float))[3]
    np.testing.assert_allclose(
        found, [expected, expected], rtol=1e-5 if rough else 1e-12
    )


def test_damping_and_its_rule():
    hessian = _MATRIX.T @ _MATRIX
    found = _jacobian(wt.TrustRegion(0.5, "minimum-norm"))
    expected = np.linalg.solve(hessian + 0.5 * np.eye(4), _MATRIX.T)
    np.testing.assert_allclose(found, [expected, expected], atol=1e-12)
    rule = wt.Adaptive(condition=100)
    found = _jacobian(wt.TrustRegion(rule, "minimum-norm"))
    np.testing.assert_allclose(
        found, _jacobian(wt.TrustRegion(rule, "dense")), atol=1e-12
    )


def test_a_loss_that_sees_no_gauge_has_its_derivative(slope):
    """Four points in the plane, up to rotation and shift, by their distances."""
    pairs = np.array([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3)])
    wanted = tf.constant([1.0, 1.2, 1.5, 0.9, 1.1], tf.float64)
    start = tf.constant([[0.0, 0.1], [1.0, 0.0], [0.2, 1.0], [1.1, -0.9]], tf.float64)

    def distances(x):
        apart = tf.gather(x, pairs[:, 0]) - tf.gather(x, pairs[:, 1])
        return tf.reduce_sum(tf.square(apart), -1)

    def energy(x, wanted):
        ends = tf.gather(x, 2) - tf.gather(x, 3)
        weak = 0.01 * tf.square(tf.reduce_sum(tf.square(ends)) - 3)
        return tf.reduce_sum(tf.square(distances(x) - wanted)) + weak

    @tf.function
    def solve(wanted):
        return wt.argmin(
            energy,
            start,
            wanted,
            solver=wt.Newton(rtol=1e-12),
            derivative=wt.Implicit(wt.MinimumNorm(rtol=1e-9)),
        ).value

    def loss(wanted):
        x = solve(wanted)
        return tf.reduce_sum(tf.square(x[2] - x[3]))

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(wanted)
        x = solve(wanted)
        value = tf.reduce_sum(tf.square(x[2] - x[3]))
        centre = tf.reduce_sum(x, 0)
        turned = tf.reverse(tf.stop_gradient(x), [-1]) * [1.0, -1.0]
        turn = tf.reduce_sum(turned * x)
        seen = [centre[0], centre[1], turn]
    along = tf.constant([0.3, -0.2, 0.5, 0.1, 0.4], tf.float64)
    found = tf.reduce_sum(tape.gradient(value, wanted) * along)
    np.testing.assert_allclose(found, slope(loss, [wanted], [along]), rtol=1e-7)
    # Neither shift nor rotation is a part of the movement.
    for movement in seen:
        np.testing.assert_allclose(tape.gradient(movement, wanted), 0, atol=1e-7)


@pytest.mark.parametrize("mode", _MODES)
def test_saddles_are_refused_unless_they_are_wanted(mode):
    def gradient(indefinite):
        @mode
        def compute(lengths):
            with tf.GradientTape() as tape:
                tape.watch(lengths)
                x = wt.argmin(
                    lambda x, t: 0.5 * tf.reduce_sum([1, -1, 0] * (x - t) ** 2, -1),
                    lengths,
                    lengths,
                    solver=wt.given,
                    derivative=wt.Implicit("minimum-norm", indefinite),
                    batch_dims=1,
                ).value
            return tape.gradient(x, lengths)

        return compute(_LENGTHS)

    np.testing.assert_allclose(gradient("solve"), [[1, 1, 0]] * 2, atol=1e-12)
    with pytest.raises(tf.errors.InvalidArgumentError, match="negative eigenvalue"):
        gradient("refuse")


def _with_weak(size):
    """A minimum whose last curvature is `size` beside 1, 1, 1."""

    def energy(x, lengths):
        weights = tf.constant([1.0, 1.0, 1.0, size], tf.float64)
        target = tf.concat([lengths, lengths[..., :1]], -1)
        return 0.5 * tf.reduce_sum(weights * tf.square(x - target), -1)

    return energy


def test_what_may_be_0_or_not_is_asked_for():
    given = tf.concat([_LENGTHS, _LENGTHS[..., :1]], -1)
    gauge = _jacobian(wt.Implicit("minimum-norm"), given, _with_weak(1e-16))
    np.testing.assert_allclose(gauge[:, 3], 0, atol=1e-12)
    full = _jacobian(wt.Implicit("minimum-norm"), given, _with_weak(1e-9))
    np.testing.assert_allclose(full[:, 3], [[1, 0, 0]] * 2, atol=1e-9)
    with pytest.raises(tf.errors.InvalidArgumentError, match="say by `rtol`"):
        _jacobian(wt.Implicit("minimum-norm"), given, _with_weak(1e-12))
    for rtol, expected in ((1e-10, 0), (1e-13, 1)):
        derivative = wt.Implicit(wt.MinimumNorm(rtol=rtol))
        found = _jacobian(derivative, given, _with_weak(1e-12))
        np.testing.assert_allclose(found[:, 3, 0], expected, atol=1e-9)


def test_a_problem_without_gradient_may_be_anything():
    """Of two saddles one is left out of the loss."""
    curvatures = tf.constant([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(_LENGTHS)
        x = wt.argmin(
            lambda x, t: 0.5 * tf.reduce_sum(curvatures * (x - t) ** 2, -1),
            _LENGTHS,
            _LENGTHS,
            solver=wt.given,
            derivative=wt.Implicit("minimum-norm"),
            batch_dims=1,
        ).value
        loss = tf.reduce_sum(x[0])
    np.testing.assert_allclose(tape.gradient(loss, _LENGTHS), [[1, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize("rtol", [0, 1.5, "small", True])
def test_rtol_is_checked(rtol):
    with pytest.raises((TypeError, ValueError), match="`rtol` must be"):
        wt.MinimumNorm(rtol=rtol)
