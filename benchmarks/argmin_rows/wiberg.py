"""Rows of this library: `tf.function` around `argmin` and the gradient.

Compiled by XLA, but for the row with matrices: on CPUs XLA factors them in plain loops.
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

    def loss(features: tf.Tensor, held_out: tf.Tensor, log_penalty: tf.Tensor) -> Any:
        value = wt.argmin(
            lambda x, log_penalty: energy(x, features, log_penalty),
            tf.zeros_like(features[:, 0]),
            (log_penalty,),
            solver=wt.Newton(tolerance=problems.TOLERANCE),
            batch_dims=1,
        ).value
        return value, tf.reduce_sum(_misfit(held_out, value))

    inputs = map(tf.constant, problem)
    return {"wiberg_tf, Newton": _function(loss, *inputs, jit_compile=False)}


def chain(problem: problems.Chain) -> dict[str, Callable]:
    def loss(observed: tf.Tensor, clean: tf.Tensor, log_smoothness: tf.Tensor) -> Any:
        def energy(x: tf.Tensor, log_smoothness: tf.Tensor) -> tf.Tensor:
            misfit = tf.reduce_sum(tf.sqrt(1 + (x - observed) ** 2) - 1)
            rough = tf.reduce_sum((x[1:] - x[:-1]) ** 2)
            return misfit + 0.5 * tf.exp(log_smoothness) * rough

        value = wt.argmin(
            energy,
            observed,
            (log_smoothness,),
            solver=wt.LBFGS(tolerance=problems.TOLERANCE),
            derivative=wt.TrustRegion(0.0, linear_solve="cg"),
        ).value
        return value, 0.5 * tf.reduce_sum((value - clean) ** 2)

    theta = tf.constant(problem.log_smoothness, tf.float64)
    observed, clean = map(tf.constant, problem[:2])
    return {"wiberg_tf, L-BFGS, CG": _function(loss, observed, clean, theta)}


def _misfit(features: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.nn.softplus(-tf.linalg.matvec(features, x)), -1)


def _function(loss: Callable, *inputs: tf.Tensor, jit_compile: bool = True) -> Callable:
    """Of `loss(*inputs) -> (minimiser, loss)`, with the gradient in the last input."""

    @tf.function(jit_compile=jit_compile)
    def run(*inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs[-1])
            value, total = loss(*inputs)
        return value, tape.gradient(total, inputs[-1])

    return lambda: run(*inputs)
