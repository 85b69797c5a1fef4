"""Newton's method: known minima, what it reports, and its differentiable direction."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt


def _rosenbrock(x):
    return (1 - x[..., 0]) ** 2 + 100 * (x[..., 1] - x[..., 0] ** 2) ** 2


def _himmelblau(x):
    a, b = x[..., 0], x[..., 1]
    return (a**2 + b - 11) ** 2 + (a + b**2 - 7) ** 2


def _double_well(x):
    return tf.reduce_sum(0.25 * x**4 - 0.5 * x**2, -1)


def _solve(energy, start, *parameters, **options):
    return wt.argmin(
        energy,
        tf.constant(start, tf.float64),
        parameters,
        solver=wt.Newton(**options),
        derivative=wt.Unrolled(),
        batch_dims=np.ndim(start) - 1,
    )


@functools.lru_cache
def _rosenbrocks_solver(**options):
    """Compiled for batches of any size, and shared by the tests."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float64)])
    def solve(start):
        return wt.argmin(
            _rosenbrock,
            start,
            solver=wt.Newton(**options),
            derivative=wt.Unrolled(),
            batch_dims=1,
        )

    return lambda start: solve(tf.constant(start, tf.float64))


@pytest.mark.parametrize(
    ("energy", "start", "minima"),
    [
        (_rosenbrock, [-1.2, 1.0], [[1, 1]]),
        (
            _himmelblau,
            [0.0, 0.0],  # The Hessian is negative definite here.
            [
                [3, 2],
                [-2.8051180869527449, 3.1313125182505730],
                [-3.7793102533777469, -3.2831859912861694],
                [3.5844283403304917, -1.8481265269644034],
            ],
        ),
        (_double_well, [0.3, -0.2], [[1, -1]]),
    ],
)
def test_known_minima_are_found(energy, start, minima):
    solution = _solve(energy, start, tolerance=1e-10)
    distance = np.linalg.norm(solution.value - np.array(minima, float), axis=-1)
    assert distance.min() < 1e-9
    assert solution.status == wt.Status.CONVERGED
    assert solution.stats.gradient_norm <= 1e-10
    np.testing.assert_allclose(solution.stats.energy, energy(solution.value))


def test_a_quadratic_takes_one_iteration():
    solution = _solve(lambda x: tf.reduce_sum((x - 3) ** 2 * [1.0, 50.0], -1), [0, 0])
    np.testing.assert_allclose(solution.value, [3, 3])
    assert solution.stats.iterations == 1


def test_iterations_run_out():
    solution = _solve(_rosenbrock, [-1.2, 1.0], max_iterations=3)
    assert solution.status == wt.Status.MAX_ITERATIONS
    assert solution.stats.iterations == 3


def test_no_iteration_at_the_minimum():
    solution = _solve(_rosenbrock, [1.0, 1.0])
    assert solution.status == wt.Status.CONVERGED
    assert solution.stats.iterations == 0
    np.testing.assert_array_equal(solution.value, [1, 1])


def test_an_energy_that_is_not_finite_is_reported():
    solution = _solve(lambda x: tf.reduce_sum(tf.math.log(x), -1), [[-1.0], [2.0]])
    assert solution.status[0] == wt.Status.NOT_FINITE
    # Unbounded below: it runs towards 0, where the energy is still finite.
    assert solution.status[1] != wt.Status.CONVERGED


def test_a_wrong_gradient_is_reported_as_no_descent():
    @tf.custom_gradient
    def uphill(x):
        return tf.reduce_sum(x**2, -1), lambda upstream: -2 * x * upstream[..., None]

    solution = _solve(uphill, [3.0])
    assert solution.status == wt.Status.NO_DESCENT
    np.testing.assert_array_equal(solution.value, [3])


def test_a_trial_step_out_of_the_domain_is_halved():
    # The first full step from 3 goes to -3, where the logarithm is NaN.
    solution = _solve(lambda x: tf.reduce_sum(x - tf.math.log(x), -1), [3.0])
    np.testing.assert_allclose(solution.value, [1])
    assert solution.status == wt.Status.CONVERGED


def test_single_precision_converges_at_its_own_tolerance():
    scale = tf.constant([3.0, 20.0, 100.0])
    solution = wt.argmin(
        lambda x, s: s * tf.reduce_sum(tf.math.softplus(3 * x) - x + 0.1 * x**2, -1),
        tf.zeros([3, 2]),
        (scale,),
        batch_dims=1,
    )
    assert solution.value.dtype == tf.float32
    assert solution.stats.energy.dtype == tf.float32
    np.testing.assert_array_equal(solution.status, [wt.Status.CONVERGED] * 3)
    assert max(solution.stats.iterations) < 8


def test_problems_of_a_batch_end_as_if_alone():
    start = [[-1.2, 1.0], [1.0, 1.0], [0.9, 0.8], [2.0, 3.5]]
    solve = _rosenbrocks_solver()
    together = solve(start)
    assert len(set(together.stats.iterations.numpy())) == 4
    for i, one in enumerate(start):
        alone = solve([one])
        np.testing.assert_array_equal(together.value[i], alone.value[0])
        np.testing.assert_array_equal(together.status[i], alone.status[0])
        for of_batch, of_one in zip(together.stats[:3], alone.stats[:3], strict=True):
            np.testing.assert_array_equal(of_batch[i], of_one[0])


def test_one_lost_problem_does_not_disturb_the_others():
    energy = lambda x, t: tf.reduce_sum(tf.cosh(x - t), -1)  # noqa: E731
    theta = tf.constant([[1.0], [float("nan")], [-2.0]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        solution = _solve(energy, [[0.0], [0.0], [0.0]], theta)
    np.testing.assert_array_equal(
        solution.status,
        [wt.Status.CONVERGED, wt.Status.NOT_FINITE, wt.Status.CONVERGED],
    )
    np.testing.assert_allclose(solution.value[::2], [[1], [-2]])
    gradient = tape.gradient(solution.value, theta)
    np.testing.assert_allclose(gradient[::2], [[1], [1]])


@pytest.mark.parametrize(
    "start",
    [
        [0.2, -0.3, 0.1],  # Indefinite or negative definite from the start.
        [0.1, 0.1, 0.1],  # Coinciding negative eigenvalues, to begin with.
        pytest.param([0.9, 0.1, -0.8], marks=pytest.mark.large),
    ],
)
def test_directions_are_differentiable_where_the_hessian_is_indefinite(start, slope):
    def energy(x, coupling, tilt):
        pair = x[0] * x[1] + 2 * x[1] * x[2]
        return _double_well(x) + coupling * pair + tf.reduce_sum(tilt * x)

    def loss(coupling, tilt):
        solution = _solve(energy, start, coupling, tilt, max_iterations=3)
        return tf.reduce_sum(solution.value * [1.0, 2.0, -0.5])

    parameters = [np.array(0.02), np.array([0.1, -0.05, 0.03])]
    tensors = [tf.constant(p) for p in parameters]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    gradients = tape.gradient(value, tensors)
    along = [np.array(1.0), np.array([0.3, -1.0, 0.7])]
    expected = slope(tf.function(loss), parameters, along, step=1e-5)
    found = sum(np.sum(g * d) for g, d in zip(gradients, along, strict=True))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 3])
def test_a_plain_step_solves_the_damped_system(size, rng):
    hessian = rng.normal(size=(size, size))
    hessian = hessian + hessian.T - 1.5 * np.eye(size)
    gradient = rng.normal(size=size)
    damping = np.array([0.0, 0.7])
    solution = _solve(
        lambda x: tf.reduce_sum(
            x * (0.5 * tf.linalg.matvec(hessian, x) + gradient), -1
        ),
        np.zeros([2, size]),
        line_search=False,
        damping=tf.constant(damping),
        max_iterations=1,
    )
    for x, own in zip(solution.value, damping, strict=True):
        expected = -np.linalg.solve(hessian + own * np.eye(size), gradient)
        np.testing.assert_allclose(x, expected, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 3])
def test_a_plain_step_says_where_the_hessian_is_singular(size):
    # Flat along the first axis but for its slope, curved along the others.
    solution = _solve(
        lambda x, c: (
            x[..., 0] + tf.reduce_sum(x[..., 1:] ** 2, -1) + c * x[..., 0] ** 2
        ),
        np.ones([2, size]),
        tf.constant([0.0, 0.5], tf.float64),
        line_search=False,
    )
    status = [wt.Status.SINGULAR, wt.Status.CONVERGED]
    np.testing.assert_array_equal(solution.status, status)
    np.testing.assert_array_equal(solution.value[0], np.ones(size))
    assert solution.value[1, 0] == -1


def test_damping_slows_newton_and_does_not_move_the_minimum():
    free = _rosenbrocks_solver()([[-1.2, 1.0]])
    damped = _rosenbrocks_solver(damping=1.0)([[-1.2, 1.0]])
    assert damped.stats.iterations > free.stats.iterations
    np.testing.assert_allclose(damped.value, [[1, 1]], atol=1e-7)


@pytest.mark.parametrize("steps", [pytest.param(2, marks=pytest.mark.large), 3])
def test_a_hessian_may_serve_several_steps(steps):
    start = [[-1.2, 1.0], [0.5, 2.0]]
    solve = _rosenbrocks_solver(steps_per_hessian=steps)
    several = solve(start)
    np.testing.assert_array_equal(several.status, [wt.Status.CONVERGED] * 2)
    np.testing.assert_allclose(several.value, np.ones((2, 2)), rtol=1e-8)
    alone = solve(start[:1])
    np.testing.assert_allclose(several.value[0], alone.value[0], atol=1e-12)
    assert several.stats.iterations[0] == alone.stats.iterations[0]
    one = _rosenbrocks_solver()(start)
    assert np.all(several.stats.iterations.numpy() < one.stats.iterations.numpy())


@pytest.mark.parametrize("damping", [0.0, 2.0])
def test_further_steps_are_those_of_bfgs_from_the_hessian(damping):
    """By the formula for matrices (Nocedal and Wright, eq. 6.19), in NumPy."""
    solution = _solve(
        lambda x: tf.reduce_sum(tf.cosh(x) + 0.5 * x, -1) + x[..., 0] * x[..., 1] / 3,
        [0.3, -0.9],
        steps_per_hessian=4,
        max_iterations=1,
        damping=damping,
    )

    def slope(x):
        return np.sinh(x) + 0.5 + x[::-1] / 3

    x = np.array([0.3, -0.9])
    matrix = np.diag(np.cosh(x) + damping) + np.array([[0, 1], [1, 0]]) / 3
    for _ in range(4):
        before, x = x, x - np.linalg.solve(matrix, slope(x))
        step = x - before
        change = slope(x) - slope(before) + damping * step
        bent = matrix @ step
        matrix = matrix - np.outer(bent, bent) / (step @ bent)
        matrix += np.outer(change, change) / (change @ step)
    np.testing.assert_allclose(solution.value, x, rtol=1e-12)


def test_problems_that_are_done_make_no_further_steps():
    """A problem's minimiser is the same to the last bit whatever is beside it."""

    def energy(x, bend):
        return tf.reduce_sum(tf.cosh(bend[:, None] * x) - 0.3 * x, -1)

    def solve(*bends):
        bend = tf.constant(bends, tf.float64)
        start = tf.ones([len(bends), 2], tf.float64) * [0.4, 1.0]
        solver = wt.Newton(steps_per_hessian=12, tolerance=1e-5)
        return wt.argmin(energy, start, (bend,), solver=solver, batch_dims=1)

    alone, beside = solve(0.3), solve(0.3, 4.0)
    np.testing.assert_array_equal(alone.value[0], beside.value[0])
    # The other one went on.
    x = beside.value[1].numpy()
    assert np.linalg.norm(4.0 * np.sinh(4.0 * x) - 0.3) <= 1e-5


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("tolerance", [None, 0.0])
def test_steps_that_round_off_decides_tell_nothing(dtype, tolerance, rng):
    """Unrolled at the minimum, where they would be noise in the derivative."""
    features = tf.constant(rng.normal(size=(5, 12, 4)), dtype)
    theta = tf.constant(rng.normal(size=5), dtype)

    def energy(x, theta):
        misfit = tf.reduce_sum(tf.nn.softplus(tf.linalg.matvec(features, -x)), -1)
        return misfit + 0.5 * tf.exp(theta) * tf.reduce_sum(x**2, -1)

    def learned(start, derivative, solver):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            found = wt.argmin(
                energy,
                start,
                (theta,),
                solver=solver,
                derivative=derivative,
                batch_dims=1,
            )
            loss = tf.reduce_sum(found.value**3)
        return found.value, tape.gradient(loss, theta)

    start, right = learned(tf.zeros([5, 4], dtype), wt.Implicit(), wt.Newton())
    solver = wt.Newton(steps_per_hessian=3, tolerance=tolerance, max_iterations=1)
    _, found = learned(start, wt.Unrolled(), solver)
    atol = 1e-7 if dtype == "float64" else 1e-3
    np.testing.assert_allclose(found, right, atol=atol)


def test_pairs_of_steps_where_the_energy_bends_down_are_left_out():
    """A double well, started where its second derivative is negative."""
    solution = _solve(
        lambda x: tf.reduce_sum((x**2 - 1) ** 2, -1),
        [0.1, -0.2],
        steps_per_hessian=5,
    )
    np.testing.assert_array_equal(solution.status, wt.Status.CONVERGED)
    np.testing.assert_allclose(solution.value, [1, -1], rtol=1e-8)


@pytest.mark.parametrize(
    "options",
    [{"steps_per_hessian": 0}, {"steps_per_hessian": 2, "line_search": False}],
)
def test_steps_per_hessian_are_checked(options):
    with pytest.raises(ValueError, match="`steps_per_hessian` must be "):
        wt.Newton(**options)
