"""Anderson's mixing: no fixed point is claimed where there is none."""

import numpy as np
import pytest
import tensorflow as tf
from default_cases import large_unless

import wiberg_tf as wt

RUNAWAYS = {
    "shift": lambda x: x + 1,
    "saturated": lambda x: x + x / (1 + tf.abs(x)) + 2,
    "at infinity": lambda x: tf.sqrt(1 + x**2),
    "slower": lambda x: x + tf.exp(-x),
}


@pytest.mark.parametrize(
    ("scale", "graph"),
    large_unless(
        [(1e-12, True), (1e12, True)],
        [(1.0, False), *((s, True) for s in (1e-12, 1.0, 1e12))],
    ),
)
@pytest.mark.parametrize("name", RUNAWAYS)
def test_where_no_fixed_point_is_none_is_found(name, scale, graph):
    """Far away |f(x) − x| is small beside |x|, or lost in round-off."""

    def run():
        start = tf.constant([[0.7], [-3.0]], tf.float64) * scale
        return wt.fixed_point(
            lambda x: scale * RUNAWAYS[name](x / scale), start, batch_dims=1
        ).status

    status = (tf.function(run) if graph else run)()
    assert np.all(status != wt.Status.CONVERGED)


@pytest.mark.parametrize("dtype", [tf.float64, tf.float32], ids=["64", "32"])
@pytest.mark.parametrize("name", ["at infinity", "saturated", "bent"])
@pytest.mark.parametrize(
    ("memory", "mixing"),
    large_unless(
        [(1, 1.0), (5, 0.3)], [(1, 1.0), *((m, 0.3) for m in (1, 2, 5)), (2, 1.0)]
    ),
)
def test_round_off_beside_a_runaway_is_no_slope(name, dtype, memory, mixing):
    """Where f(x) is x but for its last place, moves and changes are alike."""
    function = {"bent": lambda x: x + tf.atan(x) + 2, **RUNAWAYS}[name]
    start = tf.constant([[0.7], [-3.0], [100.0]], dtype)
    solver = wt.Anderson(memory=memory, mixing=mixing)

    @tf.function
    def found():
        return wt.fixed_point(function, start, solver=solver, batch_dims=1).status

    assert np.all(found() != wt.Status.CONVERGED)


@pytest.mark.parametrize("start", [1e9, -1e20])
def test_a_far_start_is_no_measure_of_the_fixed_point(start):
    """One step leads from any start to within 1; the rest is as from there."""
    found = wt.fixed_point(tf.cos, tf.constant([start], tf.float64))
    assert found.status == wt.Status.CONVERGED
    np.testing.assert_allclose(found.value, [0.7390851332151607], rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-20, -1e-20, -1e-13])
def test_equations_too_small_to_move_x_are_not_solved(scale):
    solver = wt.Anderson(memory=0)
    start = tf.constant([0.7], tf.float64)
    found = wt.root(lambda x: scale * (x - 1), start, solver=solver)
    assert found.status != wt.Status.CONVERGED


@pytest.mark.parametrize("start", [0.0, 1e9])
def test_slow_and_far_fixed_points_are_found(start):
    found = wt.fixed_point(
        lambda x: x + 1e-6 * (1e5 - x), tf.constant([start], tf.float64)
    )
    assert found.status == wt.Status.CONVERGED
    np.testing.assert_allclose(found.value, [1e5], rtol=1e-5)


def test_a_fixed_point_at_the_start_is_known():
    exact = wt.fixed_point(lambda x: x**2, tf.constant([1.0], tf.float64))
    assert exact.status == wt.Status.CONVERGED
    assert exact.stats.iterations == 0
    near = wt.fixed_point(tf.cos, tf.constant([0.739085133], tf.float64))
    assert near.status == wt.Status.CONVERGED
    assert near.stats.iterations <= 2
