"""Derivatives of minimisers, against closed forms and differences of whole solves."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_PRECISE = wt.Newton(tolerance=1e-12)


def _quadratic(x, factor, target):
    stretched = tf.linalg.matvec(factor, x)
    return 0.5 * tf.reduce_sum(stretched**2 + x**2, -1) - tf.reduce_sum(target * x, -1)


def _robust_mean(x, points, log_width):
    squared = tf.reduce_sum((points - x[..., None, :]) ** 2, -1)
    width = tf.exp(log_width)
    return tf.reduce_sum(width**2 * (tf.sqrt(1 + squared / width**2) - 1), -1)


def _logistic(x, features, log_ridge):
    margin = tf.linalg.matvec(features, x)
    loss = tf.reduce_sum(tf.math.softplus(-margin), -1)
    return loss + 0.5 * tf.exp(log_ridge) * tf.reduce_sum(x**2, -1)


def _draw(name, batch, rng):
    """Parameters of a problem with three unknowns: one shared, one per problem."""
    if name == "quadratic":
        return rng.normal(size=(3, 3)), rng.normal(size=(*batch, 3))
    if name == "robust mean":
        return rng.normal(size=(*batch, 7, 3)), np.array(-0.4)
    return rng.normal(size=(*batch, 9, 3)), np.array(-0.7)


_ENERGIES = {
    "quadratic": _quadratic,
    "robust mean": _robust_mean,
    "logistic regression": _logistic,
}


def _loss_of(energy, weights, derivative, batch_dims, solver=_PRECISE):
    """A curved function of the minimiser, so that the incoming gradient varies."""

    def loss(*parameters):
        x = wt.argmin(
            energy,
            tf.zeros(weights.shape, tf.float64),
            parameters,
            solver=solver,
            derivative=derivative,
            batch_dims=batch_dims,
        ).value
        return tf.reduce_sum(weights * x + tf.sin(x))

    return loss


def _gradients(loss, parameters):
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        value = loss(*parameters)
    return tape.gradient(value, parameters)


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param((), marks=pytest.mark.large),
        (3,),
        pytest.param((2, 2), marks=pytest.mark.large),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", _ENERGIES)
def test_implicit_equals_differences_of_the_whole_solve(name, batch, rng, slope):
    parameters = _draw(name, batch, rng)
    weights = rng.normal(size=(*batch, 3))
    loss = _loss_of(_ENERGIES[name], weights, wt.Implicit(), len(batch))
    tensors = [tf.constant(p) for p in parameters]
    eager = _gradients(loss, tensors)
    graph = tf.function(_gradients)(loss, tensors)
    value = tf.function(loss)
    for i, gradients in enumerate(zip(eager, graph, strict=True)):
        along = [np.zeros_like(p) for p in parameters]
        along[i] = rng.normal(size=parameters[i].shape)
        expected = slope(value, parameters, along)
        for gradient in gradients:
            found = np.sum(gradient * along[i])
            np.testing.assert_allclose(found, expected, rtol=1e-8)


def _spd(rng, size, batch=()):
    factor = rng.normal(size=(*batch, size, size))
    return factor @ np.swapaxes(factor, -1, -2) + 0.3 * np.eye(size)


def _coupled(x, hessian, coupling, theta):
    """E with ∂²E/∂x² = hessian and ∂²E/∂x∂θ = coupling."""
    force = tf.linalg.matvec(coupling, theta)
    return tf.reduce_sum(x * (0.5 * tf.linalg.matvec(hessian, x) + force), -1)


def _pulled_back(hessian, coupling, incoming, derivative, batch_dims=0):
    """θ's gradient of incoming · x*(θ)."""
    theta = tf.ones([*coupling.shape[:-2], coupling.shape[-1]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, theta: _coupled(x, hessian, coupling, theta),
            tf.zeros(incoming.shape, tf.float64),
            (theta,),
            derivative=derivative,
            batch_dims=batch_dims,
        ).value
        loss = tf.reduce_sum(incoming * x)
    return tape.gradient(loss, theta).numpy()


def _closed_form(hessian, coupling, incoming, damping):
    damped = hessian + damping * np.eye(len(hessian))
    return -coupling.T @ np.linalg.solve(damped, incoming)


@pytest.mark.parametrize("linear_solve", ["dense", "cg"])
@pytest.mark.parametrize("damping", [0.0, 0.01, 0.7, 50.0])
def test_trust_region_equals_its_closed_form(damping, linear_solve, rng):
    hessian, coupling = _spd(rng, 4), rng.normal(size=(4, 2))
    incoming = rng.normal(size=4)
    gradient = _pulled_back(
        hessian, coupling, incoming, wt.TrustRegion(damping, linear_solve)
    )
    expected = _closed_form(hessian, coupling, incoming, damping)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9)


def test_trust_region_does_not_damp_the_normal_equations(rng):
    hessian, coupling = _spd(rng, 4), rng.normal(size=(4, 2))
    incoming, damping = rng.normal(size=4), 0.7
    gradient = _pulled_back(hessian, coupling, incoming, wt.TrustRegion(damping))
    normal = hessian.T @ hessian + damping * np.eye(4)
    trap = -coupling.T @ hessian @ np.linalg.solve(normal, incoming)
    assert np.linalg.norm(gradient - trap) > 0.05 * np.linalg.norm(gradient)


@pytest.mark.parametrize("linear_solve", ["dense", "cg"])
def test_each_problem_may_have_its_own_damping(linear_solve, rng):
    hessian, coupling = _spd(rng, 3, (3,)), rng.normal(size=(3, 3, 2))
    incoming, damping = rng.normal(size=(3, 3)), np.array([0.0, 0.2, 5.0])
    derivative = wt.TrustRegion(tf.constant(damping), linear_solve)
    gradient = _pulled_back(hessian, coupling, incoming, derivative, batch_dims=1)
    for i in range(3):
        expected = _closed_form(hessian[i], coupling[i], incoming[i], damping[i])
        np.testing.assert_allclose(gradient[i], expected, rtol=1e-9)


def test_the_bias_of_damping_vanishes_linearly(rng):
    hessian, coupling = _spd(rng, 3), rng.normal(size=(3, 2))
    incoming = rng.normal(size=3)
    exact = _pulled_back(hessian, coupling, incoming, wt.Implicit())
    gaps = [
        np.linalg.norm(
            _pulled_back(hessian, coupling, incoming, wt.TrustRegion(damping)) - exact
        )
        for damping in (1e-3, 1e-4, 1e-5)
    ]
    assert gaps[0] > 0
    np.testing.assert_allclose(gaps[0] / gaps[1], 10, rtol=0.02)
    np.testing.assert_allclose(gaps[1] / gaps[2], 10, rtol=0.02)


@pytest.mark.parametrize(
    "damping", [1e-3, pytest.param(0.1, marks=pytest.mark.large), 10.0]
)
def test_damping_bounds_the_derivative_at_a_flat_minimum(damping, rng):
    flat, _ = np.linalg.qr(rng.normal(size=(4, 2)))
    hessian, coupling = 2.0 * flat @ flat.T, rng.normal(size=(4, 3))
    theta = tf.zeros(3, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, theta: _coupled(x, hessian, coupling, theta),
            tf.zeros(4, tf.float64),
            (theta,),
            solver=wt.given,
            derivative=wt.TrustRegion(damping),
        ).value
    derivative = tape.jacobian(x, theta).numpy()
    bound = np.linalg.norm(coupling, 2) / damping
    assert np.linalg.norm(derivative, 2) <= bound * (1 + 1e-9)
    # Along the flat directions the bound is attained.
    valley = (np.eye(4) - flat @ flat.T) @ coupling
    expected = np.linalg.norm(valley, 2) / damping
    np.testing.assert_allclose(
        np.linalg.norm((np.eye(4) - flat @ flat.T) @ derivative, 2), expected, rtol=1e-9
    )


@pytest.mark.parametrize(
    ("damping", "received"),
    [(-0.1, "-0.1"), (float("nan"), "nan"), ("auto", "'auto'")],
)
def test_damping_must_be_a_number_not_below_zero(damping, received):
    with pytest.raises(ValueError, match=f"`damping` must be .*received {received}"):
        wt.TrustRegion(damping)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"damping": 0.1, "indefinite": "maybe"}, "`indefinite` must be"),
        ({"damping": 0.1, "indefinite": "solve", "linear_solve": "cg"}, "'cg'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        wt.TrustRegion(**options)


@pytest.mark.parametrize("linear_solve", ["dense", "minres"])
def test_an_indefinite_system_is_solved_on_request(linear_solve, rng):
    hessian = _spd(rng, 4) - 2.0 * np.eye(4)
    values = np.linalg.eigvalsh(hessian)
    assert values[0] + 0.3 < 0 < values[-1]
    coupling, incoming = rng.normal(size=(4, 2)), rng.normal(size=4)
    theta = tf.ones(2, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, theta: _coupled(x, hessian, coupling, theta),
            tf.zeros(4, tf.float64),
            (theta,),
            solver=wt.given,
            derivative=wt.TrustRegion(0.3, linear_solve, indefinite="solve"),
        ).value
    gradient = tape.gradient(x, theta, incoming)
    expected = _closed_form(hessian, coupling, incoming, 0.3)
    np.testing.assert_allclose(gradient, expected, rtol=1e-8)


@pytest.mark.parametrize("eigenvalues", [(1, 50), (1e-9, 2), (-3, 2), (0, 0), (-2, -2)])
@pytest.mark.parametrize("scale", [1, 1e-12])
@pytest.mark.parametrize("floor", [0, 0.5])
def test_adaptive_damping_is_the_least_that_makes_the_system_safe(
    eigenvalues, scale, floor, rng
):
    values = scale * np.array(eigenvalues)
    vectors, _ = np.linalg.qr(rng.normal(size=(2, 2)))
    hessian = vectors @ np.diag(values) @ vectors.T
    least = max(np.abs(values).max() / 1e3, floor) or 1.0
    damping = max(0, least - values.min())
    theta = tf.zeros(2, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, theta: _coupled(x, hessian, np.eye(2), theta),
            tf.zeros(2, tf.float64),
            (theta,),
            solver=wt.given,
            derivative=wt.TrustRegion(
                wt.Adaptive(floor=floor) if floor else "adaptive"
            ),
        ).value
    gradient = tape.gradient(x, theta, np.array([1.0, 0.5]))
    expected = _closed_form(hessian, np.eye(2), np.array([1.0, 0.5]), damping)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9)
    assert np.linalg.norm(gradient) <= np.hypot(1, 0.5) / least * (1 + 1e-9)


def test_damping_tensors_are_checked_when_minimising():
    with pytest.raises(tf.errors.InvalidArgumentError, match="`damping` must be >= 0"):
        wt.argmin(
            lambda x: tf.reduce_sum(x**2, -1),
            tf.ones([2, 1]),
            derivative=wt.TrustRegion(tf.constant([0.1, -0.1])),
            batch_dims=1,
        )


def test_an_unknown_linear_solve_is_refused():
    with pytest.raises(ValueError, match=r"`linear_solve` must be .*received 'lu'"):
        wt.TrustRegion(0.1, linear_solve="lu")


@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_the_callers_linear_solve_replaces_ours(damping, rng):
    hessian, coupling = _spd(rng, 3), rng.normal(size=(3, 2))
    incoming = rng.normal(size=3)
    calls = []

    def structured(x, parameters, damping, right):
        calls.append((x, parameters, damping, right))
        damped = hessian + damping * tf.eye(3, dtype=x.dtype)
        return tf.linalg.solve(damped, right[:, None])[:, 0]

    gradient = _pulled_back(
        hessian, coupling, incoming, wt.TrustRegion(damping, structured)
    )
    expected = _closed_form(hessian, coupling, incoming, damping)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9)
    [(x, parameters, received, right)] = calls
    np.testing.assert_allclose(x, -np.linalg.solve(hessian, coupling @ np.ones(2)))
    assert isinstance(parameters, tuple)
    assert float(received) == damping
    np.testing.assert_array_equal(right, incoming)


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_the_callers_linear_solve_sees_nests_and_dense_gradients(mode):
    seen = []

    def structured(x, parameters, damping, right):
        seen.append(right)
        return {name: entry / (2 + damping[:, None]) for name, entry in right.items()}

    def run(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            solution = wt.argmin(
                lambda x, t: tf.reduce_sum((x["a"] - t) ** 2 + (x["b"] + t) ** 2, -1),
                {"a": tf.zeros([2, 2]), "b": tf.zeros([2, 2])},
                (theta,),
                derivative=wt.TrustRegion(2.0, structured),
                batch_dims=1,
            )
            # The gradient of a gather is sparse.
            loss = tf.reduce_sum(tf.gather(solution.value["a"], [1]))
        return tape.gradient(loss, theta)

    gradient = (tf.function(run) if mode == "graph" else run)(
        tf.constant([[1.0, 2.0], [3.0, 4.0]])
    )
    assert all(tf.is_tensor(entry) for entry in tf.nest.flatten(seen))
    np.testing.assert_allclose(gradient, [[0, 0], [0.5, 0.5]])


# Two iterations from zero are not enough for any of these.
@pytest.mark.parametrize(
    "batch", [pytest.param((), marks=pytest.mark.large), (3,)], ids=str
)
@pytest.mark.parametrize(
    "name",
    ["robust mean", pytest.param("logistic regression", marks=pytest.mark.large)],
)
def test_unrolled_equals_differences_of_the_truncated_solve(name, batch, rng, slope):
    parameters = _draw(name, batch, rng)
    weights = rng.normal(size=(*batch, 3))
    truncated = wt.Newton(max_iterations=2, tolerance=1e-12)
    loss = tf.function(
        _loss_of(_ENERGIES[name], weights, wt.Unrolled(), len(batch), truncated)
    )
    gradients = _gradients(loss, [tf.constant(p) for p in parameters])
    exact = _gradients(
        _loss_of(_ENERGIES[name], weights, wt.Implicit(), len(batch)),
        [tf.constant(p) for p in parameters],
    )
    for i, gradient in enumerate(gradients):
        along = [np.zeros_like(p) for p in parameters]
        along[i] = rng.normal(size=parameters[i].shape)
        expected = slope(loss, parameters, along)
        np.testing.assert_allclose(np.sum(gradient * along[i]), expected, rtol=1e-7)
        assert abs(np.sum(exact[i] * along[i]) / expected - 1) > 1e-5


def test_unrolled_is_right_where_the_hessians_eigenvalues_coincide():
    # The derivative of eigh divides by their differences.
    target, start = tf.constant([1.0, 2.0], tf.float64), [3.0, 5.0]
    hessian = tf.eye(2, dtype=tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(hessian)
        x = wt.argmin(
            lambda x, h: (
                0.5 * tf.tensordot(x, tf.linalg.matvec(h, x), 1)
                - tf.tensordot(target, x, 1)
            ),
            tf.constant(start, tf.float64),
            (hessian,),
            derivative=wt.Unrolled(),
        ).value
        loss = x[0]
    # x = H⁻¹ b, of which the energy sees the symmetric part of H.
    np.testing.assert_allclose(tape.gradient(loss, hessian), [[-1, -1], [-1, 0]])
