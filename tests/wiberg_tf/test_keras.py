"""The Keras layer: dtypes, training, saving."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt


@keras.saving.register_keras_serializable("tests")
def _ridge(x, inputs, log_ridge):
    """½ |x − t|² + ½ r |x|², whose minimum is t / (1 + r)."""
    ridge = tf.exp(log_ridge)
    return 0.5 * tf.reduce_sum((x - inputs) ** 2 + ridge * x**2, -1)


def _layer(**options):
    return wt.keras.ArgMin(
        _ridge, (2,), weights={"log_ridge": 0.0}, derivative=wt.Implicit(), **options
    )


def test_the_minimum_and_its_gradients():
    layer = _layer()
    inputs = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        out = layer(inputs)
    assert out.dtype == tf.float32
    np.testing.assert_allclose(out, inputs / 2, rtol=1e-6)
    [weight] = layer.trainable_variables
    by_input, by_weight = tape.gradient(out, [inputs, weight.value])
    np.testing.assert_allclose(by_input, np.full([2, 2], 0.5), rtol=1e-6)
    # d/dlog r of t / (1 + r) is −t r / (1 + r)².
    np.testing.assert_allclose(by_weight, -10 / 4, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_float16"])
def test_it_minimises_in_double_precision_inside_any_model(dtype):
    layer = _layer(dtype=dtype)
    solution = layer.solve(tf.constant([[1.0, 2.0]]))
    assert solution.value.dtype == tf.float64
    np.testing.assert_allclose(solution.value, [[0.5, 1]], rtol=1e-12)
    assert np.all(solution.status == wt.Status.CONVERGED)
    assert layer(tf.constant([[1.0, 2.0]])).dtype == layer.compute_dtype


def test_models_are_saved_and_loaded(tmp_path):
    inputs = keras.Input([2])
    model = keras.Model(inputs, _layer(name="minimum")(keras.layers.Dense(2)(inputs)))
    assert model.output_shape == (None, 2)
    model.get_layer("minimum").energy_weights["log_ridge"].assign(0.7)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    data = np.ones([3, 2], "float32")
    np.testing.assert_array_equal(
        loaded.predict(data, verbose=0), model.predict(data, verbose=0)
    )
    restored = loaded.get_layer("minimum")
    assert restored.solver == wt.Newton()
    assert restored.derivative == wt.Implicit()


@pytest.mark.parametrize(
    "derivative",
    [
        wt.TrustRegion(0.1, wt.CG(tolerance=1e-6, max_iterations=50)),
        wt.TrustRegion(wt.Adaptive(condition=50.0), wt.Dense()),
        wt.Implicit(wt.MINRES(), "solve"),
        wt.Unrolled(checkpoint=True),
    ],
    ids=str,
)
def test_the_librarys_own_options_are_saved(derivative):
    layer = wt.keras.ArgMin(_ridge, (2,), derivative=derivative)
    config = json.loads(json.dumps(layer.get_config()))
    assert wt.keras.ArgMin.from_config(config).derivative == derivative


@keras.saving.register_keras_serializable("tests")
def _between(x, inputs, weight):
    """Σ (x − a)² + w (x − b)², whose minimum is (a + w b) / (1 + w)."""
    distances = (x - inputs["a"]) ** 2 + weight * (x - inputs["b"]) ** 2
    return tf.reduce_sum(distances, -1)


def test_dict_inputs_in_a_functional_model_with_arrays_are_saved(tmp_path):
    inputs = {name: keras.Input([3], name=name) for name in ("a", "b")}
    layer = wt.keras.ArgMin(
        _between,
        (3,),
        weights={"weight": np.array([1.0, 3.0, 0.0])},
        initial=np.ones(3),
        bounds=(-np.inf, np.array([9.0, 9.0, 0.5])),
        derivative=wt.Implicit(),
    )
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    data = {"a": tf.ones([2, 3]), "b": tf.zeros([2, 3])}
    for each in (model, loaded):
        with tf.GradientTape() as tape:
            tape.watch(data)
            out = each(data)
        np.testing.assert_allclose(out, [[0.5, 0.25, 0.5]] * 2, rtol=1e-6)
        gradient = tape.gradient(out, data["a"])
        # The third is held at its bound.
        np.testing.assert_allclose(gradient, [[0.5, 0.25, 0]] * 2, rtol=1e-6)


def test_a_constraint_is_saved(tmp_path):
    layer = wt.keras.ArgMin(
        _between,
        (3,),
        weights={"weight": 1.0},
        equality=(np.ones([1, 3]), [1]),
        derivative=wt.Implicit(),
    )
    inputs = {name: keras.Input([3], name=name) for name in ("a", "b")}
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    data = {"a": tf.ones([2, 3]), "b": tf.zeros([2, 3])}
    for each in (model, keras.saving.load_model(tmp_path / "model.keras")):
        with tf.GradientTape() as tape:
            tape.watch(data)
            out = each(data)
            first = out[:, 0]
        np.testing.assert_allclose(out, tf.fill([2, 3], 1 / 3), rtol=1e-6)
        gradient = tape.gradient(first, data["a"])
        np.testing.assert_allclose(gradient, [[1 / 3, -1 / 6, -1 / 6]] * 2, rtol=1e-6)
    with pytest.raises(ValueError, match=r"`equality` must be a tuple \(A, b\); rec"):
        wt.keras.ArgMin(_between, (3,), equality=1.0)


def test_inputs_of_different_batch_sizes_are_refused():
    layer = wt.keras.ArgMin(_between, (3,), weights={"weight": 1.0})
    with pytest.raises(ValueError, match="`inputs` must be of one batch size; rec"):
        layer.solve({"a": tf.ones([2, 3]), "b": tf.ones([1, 3])})
    with pytest.raises(ValueError, match="`inputs` must have a batch axis; received"):
        layer.solve({"a": tf.ones([2, 3]), "b": tf.ones([])})
    unknown = tf.TensorSpec([None, 3])
    solve = tf.function(lambda a, b: layer.solve({"a": a, "b": b}).value)
    concrete = solve.get_concrete_function(unknown, unknown)
    assert concrete(tf.ones([2, 3]), tf.ones([2, 3])).shape == (2, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="of one batch size"):
        concrete(tf.ones([2, 3]), tf.ones([1, 3]))
    with pytest.raises(ValueError, match=r"`bounds` must be a tuple \(lower, upper\)"):
        wt.keras.ArgMin(_between, (3,), bounds=0.0)


def test_what_cannot_be_saved_is_named():
    layer = wt.keras.ArgMin(_ridge, (2,), solver=wt.Newton(damping=tf.constant(0.1)))
    with pytest.raises(ValueError, match="`damping` of Newton must be a number"):
        layer.get_config()


def test_the_library_does_not_import_keras_by_itself():
    code = "import sys, wiberg_tf; sys.exit('wiberg_tf.keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weights_that_are_no_dict_are_named():
    with pytest.raises(TypeError, match=r"`weights` must be a dict .* received {'x'}"):
        wt.keras.ArgMin(lambda x, inputs: x, (2,), weights={"x"})
