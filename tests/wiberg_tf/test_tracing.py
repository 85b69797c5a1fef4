"""Options as arguments of a `tf.function`."""

import gc
import weakref
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

# Each is made anew by a call; the second differs from the first.
_KINDS = [
    (lambda: wt.Newton(), lambda: wt.Newton(max_iterations=3)),
    (lambda: wt.LBFGS(rtol=1e-3), lambda: wt.LBFGS()),
    (lambda: wt.GradientDescent(rate=0.1), lambda: wt.GradientDescent(rate=0.2)),
    (lambda: wt.GaussNewton(), lambda: wt.IRLS()),
    (lambda: wt.Anderson(), lambda: wt.Anderson(memory=2)),
    (lambda: wt.Implicit(), lambda: wt.TrustRegion(0.1)),
    (lambda: wt.Implicit(), lambda: wt.Implicit(wt.CG(rtol=1e-3))),
    (lambda: wt.TrustRegion(wt.Adaptive(10)), lambda: wt.TrustRegion(wt.Adaptive(20))),
    (lambda: wt.Unrolled(), lambda: wt.Unrolled(checkpoint=True)),
    (lambda: wt.Dense(), lambda: wt.MINRES()),
    (lambda: wt.losses.Huber(1.0), lambda: wt.losses.Huber(2.0)),
    (lambda: wt.losses.Huber(1.0), lambda: wt.losses.Cauchy(1.0)),
    (lambda: wt.GridSeeds((0.0, 1.0)), lambda: wt.GridSeeds((0.0, 2.0))),
    (
        lambda: wt.GridSeeds((0.0, 1.0))(wt.Newton()),
        lambda: wt.GridSeeds((0.0, 1.0))(wt.LBFGS()),
    ),
    (lambda: wt.ResidualEnergy(abs), lambda: wt.ResidualEnergy(abs, vectors=True)),
]


def _count_traces():
    seen = []

    @tf.function
    def run(option, number):
        seen.append(option)
        return number + 1

    return run, seen


@pytest.mark.parametrize(("make", "another"), _KINDS)
def test_equal_options_share_a_trace_and_others_do_not(make, another):
    run, seen = _count_traces()
    for option in (make(), make(), another(), make(), another()):
        run(option, tf.constant(1))
        run([{"option": option}], tf.constant(1))
    assert [kind for kind in seen if not isinstance(kind, list)] == [make(), another()]
    assert len(seen) == 4
    assert make() == make() != another()


@pytest.mark.parametrize(("make", "another"), _KINDS)
def test_options_are_keys(make, another):
    kept = defaultdict(list)
    for option in (make(), another(), make()):
        kept[option].append(option)
    assert len(kept) == 2
    assert len(kept[make()]) == 2


def test_each_option_gets_its_own_result():
    @tf.function
    def run(solver, derivative, target):
        with tf.GradientTape() as tape:
            tape.watch(target)
            value = wt.argmin(
                lambda x, target: tf.reduce_sum(tf.cosh(x - target), -1),
                tf.zeros_like(target),
                target,
                solver=solver,
                derivative=derivative,
            ).value
        return value, tape.gradient(value, target)

    target = tf.constant([1.0], tf.float64)
    for _ in range(2):
        far, _ = run(wt.Newton(max_iterations=1), wt.Implicit(), target)
        found, gradient = run(wt.Newton(), wt.Implicit(), target)
        _, damped = run(wt.Newton(), wt.TrustRegion(1.0), target)
        np.testing.assert_allclose(far, np.tanh([1.0]), rtol=1e-12)
        np.testing.assert_allclose(found, [1.0], rtol=1e-9)
        np.testing.assert_allclose(gradient, [1.0], rtol=1e-9)
        np.testing.assert_allclose(damped, [0.5], rtol=1e-9)
    assert run.experimental_get_tracing_count() == 3


def test_options_with_tensors_are_known_by_identity():
    run, seen = _count_traces()
    options = [wt.TrustRegion(tf.constant(value)) for value in (0.1, 0.1, 0.2)]
    for option in [*options, *options]:
        run(option, tf.constant(1))
    assert len(seen) == 3
    assert all(a is b for a, b in zip(seen, options, strict=True))


def test_what_equality_does_not_see_is_known_by_identity():
    class Mine(wt.Newton):
        def __init__(self, more):
            super().__init__()
            object.__setattr__(self, "more", more)

    run, seen = _count_traces()
    options = Mine(1), Mine(2)
    for option in options * 2:
        run(option, tf.constant(1))
    assert [option.more for option in seen] == [1, 2]


def test_an_option_known_by_identity_is_not_kept_alive():
    @tf.function
    def run(option, number):
        return number + 1

    option = wt.TrustRegion(tf.constant(0.5))
    gone = weakref.ref(option)
    run(option, tf.constant(1))
    del option
    gc.collect()
    assert gone() is None
    # Whatever comes to its place is another.
    for damping in range(20):
        run(wt.TrustRegion(tf.constant(float(damping))), tf.constant(1))
    assert run.experimental_get_tracing_count() == 21


def test_options_of_ones_own_share_a_trace():
    @dataclass(frozen=True)
    class Quartic(wt.losses.Loss):
        scale: float

        def __call__(self, squared):
            return self.scale * squared**2

    run, seen = _count_traces()
    for scale in (1.0, 1.0, 2.0):
        run(Quartic(scale), tf.constant(1))
    assert seen == [Quartic(1.0), Quartic(2.0)]


def test_concrete_functions_take_equal_options():
    @tf.function
    def run(solver, target):
        energy = lambda x, t: tf.reduce_sum((x - t) ** 2)  # noqa: E731
        return wt.argmin(energy, tf.zeros_like(target), target, solver=solver).value

    target = tf.constant([1.0, 2.0])
    concrete = run.get_concrete_function(wt.Newton(), target)
    np.testing.assert_allclose(concrete(wt.Newton(), target), target)
    np.testing.assert_allclose(concrete(target=target), target)
