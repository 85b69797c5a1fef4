"""The robust energy, and its minimiser as the published code finds it.

E(x; w, σ, c) = −Σ_i w_i exp(−(x − c_i)² / σ²): many points pull at x, and only those
within about σ of it have a say. With w = 1 and c = the points it estimates where most
points are, inliers among outliers.

Notation: N streams of problems, V variants of the derivative, K points of a problem.
"""

import functools
from typing import Final

import tensorflow as tf

import wiberg_tf as wt

# Below this part of the sum of its terms' sizes, a curvature is round-off.
_ROUND_OFF: Final = 1e-12

# As many iterations as the published call allows; of a single unknown the last step
# tells as much as all of them.
_SEARCH: Final = wt.LBFGS(max_iterations=10, memory=1)


class RobustEnergy:
    """E(x; θ) of problems `[*batch]`, θ being any of σ, w and shifts of the centres.

    Args:
      points: float64 `[*batch, K]`, or what broadcasts to it.
    """

    def __init__(self, points: tf.Tensor) -> None:
        self._points = points

    def __call__(
        self,
        x: tf.Tensor,
        sigma: tf.Tensor,
        weights: tf.Tensor | None = None,
        shifts: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The energy.

        Args:
          x: `[*batch]`.
          sigma: `[*batch]`; its sign does not matter.
          weights: `[*batch, K]`; all 1 if left out.
          shifts: `[*batch, K]`, added to the points to give the centres c.

        Returns:
          `[*batch]`.
        """
        _, kernel = self._kernel(x, sigma, weights, shifts)
        # A product with ones: compiled, it is faster than XLA's sum along a row.
        ones = tf.ones(tf.shape(kernel)[-1:], kernel.dtype)
        return -tf.einsum("...k,k->...", kernel, ones)

    def centres(self, shifts: tf.Tensor | None = None) -> tf.Tensor:
        """The centres c, `[*batch, K]`."""
        return self._points if shifts is None else self._points + shifts

    def curvature(
        self,
        x: tf.Tensor,
        sigma: tf.Tensor,
        weights: tf.Tensor | None = None,
        shifts: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """∂²E/∂x² = Σ w exp(−u²) (2 − 4u²) / σ² with u = (x − c) / σ.

        Returns:
          The curvature and a bound on its round-off, both `[*batch]`.
        """
        distance, kernel = self._kernel(x, sigma, weights, shifts)
        squared = tf.square(distance)
        terms = kernel * (2 - 4 * squared)
        sizes = tf.abs(kernel) * (2 + 4 * squared)
        width = tf.square(sigma)
        return (
            tf.reduce_sum(terms, -1) / width,
            _ROUND_OFF * tf.reduce_sum(sizes, -1) / width,
        )

    def _kernel(
        self,
        x: tf.Tensor,
        sigma: tf.Tensor,
        weights: tf.Tensor | None,
        shifts: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        # One division a problem, not one a point.
        distance = (x[..., None] - self.centres(shifts)) * (1 / sigma)[..., None]
        kernel = tf.exp(-tf.square(distance))
        return distance, kernel if weights is None else weights * kernel


def estimate(
    energy: RobustEnergy,
    learned: dict[str, tf.Tensor],
    damping: tf.Tensor,
    search: bool = False,
) -> wt.Solution:
    """Minimises as published: from the best centre, one damped Newton step.

    x₁ = x₀ − ∂E/∂x / (∂²E/∂x² + λ), unguarded, x₀ being the centre of least energy;
    then the trust-region derivative with the same λ at x₁ (λ = 0: the implicit one),
    also unguarded: the formula is applied where ∂²E/∂x² + λ is negative.
    The published L-BFGS search before that step never moves, so it is left out unless
    asked for.

    Args:
      energy: of problems `[*batch]`.
      learned: any of "sigma" `[*batch]`, "weights" and "shifts" `[*batch, K]`.
      damping: λ ≥ 0, float64, broadcasts to `[*batch]`.
      search: whether to search by L-BFGS before the Newton step, as was meant.

    Returns:
      Value `[*batch]`, differentiable in what is learned. The status is
      `MAX_ITERATIONS` after the one step, unless the start was a stationary point or
      the problem is degenerate (`SINGULAR`, `NOT_FINITE`).
    """
    seeds = wt.GridSeeds(energy.centres(learned.get("shifts")))
    newton = wt.Newton(
        damping=damping,
        line_search=False,
        max_iterations=1,
        # The step is taken however small the gradient is.
        tolerance=0.0,
    )
    minimise = functools.partial(
        wt.argmin,
        energy,
        parameters=learned,
        derivative=wt.TrustRegion(damping, indefinite="solve"),
        batch_dims=learned["sigma"].shape.rank,
    )
    anywhere = tf.zeros_like(learned["sigma"])
    if not search:
        return minimise(anywhere, solver=seeds(newton))
    return minimise(minimise(anywhere, solver=seeds(_SEARCH)).value, solver=newton)
