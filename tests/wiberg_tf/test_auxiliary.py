"""Functions that return `(value, aux)`."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_TARGET = tf.constant([[1.0, 2.0], [3.0, 5.0]], tf.float64)
_START = tf.zeros([2, 2], tf.float64)
_MODES = [lambda function: function, tf.function]
_BATCH = {"batch_dims": 1}


def _with_aux(x, target):
    # At x = target the energy is least, and aux is target³.
    energy = tf.reduce_sum((x - target) ** 2, -1)
    return energy, {"cube": x**2 * target, "count": tf.constant(7)}


def _residuals_with_aux(x, target):
    return x - target, {"cube": x**2 * target, "count": tf.constant(7)}


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize(
    ("energy", "solver"),
    [
        (_with_aux, wt.Newton()),
        pytest.param(
            _with_aux,
            wt.GridSeeds([[0.0, 0.0], [0.5, 0.25]])(wt.Newton()),
            marks=pytest.mark.large,
        ),
        (wt.ResidualEnergy(_residuals_with_aux), wt.LevenbergMarquardt()),
        pytest.param(
            wt.ResidualEnergy(_residuals_with_aux),
            wt.GaussNewton(),
            marks=pytest.mark.large,
        ),
    ],
)
@pytest.mark.parametrize(
    "derivative",
    [
        wt.Implicit(),
        pytest.param(wt.Unrolled(), marks=pytest.mark.large),
        wt.Unrolled(checkpoint=True),
    ],
)
def test_aux_is_that_of_the_minimiser_and_moves_with_it(
    mode, energy, solver, derivative
):
    @mode
    def run(target):
        with tf.GradientTape() as tape:
            tape.watch(target)
            solution = wt.argmin(
                energy,
                _START,
                target,
                solver=solver,
                derivative=derivative,
                has_aux=True,
                **_BATCH,
            )
            cube = solution.aux["cube"]
        return cube, solution.aux["count"], tape.gradient(cube, target)

    cube, count, gradient = run(_TARGET)
    np.testing.assert_allclose(cube, _TARGET**3, rtol=1e-7)
    assert count == 7
    # Two thirds of it through the minimiser, one through the parameter.
    np.testing.assert_allclose(gradient, 3 * _TARGET**2, rtol=1e-6)


def test_without_aux_there_is_none():
    energy = lambda x, target: _with_aux(x, target)[0]  # noqa: E731
    solution = wt.argmin(energy, _START, _TARGET, **_BATCH)
    assert solution.aux is None
    again = wt.argmin(_with_aux, _START, _TARGET, has_aux=True, **_BATCH)
    np.testing.assert_array_equal(again.value, solution.value)
    np.testing.assert_array_equal(again.stats.energy, solution.stats.energy)


def test_aux_beside_bounds_and_a_solver_of_ones_own():
    solution = wt.argmin(
        _with_aux,
        _START,
        _TARGET,
        solver=lambda objective, initial: initial + tf.minimum(_TARGET, 2.0),
        bounds=(0.0, 2.0),
        has_aux=True,
        smallest_eigenvalue=True,
        **_BATCH,
    )
    np.testing.assert_allclose(solution.aux["cube"], solution.value**2 * _TARGET)
    np.testing.assert_allclose(solution.stats.smallest_eigenvalue, [2, 2])


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("derivative", [wt.Implicit(), wt.Unrolled()])
def test_aux_of_equations(mode, derivative):
    @mode
    def run(target):
        with tf.GradientTape() as tape:
            tape.watch(target)
            found = wt.root(
                lambda x, target: (x**3 - target, x * target),
                tf.ones_like(target),
                target,
                derivative=derivative,
                has_aux=True,
                **_BATCH,
            )
            aux = found.aux
        return aux, tape.gradient(aux, target)

    aux, gradient = run(_TARGET)
    np.testing.assert_allclose(aux, _TARGET ** (4 / 3), rtol=1e-7)
    np.testing.assert_allclose(gradient, 4 / 3 * _TARGET ** (1 / 3), rtol=1e-6)


def test_aux_of_a_fixed_point():
    found = wt.fixed_point(
        lambda x, target: (0.5 * x + target, [x, target]), _START, _TARGET, has_aux=True
    )
    np.testing.assert_allclose(found.aux[0], 2 * _TARGET, rtol=1e-7)


@pytest.mark.parametrize(
    ("energy", "received"),
    [
        (lambda x, t: (tf.reduce_sum(x**2, -1), x), "a tuple; for"),
        (lambda x, t: [tf.reduce_sum(x[0] ** 2)] * 2, "a list; for"),
        (lambda x, t: {"energy": tf.reduce_sum(x**2, -1)}, "a dict; for"),
    ],
)
def test_nests_are_no_energies(energy, received):
    """A batch of 2 would stack them to one energy per problem."""
    with pytest.raises(
        ValueError, match=f"`energy` must return a tensor; .* {received}"
    ):
        wt.argmin(energy, _START, _TARGET, **_BATCH)


@pytest.mark.parametrize("solver", [wt.Newton(), wt.LevenbergMarquardt()])
def test_nests_are_no_residuals(solver):
    energy = wt.ResidualEnergy(_residuals_with_aux)
    with pytest.raises(ValueError, match=r"`residuals` must return .*has_aux=True"):
        wt.argmin(energy, _START, _TARGET, solver=solver, **_BATCH)


def test_a_pair_is_no_value_of_equations():
    with pytest.raises(ValueError, match=r"nest like x; .*has_aux=True"):
        wt.root(lambda x, t: (x - t, x), _START, _TARGET)


@pytest.mark.parametrize(
    ("energy", "message"),
    [
        (lambda x, t: tf.reduce_sum(x**2, -1), r"\(energy, aux\) .* EagerTensor"),
        (lambda x, t: (tf.reduce_sum(x**2, -1), x, x), "a tuple of 3"),
        (wt.ResidualEnergy(lambda x, t: x - t), r"\(residuals, aux\) .* EagerTensor"),
    ],
)
def test_has_aux_needs_a_pair(energy, message):
    with pytest.raises(ValueError, match=message):
        wt.argmin(energy, _START, _TARGET, has_aux=True, **_BATCH)


def test_an_aux_that_is_no_tensor_is_named():
    with pytest.raises(TypeError, match=r"`aux\['a'\]` must be .* NoneType"):
        wt.argmin(
            lambda x, t: (tf.reduce_sum((x - t) ** 2, -1), {"a": None}),
            _START,
            _TARGET,
            has_aux=True,
            **_BATCH,
        )
