"""Rows of this library: `tf.function` around `argmin` and the gradient.

Compiled by XLA, but for the rows with matrices: on CPUs XLA factors them in plain
loops.
"""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

import wiberg_tf as wt
from argmin_rows import problems
from ransac.energy import RobustEnergy, estimate

tf.config.threading.set_intra_op_parallelism_threads(len(os.sched_getaffinity(0)))


def toy(problem: problems.Toy) -> dict[str, Callable]:
    points, truth, sigma = map(tf.constant, problem[:3])
    damping = tf.constant(problem.damping, tf.float64)

    def published(points: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
        return estimate(RobustEnergy(points), {"sigma": sigma}, damping).value

    def converged(points: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
        return wt.argmin(
            RobustEnergy(points),
            tf.zeros_like(sigma),
            {"sigma": sigma},
            solver=wt.GridSeeds(points)(wt.Newton(tolerance=problems.TOLERANCE)),
            derivative=wt.TrustRegion(problem.damping),
            batch_dims=1,
        ).value

    def row(minimise: Callable) -> Callable:
        def loss(points: tf.Tensor, truth: tf.Tensor, sigma: tf.Tensor) -> Any:
            value = minimise(points, sigma)
            return value, tf.reduce_sum((value - truth) ** 2)

        return _function(loss, points, truth, sigma)

    return {
        "wiberg_tf, as published": row(published),
        "wiberg_tf, Newton": row(converged),
    }


def logistic(problem: problems.Logistic) -> dict[str, Callable]:
    def energy(x: tf.Tensor, features: tf.Tensor, log_penalty: tf.Tensor) -> tf.Tensor:
        return _misfit(features, x) + 0.5 * tf.exp(log_penalty) * tf.reduce_sum(
            x**2, -1
        )

    def row(steps: int) -> Callable:
        solver = wt.Newton(tolerance=problems.TOLERANCE, steps_per_hessian=steps)

        def loss(features: tf.Tensor, held_out: tf.Tensor, theta: tf.Tensor) -> Any:
            value = wt.argmin(
                lambda x, theta: energy(x, features, theta),
                tf.zeros_like(features[:, 0]),
                (theta,),
                solver=solver,
                batch_dims=1,
            ).value
            return value, tf.reduce_sum(_misfit(held_out, value))

        return _function(loss, *map(tf.constant, problem), jit_compile=False)

    return {
        "wiberg_tf, Newton": row(1),
        "wiberg_tf, Newton, 8 steps a Hessian": row(8),
    }


def chain(problem: problems.Chain) -> dict[str, Callable]:
    def energy(x: tf.Tensor, observed: tf.Tensor, log_smoothness: tf.Tensor) -> Any:
        misfit = tf.reduce_sum(tf.sqrt(1 + (x - observed) ** 2) - 1)
        rough = tf.reduce_sum((x[1:] - x[:-1]) ** 2)
        return misfit + 0.5 * tf.exp(log_smoothness) * rough

    def row(solver: wt.Solver, linear_solve: Any, jit_compile: bool) -> Callable:
        def loss(observed: tf.Tensor, clean: tf.Tensor, log_smoothness: tf.Tensor):
            value = wt.argmin(
                energy,
                observed,
                (observed, log_smoothness),
                solver=solver,
                derivative=wt.Implicit(linear_solve),
            ).value
            return value, 0.5 * tf.reduce_sum((value - clean) ** 2)

        theta = tf.constant(problem.log_smoothness, tf.float64)
        inputs = (*map(tf.constant, problem[:2]), theta)
        return _function(loss, *inputs, jit_compile=jit_compile)

    newton = wt.Newton(tolerance=problems.TOLERANCE, linear_solve=_tridiagonal_solve)
    return {
        "wiberg_tf, L-BFGS, CG": row(
            wt.LBFGS(tolerance=problems.TOLERANCE), "cg", jit_compile=True
        ),
        # XLA's tridiagonal solve does not pivot.
        "wiberg_tf, Newton, own tridiagonal solve": row(
            newton, _tridiagonal_solve, jit_compile=False
        ),
    }


def robust(problem: problems.Robust) -> dict[str, Callable]:
    features, targets, truth, log_width = map(tf.constant, problem)
    energy = wt.ResidualEnergy(
        lambda x, features, targets, _: tf.linalg.matvec(features, x) - targets,
        lambda *parameters: wt.losses.PseudoHuber(tf.exp(parameters[-1])[:, None]),
    )

    def row(solver: wt.Solver) -> Callable:
        def loss(*parameters: tf.Tensor) -> Any:
            value = wt.argmin(
                energy, tf.zeros_like(truth), parameters, solver=solver, batch_dims=1
            ).value
            return value, 0.5 * tf.reduce_sum((value - truth) ** 2)

        return _function(loss, features, targets, log_width, jit_compile=False)

    return {
        "wiberg_tf, IRLS": row(wt.IRLS(tolerance=problems.TOLERANCE)),
        "wiberg_tf, IRLS, compacted": row(
            wt.Compacted(wt.IRLS(tolerance=problems.TOLERANCE))
        ),
        "wiberg_tf, Gauss-Newton": row(wt.GaussNewton(tolerance=problems.TOLERANCE)),
    }


def curved(problem: problems.Curved) -> dict[str, Callable]:
    features, targets, truth, frequency = map(tf.constant, problem)

    def residuals(x: tf.Tensor, f: tf.Tensor, y: tf.Tensor, theta: tf.Tensor) -> Any:
        seen = tf.linalg.matvec(f, x)
        bent = seen + 0.3 * tf.sin(theta[:, None] * seen) - y
        return tf.concat([bent, 0.1 * x], -1)

    def loss(*parameters: tf.Tensor) -> Any:
        value = wt.argmin(
            wt.ResidualEnergy(residuals),
            tf.zeros_like(truth),
            parameters,
            solver=wt.LevenbergMarquardt(tolerance=problems.TOLERANCE),
            batch_dims=1,
        ).value
        return value, 0.5 * tf.reduce_sum((value - truth) ** 2)

    inputs = features, targets, frequency
    return {
        "wiberg_tf, Levenberg-Marquardt": _function(loss, *inputs, jit_compile=False)
    }


def equilibrium(problem: problems.Equilibrium) -> dict[str, Callable]:
    injected, targets, weights = map(tf.constant, problem)

    def loss(injected: tf.Tensor, weights: tf.Tensor) -> Any:
        value = wt.fixed_point(
            lambda z, weights: tf.tanh(z @ weights + injected),
            tf.zeros_like(injected),
            (weights,),
            solver=wt.Anderson(atol=problems.TOLERANCE, rtol=1e-12),
            derivative=wt.Implicit(wt.GMRES(tolerance=problems.TOLERANCE)),
            batch_dims=1,
        ).value
        return value, 0.5 * tf.reduce_sum((value - targets) ** 2)

    return {
        f"wiberg_tf, Anderson, GMRES{', XLA' if compiled else ''}": _function(
            loss, injected, weights, jit_compile=compiled
        )
        for compiled in (False, True)
    }


def _tridiagonal_solve(
    x: tf.Tensor, parameters: Any, damping: tf.Tensor, right: tf.Tensor
) -> tf.Tensor:
    """(H + λI)⁻¹ u of the chain: the example of docs/which-solver.md."""
    observed, log_smoothness = parameters
    stiffness = tf.exp(log_smoothness)
    neighbours = tf.concat([[1], tf.fill([x.shape[0] - 2], 2), [1]], 0)
    diagonal = (1 + (x - observed) ** 2) ** -1.5
    diagonal += stiffness * tf.cast(neighbours, x.dtype) + damping
    beside = tf.fill(x.shape, -stiffness)
    bands = tf.stack([beside, diagonal, beside])
    return tf.linalg.tridiagonal_solve(bands, right)


def _misfit(features: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.nn.softplus(tf.linalg.matvec(features, -x)), -1)


def _function(loss: Callable, *inputs: tf.Tensor, jit_compile: bool = True) -> Callable:
    """Of `loss(*inputs) -> (minimiser, loss)`, with the gradient in the last input."""

    @tf.function(jit_compile=jit_compile)
    def run(*inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs[-1])
            value, total = loss(*inputs)
        return value, tape.gradient(total, inputs[-1])

    return lambda: run(*inputs)
