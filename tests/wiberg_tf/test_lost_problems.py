"""One problem's fault stays its own: in values, statuses and gradients."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

modes = pytest.mark.parametrize("mode", ["eager", "graph"])
derivatives = pytest.mark.parametrize(
    "derivative",
    [wt.Implicit(), wt.Implicit("cg"), wt.TrustRegion(0.1), wt.Unrolled()],
    ids=str,
)
_SAMPLES = np.array([[1.0, -0.5], [np.nan, 2.0], [0.3, 0.8]])


def _run(function, mode, *inputs):
    inputs = [tf.constant(entry, tf.float64) for entry in inputs]
    return (tf.function(function) if mode == "graph" else function)(*inputs)


def _energy(x, samples, shared):
    return tf.reduce_sum(tf.cosh(x - shared * samples) + 0.5 * x**2, -1)


def _gradients(derivative, rows, asked=(True, False, True)):
    def gradients(samples, shared):
        with tf.GradientTape() as tape:
            tape.watch([samples, shared])
            solution = wt.argmin(
                _energy,
                tf.zeros_like(samples),
                (samples, shared),
                batch_dims=1,
                derivative=derivative,
            )
            loss = tf.reduce_sum(solution.value**2 + solution.value, -1)
            loss = tf.reduce_sum(tf.boolean_mask(loss, np.array(asked)[rows]))
        return solution.status, *tape.gradient(loss, [samples, shared])

    return gradients


@pytest.mark.parametrize(
    "mode", ["graph", pytest.param("eager", marks=pytest.mark.large)]
)
@derivatives
def test_a_lost_sample_leaves_the_gradient_of_what_is_shared(derivative, mode):
    every, sound = [0, 1, 2], [0, 2]
    status, by_samples, by_shared = _run(
        _gradients(derivative, every), mode, _SAMPLES, 1.7
    )
    _, expected, expected_shared = _run(
        _gradients(derivative, sound), mode, _SAMPLES[sound], 1.7
    )
    assert list(status) == [
        wt.Status.CONVERGED,
        wt.Status.NOT_FINITE,
        wt.Status.CONVERGED,
    ]
    np.testing.assert_allclose(by_shared, expected_shared, rtol=1e-12)
    np.testing.assert_allclose(tf.gather(by_samples, sound), expected, rtol=1e-12)
    np.testing.assert_array_equal(by_samples[1], [0, 0])


def test_the_gradient_of_a_lost_problem_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
        _run(
            _gradients(wt.Implicit(), [0, 1, 2], (True, True, True)),
            "eager",
            _SAMPLES,
            1.7,
        )


@modes
def test_the_unrolled_gradient_of_a_lost_problem_is_nan(mode):
    _, _, by_shared = _run(
        _gradients(wt.Unrolled(), [0, 1, 2], (True, True, True)), mode, _SAMPLES, 1.7
    )
    assert np.isnan(by_shared)


def test_rows_that_are_shared_are_not_taken_for_samples():
    # As many weights as problems, which are no problem's own: what is borrowed shows in
    # the energy, and nothing comes out that only looks like a gradient.
    def energy(x, samples, weights):
        return tf.reduce_sum(weights) * tf.reduce_sum((x - samples) ** 2, -1) + x[:, 0]

    weights = tf.constant([1.0, 2.0, 4.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        x = wt.argmin(
            energy, tf.zeros((3, 2), tf.float64), (_SAMPLES, weights), batch_dims=1
        ).value
        loss = x[0, 0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
        tape.gradient(loss, weights)


@pytest.mark.parametrize(
    "mode", ["eager", pytest.param("graph", marks=pytest.mark.large)]
)
def test_steps_that_are_dropped_have_no_gradient_of_their_own(mode):
    # The third derivative of x ** 2 at 0 is NaN in TensorFlow.
    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = wt.argmin(
                lambda x, t: (x - t) ** 2 + 0.1 * tf.cosh(x - t),
                tf.constant([0.3, 5.0], tf.float64),
                (theta,),
                batch_dims=1,
                solver=wt.Newton(max_iterations=9),
                derivative=wt.Unrolled(),
            ).value
        return tape.gradient(x, theta)

    np.testing.assert_allclose(_run(gradient, mode, [0.3, 1.0]), [1, 1], rtol=1e-6)


def _failing(on_failure, asked):
    """The second problem runs out of iterations."""

    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            solution = wt.argmin(
                lambda x, t: tf.cosh(x - t) + 0.5 * x**2,
                tf.constant([1e-9, 30.0], tf.float64),
                (theta,),
                batch_dims=1,
                solver=wt.Newton(max_iterations=3),
                on_failure=on_failure,
            )
            loss = tf.reduce_sum(solution.value * asked)
        return solution.status, tape.gradient(loss, theta)

    return gradient


def test_what_is_shared_keeps_its_size_in_batches_of_any():
    """Though its first axis, of length 1, may be the batch's."""

    def energy(x, samples, shared):
        flat = tf.reshape(shared, [shared.shape[0] * 3])
        return 0.5 * tf.reduce_sum((x - samples) ** 2 + (x - flat) ** 2, -1)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float64)])
    def gradients(samples):
        shared = tf.constant([[1.0, -2.0, 0.5]], tf.float64)
        with tf.GradientTape() as tape:
            tape.watch([samples, shared])
            x = wt.argmin(
                energy, tf.zeros_like(samples), (samples, shared), batch_dims=1
            ).value
            loss = tf.reduce_sum(x**2)
        return x, *tape.gradient(loss, [samples, shared])

    samples = np.random.default_rng(0).normal(size=(4, 3))
    x, of_samples, of_shared = gradients(samples)
    np.testing.assert_allclose(x, (samples + np.array([1.0, -2.0, 0.5])) / 2, atol=1e-9)
    np.testing.assert_allclose(of_samples, x, atol=1e-9)
    np.testing.assert_allclose(of_shared, x.numpy().sum(0)[None], atol=1e-9)


@modes
def test_what_the_gradient_of_a_failed_problem_is(mode):
    theta = [1e-9, 1.0]
    status, kept = _run(_failing("keep", [1.0, 1.0]), mode, theta)
    assert list(status) == [wt.Status.CONVERGED, wt.Status.MAX_ITERATIONS]
    assert np.isfinite(kept).all()
    _, lost = _run(_failing("nan", [1.0, 1.0]), mode, theta)
    np.testing.assert_allclose(lost, [0.5, np.nan], rtol=1e-8)
    _, unasked = _run(_failing("nan", [1.0, 0.0]), mode, theta)
    np.testing.assert_allclose(unasked, [0.5, 0], rtol=1e-8)
    with pytest.raises(tf.errors.InvalidArgumentError, match="on_failure is raise"):
        _run(_failing("raise", [1.0, 1.0]), mode, theta)
    _, unasked = _run(_failing("raise", [1.0, 0.0]), mode, theta)
    np.testing.assert_allclose(unasked, [0.5, 0], rtol=1e-8)
    with pytest.raises(ValueError, match="`on_failure` must be keep, nan or raise"):
        _failing("drop", [1.0, 1.0])(tf.constant(theta, tf.float64))


def _stopped(on_failure, asked):
    """The first problem begins at its minimiser, the second needs more steps."""

    def found(theta):
        solution = wt.argmin(
            lambda x, t: tf.math.log(tf.cosh(x - t)),
            tf.zeros_like(theta),
            (theta,),
            batch_dims=1,
            solver=wt.GradientDescent(rate=0.1, max_iterations=2),
            on_failure=on_failure,
        )
        return {"value": solution.value, "energy": solution.stats.energy}[asked]

    return found


@modes
@pytest.mark.parametrize("asked", ["value", "energy"])
def test_what_the_derivative_of_a_failed_problem_is_in_either_mode(asked, mode):
    theta = [0.0, 1.5]

    def gradient(on_failure):
        def run(theta):
            with tf.GradientTape() as tape:
                tape.watch(theta)
                found = _stopped(on_failure, asked)(theta)
            return tape.gradient(found, theta)

        return run

    def pushed(on_failure):
        def run(theta):
            along = tf.ones_like(theta)
            with tf.autodiff.ForwardAccumulator(theta, along) as accumulator:
                found = _stopped(on_failure, asked)(theta)
            return accumulator.jvp(found)

        return run

    for derivative in (gradient, pushed):
        kept = _run(derivative("keep"), mode, theta)
        lost = _run(derivative("nan"), mode, theta)
        np.testing.assert_allclose(lost, [kept[0], np.nan])
        assert np.isfinite(kept).all()
        with pytest.raises(tf.errors.InvalidArgumentError, match="is raise"):
            _run(derivative("raise"), mode, theta)


def _root_gradients(rows):
    def gradients(samples, shared, weights):
        with tf.GradientTape() as tape:
            tape.watch([samples, shared])
            x = wt.root(
                lambda x, s, t, w: tf.reduce_sum(w) * (x + x**3 - t * s),
                tf.zeros_like(samples),
                (samples, shared, weights),
                batch_dims=1,
            ).value
            loss = tf.reduce_sum(tf.gather(x**2 + x, rows))
        return tape.gradient(loss, [samples, shared])

    return gradients


@modes
def test_a_lost_system_leaves_the_gradient_of_what_is_shared(mode):
    sound, weights = [0, 2], [2.0]
    by_samples, by_shared = _run(_root_gradients(sound), mode, _SAMPLES, 1.7, weights)
    expected, expected_shared = _run(
        _root_gradients([0, 1]), mode, _SAMPLES[sound], 1.7, weights
    )
    np.testing.assert_allclose(by_shared, expected_shared, rtol=1e-12)
    np.testing.assert_allclose(tf.gather(by_samples, sound), expected, rtol=1e-12)
    np.testing.assert_array_equal(by_samples[1], [0, 0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
        _run(_root_gradients([0, 1, 2]), mode, _SAMPLES, 1.7, weights)
    # Weights that look like samples.
    with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
        _run(_root_gradients(sound), mode, _SAMPLES, 1.7, [1.0, 2.0, 4.0])


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_unrolled_a_lost_sample_leaves_what_is_shared_as_it_is(mode):
    # As many rows as problems: borrowed, they would be another energy of all.
    shared = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 5.0], [2.0, 2.0, 7.0]])

    def found(samples, shared):
        def energy(x, samples, shared):
            residuals = tf.linalg.matvec(shared, x) - samples
            return tf.reduce_sum(tf.square(residuals) + tf.square(x), -1)

        with tf.GradientTape() as tape:
            tape.watch(shared)
            solution = wt.argmin(
                energy,
                tf.zeros([3, 3], tf.float64),
                (samples, shared),
                derivative=wt.Unrolled(),
                batch_dims=1,
            )
            sound = tf.gather(solution.value, [0, 2])
            loss = tf.reduce_sum(tf.square(sound))
        return solution.status, sound, tape.gradient(loss, shared)

    lost, *values = _run(found, mode, [[1.0], [np.nan], [2.0]], shared)
    _, *expected = _run(
        lambda samples, shared: found(tf.gather(samples, [0, 0, 1]), shared),
        mode,
        [[1.0], [2.0]],
        shared,
    )
    assert list(lost) == [0, wt.Status.NOT_FINITE, 0]
    for value, right in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-9)


@pytest.mark.parametrize("on_failure", ["nan", "raise"])
@pytest.mark.parametrize("derivative", [wt.Implicit(), wt.Unrolled()], ids=str)
def test_a_failed_problem_that_a_gather_leaves_out_does_not_count(
    derivative, on_failure
):
    # The gradient of a gather is IndexedSlices.
    samples = tf.constant([[2.0], [300.0], [5.0]], tf.float64)
    start = tf.math.log(samples) + tf.constant([[0.01], [-9.0], [0.01]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(samples)
        solution = wt.argmin(
            lambda x, samples: tf.reduce_sum(tf.exp(x) - samples * x, -1),
            start,
            samples,
            solver=wt.Newton(max_iterations=4),
            derivative=derivative,
            batch_dims=1,
            on_failure=on_failure,
        )
        loss = tf.reduce_sum(tf.gather(solution.value, [0, 2]))
    assert list(solution.status) == [0, wt.Status.MAX_ITERATIONS, 0]
    gradient = tape.gradient(loss, samples)
    np.testing.assert_allclose(gradient[:, 0], [1 / 2, 0, 1 / 5], rtol=1e-8)


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_unrolled_a_lost_system_leaves_the_gradient_of_what_is_shared(mode):
    def gradient(samples, shared, weights):
        with tf.GradientTape() as tape:
            tape.watch(shared)
            root = wt.root(
                lambda x, s, t, w: tf.linalg.matvec(w, x) + x**3 - t * s,
                tf.zeros_like(samples),
                (samples, shared, weights),
                derivative=wt.Unrolled(),
                batch_dims=1,
            )
            fine = root.status == int(wt.Status.CONVERGED)
            loss = tf.reduce_sum(tf.where(fine[:, None], root.value, 0))
        return root.status, tape.gradient(loss, shared)

    # As many rows as systems, and no system's own.
    samples = np.concatenate([_SAMPLES, [[0.1], [np.nan], [2.0]]], 1)
    weights = np.array([[3.0, 1.0, 0.0], [0.0, 4.0, 1.0], [1.0, 0.0, 5.0]])
    status, found = _run(gradient, mode, samples, 1.7, weights)
    assert list(status) == [0, wt.Status.NOT_FINITE, 0]
    _, expected = _run(gradient, mode, samples[[0, 2]], 1.7, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@modes
@pytest.mark.parametrize("axes", [0, 1])
def test_lost_problems_without_a_sound_one_add_nothing(axes, mode):
    def gradients(samples, shared):
        with tf.GradientTape() as tape:
            tape.watch(shared)
            solution = wt.argmin(
                _energy, tf.zeros_like(samples), (samples, shared), batch_dims=axes
            )
            root = wt.root(
                lambda x, s, t: x + x**3 - t * s,
                tf.zeros_like(samples),
                (samples, shared),
                batch_dims=axes,
            )
            fine = solution.status == int(wt.Status.CONVERGED)
            loss = shared * 3 + tf.reduce_sum(
                tf.where(fine, solution.stats.energy, 0)
                + tf.reduce_sum(tf.where(fine[..., None], solution.value, 0), -1)
                + tf.reduce_sum(tf.where(fine[..., None], root.value, 0), -1)
            )
        return tape.gradient(loss, shared)

    samples = np.array([np.nan, 1.0]).reshape([1] * axes + [2])
    assert _run(gradients, mode, samples, 1.7) == 3
