"""The statuses say what they mean, and failures raise where that is asked for."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt


@pytest.mark.parametrize("status", wt.Status)
def test_each_status_has_its_own_sentence(status):
    assert status.message.endswith(".")
    assert [other for other in wt.Status if other.message == status.message] == [status]


def test_converged_is_zero():
    # So that `tf.cast(status, tf.bool)` means trouble.
    assert wt.Status.CONVERGED == 0


def _solution(status):
    status = tf.constant(status, tf.int32)
    value = tf.ones_like(status, tf.float64)
    return wt.Solution(value, status, wt.Stats(status, value, value))


_C, _M, _F = wt.Status.CONVERGED, wt.Status.MAX_ITERATIONS, wt.Status.NOT_FINITE


def test_a_success_returns_the_solution():
    for status in (_C, [_C, _C], [[_C], [_C]], [_C, wt.Status.NOT_CHECKED]):
        solution = _solution(status)
        assert solution.raise_if_failed() is solution


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (_M, "The minimisation failed: MAX_ITERATIONS. The iterations ran out"),
        (
            [_C, _C, _F, _M, _C, _M],
            r"^3 of 6 minimisations failed \(2 MAX_ITERATIONS, 1 NOT_FINITE\); the "
            r"first is problem \[2\]: NOT_FINITE. The energy or its gradient is NaN",
        ),
        (
            [[_C, _C, _C], [_C, _M, _F]],
            r"^2 of 6 .* first is problem \[1, 1\]: MAX_ITERATIONS\.",
        ),
    ],
    ids=["one", "batch", "matrix"],
)
def test_failures_are_counted_and_the_first_is_named(status, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message) as raised:
        _solution(status).raise_if_failed()
    assert "\n" not in raised.value.message


def test_statuses_that_are_accepted_do_not_raise():
    solution = _solution([_C, _M, _M])
    assert solution.raise_if_failed(accept=[_M]) is solution
    with pytest.raises(tf.errors.InvalidArgumentError, match="2 of 3"):
        solution.raise_if_failed(accept=[_F])
    # To insist on a status, the default is left out.
    with pytest.raises(tf.errors.InvalidArgumentError, match="NOT_CHECKED"):
        _solution(wt.Status.NOT_CHECKED).raise_if_failed(accept=())
    with pytest.raises(TypeError, match=r"`accept` must hold statuses.* \[1\]"):
        solution.raise_if_failed(accept=[1])


def _reach(target, iterations=2):
    """Newton from 0 to the target, which two steps do not do for a far one."""
    return wt.argmin(
        lambda x, t: tf.reduce_sum(tf.cosh(x - t), -1),
        tf.zeros_like(target),
        (target,),
        solver=wt.Newton(max_iterations=iterations),
        batch_dims=target.shape.rank - 1,
    ).raise_if_failed()


def test_graphs_raise_when_they_run():
    run = tf.function(lambda target: _reach(target).value)
    np.testing.assert_array_equal(run(tf.zeros([3, 1])), np.zeros([3, 1]))
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        run(tf.constant([[0.0], [9.0], [0.0], [8.0], [7.0]]))
    assert (
        "[3] [of] [5] [minimisations failed:] [3] [MAX_ITERATIONS]"
        in raised.value.message
    )
    assert "[; the first is problem] [1] [with status] [1]" in raised.value.message


def test_graphs_name_the_first_of_any_batch():
    run = tf.function(lambda target: _reach(target).value)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"problem\] \[1\] \[2\] \[with status"
    ):
        run(tf.constant([[0.0, 0, 0], [0, 0, 9], [9, 0, 0]])[..., None])
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"problem\] \[with status\] \[1\]"
    ):
        run(tf.constant([9.0]))


def test_unread_solutions_raise_all_the_same():
    @tf.function
    def run(target):
        _reach(target)
        return target

    with pytest.raises(tf.errors.InvalidArgumentError, match="minimisations failed"):
        run(tf.constant([[9.0]]))


def test_gradients_and_xla_pass_through():
    target = tf.constant([[0.5], [1.0]])

    @tf.function
    def gradient(target):
        with tf.GradientTape() as tape:
            tape.watch(target)
            value = _reach(target, 30).value
        return tape.gradient(value, target)

    np.testing.assert_allclose(gradient(target), np.ones([2, 1]), rtol=1e-4)
    # XLA drops the assertion and must not stumble over it.
    compiled = tf.function(lambda t: _reach(t, 1).status, jit_compile=True)
    np.testing.assert_array_equal(compiled(tf.constant([[9.0], [0.0]])), [_M, _C])
