"""Seeds: the candidate of least energy starts the solver."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt


def _wells(x, points, width):
    """A sum of Gaussian wells at the points, as in the paper's toy."""
    return -tf.reduce_sum(tf.exp(-((x[..., None] - points) ** 2) / width**2), -1)


_ONE_STEP = wt.Newton(max_iterations=1, line_search=False, damping=0.1)


@pytest.mark.parametrize(
    ("batch", "mode"),
    [
        *((batch, mode) for batch in ((), (4,)) for mode in ("eager", "graph")),
        *(((2, 3), mode) for mode in ("eager", "graph", "xla")),
        pytest.param((), "xla", marks=pytest.mark.large),
        pytest.param((4,), "xla", marks=pytest.mark.large),
    ],
    ids=str,
)
def test_the_toys_step_is_its_closed_form(batch, mode, rng):
    points = rng.normal(0, 2, size=(*batch, 12))
    energy = -np.exp(-((points[..., :, None] - points[..., None, :]) ** 2) / 1.5**2)
    best = np.argmin(energy.sum(-1), -1)
    start = np.take_along_axis(points, best[..., None], -1)
    gap, wells = start - points, np.exp(-((start - points) ** 2) / 1.5**2)
    slope = np.sum(2 * gap / 1.5**2 * wells, -1)
    curvature = np.sum((2 / 1.5**2 - 4 * gap**2 / 1.5**4) * wells, -1)
    expected = start[..., 0] - slope / (curvature + 0.1)

    def run(points, width):
        return wt.argmin(
            _wells,
            tf.zeros(batch, tf.float64),
            (points, width),
            solver=wt.GridSeeds(points)(_ONE_STEP),
            batch_dims=len(batch),
        )

    if mode != "eager":
        run = tf.function(run, jit_compile=mode == "xla")
    solution = run(tf.constant(points), tf.constant(1.5, tf.float64))
    np.testing.assert_allclose(solution.value, expected, rtol=1e-12)
    np.testing.assert_array_equal(solution.stats.iterations, np.ones(batch))


def test_the_choice_has_no_derivative():
    points = tf.constant([0.0, 2.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(points)
        moved = wt.argmin(
            lambda x: (x - 1) ** 2,
            tf.zeros([], tf.float64),
            solver=wt.GridSeeds(points)(wt.GradientDescent(rate=0.1, max_iterations=1)),
            derivative=wt.Unrolled(),
        ).value
    # Equal energies: the first of them, and a step from it.
    np.testing.assert_allclose(moved, 0.2)
    assert tape.gradient(moved, points) is None


@pytest.mark.parametrize("shared", [True, False])
def test_nests_of_candidates(shared, rng):
    target = {"a": rng.normal(size=(3, 2)), "b": rng.normal(size=(3, 2, 2))}
    shapes = {"a": (2,), "b": (2, 2)}
    lead = (5,) if shared else (3, 5)
    points = {k: rng.normal(size=lead + shape) for k, shape in shapes.items()}

    def energy(x, a, b):
        squared = tf.reduce_sum((x["b"] - b) ** 2, [-2, -1])
        return squared + tf.reduce_sum((x["a"] - a) ** 2, -1)

    value = wt.argmin(
        energy,
        {k: tf.zeros((3, *shape), tf.float64) for k, shape in shapes.items()},
        target,
        solver=wt.GridSeeds(points)(wt.given),
        batch_dims=1,
    ).value
    for i in range(3):
        mine = {k: p if shared else p[i] for k, p in points.items()}
        energies = [
            sum(np.sum((mine[k][s] - target[k][i]) ** 2) for k in shapes)
            for s in range(5)
        ]
        for key in shapes:
            np.testing.assert_array_equal(value[key][i], mine[key][np.argmin(energies)])


def test_candidates_with_lost_energies_are_passed_over():
    value = wt.argmin(
        lambda x: tf.math.log(x),
        1.0,
        solver=wt.GridSeeds([-1.0, 3.0, 2.0])(wt.given),
    ).value
    assert value == 2


def test_candidates_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"`points` must have shape .*received \(5,\)"):
        wt.argmin(
            tf.reduce_sum,
            tf.zeros([3]),
            solver=wt.GridSeeds(tf.zeros([5]))(wt.Newton()),
        )


def test_grid_seeds_reach_the_global_minimum():
    points = np.linspace(-4, 4, 17)
    solution = wt.argmin(
        lambda x: tf.sin(3 * x) + 0.1 * (x - 2) ** 2,
        tf.zeros([], tf.float64),
        solver=wt.GridSeeds(points)(wt.Newton()),
    )
    fine = np.linspace(-4, 4, 800001)
    best = fine[np.argmin(np.sin(3 * fine) + 0.1 * (fine - 2) ** 2)]
    np.testing.assert_allclose(solution.value, best, atol=1e-5)
    assert solution.status == wt.Status.CONVERGED
