"""One structured solve for the solver's steps and for the derivative.

The problem is bundle adjustment in small: a few unknowns of a camera, shared, and many
points, each seen twice. Its Hessian is an arrow: dense rows for the camera, one
3 x 3 block per point. docs/which-solver.md tells of it, and has a smaller example.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt
from wiberg_tf._nest import Packing
from wiberg_tf._problem import Problem

modes = pytest.mark.parametrize("mode", ["eager", "graph"])


def _residuals(x, observed, prior):
    """Two views of each point by a camera with focal lengths and a centre."""
    focal, centre = tf.split(x["camera"][..., None, :], 2, -1)
    points = x["points"]
    scale = (1 + focal) * tf.exp(-0.3 * points[..., 2:])
    left = scale * points[..., :2] + centre
    right = scale * (points[..., :2] + [[1.0, 0.0]]) + centre
    close = tf.exp(prior) * points
    rows = tf.concat([tf.concat([left, right], -1) - observed, close], -1)
    rows = tf.reshape(rows, tf.concat([tf.shape(rows)[:-2], [-1]], 0))
    return tf.concat([rows, 0.1 * x["camera"]], -1)


_ENERGY = wt.ResidualEnergy(_residuals)


def arrow_solve(x, parameters, damping, right):
    """(H + λI)⁻¹ u by eliminating the points (Schur complement)."""

    def columns(which):
        """Rows and points' blocks of H for unit vectors of the camera or all points."""
        size = x[which].shape[-1]
        parts = []
        for i in range(size):
            unit = tf.one_hot(i, size, dtype=right[which].dtype)
            direction = tf.nest.map_structure(tf.zeros_like, x)
            direction[which] += unit
            with tf.GradientTape(watch_accessed_variables=False) as outer:
                outer.watch(x)
                with tf.GradientTape(watch_accessed_variables=False) as inner:
                    inner.watch(x)
                    energy = _ENERGY(x, *parameters)
                gradient = inner.gradient(energy, x)
            parts.append(outer.gradient(gradient, x, direction))
        return {key: tf.stack([part[key] for part in parts], -1) for key in x}

    camera, points = columns("camera"), columns("points")
    damped = damping[..., None, None]
    top = camera["camera"] + damped * tf.eye(4, dtype=damped.dtype)
    blocks = points["points"] + damped[..., None] * tf.eye(3, dtype=damped.dtype)
    factors = tf.linalg.cholesky(blocks)  # [*batch, P, 3, 3]
    eliminated = tf.linalg.cholesky_solve(factors, camera["points"])
    reduced = top - tf.einsum("...pik,...pil->...kl", camera["points"], eliminated)
    moved = tf.einsum("...pik,...pi->...k", eliminated, right["points"])
    shared = tf.linalg.cholesky_solve(
        tf.linalg.cholesky(reduced), (right["camera"] - moved)[..., None]
    )[..., 0]
    own = tf.linalg.cholesky_solve(factors, right["points"][..., None])[..., 0]
    own -= tf.einsum("...pik,...k->...pi", eliminated, shared)
    return {"camera": shared, "points": own}


def _draw(rng, points, batch=(), near=0.0):
    truth = {
        "camera": tf.constant(0.1 * rng.normal(size=(*batch, 4))),
        "points": tf.constant(0.5 * rng.normal(size=(*batch, points, 3))),
    }
    clean = _residuals(truth, 0.0, tf.constant(0.0, tf.float64))[..., :-4]
    seen = tf.reshape(clean, [*batch, points, 7])[..., :4]
    observed = seen + 0.02 * rng.normal(size=seen.shape)
    start = tf.nest.map_structure(lambda entry: near * entry, truth)
    return start, (observed, tf.constant(-0.3, tf.float64))


_SOLVERS = {
    "newton": (wt.Newton, {}),
    "gauss-newton": (wt.GaussNewton, {}),
    "levenberg-marquardt": (wt.LevenbergMarquardt, {}),
    "irls": (wt.IRLS, {"line_search": True}),
}


@pytest.mark.parametrize("batch", [(), (2,)], ids=str)
def test_the_arrow_solve_is_right(batch, rng):
    start, parameters = _draw(rng, 3, batch)
    packing = Packing(start, len(batch))
    x = 0.2 * tf.constant(rng.normal(size=(*batch, packing.size)))
    hessian = Problem(_ENERGY, packing, parameters).hessian(x)
    right = tf.constant(rng.normal(size=x.shape))
    damping = tf.constant(20.0 + rng.random(batch))
    damped = hessian + damping[..., None, None] * np.eye(packing.size)
    found = arrow_solve(packing.unpack(x), parameters, damping, packing.unpack(right))
    expected = tf.linalg.solve(damped, right[..., None])[..., 0]
    np.testing.assert_allclose(packing.pack(found), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        "newton",
        pytest.param("levenberg-marquardt", marks=pytest.mark.large),
        pytest.param("gauss-newton", marks=pytest.mark.large),
        pytest.param("irls", marks=pytest.mark.large),
    ],
)
def test_structured_and_dense_steps_find_the_same_minimum(name, rng):
    start, parameters = _draw(rng, 4, (2,))
    solver, options = _SOLVERS[name]

    @tf.function
    def minimise(**more):
        return wt.argmin(
            _ENERGY,
            start,
            parameters,
            solver=solver(tolerance=1e-10, **options, **more),
            batch_dims=1,
        )

    dense, structured = minimise(), minimise(linear_solve=arrow_solve)
    assert np.all(structured.status == wt.Status.CONVERGED)
    for key in start:
        np.testing.assert_allclose(structured.value[key], dense.value[key], atol=1e-8)


@pytest.mark.parametrize(
    "mode", [pytest.param("eager", marks=pytest.mark.large), "graph"]
)
# Far from the minimum H is indefinite: Levenberg-Marquardt's damping mends it.
@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("levenberg-marquardt", 0.0),
        pytest.param("newton", 0.95, marks=pytest.mark.large),
    ],
)
def test_thousands_of_unknowns_never_meet_a_dense_matrix(
    name, near, mode, rng, slope, monkeypatch
):
    def refuse(*_, **__):
        raise AssertionError("formed a dense matrix")

    monkeypatch.setattr(Problem, "hessian", refuse)
    monkeypatch.setattr(wt.ResidualEnergy, "gauss_newton", refuse)
    start, (observed, prior) = _draw(rng, 1000, near=near)
    weights = rng.normal(size=observed.shape[:1])
    solver, _ = _SOLVERS[name]

    def loss(observed, prior):
        solution = wt.argmin(
            _ENERGY,
            start,
            (observed, prior),
            solver=solver(tolerance=1e-11, linear_solve=arrow_solve),
            derivative=wt.Implicit(arrow_solve),
        )
        depth = solution.value["points"][..., 2]
        return tf.reduce_sum(weights * depth + depth**2), solution.status

    def gradient(observed, prior):
        with tf.GradientTape() as tape:
            tape.watch([observed, prior])
            value, status = loss(observed, prior)
        return value, tape.gradient(value, [observed, prior]), status

    compiled = tf.function(gradient)  # For the differences too.
    run = compiled if mode == "graph" else gradient
    _, gradients, status = run(observed, prior)
    assert status == wt.Status.CONVERGED
    along = [rng.normal(size=observed.shape), np.array(0.7)]
    expected = slope(lambda *p: compiled(*p)[0], [observed, prior], along)
    found = sum(np.sum(g * a) for g, a in zip(gradients, along, strict=True))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_step_that_leads_uphill_or_nowhere_is_replaced():
    # Newton's step of this saddle is uphill in the second problem.
    def energy(x, target):
        return tf.reduce_sum(tf.cos(x - target), -1)

    def hessian_solve(x, parameters, damping, right):
        return right / (damping[:, None] - tf.cos(x - parameters[0]))

    target = tf.constant([[3.0], [0.4], [np.pi / 2]], tf.float64)
    solution = wt.argmin(
        energy,
        tf.zeros([3, 1], tf.float64),
        (target,),
        solver=wt.Newton(linear_solve=hessian_solve),
        batch_dims=1,
    )
    np.testing.assert_array_equal(solution.status, wt.Status.CONVERGED)
    np.testing.assert_allclose(tf.cos(solution.value - target), -1, rtol=1e-12)


def test_plain_steps_that_are_lost_are_singular():
    solution = wt.argmin(
        lambda x, t: tf.reduce_sum((x - t) ** 2, -1),
        tf.zeros([2, 1]),
        (tf.constant([[1.0], [2.0]]),),
        solver=wt.Newton(
            line_search=False,
            linear_solve=lambda x, p, damping, u: u / tf.constant([[0.0], [2.0]]),
        ),
        batch_dims=1,
    )
    np.testing.assert_array_equal(
        solution.status, [wt.Status.SINGULAR, wt.Status.CONVERGED]
    )
    np.testing.assert_allclose(solution.value, [[0], [2]])


def test_newtons_damping_reaches_the_callers_solve():
    seen = []

    def solve(x, parameters, damping, right):
        seen.append(damping)
        return right / (2 + damping[:, None])

    wt.argmin(
        lambda x, t: tf.reduce_sum((x - t) ** 2, -1),
        tf.zeros([2, 1]),
        (tf.ones([2, 1]),),
        solver=wt.Newton(damping=0.5, linear_solve=solve, max_iterations=1),
        batch_dims=1,
    )
    np.testing.assert_array_equal(seen[0], [0.5, 0.5])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda u: u["a"], "must return a nest like x"),
        (lambda u: {"a": u["a"][:1]}, r"shape \(2,\) for `x\['a'\]`; .*\(1,\)"),
        (lambda u: {"a": tf.cast(u["a"], tf.float64)}, "float32 .* float64"),
        (lambda u: {"a": None}, r"linear_solve\(...\)\['a'\]`.* received NoneType"),
    ],
)
@pytest.mark.parametrize("where", ["solver", "derivative"])
def test_an_answer_of_another_form_is_refused(where, answer, message):
    def solve(x, parameters, damping, right):
        return answer(right)

    theta = tf.ones(2)
    chosen = {
        "solver": {"solver": wt.Newton(linear_solve=solve)},
        "derivative": {"derivative": wt.Implicit(solve)},
    }[where]
    with (
        tf.GradientTape() as tape,
        pytest.raises((TypeError, ValueError), match=message),
    ):
        tape.watch(theta)
        x = wt.argmin(
            lambda x, t: tf.reduce_sum((x["a"] - t) ** 2),
            {"a": tf.zeros(2)},
            (theta,),
            **chosen,
        ).value
        tape.gradient(x["a"], theta)


@pytest.mark.parametrize("solver", [wt.Newton, wt.LevenbergMarquardt])
def test_bounds_need_a_solve_of_ours(solver):
    with pytest.raises(ValueError, match="does not go with `bounds`"):
        wt.argmin(
            wt.ResidualEnergy(lambda x: x),
            tf.ones(2),
            solver=solver(linear_solve=lambda x, p, damping, right: right / 2),
            bounds=(-1.0, 1.0),
        )


def test_the_derivative_refuses_a_solve_that_fails():
    # The last problem is left out of the loss.
    theta = tf.constant([[1.0], [2.0], [3.0]])

    def solve(x, parameters, damping, right):
        return right / tf.constant([[2.0], [0.0], [0.0]])

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, t: tf.reduce_sum((x - t) ** 2, -1),
            tf.zeros([3, 1]),
            (theta,),
            derivative=wt.Implicit(solve),
            batch_dims=1,
        ).value
        first = x[0]
    np.testing.assert_allclose(tape.gradient(first, theta), [[1], [0], [0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="returned NaN"):
        tape.gradient(x, theta)


def test_the_example_of_the_documentation():
    page = Path(__file__).parents[3] / "docs" / "which-solver.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    names = {}
    exec(code, names)
    assert names["solution"].status == wt.Status.CONVERGED
    x, parameters = names["observed"][:5], (names["observed"][5:10], names["stiffness"])
    hessian = Problem(names["energy"], Packing(x, 0), parameters).hessian(x)
    right = tf.range(5.0, dtype=tf.float64)
    v = names["linear_solve"](x, parameters, tf.constant(0.3, tf.float64), right)
    np.testing.assert_allclose(tf.linalg.matvec(hessian, v) + 0.3 * v, right, atol=1e-9)
