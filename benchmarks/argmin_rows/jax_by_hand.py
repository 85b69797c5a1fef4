"""Rows written by hand in JAX: what a user without any library would write."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from argmin_rows import problems
from argmin_rows.jax_energies import (
    compiled,
    logistic_energy,
    logistic_loss,
    pseudo_huber_energy,
    regression_problem,
    robust_energy,
    robust_residuals,
)


def toy(problem: problems.Toy) -> dict[str, Callable]:
    slope = jax.grad(robust_energy)
    bend = jax.grad(slope)

    @jax.custom_vjp
    def estimate(sigma: jax.Array, points: jax.Array) -> jax.Array:
        energies = jax.vmap(robust_energy, (0, None, None))(points, sigma, points)
        x = points[jnp.argmin(energies)]
        damped = bend(x, sigma, points) + problem.damping
        return x - slope(x, sigma, points) / damped

    def forward(sigma: jax.Array, points: jax.Array) -> tuple[jax.Array, Any]:
        x = estimate(sigma, points)
        return x, (x, sigma, points)

    def backward(saved: Any, upstream: jax.Array) -> tuple[jax.Array, None]:
        x, sigma, points = saved
        v = upstream / (bend(x, sigma, points) + problem.damping)
        _, pull = jax.vjp(lambda sigma: slope(x, sigma, points), sigma)
        return -pull(v)[0], None

    estimate.defvjp(forward, backward)

    def loss(points: jax.Array, truth: jax.Array, sigma: jax.Array) -> Any:
        x = estimate(sigma, points)
        return (x - truth) ** 2, x

    return {"JAX by hand, as published": compiled(jax.vmap, loss, *problem[:3])}


def logistic(problem: problems.Logistic) -> dict[str, Callable]:
    slope = jax.grad(logistic_energy)
    hessian = jax.hessian(logistic_energy)

    @jax.custom_vjp
    def minimise(log_penalty: jax.Array, features: jax.Array) -> jax.Array:
        def step(x: jax.Array) -> jax.Array:
            gradient = slope(x, log_penalty, features)
            return x - _solve(hessian(x, log_penalty, features), gradient)

        def unfinished(x: jax.Array) -> jax.Array:
            gradient = slope(x, log_penalty, features)
            return jnp.linalg.norm(gradient) > problems.TOLERANCE

        # Full steps do on these problems.
        return jax.lax.while_loop(unfinished, step, jnp.zeros_like(features[0]))

    def forward(log_penalty: jax.Array, features: jax.Array) -> tuple[jax.Array, Any]:
        x = minimise(log_penalty, features)
        return x, (x, log_penalty, features)

    def backward(saved: Any, upstream: jax.Array) -> tuple[jax.Array, None]:
        x, log_penalty, features = saved
        v = _solve(hessian(x, log_penalty, features), upstream)
        _, pull = jax.vjp(lambda theta: slope(x, theta, features), log_penalty)
        return -pull(v)[0], None

    minimise.defvjp(forward, backward)

    def loss(features: jax.Array, held_out: jax.Array, log_penalty: jax.Array) -> Any:
        x = minimise(log_penalty, features)
        return logistic_loss(x, held_out), x

    return {"JAX by hand, Newton": compiled(jax.vmap, loss, *problem)}


def robust(problem: problems.Robust) -> dict[str, Callable]:
    slope = jax.grad(pseudo_huber_energy)
    hessian = jax.hessian(pseudo_huber_energy)

    @jax.custom_vjp
    def minimise(
        start: jax.Array, log_width: jax.Array, features: jax.Array, targets: jax.Array
    ) -> jax.Array:
        def step(x: jax.Array) -> jax.Array:
            residuals = robust_residuals(x, features, targets)
            weights = jax.lax.rsqrt(1 + (residuals / jnp.exp(log_width)) ** 2)
            weighted = weights[:, None] * features
            return _solve(weighted.T @ features, weighted.T @ targets)

        def unfinished(x: jax.Array) -> jax.Array:
            gradient = slope(x, log_width, features, targets)
            return jnp.linalg.norm(gradient) > problems.TOLERANCE

        return jax.lax.while_loop(unfinished, step, start)

    def forward(*inputs: jax.Array) -> tuple[jax.Array, Any]:
        x = minimise(*inputs)
        return x, (x, *inputs[1:])

    def backward(saved: Any, upstream: jax.Array) -> tuple[Any, ...]:
        x, theta, *rest = saved
        v = _solve(hessian(x, theta, *rest), upstream)
        _, pull = jax.vjp(lambda theta: slope(x, theta, *rest), theta)
        return None, -pull(v)[0], None, None

    minimise.defvjp(forward, backward)
    loss = regression_problem(minimise)
    return {"JAX by hand, IRLS": compiled(jax.vmap, loss, *problem)}


def _solve(matrix: jax.Array, right: jax.Array) -> jax.Array:
    factor = jax.scipy.linalg.cho_factor(matrix)
    return jax.scipy.linalg.cho_solve(factor, right)
