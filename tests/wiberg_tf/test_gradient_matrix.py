"""Implicit derivatives of every solver on the problems of its class.

| problem | Newton | LBFGS | GradientDescent | GaussNewton | LevenbergMarquardt | IRLS |
|---|---|---|---|---|---|---|
| quadratic | yes | yes | yes | yes | yes | yes |
| Rosenbrock | yes | yes | | yes | yes | |
| logistic regression | yes | yes | yes | | | |
| robust mean | yes | yes | yes | yes | yes | yes |
| nonlinear least squares | yes | yes | yes | yes | yes | yes |

each in 3 and 30 unknowns, alone and in a batch, eagerly and in a graph. Empty: Gradient
descent and reweighting crawl along Rosenbrock's valley, and a logistic loss is no sum
of squares. By default each solver runs on nonlinear least squares, and Newton on the
logistic regression: 3 unknowns, a batch, a graph.
"""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_SMOOTH = {
    "newton": wt.Newton(tolerance=1e-12),
    "lbfgs": wt.LBFGS(tolerance=1e-12),
    "descent": wt.GradientDescent(tolerance=1e-12, max_iterations=3000),
}
_LEAST_SQUARES = {
    "gauss-newton": wt.GaussNewton(tolerance=1e-12),
    "levenberg-marquardt": wt.LevenbergMarquardt(tolerance=1e-12),
    "irls": wt.IRLS(tolerance=1e-12, max_iterations=1000),
}
_SOLVERS = {**_SMOOTH, **_LEAST_SQUARES}
_TABLE = {
    "quadratic": list(_SOLVERS),
    "rosenbrock": ["newton", "lbfgs", "gauss-newton", "levenberg-marquardt"],
    "logistic regression": list(_SMOOTH),
    "robust mean": list(_SOLVERS),
    "nonlinear least squares": list(_SOLVERS),
}


def _problem(name, size, batch, rng):
    """An energy of x `[*batch, size]` and θ `[*batch, 2]`."""
    # Well conditioned, or gradient descent would not get there.
    design = np.eye(size) + 0.3 * rng.normal(size=(*batch, size, size)) / size**0.5
    observed = rng.normal(size=(*batch, size))
    points = rng.normal(size=(*batch, 7, size))

    def quadratic(x, theta):
        seen = tf.linalg.matvec(design, x) - observed * theta[..., :1]
        return tf.concat([seen, theta[..., 1:] * x], -1)

    def rosenbrock(x, theta):
        ahead, behind = x[..., 1:], x[..., :-1]
        valley = 3 * theta[..., :1] * (ahead - behind**2)
        return tf.concat([valley, theta[..., 1:] - x], -1)

    def logistic(x, theta):
        margin = tf.linalg.matvec(points, x) + theta[..., :1]
        ridge = theta[..., 1] * tf.reduce_sum(x**2, -1)
        return tf.reduce_sum(tf.math.softplus(-margin), -1) + 0.5 * ridge

    def mean(x, theta):
        scaled = points * theta[..., :1, None]
        return (x[..., None, :] - scaled) * theta[..., None, 1:]

    def nonlinear(x, theta):
        seen = tf.linalg.matvec(design, x)
        curved = seen + 0.3 * tf.sin(theta[..., :1] * seen)
        return tf.concat([curved - observed, 0.3 * theta[..., 1:] * x], -1)

    return {
        "quadratic": wt.ResidualEnergy(quadratic),
        "rosenbrock": wt.ResidualEnergy(rosenbrock),
        "logistic regression": logistic,
        "robust mean": wt.ResidualEnergy(
            mean, wt.losses.PseudoHuber(size**0.5), vectors=True
        ),
        "nonlinear least squares": wt.ResidualEnergy(nonlinear),
    }[name]


def _cases():
    for name, solvers in _TABLE.items():
        for solver in solvers:
            for size in (3, 30):
                for batch in ((), (3,)):
                    for mode in ("eager", "graph"):
                        quick = (size, batch, mode) == (3, (3,), "graph") and (
                            (name, solver) == ("logistic regression", "newton")
                            or name == "nonlinear least squares"
                        )
                        marks = [] if quick else [pytest.mark.large]
                        yield pytest.param(name, solver, size, batch, mode, marks=marks)


@pytest.mark.parametrize(("name", "solver", "size", "batch", "mode"), list(_cases()))
def test_implicit_equals_differences_of_the_whole_solve(
    name, solver, size, batch, mode, rng, slope
):
    energy = _problem(name, size, batch, rng)
    weights = rng.normal(size=(*batch, size))
    theta = 0.8 + 0.4 * rng.random(size=(*batch, 2))
    along = rng.normal(size=theta.shape)

    def loss(theta):
        solution = wt.argmin(
            energy,
            tf.zeros(weights.shape, tf.float64),
            (theta,),
            solver=_SOLVERS[solver],
            batch_dims=len(batch),
        )
        value = tf.reduce_sum(weights * solution.value + tf.sin(solution.value))
        return value, solution.stats.gradient_norm

    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value, norm = loss(theta)
        return tape.gradient(value, theta), norm

    found, norm = (tf.function(gradient) if mode == "graph" else gradient)(
        tf.constant(theta)
    )
    # 1e-12 is asked for; round-off of the energy may end a search a little earlier.
    assert np.max(norm) < 1e-9
    compiled = tf.function(loss)
    expected = slope(lambda t: compiled(t)[0], [theta], [along])
    # Relative to the whole gradient: the direction may be all but orthogonal to it.
    scale = np.linalg.norm(found) * np.linalg.norm(along)
    np.testing.assert_allclose(
        np.sum(found * along), expected, rtol=0, atol=1e-6 * scale
    )
