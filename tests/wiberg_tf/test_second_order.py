"""Second derivatives of minimisers and roots, reverse over reverse."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_PRECISE = wt.Newton(tolerance=1e-13)
_MATRIX = np.array([[3.0, 0.4, -0.2], [0.4, 2.0, 0.3], [-0.2, 0.3, 1.5]])
_THETA = np.array([[0.5, -1.1, 0.8], [1.2, 0.3, -0.4]])
_WEIGHTS = np.array([[1.0, 2.0, 3.0], [0.3, -1.0, 2.0]])

modes = pytest.mark.parametrize("mode", ["eager", "graph"])


def _run(function, mode, *inputs):
    inputs = [tf.constant(entry, tf.float64) for entry in inputs]
    return (tf.function(function) if mode == "graph" else function)(*inputs)


def _coupled(x, theta, scale):
    bent = tf.einsum("bi,ij,bj->b", x, tf.constant(_MATRIX), x)
    waves = tf.reduce_sum(tf.sin(x * theta[..., ::-1]), -1)
    return 0.5 * scale * bent + tf.reduce_sum(tf.cosh(x - theta**2), -1) + 0.3 * waves


def _slope(theta, scale, derivative, bounds=None):
    """A combination of the first derivatives of Σ x³ + x."""
    with tf.GradientTape() as tape:
        tape.watch([theta, scale])
        x = wt.argmin(
            _coupled,
            tf.zeros_like(theta),
            (theta, scale),
            batch_dims=1,
            solver=_PRECISE,
            derivative=derivative,
            bounds=bounds,
        ).value
        loss = tf.reduce_sum(x**3 + x)
    by_theta, by_scale = tape.gradient(loss, [theta, scale])
    return tf.reduce_sum(by_theta * _WEIGHTS) + 0.7 * by_scale


def _second(derivative, bounds=None):
    def second(theta, scale):
        with tf.GradientTape() as tape:
            tape.watch([theta, scale])
            slope = _slope(theta, scale, derivative, bounds)
        return tape.gradient(slope, [theta, scale])

    return second


def _differences(derivative, bounds=None, step=1e-5):
    theta, scale = tf.constant(_THETA), tf.constant(1.3, tf.float64)
    slope = tf.function(lambda theta, scale: _slope(theta, scale, derivative, bounds))
    by_theta = np.zeros_like(_THETA)
    for index in np.ndindex(*_THETA.shape):
        move = np.zeros_like(_THETA)
        move[index] = step
        by_theta[index] = (slope(theta + move, scale) - slope(theta - move, scale)) / 2
    by_scale = (slope(theta, scale + step) - slope(theta, scale - step)) / 2
    return by_theta / step, by_scale / step


@pytest.fixture(scope="module")
def unrolled():
    return _run(_second(wt.Unrolled()), "graph", _THETA, 1.3)


@pytest.mark.large
@pytest.mark.parametrize(
    ("linear_solve", "mode"), [("dense", "eager"), ("dense", "graph"), ("cg", "graph")]
)
def test_second_derivatives_are_those_of_unrolled(unrolled, linear_solve, mode):
    found = _run(_second(wt.Implicit(linear_solve)), mode, _THETA, 1.3)
    for got, want in zip(found, unrolled, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-8)


def test_second_derivatives_are_those_of_differences():
    found = _run(_second(wt.Implicit()), "graph", _THETA, 1.3)
    for got, want in zip(found, _differences(wt.Implicit()), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-8)


def test_held_unknowns_do_not_move_at_second_order():
    bounds = (-0.5, 0.6)
    found = _run(_second(wt.Implicit(), bounds), "graph", _THETA, 1.3)
    expected = _differences(wt.Implicit(), bounds)
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-7)


def _of_logarithm(derivative, jit=False):
    """x*(θ) = log θ, and the derivative of the derivative of Σ x."""

    @tf.function(jit_compile=jit)
    def second(theta):
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                x = wt.argmin(
                    lambda x, t: tf.exp(x) - t * x,
                    tf.zeros_like(theta),
                    (theta,),
                    batch_dims=1,
                    solver=_PRECISE,
                    derivative=derivative,
                ).value
            gradient = inner.gradient(x, theta)
        return outer.gradient(gradient, theta)

    return second


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_the_damping_acts_on_each_derivative_of_x(damping, jit):
    theta = np.array([0.5, 2.0])
    found = _of_logarithm(wt.TrustRegion(damping), jit)(tf.constant(theta))
    # d/dx of 1 / (eˣ + λ), by dx/dθ, which is that again.
    np.testing.assert_allclose(found, -theta / (theta + damping) ** 3, rtol=1e-8)


@pytest.mark.parametrize(
    "mode", ["eager", pytest.param("graph", marks=pytest.mark.large)]
)
def test_a_minimiser_within_a_minimiser(mode):
    # x = log y, and y minimises (log y − θ)² / 2: y = e^θ, dy/dθ = e^θ.
    def outer(theta):
        def energy(y, theta):
            x = wt.argmin(
                lambda x, y: tf.exp(x) - y * x,
                tf.zeros_like(y),
                (y,),
                batch_dims=1,
                solver=_PRECISE,
            ).value
            return 0.5 * (x - theta) ** 2

        with tf.GradientTape() as tape:
            tape.watch(theta)
            y = wt.argmin(energy, tf.ones_like(theta), (theta,), batch_dims=1).value
        return y, tape.gradient(y, theta)

    theta = np.array([0.3, 0.7])
    y, slope = _run(outer, mode, theta)
    np.testing.assert_allclose(y, np.exp(theta), rtol=1e-7)
    np.testing.assert_allclose(slope, np.exp(theta), rtol=1e-6)


def _second_of_a_root(derivative):
    def second(theta):
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                x = wt.root(
                    lambda x, t: tf.stack(
                        [x[0] + x[1] ** 3 - t[0], tf.exp(x[1]) - t[1] * x[0]]
                    ),
                    tf.ones(2, tf.float64),
                    (theta,),
                    derivative=derivative,
                ).value
                loss = x[0] * x[1] ** 2
            slope = tf.reduce_sum(inner.gradient(loss, theta) * [1.0, -2.0])
        return outer.gradient(slope, theta)

    return second


def test_second_derivatives_of_roots():
    theta = [2.0, 1.5]
    expected = _run(_second_of_a_root(wt.Unrolled()), "graph", theta)
    dense = _run(_second_of_a_root(wt.Implicit("dense")), "eager", theta)
    np.testing.assert_allclose(dense, expected, rtol=1e-7)
    iterative = _run(_second_of_a_root(wt.Implicit(wt.GMRES())), "graph", theta)
    np.testing.assert_allclose(iterative, expected, rtol=1e-7)


def test_third_derivatives_are_refused():
    theta = tf.constant([0.5], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        second = _second_eagerly(theta)
    with pytest.raises(tf.errors.UnimplementedError, match="third ones"):
        tape.gradient(second, theta)


def _second_eagerly(theta):
    with tf.GradientTape() as outer:
        outer.watch(theta)
        with tf.GradientTape() as inner:
            inner.watch(theta)
            x = wt.argmin(
                lambda x, t: tf.reduce_sum(tf.exp(x) - t * x),
                tf.zeros_like(theta),
                (theta,),
                solver=_PRECISE,
            ).value
        gradient = inner.gradient(x, theta)
    return outer.gradient(gradient, theta)


def test_tapes_outside_of_a_function_are_told_to_move_inside():
    theta = tf.constant([0.5], tf.float64)
    minimise = tf.function(
        lambda theta: (
            wt.argmin(
                lambda x, t: tf.reduce_sum(tf.exp(x) - t * x),
                tf.zeros_like(theta),
                (theta,),
            ).value
        )
    )
    with tf.GradientTape() as outer:
        outer.watch(theta)
        with tf.GradientTape() as inner:
            inner.watch(theta)
            x = minimise(theta)
        with pytest.raises(tf.errors.UnimplementedError, match="both tapes into"):
            inner.gradient(x, theta)


@modes
def test_captures_move_the_first_derivative(mode):
    # x = log(θ / w), so of x² the derivative is 2 log(θ / w) / θ; of the minimum,
    # which is θ − θ log(θ / w), it is −log(θ / w).
    weight = tf.Variable(2.0, dtype=tf.float64)

    def second(theta):
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                solution = wt.argmin(
                    lambda x, t: weight * tf.exp(x) - t * x,
                    tf.zeros_like(theta),
                    (theta,),
                    solver=_PRECISE,
                )
                loss = solution.value**2 + solution.stats.energy
            slope = inner.gradient(loss, theta)
        return outer.gradient(slope, [theta, weight])

    by_theta, by_weight = _run(second, mode, 1.5)
    expected = (2 - 2 * np.log(0.75)) / 1.5**2 - 1 / 1.5
    np.testing.assert_allclose(by_theta, expected, rtol=1e-9)
    np.testing.assert_allclose(by_weight, -2 / (2 * 1.5) + 1 / 2, rtol=1e-9)


@modes
def test_residuals_that_are_0_at_the_minimiser(mode):
    # Where TensorFlow's third derivative of x ** 2 is NaN.
    def second(theta):
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                x = wt.argmin(
                    lambda x, t: (x - t) ** 2, tf.zeros_like(theta), (theta,)
                ).value
                loss = x**3
            slope = inner.gradient(loss, theta)
        return outer.gradient(slope, theta)

    np.testing.assert_allclose(_run(second, mode, 1.5), 9, rtol=1e-12)


@pytest.mark.parametrize("unit", [1e-15, 1e-9, 1.0, 1e9])
@pytest.mark.parametrize("derivative", [wt.Implicit(), wt.Unrolled()], ids=str)
def test_units_of_x_say_nothing(derivative, unit):
    theta = tf.constant(3.0, tf.float64)
    with tf.GradientTape() as outer:
        outer.watch(theta)
        with tf.GradientTape() as inner:
            inner.watch(theta)
            x = wt.argmin(  # At unit · log θ.
                lambda x, t: tf.exp(x / unit) - t * x / unit,
                tf.constant(0.5 * unit, tf.float64),
                theta,
                derivative=derivative,
            ).value
        first = inner.gradient(x, theta)
    second = outer.gradient(first, theta)
    np.testing.assert_allclose(first / unit, 1 / 3, rtol=1e-9)
    np.testing.assert_allclose(second / unit, -1 / 9, rtol=1e-8)


@pytest.mark.parametrize("derivative", [wt.Implicit(), wt.Unrolled()], ids=str)
def test_a_difference_of_equal_unknowns_is_no_trap(derivative):
    # The third derivative of `x ** 2` at 0 is NaN.
    theta = tf.constant(3.0, tf.float64)
    with tf.GradientTape() as outer:
        outer.watch(theta)
        with tf.GradientTape() as inner:
            inner.watch(theta)
            x = wt.argmin(  # Both at log θ.
                lambda x, t: (x[0] - x[1]) ** 2 + tf.reduce_sum(tf.exp(x) - t * x),
                tf.zeros([2], tf.float64),
                theta,
                derivative=derivative,
            ).value[0]
        first = inner.gradient(x, theta)
    second = outer.gradient(first, theta)
    np.testing.assert_allclose([first, second], [1 / 3, -1 / 9], rtol=1e-6)
