"""What one evaluation of the residuals gives, and when their Jacobian is kept."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt
from wiberg_tf import losses
from wiberg_tf._box import Box
from wiberg_tf._nest import Packing
from wiberg_tf._operations import count_operations, depends
from wiberg_tf._problem import Problem


def _vectors(x, points, _):
    """Residuals `[*batch, 3, 2]` that bend with x."""
    return tf.sin(x[..., None, :2]) * points + x[..., None, 2:] ** 2


def _components(x, points, _):
    return tf.reshape(_vectors(x, points, _), [-1, 6])


def _linear(x, points, design):
    return tf.linalg.matvec(design, x) - points[..., 0]


_RESIDUALS = {
    "vectors": (_vectors, True),
    "components": (_components, False),
    "linear": (_linear, False),
}


def _problem(case, loss, rng, box=None):
    residuals, vectors = _RESIDUALS[case]
    x = tf.constant(rng.normal(size=[4, 3]))
    theta = (
        tf.constant(rng.normal(size=[4, 3, 2])),
        tf.constant(rng.normal(size=[3, 3])),
    )
    energy = wt.ResidualEnergy(residuals, loss, vectors)
    return Problem(energy, Packing(x, 1), theta, box), x


@pytest.mark.parametrize("case", _RESIDUALS)
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("graph", [False, True])
def test_one_evaluation_gives_what_three_do(case, exact, graph, rng):
    problem, x = _problem(case, losses.Cauchy(0.8), rng)

    def expand(x):
        return problem.energy.expand(problem, x, exact)

    energy, gradient, curvature = (tf.function(expand) if graph else expand)(x)
    right = problem.value_and_gradient(x)
    np.testing.assert_allclose(energy, right[0], rtol=1e-13)
    np.testing.assert_allclose(gradient, right[1], rtol=1e-11, atol=1e-13)
    right = problem.energy.gauss_newton(problem, x, exact)
    np.testing.assert_allclose(curvature, right, rtol=1e-13, atol=1e-13)


def test_a_bound_holds_its_unknown(rng):
    problem, x = _problem("linear", losses.Squared(), rng)
    _, gradient = problem.value_and_gradient(x)
    box = Box(x, x + 1)
    bounded = Problem(problem.energy, problem.packing, problem.parameters, box)
    found = problem.energy.expand(bounded, x, True)[1]
    np.testing.assert_allclose(found, np.minimum(gradient, 0), rtol=1e-11)
    assert np.any(found == 0) and np.any(found != 0)


@pytest.mark.parametrize(
    ("function", "moves"),
    [
        (lambda x: 3 * tf.ones_like(x), False),
        (lambda x: tf.zeros(tf.shape(x)) + 2, False),
        (lambda x: tf.cast(tf.shape(x)[0], tf.float32), False),
        (lambda x: tf.stop_gradient(x) + 1, True),
        (lambda x: tf.while_loop(lambda y: y < 9, lambda y: y + 1, [x[0]])[0], True),
        (lambda x: tf.random.normal([2]), True),
        (lambda x: tf.cond(x[0] > 0, lambda: 1.0, lambda: 2.0), True),
        (lambda x: tf.numpy_function(lambda: np.float32(1), [], tf.float32), True),
        (lambda x: tf.function(lambda y: y * 2)(x), True),
        # How many there are depends on their values.
        (lambda x: tf.cast(tf.size(x[x > 0]), tf.float32), True),
        (lambda x: tf.zeros(tf.shape(tf.unique(x)[0])), True),
    ],
)
def test_what_depends_on_the_source_is_known(function, moves):
    @tf.function(autograph=False)
    def run(x):
        before = count_operations()
        x = tf.identity(x)
        run.found = depends(before, function(x), x)

    run(tf.ones([2]))
    assert run.found is moves


@pytest.mark.parametrize(
    "solver", [wt.GaussNewton(), wt.IRLS(), wt.LevenbergMarquardt()], ids=str
)
@pytest.mark.parametrize(
    "residuals",
    [
        pytest.param(lambda x, a: tf.linalg.matvec(a, x) - 1, marks=pytest.mark.large),
        lambda x, a: tf.linalg.matvec(a, x) + 0.1 * x[..., :1] ** 2 - 1,
        # Only the value of x, not its derivative, moves the Jacobian.
        lambda x, a: tf.linalg.matvec(a, x) * (1 + 0.1 * tf.stop_gradient(x[..., :1])),
    ],
    ids=["linear", "bent", "stopped"],
)
def test_graphs_take_the_steps_of_eager_solves(solver, residuals, rng):
    design = tf.constant(rng.normal(size=[2, 6, 3]) + 2 * np.eye(6, 3))

    def run(design):
        energy = wt.ResidualEnergy(residuals, losses.PseudoHuber(0.5))
        start = 0.1 * tf.ones([2, 3], tf.float64)
        return wt.argmin(energy, start, (design,), solver=solver, batch_dims=1)

    eager, graph = run(design), tf.function(run)(design)
    np.testing.assert_array_equal(graph.stats.iterations, eager.stats.iterations)
    np.testing.assert_allclose(graph.value, eager.value, atol=1e-10)


def test_the_start_may_be_a_parameter(rng):
    """Whose products with x are no constant Jacobian of x."""
    start = tf.constant(1 + rng.uniform(size=[2, 3]))

    @tf.function
    def run(start):
        energy = wt.ResidualEnergy(lambda x, a: a * x - 2)
        return wt.argmin(
            energy, start, (start,), solver=wt.GaussNewton(), batch_dims=1
        ).value

    np.testing.assert_allclose(run(start), 2 / start, rtol=1e-9)


class _Ridge(wt.ResidualEnergy):
    """With a term beside the residuals."""

    def __call__(self, x, *parameters):
        return super().__call__(x, *parameters) + 0.5 * tf.reduce_sum(x**2, -1)


class _Twice(wt.GaussNewton):
    """With half the steps."""

    def curvature(self, problem, x):
        return 2 * super().curvature(problem, x)


def test_energies_and_curvatures_of_ones_own_are_heeded(rng):
    target = tf.constant(rng.normal(size=[2, 3]))
    options = {"initial": tf.zeros([2, 3], tf.float64), "batch_dims": 1}
    options["parameters"] = (target,)
    energy = _Ridge(lambda x, target: x - target)
    solution = wt.argmin(energy, solver=wt.GaussNewton(), **options)
    np.testing.assert_allclose(solution.value, target / 2, atol=1e-7)
    energy = wt.ResidualEnergy(lambda x, target: x - target)
    once = wt.argmin(energy, solver=_Twice(max_iterations=1), **options)
    np.testing.assert_allclose(once.value, target / 2, rtol=1e-14)
