"""The minimisers of frames and of sequences, by `wiberg_tf`, and their derivatives."""

from collections.abc import Callable
from typing import Any, Final

import tensorflow as tf

import wiberg_tf as wt
from human_pose.calibrated import chains, energy, frames, start
from human_pose.calibrated.chains import Chain
from human_pose.calibrated.config import SolverConfig
from human_pose.calibrated.energy import Body, Layout, Observed, Unknowns, Weights
from human_pose.geometry.triangulation import Triangulated

# Fewer known joints say too little of where a body is.
_FEWEST_JOINTS: Final = 4
# The derivative's systems are solved to that, and by so many steps at most.
_SOLVED: Final = 1e-11
_MOST_SOLVES: Final = 200
# Parameters of the energies.
_OfFrames = tuple[tf.Tensor, Observed, Body, Weights]
_OfSequence = tuple[tf.Tensor, Chain, Observed, Body, Weights]


def begin(
    triangulated: Triangulated, observed: Observed, body: Body, weights: Weights
) -> tuple[tf.Tensor, Unknowns]:
    """Turns and unknowns where frames start."""
    flat, shown = start.place_by_size(observed, body)
    enough = tf.reduce_sum(tf.cast(triangulated.known, tf.int32), -1) >= _FEWEST_JOINTS
    points = tf.where(enough[:, None, None], triangulated.points_mm, flat)
    known = tf.where(enough[:, None], triangulated.known, shown)
    turn, joints = start.complete(points, known, body, weights)
    return turn, Unknowns(joints, tf.zeros_like(joints[:, 0]))


def of_frames(
    x: Unknowns,
    turn: tf.Tensor,
    observed: Observed,
    body: Body,
    weights: Weights,
    layout: Layout,
    config: SolverConfig,
    derivative: wt.Derivative | None = None,
) -> wt.Solution:
    """Minimises each frame by itself from x; arguments as of `energy.frame_energy`."""

    def energy_of(
        x: Unknowns, turn: tf.Tensor, observed: Observed, body: Body, weights: Weights
    ) -> tf.Tensor:
        return energy.frame_energy(x, turn, observed, body, weights, layout)

    def step(
        x: Unknowns, parameters: _OfFrames, damping: tf.Tensor, right: Unknowns
    ) -> Unknowns:
        return frames.solve_frames(x, *parameters, layout, damping, right)

    return wt.argmin(
        energy_of,
        x,
        (turn, observed, body, weights),
        batch_dims=1,
        solver=wt.Newton(
            linear_solve=step, max_iterations=config.frame_iterations, rtol=config.rtol
        ),
        derivative=derivative or wt.TrustRegion(0.0),
    )


def of_sequence(
    x: Unknowns,
    turn: tf.Tensor,
    chain: Chain,
    observed: Observed,
    body: Body,
    weights: Weights,
    layout: Layout,
    config: SolverConfig,
    overlap: tf.Tensor,
    damping: float = 0.0,
) -> wt.Solution:
    """Minimises the frames of sequences together, from x.

    Args:
      x: joints and turns of the frames.
      turn: as of `chains.sequence_energy`, as what follows.
      chain: see there.
      observed: see there.
      body: see there.
      weights: see there.
      layout: see there.
      config: has the solver's limits.
      overlap: frames that chunks of a step's system share, int32.
      damping: λ of the derivative.
    """

    def energy_of(
        x: Unknowns,
        turn: tf.Tensor,
        chain: Chain,
        observed: Observed,
        body: Body,
        weights: Weights,
    ) -> tf.Tensor:
        return chains.sequence_energy(x, turn, chain, observed, body, weights, layout)

    def step(
        x: Unknowns, parameters: _OfSequence, damping: tf.Tensor, right: Unknowns
    ) -> Unknowns:
        del damping  # A step's matrix is positive definite as it stands.
        return chains.solve_sequence(x, *parameters, layout, overlap, right)

    return wt.argmin(
        energy_of,
        x,
        (turn, chain, observed, body, weights),
        solver=wt.Newton(
            linear_solve=step,
            max_iterations=config.sequence_iterations,
            rtol=config.rtol,
        ),
        derivative=wt.TrustRegion(damping, exactly(energy_of, step)),
    )


def exactly(energy_of: Callable[..., tf.Tensor], step: Callable[..., Any]) -> Any:
    """A `linear_solve` with the exact Hessian, where `step` solves with one like it.

    Conjugate gradients on products of the Hessian with vectors, preconditioned by the
    steps' matrix, which majorises it.

    Args:
      energy_of: of x and parameters; a scalar.
      step: the steps' `linear_solve`.
    """

    def solve(x: Any, parameters: Any, damping: tf.Tensor, right: Any) -> Any:
        def product(vector: Any) -> Any:
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    value = energy_of(x, *parameters)
                slope = inner.gradient(value, x)
            curved = outer.gradient(slope, x, output_gradients=vector)
            return tf.nest.map_structure(lambda c, v: c + damping * v, curved, vector)

        return _conjugate_gradients(
            product, lambda r: step(x, parameters, damping, r), right
        )

    return solve


def _conjugate_gradients(
    product: Callable[[Any], Any], precondition: Callable[[Any], Any], right: Any
) -> Any:
    """The solution, a nest like `right`; NaN if the matrix shows to be indefinite."""

    def dot(a: Any, b: Any) -> tf.Tensor:
        pairs = zip(tf.nest.flatten(a), tf.nest.flatten(b), strict=True)
        return tf.add_n([tf.reduce_sum(p * q) for p, q in pairs])

    def add(a: Any, size: tf.Tensor, b: Any) -> Any:
        return tf.nest.map_structure(lambda p, q: p + size * q, a, b)

    limit = _SOLVED * tf.sqrt(dot(right, right))
    zero = tf.nest.map_structure(tf.zeros_like, right)
    begun = precondition(right)

    def going(step: Any, x: Any, residual: Any, direction: Any, rho: Any) -> Any:
        return tf.sqrt(dot(residual, residual)) > limit

    def body(step: Any, x: Any, residual: Any, direction: Any, rho: Any) -> Any:
        image = product(direction)
        curvature = dot(direction, image)
        size = tf.where(curvature > 0, rho / curvature, float("nan"))
        x, residual = add(x, size, direction), add(residual, -size, image)
        better = precondition(residual)
        new = dot(residual, better)
        direction = add(better, new / rho, direction)
        return step + 1, x, residual, direction, new

    _, x, *_ = tf.while_loop(
        going,
        body,
        (0, zero, right, begun, dot(right, begun)),
        maximum_iterations=_MOST_SOLVES,
    )
    return x
