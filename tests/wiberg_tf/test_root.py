"""Roots and fixed points: known solutions, derivatives by differences, refusals."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

# Of a contraction by about 0.6, for fixed points.
MATRIX = np.random.default_rng(0).normal(size=(6, 6)) * 0.3


def layer(x, weights, bias):
    """One layer of a network whose depth is infinite."""
    return tf.tanh(tf.linalg.matvec(weights, x) + bias)


def equations(x, weights, bias):
    return layer(x, weights, bias) - x


def parameters(rng):
    return tf.constant(MATRIX), tf.constant(rng.normal(size=(3, 6)))


CASES = {
    "newton": (wt.root, {"solver": wt.NewtonKrylov()}),
    "krylov": (
        wt.root,
        {
            "solver": wt.NewtonKrylov(dense_limit=1),
            "derivative": wt.Implicit(wt.GMRES()),
        },
    ),
    "anderson": (wt.fixed_point, {}),
    "iteration": (wt.fixed_point, {"solver": wt.Anderson(memory=0)}),
    "unrolled": (wt.fixed_point, {"derivative": wt.Unrolled()}),
    "unrolled newton": (wt.root, {"derivative": wt.Unrolled()}),
}


@pytest.mark.parametrize(
    "graph",
    [pytest.param(False, marks=pytest.mark.large), True],
    ids=["eager", "graph"],
)
@pytest.mark.parametrize("case", CASES)
def test_derivatives_equal_differences_of_the_whole_solve(case, graph, rng, slope):
    solve, options = CASES[case]
    function = layer if solve is wt.fixed_point else equations
    theta = parameters(rng)
    weighting = tf.constant(rng.normal(size=(3, 6)))

    def found(*theta):
        return solve(
            function, tf.zeros([3, 6], tf.float64), theta, batch_dims=1, **options
        )

    def loss(*theta):
        return tf.reduce_sum(weighting * tf.sin(found(*theta).value))

    def differentiated(*theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = loss(*theta)
        return value, tape.gradient(value, theta)

    solution = found(*theta)
    assert np.all(solution.status == wt.Status.CONVERGED)
    assert np.all(solution.stats.iterations > 1)
    np.testing.assert_allclose(
        solution.value, layer(solution.value, *theta), rtol=0, atol=1e-9
    )
    _, gradients = (tf.function(differentiated) if graph else differentiated)(*theta)
    along = [rng.normal(size=entry.shape) for entry in theta]
    ours = sum(np.sum(g * d) for g, d in zip(gradients, along, strict=True))
    compiled = tf.function(loss, autograph=False)
    np.testing.assert_allclose(ours, slope(compiled, theta, along), rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_units_change_nothing(scale):
    """Neither those of the equations, nor those of the unknowns."""
    target = tf.constant([2.0, 5.0], tf.float64)

    def cubes(x, target):
        return scale * ((x / scale) ** 3 + x / scale - target)

    with tf.GradientTape() as tape:
        tape.watch(target)
        found = wt.root(cubes, scale * tf.ones(2, tf.float64), (target,))
    assert found.status == wt.Status.CONVERGED
    x = found.value / scale
    np.testing.assert_allclose(x**3 + x, target, rtol=1e-9)
    np.testing.assert_allclose(
        tape.gradient(found.value, target), scale / (3 * x**2 + 1), rtol=1e-9
    )


HARD = {
    "far": (lambda x: x**3 - 1, 1e4, 1.0),
    "flat": (lambda x: tf.exp(x) - 1e8, -20.0, np.log(1e8)),
    "overshooting": (lambda x: tf.atan(x) - 0.3, 20.0, np.tan(0.3)),
    "double": (lambda x: x**2, 1e-3, 0.0),
    "at zero": (lambda x: x + x**3, 5.0, 0.0),
    "at the start": (lambda x: x**2 - 4, 2.0, 2.0),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_starts_end_at_the_root(name):
    function, start, right = HARD[name]
    found = wt.root(function, tf.constant(start, tf.float64))
    assert found.status == wt.Status.CONVERGED
    np.testing.assert_allclose(found.value, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("memory", [0, 5])
def test_fixed_points_at_zero_are_found(memory):
    start = tf.constant([7.0, 1e-3], tf.float64)
    solver = wt.Anderson(memory=memory)
    found = wt.fixed_point(lambda x: 0.5 * x, start, solver=solver, batch_dims=1)
    assert np.all(found.status == wt.Status.CONVERGED)
    np.testing.assert_allclose(found.value / start, 0, atol=1e-15)


def test_thousands_of_unknowns_never_meet_a_matrix(rng):
    """Upwind differences: large, and not symmetric."""
    size = 2000
    right = tf.constant(rng.normal(size=size))

    def transport(x, right):
        before = tf.concat([x[-1:], x[:-1]], 0)
        return 2.5 * x - 1.5 * before + 0.1 * tf.sin(x) - right

    with tf.GradientTape() as tape:
        tape.watch(right)
        found = wt.root(transport, tf.zeros(size, tf.float64), (right,))
        loss = tf.reduce_sum(found.value**2)
    assert found.status == wt.Status.CONVERGED
    gradient = tape.gradient(loss, right)
    # vᵀ = 2 xᵀ J⁻¹, put back into J.
    x = found.value.numpy()
    back = (2.5 + 0.1 * np.cos(x)) * gradient - 1.5 * np.roll(gradient, -1)
    np.testing.assert_allclose(back, 2 * x, rtol=1e-7, atol=1e-9)


def test_each_system_fails_alone():
    """x² = −1 has no root, x² = 0 a singular one, and one starts where it is lost."""
    start = tf.constant([[1.0], [3.0], [1.0], [np.nan]], tf.float64)
    right = tf.constant([[-1.0], [4.0], [0.0], [1.0]], tf.float64)

    @tf.function
    def solve(right):
        return wt.root(lambda x, r: x * x - r, start, (right,), batch_dims=1)

    with tf.GradientTape() as tape:
        tape.watch(right)
        found = solve(right)
        loss = found.value[1, 0]
    assert found.status[1] == wt.Status.CONVERGED
    assert found.status[3] == wt.Status.NOT_FINITE
    assert found.status[0] != wt.Status.CONVERGED
    np.testing.assert_allclose(loss, 2, rtol=1e-9)
    np.testing.assert_allclose(
        tape.gradient(loss, right), [[0], [0.25], [0], [0]], rtol=1e-9
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="systems failed"):
        found.raise_if_failed()


@pytest.mark.parametrize("dense_limit", [256, 0], ids=["dense", "krylov"])
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_equations_that_are_flat_far_away_have_no_root_there(graph, dense_limit):
    """Steps grow until their squares, and then |x|, leave the range of numbers."""
    solver = wt.NewtonKrylov(dense_limit=dense_limit, max_iterations=20)

    def run():
        start = tf.constant([0.7], tf.float64)
        return wt.root(lambda x: tf.atan(x) + 2, start, solver=solver)

    found = (tf.function(run) if graph else run)()
    assert found.status != wt.Status.CONVERGED
    assert found.stats.residual_norm > 0.4


@pytest.mark.parametrize("scale", [1e-200, 1e160])
@pytest.mark.parametrize("dense_limit", [256, 0], ids=["dense", "krylov"])
def test_squares_that_leave_the_range_of_numbers_end_no_search(dense_limit, scale):
    def cubes(x):
        return scale * ((x / scale) ** 3 + x / scale - [2.0, 10.0])

    start = tf.constant([0.7, 0.3], tf.float64) * scale
    found = wt.root(cubes, start, solver=wt.NewtonKrylov(dense_limit=dense_limit))
    assert found.status == wt.Status.CONVERGED
    np.testing.assert_allclose(found.value / scale, [1, 2], rtol=1e-12)


def test_an_infinite_point_is_no_solution():
    """Where function and gradient are finite, and nothing is left."""

    def endless(_, initial):
        return initial / 0

    start = tf.constant(1.0, tf.float64)
    found = wt.root(lambda x: tf.exp(-x), start, solver=endless)
    assert found.status == wt.Status.NOT_FINITE
    assert wt.root(lambda x: 1 / x, start / 0).status == wt.Status.NOT_FINITE
    assert wt.argmin(tf.atan, start / 0).status == wt.Status.NOT_FINITE


def test_a_singular_root_has_no_derivative():
    right = tf.constant(0.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(right)
        found = wt.root(lambda x, r: x**2 - r, tf.constant(0.0, tf.float64), (right,))
    assert found.status == wt.Status.CONVERGED
    with pytest.raises(tf.errors.InvalidArgumentError, match="Jacobian is singular"):
        tape.gradient(found.value, right)


def test_nests_of_unknowns_and_a_root_that_is_known():
    theta = {"sum": tf.constant(5.0), "gap": tf.constant(1.0)}

    def both(x, sum, gap):
        return {"a": x["a"] + x["b"] - sum, "b": x["a"] - x["b"] - gap}

    start = {"a": tf.constant(0.0), "b": tf.constant(0.0)}
    known = {"a": tf.constant(3.0), "b": tf.constant(2.0)}
    for options in ({}, {"solver": lambda function, initial: known}):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            found = wt.root(both, start, theta, **options)
            loss = found.value["a"] * 10 + found.value["b"]
        np.testing.assert_allclose(found.value["a"], 3, rtol=1e-6)
        gradient = tape.gradient(loss, theta)
        np.testing.assert_allclose(gradient["sum"], 5.5, rtol=1e-6)
        np.testing.assert_allclose(gradient["gap"], 4.5, rtol=1e-6)
    assert found.status == wt.Status.NOT_CHECKED
    assert found.stats.residual_norm == 0


def test_the_function_is_that_of_the_call():
    """What it captures has its gradient, and may change before the backward pass."""
    theta, power = tf.constant(8.0, tf.float64), tf.Variable(3.0, dtype=tf.float64)
    buffer = np.array(1.0)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        twice = 2 * theta
        found = wt.root(
            lambda x, theta: buffer * x**power - theta * twice,
            tf.constant(4.0, tf.float64),
            (theta,),
        )
        power.assign(1.0)
        buffer[()] = 7.0
    # x = (2 θ²)^⅓, and by the exponent p: −ln(2 θ²) x / p².
    x = 128 ** (1 / 3)
    by_theta, by_power = tape.gradient(found.value, [theta, power])
    np.testing.assert_allclose(found.value, x, rtol=1e-12)
    np.testing.assert_allclose(by_theta, 2 * x / 3 / 8, rtol=1e-9)
    np.testing.assert_allclose(by_power, -np.log(128) * x / 9, rtol=1e-9)


@pytest.mark.parametrize(
    ("solve", "function"),
    [
        (wt.fixed_point, layer),
        (wt.root, equations),
    ],
)
def test_under_xla(solve, function):
    weights, bias = tf.constant(MATRIX), tf.ones([2, 6], tf.float64)

    def loss(bias):
        start = tf.zeros([2, 6], tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(bias)
            found = solve(function, start, (weights, bias), batch_dims=1)
        return found.value, tape.gradient(found.value, bias)

    plain, compiled = loss(bias), tf.function(loss, jit_compile=True)(bias)
    for one, other in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-8, atol=1e-12)


def test_refusals():
    one = tf.constant(1.0)
    with pytest.raises(ValueError, match="`function` must return values like `x`"):
        wt.root(lambda x: tf.stack([x, x]), one)
    with pytest.raises(ValueError, match="`function` must return a nest like x"):
        wt.root(lambda x: {"a": x}, one)
    with pytest.raises(TypeError, match="`solver` must be a solver, such as"):
        wt.root(lambda x: x, one, solver=wt.Newton())
    with pytest.raises(TypeError, match="`solver` must be a solver"):
        wt.argmin(lambda x: x**2, one, solver=wt.NewtonKrylov())
    for derivative in (wt.TrustRegion(0.1), wt.Unrolled(checkpoint=True)):
        with pytest.raises(ValueError, match="`derivative` must be"):
            wt.root(lambda x: x, one, derivative=derivative)
    with pytest.raises(ValueError, match="`linear_solve` must be auto, dense or"):
        wt.root(lambda x: x, one, derivative=wt.Implicit("cg"))
    with pytest.raises(TypeError, match="`parameters` must be real for equations"):
        wt.root(lambda x, z: x, one, (tf.constant(1j),))
    with pytest.raises(ValueError, match="`rtol` must be above 0"):
        wt.Anderson(rtol=2.0)
    with pytest.raises(ValueError, match="`memory` must be >= 0"):
        wt.Anderson(memory=-1)
    with tf.GradientTape() as tape:
        tape.watch(one)
        value = wt.root(lambda x, p, q: x - p, one, (one, tf.constant(2.0))).value
    with pytest.raises(ValueError, match=r"does not use `parameters\[1\]`"):
        tape.gradient(value, one)


def test_the_tolerance_of_gmres_has_two_names(rng):
    matrix = tf.constant(5 * np.eye(40) + rng.normal(size=[40, 40]))
    right = tf.constant(rng.normal(size=40))

    def gradient(**options):
        with tf.GradientTape() as tape:
            tape.watch(right)
            x = wt.root(
                lambda x, b: tf.linalg.matvec(matrix, x) - b,
                tf.zeros_like(right),
                right,
                derivative=wt.Implicit(wt.GMRES(**options)),
            ).value
        return tape.gradient(x, right)

    loose = gradient(rtol=0.1)
    np.testing.assert_array_equal(loose, gradient(tolerance=0.1))
    assert np.abs(loose - gradient()).max() > 1e-4


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("find", [wt.root, wt.fixed_point])
def test_unrolled_from_its_root_a_root_has_the_implicit_derivative(find, mode):
    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = find(
                lambda x, t: 0.5 * (x + t / x) - (x if find is wt.root else 0),
                tf.constant([[2.0], [7.0]], tf.float64),
                theta,
                derivative=wt.Unrolled(),
                batch_dims=1,
            ).value
        return tape.gradient(x, theta)

    # √θ: the first starts at its root, the second does not.
    theta = tf.constant([[4.0], [9.0]], tf.float64)
    found = (tf.function(gradient) if mode == "graph" else gradient)(theta)
    np.testing.assert_allclose(found, [[1 / 4], [1 / 6]], rtol=1e-8)


def test_a_known_root_cannot_be_unrolled():
    with pytest.raises(ValueError, match="no steps to differentiate through"):
        wt.root(lambda x: x, 0.0, solver=wt.given, derivative=wt.Unrolled())
