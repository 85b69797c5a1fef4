"""Reverse mode through the solver's own steps, kept or computed again."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

SOLVERS = {
    "newton": wt.Newton(max_iterations=4),
    "descent": wt.GradientDescent(rate=0.005, max_iterations=30),
    "lbfgs": wt.LBFGS(max_iterations=6),
}


def energy(x, matrix, target, count):
    # Not residual**2: TensorFlow's third derivative of a power is NaN at 0.
    squared = tf.square(tf.linalg.matvec(matrix, x) - target)
    value = squared + 0.1 * tf.square(squared) + tf.square(x)
    return tf.reduce_sum(value, -1) * tf.cast(count, x.dtype)


def gradients(solver, checkpoint, mode):
    random = np.random.default_rng(0)
    matrix = tf.constant(random.normal(size=(3, 4, 4)) + 2 * np.eye(4))
    target = tf.Variable(random.normal(size=(3, 4)))

    def compute():
        with tf.GradientTape() as tape:
            tape.watch(matrix)
            solution = wt.argmin(
                energy,
                tf.zeros([3, 4], tf.float64),
                (matrix, target, 2),
                solver=solver,
                derivative=wt.Unrolled(checkpoint=checkpoint),
                batch_dims=1,
            )
            loss = tf.reduce_sum(tf.sin(solution.value))
        return loss, *tape.gradient(loss, [matrix, target])

    return (tf.function(compute) if mode == "graph" else compute)()


@pytest.mark.parametrize(
    "mode", ["eager", pytest.param("graph", marks=pytest.mark.large)]
)
@pytest.mark.parametrize("solver", SOLVERS)
def test_checkpoints_change_no_gradient(solver, mode):
    """Few iterations, so that the gradient is the solver's and not the minimum's."""
    plain = gradients(SOLVERS[solver], False, mode)
    lean = gradients(SOLVERS[solver], True, mode)
    assert np.abs(plain[1]).max() > 1e-3
    for expected, actual in zip(plain, lean, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-13)


def test_checkpoints_reach_captured_variables():
    shift = tf.Variable([0.5, -1.0], dtype=tf.float64)
    found = []
    for checkpoint in (False, True):
        with tf.GradientTape() as tape:
            value = wt.argmin(
                lambda x, scale: tf.reduce_sum(tf.cosh(scale * x - shift)),
                tf.zeros([2], tf.float64),
                tf.constant(1.5, tf.float64),
                solver=wt.Newton(max_iterations=3),
                derivative=wt.Unrolled(checkpoint=checkpoint),
            ).value
            loss = tf.reduce_sum(value**2)
        found.append(tape.gradient(loss, shift))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10)
    # At the minimum x = shift / 1.5.
    np.testing.assert_allclose(found[0], 2 * shift / 1.5**2, rtol=1e-3)


def test_checkpoints_refuse_captured_variables_in_graphs():
    # TensorFlow has no derivative of a custom gradient's variables in its loops.
    shift = tf.Variable(0.5, dtype=tf.float64, name="shift")
    held = tf.Variable(0.5, dtype=tf.float64, trainable=False)

    @tf.function
    def gradient(theta, learnt):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = wt.argmin(
                lambda x, t: tf.square(x - t * (shift if learnt else held)),
                tf.zeros([], tf.float64),
                theta,
                solver=wt.GradientDescent(rate=0.5, max_iterations=2),
                derivative=wt.Unrolled(checkpoint=True),
            ).value
        return tape.gradient(value, theta)

    theta = tf.constant(2.0, tf.float64)
    for learnt, name in ((True, "`shift:0`"), (False, "a variable")):
        message = f"captures {name}, and in a graph"
        with pytest.raises(tf.errors.UnimplementedError, match=message):
            gradient(theta, learnt)


def test_checkpoints_need_a_solver_with_steps():
    with pytest.raises(ValueError, match="`checkpoint` needs a `Solver`"):
        wt.argmin(
            lambda x, t: (x - t) ** 2,
            tf.constant(0.0),
            tf.constant(1.0),
            solver=wt.given,
            derivative=wt.Unrolled(checkpoint=True),
        )


@pytest.mark.parametrize("checkpoint", [None, 1, "states"])
def test_checkpoint_is_a_boolean(checkpoint):
    """None meant neither: a solve that nothing may differentiate."""
    with pytest.raises(TypeError, match="`checkpoint` must be True or False; received"):
        wt.Unrolled(checkpoint=checkpoint)


def test_what_each_spelling_gives_is_said():
    kinds = wt.Differentiability
    assert wt.Unrolled().differentiability is kinds.UNROLLED
    assert wt.Unrolled(checkpoint=False) == wt.Unrolled()
    assert wt.Unrolled(checkpoint=True).differentiability is kinds.CHECKPOINTED


def _second(checkpoint, mode):
    """A second derivative through three steps down the gradient."""
    theta = tf.constant([0.7, 1.2], tf.float64)

    def compute(theta):
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                x = wt.argmin(
                    lambda x, t: tf.reduce_sum(tf.cosh(x * t) - x * t * t),
                    tf.zeros(2, tf.float64),
                    (theta,),
                    solver=wt.GradientDescent(rate=0.5, max_iterations=3),
                    derivative=wt.Unrolled(checkpoint=checkpoint),
                ).value
                loss = tf.reduce_sum(x * x * x)
            gradient = inner.gradient(loss, theta)
        return outer.gradient(gradient, theta)

    return (tf.function(compute) if mode == "graph" else compute)(theta)


@pytest.mark.parametrize(
    "mode", ["eager", pytest.param("graph", marks=pytest.mark.large)]
)
def test_second_derivatives_are_there_or_refused(mode):
    assert np.abs(_second(False, mode)).max() > 1e-2
    with pytest.raises(
        tf.errors.UnimplementedError, match=r"Second derivatives .*use Unrolled\(\)"
    ):
        _second(True, mode)


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_checkpoints_refuse_forward_mode(mode):
    theta = tf.constant([0.7], tf.float64)

    def push(theta):
        with tf.autodiff.ForwardAccumulator(theta, tf.ones_like(theta)) as accumulator:
            value = wt.argmin(
                lambda x, t: tf.reduce_sum(tf.cosh(x - t)),
                tf.zeros(1, tf.float64),
                (theta,),
                derivative=wt.Unrolled(checkpoint=True),
            ).value
        return accumulator.jvp(value)

    with pytest.raises(
        tf.errors.UnimplementedError, match=r"Forward mode .*use Unrolled\(\)"
    ):
        (tf.function(push) if mode == "graph" else push)(theta)


class _Asking(wt.Derivative):
    """A derivative of the caller's own, which takes what the solve has."""

    def __init__(self, kind):
        self.kind = kind

    def attach(self, solve, energy, parameters, batch_dims, box):
        del energy, batch_dims, box
        return solve(parameters, differentiability=self.kind)


@pytest.mark.parametrize("kind", ["UNROLLED", "CHECKPOINTED"])
def test_derivatives_of_the_callers_own_ask_for_what_they_need(kind):
    theta = tf.constant([1.0], tf.float64)
    captured = tf.constant([0.0], tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([theta, captured])
        value = wt.argmin(
            lambda x, t: 0.5 * tf.reduce_sum((x - t - captured) ** 2),
            tf.zeros(1, tf.float64),
            (theta,),
            solver=wt.GradientDescent(rate=0.5, max_iterations=3),
            derivative=_Asking(wt.Differentiability[kind]),
        ).value
    # x₃ = (1 − 2⁻³) θ: of the steps, not of the minimum.
    np.testing.assert_allclose(tape.gradient(value, theta), [0.875], rtol=1e-12)
    by_captured = tape.gradient(value, captured)
    if kind == "UNROLLED":
        np.testing.assert_allclose(by_captured, [0.875], rtol=1e-12)
    else:
        assert by_captured is None


@pytest.mark.parametrize("kind", [True, None, "unrolled"], ids=str)
def test_another_differentiability_is_refused(kind):
    with pytest.raises(TypeError, match=f"`differentiability` .*received {kind!r}$"):
        wt.argmin(
            lambda x, t: tf.reduce_sum((x - t) ** 2),
            tf.zeros(1),
            tf.ones(1),
            derivative=_Asking(kind),
        )


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize(
    "checkpoint", [False, pytest.param(True, marks=pytest.mark.large)]
)
def test_a_start_at_the_solution_has_the_derivative_of_the_solution(checkpoint, mode):
    # The first problem starts there and takes no step, the second takes some.
    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            solution = wt.argmin(
                lambda x, t: (x - 2 * t) ** 2 + (x - 2 * t) ** 4,
                tf.constant([2.0, 3.0], tf.float64),
                (theta,),
                batch_dims=1,
                derivative=wt.Unrolled(checkpoint=checkpoint),
            )
        return solution.stats.iterations, tape.gradient(solution.value, theta)

    run = tf.function(gradient) if mode == "graph" else gradient
    iterations, found = run(tf.constant([1.0, 1.0], tf.float64))
    assert iterations[0] == 0 < iterations[1]
    np.testing.assert_allclose(found, [2, 2], rtol=1e-6)


@pytest.mark.parametrize(
    "solver", [wt.given, wt.GridSeeds(tf.constant([0.0, 1.0]))(wt.given)]
)
def test_a_known_minimiser_has_no_steps_to_unroll(solver):
    with pytest.raises(ValueError, match=r"wt\.given has no steps"):
        wt.argmin(
            lambda x: x**2, tf.constant(0.0), solver=solver, derivative=wt.Unrolled()
        )


def test_a_graph_refuses_captured_tensors_beside_variables():
    weight = tf.Variable(1.0, dtype=tf.float64)

    @tf.function
    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            feature = theta**2
            x = wt.argmin(
                lambda x, t: weight * tf.square(x - t * feature),
                tf.constant(0.0, tf.float64),
                (theta,),
                derivative=wt.Unrolled(checkpoint=True),
            ).value
        return tape.gradient(x, theta)

    with pytest.raises(tf.errors.UnimplementedError, match="captures `Variable:0`"):
        gradient(tf.constant(2.0, tf.float64))


def test_checkpoints_take_no_complex_parameters():
    with pytest.raises(TypeError, match=r"`parameters\[0\]` must be real"):
        wt.argmin(
            lambda x, z: (x - tf.math.real(z)) ** 2,
            tf.constant(0.0),
            (tf.constant(1j, tf.complex64),),
            derivative=wt.Unrolled(checkpoint=True),
        )
