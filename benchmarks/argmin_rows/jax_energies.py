"""The problems' energies in JAX, which its three modules share."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)


def robust_energy(x: jax.Array, sigma: jax.Array, points: jax.Array) -> jax.Array:
    """Of one toy problem."""
    kernel = jnp.exp(-(((x - points) / sigma) ** 2))
    # As in `ransac/energy.py`: XLA is faster at a product than at a sum.
    return -jnp.dot(kernel, jnp.ones_like(kernel))


def best_point(sigma: jax.Array, points: jax.Array) -> jax.Array:
    """Where searches of the toy start."""
    energies = jax.vmap(robust_energy, (0, None, None))(points, sigma, points)
    return jax.lax.stop_gradient(points[jnp.argmin(energies)])


def logistic_energy(
    x: jax.Array, log_penalty: jax.Array, features: jax.Array
) -> jax.Array:
    """Of one logistic regression."""
    return logistic_loss(x, features) + 0.5 * jnp.exp(log_penalty) * jnp.sum(x**2)


def logistic_loss(x: jax.Array, features: jax.Array) -> jax.Array:
    """The misfit of some examples."""
    return jnp.sum(jax.nn.softplus(features @ -x))


def chain_energy(
    x: jax.Array, log_smoothness: jax.Array, observed: jax.Array
) -> jax.Array:
    """Of the chain."""
    misfit = jnp.sum(jnp.sqrt(1 + (x - observed) ** 2) - 1)
    rough = jnp.sum((x[1:] - x[:-1]) ** 2)
    return misfit + 0.5 * jnp.exp(log_smoothness) * rough


def robust_residuals(
    x: jax.Array, features: jax.Array, targets: jax.Array
) -> jax.Array:
    """Of one robust regression."""
    return features @ x - targets


def pseudo_huber_energy(
    x: jax.Array, log_width: jax.Array, features: jax.Array, targets: jax.Array
) -> jax.Array:
    """Of one robust regression."""
    width = jnp.exp(log_width)
    squared = (robust_residuals(x, features, targets) / width) ** 2
    return width**2 * jnp.sum(jnp.sqrt(1 + squared) - 1)


def curved_residuals(
    x: jax.Array, frequency: jax.Array, features: jax.Array, targets: jax.Array
) -> jax.Array:
    """Of one problem of non-linear least squares."""
    seen = features @ x
    return jnp.concatenate([seen + 0.3 * jnp.sin(frequency * seen) - targets, 0.1 * x])


def regression_problem(minimise: Callable) -> Callable:
    """With `minimise(start, theta, features, targets)`, for `compiled`."""

    def loss(
        features: jax.Array, targets: jax.Array, truth: jax.Array, theta: jax.Array
    ) -> Any:
        x = minimise(jnp.zeros_like(truth), theta, features, targets)
        return 0.5 * jnp.sum((x - truth) ** 2), x

    return loss


def layer(z: jax.Array, weights: jax.Array, injected: jax.Array) -> jax.Array:
    """Of the deep equilibrium, for one example."""
    return jnp.tanh(z @ weights + injected)


def equilibrium_loss(solve: Callable) -> Callable:
    """With `solve(start, weights, injected)` of one example, for `compiled`."""

    def loss(injected: jax.Array, targets: jax.Array, weights: jax.Array) -> Any:
        batch = jax.vmap(solve, (0, None, 0))
        z = batch(jnp.zeros_like(injected), weights, injected)
        return 0.5 * jnp.sum((z - targets) ** 2), z

    return loss


def toy_loss(minimise: Callable) -> Callable:
    """With `minimise(start, sigma, points)`, for `compiled`."""

    def loss(points: jax.Array, truth: jax.Array, sigma: jax.Array) -> Any:
        x = minimise(best_point(sigma, points), sigma, points)
        return (x - truth) ** 2, x

    return loss


def logistic_problem(minimise: Callable) -> Callable:
    """With `minimise(start, log_penalty, features)`, for `compiled`."""

    def loss(features: jax.Array, held_out: jax.Array, log_penalty: jax.Array) -> Any:
        x = minimise(jnp.zeros_like(features[0]), log_penalty, features)
        return logistic_loss(x, held_out), x

    return loss


def chain_loss(minimise: Callable) -> Callable:
    """With `minimise(start, log_smoothness, observed)`, for `compiled`."""

    def loss(observed: jax.Array, clean: jax.Array, log_smoothness: jax.Array) -> Any:
        x = minimise(observed, log_smoothness, observed)
        return 0.5 * jnp.sum((x - clean) ** 2), x

    return loss


def _compiler_options() -> dict[str, str]:
    """What is fastest here: without YNNPACK's kernels, where jaxlib has them.

    With them sums took up to twice as long next to another framework's threads.
    """
    options = {"xla_cpu_experimental_ynn_fusion_type": ""}
    try:
        jax.jit(lambda x: x, compiler_options=options)(0.0)
    except jax.errors.JaxRuntimeError:
        return {}
    return options


def compiled(batch: Callable, loss: Callable, *inputs: Any) -> Callable:
    """A call that gives the minimiser and the gradient in the last input.

    Args:
      batch: `jax.vmap`, or `lambda f: f` for a single problem.
      loss: `loss(*inputs) -> (loss, minimiser)` of one problem.
      *inputs: NumPy arrays.
    """
    last = len(inputs) - 1
    run = jax.jit(
        batch(jax.value_and_grad(loss, argnums=last, has_aux=True)),
        compiler_options=_compiler_options(),
    )
    arrays = [jnp.asarray(entry) for entry in inputs]

    def call() -> tuple[jax.Array, jax.Array]:
        (_, minimiser), gradient = run(*arrays)
        return minimiser, gradient

    return call
