"""Odd arguments: each has a defined result, or an error that names it."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_TARGET = tf.constant([1.0, 2.0])
_RAGGED = tf.ragged.constant([[1.0], [2.0, 3.0]])


def _squares(x, target, *_):
    return tf.reduce_sum((x - target) ** 2, -1)


def _minimise(**options):
    arguments = {
        "energy": _squares,
        "initial": tf.zeros(2),
        "parameters": (_TARGET,),
        **options,
    }
    with tf.GradientTape() as tape:
        tape.watch(_TARGET)
        value = wt.argmin(**arguments).value
    return value, tape.gradient(value, _TARGET)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bounds": (0.0, {"a": 1.0})}, ValueError, "each of `bounds` .* {'a': '.'}"),
        ({"bounds": ("a", 1.0)}, ValueError, "`bounds` must be float32.* received str"),
        (
            {"bounds": (tf.zeros(2, tf.float64), 1.0)},
            ValueError,
            "`bounds` must be float32, as .* received float64",
        ),
        (
            {"solver": lambda objective, x: (x, x)},
            ValueError,
            r"`solver` must return a nest .* received \('.', '.'\)$",
        ),
        ({"parameters": object()}, TypeError, r"`parameters\[0\]` .* received object$"),
        ({"energy": 3}, TypeError, "`energy` must be callable; received 3"),
        ({"solver": "newton"}, TypeError, "`solver` must be .* received 'newton'"),
        ({"solver": wt.Newton}, TypeError, "`solver` must be .* received <class"),
        ({"derivative": "implicit"}, TypeError, "`derivative` must be .* 'implicit'"),
        ({"derivative": wt.Implicit}, TypeError, "`derivative` must be .* <function"),
        ({"batch_dims": 1.0}, ValueError, "`batch_dims` must be an integer"),
        ({"initial": None}, TypeError, "`initial` must be a dense .* NoneType"),
        ({"initial": _RAGGED}, TypeError, "`initial` must be a dense .* RaggedTensor"),
        ({"initial": tf.zeros([2, 0]), "batch_dims": 1}, ValueError, "one number per"),
        ({"initial": tf.zeros(2, tf.int32)}, ValueError, "all float64; received int32"),
        ({"initial": tf.zeros(2, tf.float16)}, ValueError, "received float16"),
        ({"initial": tf.zeros(2, tf.complex64)}, ValueError, "received complex64"),
        (
            {"initial": {"x": tf.zeros(2), "n": 3}},
            ValueError,
            "all float64; received float32, int32",
        ),
        (
            {"parameters": (_TARGET, _RAGGED)},
            TypeError,
            r"`parameters\[1\]` must be a dense tensor; received RaggedTensor",
        ),
        (
            {"parameters": {"target": _TARGET, "more": _RAGGED}},
            TypeError,
            r"`parameters\['more'\]` must be a dense tensor; received RaggedTensor",
        ),
        (
            {"parameters": (tf.sparse.from_dense([1.0, 0.0]),)},
            TypeError,
            r"`parameters\[0\]` must be a dense tensor; received SparseTensor",
        ),
        ({"energy": lambda x, t: None}, ValueError, "must return a tensor; .* None"),
        ({"energy": lambda x, t: 3.0}, ValueError, "does not depend on x"),
        ({"energy": lambda x, t: (x - t) ** 2}, ValueError, r"shape \(\); .*\(2,\)"),
        (
            {"energy": lambda x, t: tf.reduce_sum(tf.round(x - t))},
            ValueError,
            "does not depend on x",
        ),
        (
            {"energy": lambda x, t: _squares(x, tf.stop_gradient(t))},
            ValueError,
            r"does not use `parameters\[0\]`",
        ),
        (
            {"derivative": wt.TrustRegion(tf.ones(2))},
            ValueError,
            r"`damping` must broadcast to the batch \(\); received shape \(2,\)",
        ),
        ({"solver": wt.GridSeeds([[0.0]])}, TypeError, r"wt.GridSeeds\(points\)\("),
        (
            {"solver": wt.Newton(linear_solve="cg")},
            TypeError,
            "`linear_solve` must be a function .* received 'cg'",
        ),
        ({"bounds": (0.0, None)}, ValueError, r"tuple \(lower, upper\), infinite"),
        # SciPy's bounds are pairs, which two unknowns would not tell apart.
        ({"bounds": [(0.0, 1.0), (0.0, 1.0)]}, ValueError, r"tuple \(lower, upper\)"),
    ],
)
def test_mistakes_are_named(options, error, message):
    with pytest.raises(error, match=message):
        _minimise(**options)


@pytest.mark.parametrize("damping", [None, float("inf"), wt.Adaptive])
def test_damping_that_is_no_finite_number_is_refused(damping):
    with pytest.raises(ValueError, match="`damping` must be"):
        wt.TrustRegion(damping)


def test_solvers_and_losses_are_checked_when_they_are_combined():
    with pytest.raises(TypeError, match="`solver` must be a solver, such as"):
        wt.GridSeeds([[0.0]])(wt.Newton)
    with pytest.raises(TypeError, match=r"one of wt\.losses.* received 'huber'"):
        wt.ResidualEnergy(lambda x: x, loss="huber")


@pytest.mark.parametrize("damping", [tf.constant(2), np.float64(2), np.array(2.0)])
def test_damping_of_any_number_type(damping):
    _, gradient = _minimise(derivative=wt.TrustRegion(damping))
    np.testing.assert_allclose(gradient, [0.5, 0.5], rtol=1e-6)


@pytest.mark.parametrize("extra", ["a word", True, 7, np.int64(3)])
def test_parameters_that_are_no_floats_are_left_alone(extra):
    value, gradient = _minimise(parameters=(_TARGET, extra))
    np.testing.assert_allclose(value, _TARGET, rtol=1e-6)
    np.testing.assert_allclose(gradient, [1, 1], rtol=1e-6)


@pytest.mark.parametrize(
    "solver",
    [
        wt.Newton(),
        wt.LBFGS(),
        wt.GradientDescent(),
        wt.GaussNewton(),
        wt.LevenbergMarquardt(),
        wt.IRLS(),
    ],
    ids=lambda solver: type(solver).__name__,
)
@pytest.mark.parametrize("linear_solve", ["dense", "cg", "minres"])
def test_an_empty_batch(solver, linear_solve):
    theta = tf.zeros([0, 2])
    with tf.GradientTape() as tape:
        tape.watch(theta)
        solution = wt.argmin(
            wt.ResidualEnergy(lambda x, t: x - t),
            theta,
            (theta,),
            solver=solver,
            derivative=wt.TrustRegion("adaptive", linear_solve),
            batch_dims=1,
        )
    assert solution.status.shape == (0,)
    assert tape.gradient(solution.value, theta).shape == (0, 2)


@pytest.mark.parametrize("linear_solve", ["dense", "cg", "minres"])
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_energies_of_any_scale(scale, linear_solve):
    # Tolerances are absolute, in units of the gradient: they need the scale, too.
    target = tf.constant([1.0, 2.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(target)
        solution = wt.argmin(
            lambda x, t: scale * tf.reduce_sum(tf.cosh(x - t**2)),
            tf.zeros(2, tf.float64),
            (target,),
            solver=wt.Newton(tolerance=1e-10 * scale),
            derivative=wt.Implicit(linear_solve),
        )
    assert solution.status == wt.Status.CONVERGED
    np.testing.assert_allclose(solution.value, [1, 4], rtol=1e-9)
    gradient = tape.gradient(solution.value, target)
    np.testing.assert_allclose(gradient, [2, 4], rtol=1e-8)


def test_bounds_of_a_nest_name_their_entry():
    start = {"a": tf.zeros(2), "b": tf.zeros([])}

    def minimise(lower):
        return wt.argmin(
            lambda x: tf.reduce_sum((x["a"] - 1) ** 2) + (x["b"] - 1) ** 2,
            start,
            bounds=(lower, 0.5),
        ).value

    with pytest.raises(ValueError, match=r"each of `bounds` .* received {'a': '.'}$"):
        minimise({"a": 0.0})
    with pytest.raises(ValueError, match=r"`bounds\['b'\]` .* received NoneType"):
        minimise({"a": 0.0, "b": None})
    np.testing.assert_allclose(minimise({"a": 0.0, "b": -1.0})["a"], [0.5, 0.5])


def test_none_in_a_list_that_a_layer_keeps():
    module = tf.Module()
    module.kept = [None, 3 * tf.ones(2)]
    tracked = tf.train.Checkpoint(kept=[None, 3 * tf.ones(2)]).kept
    for kept in (module.kept, tracked):
        found = wt.argmin(
            lambda x, pair: tf.reduce_sum((x - pair[1]) ** 2), tf.zeros(2), (kept,)
        )
        np.testing.assert_allclose(found.value, [3, 3], rtol=1e-6)


def test_classes_of_attrs_are_nests():
    attrs = pytest.importorskip("attr")
    point = attrs.make_class("Point", ["a", "b"])

    def gradient(theta, b):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = wt.argmin(
                lambda x, p: (x.a - p.a) ** 2 + (x.b - p.b * x.a) ** 2,
                point(0 * theta, 0 * theta),
                (point(theta, b),),
            ).value
        return tape.gradient(x.b, theta)

    # x.a is θ and x.b is b θ.
    theta = tf.constant(0.7, tf.float64)
    np.testing.assert_allclose(gradient(theta, 3 * tf.ones_like(theta)), 3)
    with pytest.raises(TypeError, match=r"`parameters\[0\].b` .* received NoneType"):
        gradient(theta, None)
