"""Plots the cost of a minimiser and its gradient against its size and the batch.

Against n: one chain of `argmin_rows.problems`, by L-BFGS and conjugate gradients and by
Newton with a dense Hessian. Against the batch: logistic regressions of 8 unknowns by
Newton. Each in a graph, not compiled by XLA; least times of some calls.

  python benchmarks/argmin_scaling.py --output=docs/argmin_cost.png
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import wiberg_tf as wt

_SIZES = (10, 30, 100, 300, 1000, 3000, 10_000)
_DENSE = 300
_BATCHES = (1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--calls", type=int, default=5)
    arguments = parser.parse_args()

    def milliseconds(case: Callable, sizes: tuple[int, ...], *options: Any) -> list:
        found = []
        for size in sizes:
            seconds = _least(case(size, *options), arguments.calls)
            found.append(1000 * seconds)
            print(f"{case.__name__}({size}): {found[-1]:.3g} ms", flush=True)
        return found

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    dense = tuple(size for size in _SIZES if size <= _DENSE)
    left.loglog(
        _SIZES,
        milliseconds(_chain, _SIZES, wt.LBFGS(), "cg"),
        "o-",
        label="L-BFGS, CG",
    )
    left.loglog(
        dense,
        milliseconds(_chain, dense, wt.Newton(), "dense"),
        "s--",
        label="Newton, dense",
    )
    left.set(xlabel="unknowns n", ylabel="ms", title="one chain")
    left.legend()
    times = np.array(milliseconds(_logistic, _BATCHES))
    right.loglog(_BATCHES, times, "o-", label="ms a call")
    right.loglog(
        _BATCHES, 1000 * times / _BATCHES, "s--", label="microseconds a problem"
    )
    right.set(xlabel="problems in the batch", title="logistic regression, n = 8")
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(arguments.output, dpi=120)


def _least(call: Callable, calls: int) -> float:
    call()
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call().numpy()
        times.append(time.perf_counter() - start)
    return min(times)


def _chain(size: int, solver: wt.Solver, linear_solve: str) -> Callable:
    rng = np.random.default_rng(0)
    observed = tf.constant(3 * np.sin(np.linspace(0, 40, size)) + rng.normal(size=size))

    def energy(x: tf.Tensor, observed: tf.Tensor, log_smoothness: tf.Tensor) -> Any:
        misfit = tf.reduce_sum(tf.sqrt(1 + (x - observed) ** 2) - 1)
        rough = tf.reduce_sum((x[1:] - x[:-1]) ** 2)
        return misfit + 0.5 * tf.exp(log_smoothness) * rough

    @tf.function
    def run(log_smoothness: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(log_smoothness)
            value = wt.argmin(
                energy,
                observed,
                (observed, log_smoothness),
                solver=solver,
                derivative=wt.Implicit(linear_solve),
            ).value
            loss = tf.reduce_sum(value**2)
        return tape.gradient(loss, log_smoothness)

    theta = tf.constant(np.log(10.0))
    return lambda: run(theta)


def _logistic(batch: int) -> Callable:
    rng = np.random.default_rng(0)
    signed = tf.constant(rng.normal(size=[batch, 40, 8]) + 0.3)

    @tf.function
    def run(log_penalty: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(log_penalty)
            value = wt.argmin(
                lambda x, theta: (
                    tf.reduce_sum(tf.nn.softplus(-tf.linalg.matvec(signed, x)), -1)
                    + 0.5 * tf.exp(theta) * tf.reduce_sum(x**2, -1)
                ),
                tf.zeros([batch, 8], tf.float64),
                (log_penalty,),
                batch_dims=1,
            ).value
            loss = tf.reduce_sum(value**2)
        return tape.gradient(loss, log_penalty)

    theta = tf.zeros(batch, tf.float64)
    return lambda: run(theta)


if __name__ == "__main__":
    main()
