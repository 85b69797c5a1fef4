"""`argmin` as its users meet it: nests, variables, modes, Keras, mistakes."""

import gc
import weakref
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt


def _bowl(x, t):
    return 0.5 * tf.reduce_sum((x - t) ** 2, -1)


class _Shape(NamedTuple):
    centre: tf.Tensor
    width: tf.Tensor


def _fit(x, centre, width):
    return tf.reduce_sum((x.centre - centre) ** 2) + (x.width - 2 * width) ** 2


@pytest.mark.parametrize("derivative", [wt.Implicit(), wt.Unrolled()], ids=str)
@pytest.mark.parametrize("container", [tuple, list, dict], ids=lambda c: c.__name__)
def test_nests_of_unknowns_and_parameters(container, derivative):
    entries = {"centre": tf.constant([1.0, 2.0]), "width": tf.constant(3.0)}
    parameters = entries if container is dict else container(entries.values())
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        solution = wt.argmin(
            _fit,
            _Shape(tf.zeros(2), tf.zeros([])),
            parameters,
            derivative=derivative,
        )
        loss = solution.value.centre[1] + 5 * solution.value.width
    assert isinstance(solution.value, _Shape)
    np.testing.assert_allclose(solution.value.centre, [1, 2], rtol=1e-6)
    np.testing.assert_allclose(solution.value.width, 6, rtol=1e-6)
    gradient = tape.gradient(loss, parameters)
    tf.nest.assert_same_structure(gradient, parameters)
    centre, width = tf.nest.flatten(gradient)
    np.testing.assert_allclose(centre, [0, 1], atol=1e-6)
    np.testing.assert_allclose(width, 10, rtol=1e-6)


def test_a_namedtuple_of_parameters_is_positional_and_may_nest():
    class Data(NamedTuple):
        points: dict
        weight: tf.Tensor

    parameters = Data({"left": tf.constant(1.0), "right": tf.constant(4.0)}, 3.0)
    with tf.GradientTape() as tape:
        tape.watch(parameters.points)
        x = wt.argmin(
            lambda x, points, weight: (
                weight * (x - points["left"]) ** 2 + (x - points["right"]) ** 2
            ),
            tf.zeros([]),
            parameters,
        ).value
    np.testing.assert_allclose(x, 7 / 4)
    gradient = tape.gradient(x, parameters.points)
    np.testing.assert_allclose([gradient["left"], gradient["right"]], [0.75, 0.25])


@pytest.mark.parametrize("derivative", [wt.TrustRegion(0.0), wt.Unrolled()], ids=str)
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_variables_are_parameters_and_integers_are_left_alone(mode, derivative):
    ours, theirs = tf.Variable([1.0, 2.0]), keras.Variable([10.0, 20.0])

    def gradients(index):
        with tf.GradientTape() as tape:
            x = wt.argmin(
                lambda x, t, s, index: _bowl(x, tf.gather(t, index) * s),
                tf.zeros(2),
                (ours, theirs, index),
                derivative=derivative,
            ).value
            loss = tf.reduce_sum(x)
        return x, tape.gradient(loss, [ours, theirs.value])

    run = tf.function(gradients) if mode == "graph" else gradients
    x, found = run(tf.constant([1, 0]))
    np.testing.assert_allclose(x, [20, 20], rtol=1e-6)
    dense = [tf.convert_to_tensor(gradient) for gradient in found]
    np.testing.assert_allclose(dense, [[20, 10], [2, 1]], rtol=1e-6)


def test_one_tensor_may_be_two_parameters():
    theta = tf.constant([1.0, 2.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, a, b: _bowl(x, a * b), tf.zeros(2, tf.float64), (theta, theta)
        ).value
    np.testing.assert_allclose(tape.gradient(x, theta), [2, 4])


def test_gradients_flow_to_parameters_and_captures_but_not_to_the_start():
    theta = tf.constant([1.0, 2.0], tf.float64)
    start, captured = tf.zeros(2, tf.float64), tf.Variable([3.0, 4.0], dtype=tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([theta, start])
        # The energy also captures the very tensor that it is given.
        solution = wt.argmin(
            lambda x, t: _bowl(x, t + captured + theta), start, (theta,)
        )
    np.testing.assert_allclose(tape.gradient(solution.value, theta), [2, 2])
    assert tape.gradient(solution.value, start) is None
    np.testing.assert_allclose(tape.gradient(solution.value, captured), [1, 1])


@pytest.mark.parametrize("derivative", [wt.Implicit(), wt.Unrolled()], ids=str)
def test_the_gradient_norm_has_no_gradient(derivative):
    # The energy has: see test_envelope.py.
    theta = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(theta)
        stats = wt.argmin(_bowl, tf.zeros(2), (theta,), derivative=derivative).stats
    assert tape.gradient(stats.gradient_norm, theta) is None


def test_the_solve_is_not_recorded():
    theta, seen = tf.constant([1.0, 2.0]), []

    def energy(x, t):
        residual = x - t
        seen.append(weakref.ref(residual))
        return tf.reduce_sum(tf.cosh(residual))

    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(energy, tf.zeros(2), (theta,)).value
        gc.collect()
        assert len(seen) > 5
        # But for those beside and at the minimiser, which its derivatives need.
        assert not any(reference() is not None for reference in seen[:-2])
    assert tape.gradient(x, theta) is not None


def test_a_jacobian_and_a_persistent_tape(rng):
    theta = tf.constant(rng.normal(size=3))
    mixing = rng.normal(size=(3, 3))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, t: _bowl(x, tf.linalg.matvec(mixing, t)), theta * 0, (theta,)
        ).value
    for vectorised in (True, False):
        jacobian = tape.jacobian(x, theta, experimental_use_pfor=vectorised)
        np.testing.assert_allclose(jacobian, mixing, rtol=1e-9)


def test_no_parameters_and_a_bare_parameter():
    alone = wt.argmin(lambda x: tf.reduce_sum((x - 1) ** 2), tf.zeros(2))
    np.testing.assert_allclose(alone.value, [1, 1])
    bare = wt.argmin(_bowl, tf.zeros(2), tf.constant([1.0, 2.0]))
    np.testing.assert_allclose(bare.value, [1, 2])


def test_python_floats_take_the_precision_of_the_unknowns():
    solution = wt.argmin(_bowl, tf.zeros(2, tf.float64), (0.1,))
    np.testing.assert_array_equal(solution.value, [0.1, 0.1])
    assert wt.argmin(_bowl, tf.zeros(2), (0.1,)).value.dtype == tf.float32


@pytest.mark.parametrize(
    "linear_solve", ["dense", pytest.param("cg", marks=pytest.mark.large)]
)
def test_compiled_by_xla(linear_solve):
    theta = tf.constant([[0.5, -1.0], [2.0, 0.0]], tf.float64)

    @tf.function(jit_compile=True)
    def run(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            solution = wt.argmin(
                lambda x, t: tf.reduce_sum(tf.exp(x) - tf.exp(t) * x, -1),
                tf.zeros_like(theta),
                (theta,),
                derivative=wt.TrustRegion(0.5, linear_solve),
                batch_dims=1,
            )
        return solution, tape.gradient(solution.value, theta)

    solution, gradient = run(theta)
    np.testing.assert_allclose(solution.value, theta, atol=1e-9)
    np.testing.assert_array_equal(solution.status, [wt.Status.CONVERGED] * 2)
    # H = exp θ = -∂²E/∂x∂θ.
    np.testing.assert_allclose(gradient, 1 / (1 + 0.5 * np.exp(-theta)), rtol=1e-7)


@pytest.mark.large
def test_unrolled_compiled_by_xla():
    @tf.function(jit_compile=True)
    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = wt.argmin(
                lambda x, t: tf.reduce_sum(tf.cosh(x - t)),
                tf.zeros_like(theta),
                (theta,),
                derivative=wt.Unrolled(),
            ).value
        return tape.gradient(x, theta)

    np.testing.assert_allclose(gradient(tf.constant([0.5, -1.0])), [1, 1], rtol=1e-5)


def test_a_graph_serves_batches_of_any_size():
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float64)])
    def run(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            solution = wt.argmin(_bowl, theta * 0, (theta,), batch_dims=1)
        return solution, tape.gradient(solution.value, theta)

    for size in (1, 4):
        solution, gradient = run(tf.ones([size, 3], tf.float64))
        assert solution.value.shape == (size, 3)
        assert solution.status.shape == solution.stats.energy.shape == (size,)
        np.testing.assert_allclose(gradient, np.ones([size, 3]))


def test_inside_a_dataset():
    data = tf.data.Dataset.from_tensor_slices(tf.constant([1.0, 2.0]))
    solved = data.map(lambda t: wt.argmin(_bowl, tf.zeros(1), (t,)).value[0])
    np.testing.assert_allclose(list(solved.as_numpy_iterator()), [1, 2])


class _RobustMean(keras.layers.Layer):
    """The pseudo-Huber mean of points, of a width that is learnt."""

    def build(self, shape):
        self.log_width = self.add_weight(name="log_width", initializer="zeros")

    def call(self, points):
        return wt.argmin(
            self.energy,
            tf.reduce_mean(points, -1, keepdims=True),
            (points, self.log_width),
            batch_dims=1,
        ).value

    @staticmethod
    def energy(x, points, log_width):
        width = tf.exp(log_width)
        ratio = (points - x) / width
        return tf.reduce_sum(width**2 * (tf.sqrt(1 + ratio**2) - 1), -1)


def _points_with_outliers():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(32, 1))
    points = truth + 0.1 * rng.normal(size=(32, 7))
    points[:, 0] += 5
    return points, truth


def test_a_keras_layer_learns_through_fit():
    points, truth = _points_with_outliers()
    inputs = keras.Input([7], dtype="float64")
    layer = _RobustMean(dtype="float64")
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.Adam(0.3), loss="mse")
    history = model.fit(points, truth, batch_size=8, epochs=6, verbose=0).history
    assert history["loss"][-1] < 0.25 * history["loss"][0]
    assert layer.log_width.numpy() < -1


def test_a_keras_step_is_the_step_of_the_exact_gradient(slope):
    points, truth = _points_with_outliers()
    inputs = keras.Input([7], dtype="float64")
    layer = _RobustMean(dtype="float64")
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(1.0), loss="mse")

    def loss(log_width):
        x = wt.argmin(
            layer.energy,
            tf.zeros([32, 1], tf.float64),
            (tf.constant(points), tf.cast(log_width, tf.float64)),
            solver=wt.Newton(tolerance=1e-12),
            batch_dims=1,
        ).value
        return tf.reduce_mean((x - truth) ** 2)

    expected = -slope(loss, [np.array(0.0)], [np.array(1.0)])
    model.fit(points, truth, batch_size=32, verbose=0)
    np.testing.assert_allclose(layer.log_width.numpy(), expected, rtol=1e-5)


def test_negative_batch_dims_are_refused():
    with pytest.raises(ValueError, match=r"`batch_dims` must be .* received -1"):
        wt.argmin(_bowl, tf.zeros(2), (1.0,), batch_dims=-1)


@pytest.mark.parametrize("derivative", [wt.Implicit(), wt.Unrolled()], ids=str)
def test_energies_that_cannot_be_minimised_are_refused(derivative):
    with pytest.raises(ValueError, match="does not depend on x"):
        wt.argmin(lambda x, t: t**2, tf.zeros(2), (1.0,), derivative=derivative)
    with pytest.raises(ValueError, match="one value per problem"):
        wt.argmin(lambda x, t: x - t, tf.zeros(2), (1.0,), derivative=derivative)


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_flat_minimum_has_no_implicit_derivative(mode):
    # Only the sum of the unknowns matters.
    def gradient(damping, theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            solution = wt.argmin(
                lambda x, t: (tf.reduce_sum(x) - t) ** 2,
                tf.zeros(2, tf.float64),
                (theta,),
                derivative=wt.TrustRegion(damping),
            )
        return solution.status, tape.gradient(solution.value, theta)

    run = tf.function(gradient) if mode == "graph" else gradient
    theta = tf.constant(3.0, tf.float64)
    with pytest.raises(tf.errors.InvalidArgumentError, match="singular or indefinite"):
        run(0.0, theta)
    status, damped = run(0.4, theta)
    assert status == wt.Status.CONVERGED
    # H = 2 11ᵀ with eigenvalue 4 along (1, 1): 2 · 2 / (4 + 0.4).
    np.testing.assert_allclose(damped, 4 / 4.4)


def test_the_smallest_eigenvalue_is_there_when_asked():
    curved = tf.constant([[3.0, 0.5], [2.0, 0.0]], tf.float64)

    def run(**options):
        return wt.argmin(
            lambda x, c: 0.5 * tf.reduce_sum(c * x**2, -1),
            tf.zeros([2, 2], tf.float64),
            (curved,),
            batch_dims=1,
            **options,
        ).stats.smallest_eigenvalue

    assert run() is None
    np.testing.assert_allclose(run(smallest_eigenvalue=True), [0.5, 0], atol=1e-12)
