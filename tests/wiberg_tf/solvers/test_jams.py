"""Searches that shorten their steps without end say so, and are not converged."""

import pytest
import tensorflow as tf

import wiberg_tf as wt

T = tf.constant([[1.3, 1.7]], tf.float64)


def kink(x, t):
    """Its minimiser is t, where a search along one unknown's kink does not go."""
    return tf.reduce_sum(2 * tf.nn.relu(x - t) + 0.5 * (x - 3) ** 2, -1)


def wall(x, t):
    """Ends at x = 1, before its minimum."""
    return tf.reduce_sum(tf.square(x - 2 - t) + 0 * tf.sqrt(1 - x), -1)


def status_of(energy, solver, start=-2.0):
    initial = tf.constant([[start, start + 1]], tf.float64)
    found = wt.argmin(energy, initial, (T,), solver=solver, batch_dims=1)
    return wt.Status(int(found.status[0]))


@pytest.mark.parametrize(
    ("energy", "solver"),
    [
        (kink, wt.GradientDescent()),
        (wall, wt.GradientDescent()),
        (wall, wt.LBFGS()),
        (kink, wt.Compacted(wt.GradientDescent(), least=0)),
    ],
    ids=["kink", "wall", "lbfgs", "compacted"],
)
def test_a_jam_is_not_converged(energy, solver):
    assert status_of(energy, solver) is wt.Status.NO_DESCENT


def test_levenberg_marquardt_with_a_solve_of_ones_own_tells_a_jam():
    def residuals(x, t):
        return x - 2 - t + 0 * tf.sqrt(1 - x)

    solver = wt.LevenbergMarquardt(
        linear_solve=lambda x, parameters, damping, right: (
            right / (2 + damping[..., None])
        )
    )
    found = status_of(wt.ResidualEnergy(residuals), solver)
    assert found is not wt.Status.CONVERGED


def test_a_start_at_the_minimum_is_converged():
    for solver in (wt.GradientDescent(), wt.LBFGS()):

        def energy(x, t):
            return 1e3 + tf.reduce_sum(tf.square(x - t - 1e-12), -1)

        found = wt.argmin(energy, T, (T,), solver=solver, batch_dims=1)
        assert int(found.status[0]) == wt.Status.CONVERGED
