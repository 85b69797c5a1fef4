"""The minimisers of frames and of sequences, by `wiberg_tf`, and their derivatives."""

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import tensorflow as tf

import wiberg_tf as wt
from human_pose.calibrated import chains, energy, frames, start
from human_pose.calibrated.chains import Chain
from human_pose.calibrated.config import Damping, Derivative, SolverConfig
from human_pose.calibrated.energy import Body, Layout, Observed, Unknowns, Weights
from human_pose.geometry.triangulation import Triangulated, all_pairs, triangulate

# Fewer known joints say too little of where a body is.
_FEWEST_JOINTS: Final = 4
# The derivative's systems are solved to that, and by so many steps at most.
_SOLVED: Final = 1e-9
_MOST_SOLVES: Final = 200
# Beside joints in mm turns in radians make H's condition 4e6 at good minimisers of four
# views (dev): the rule's own 1e3 would damp nearly all of a derivative away.
_CONDITION: Final = 1e7
# ν of accelerations so large that their tail is next to a Gaussian.
_GAUSSIAN: Final = 1e6
# Parameters of the energies.
_OfFrames = tuple[tf.Tensor, Observed, Body, Weights]
_OfSequence = tuple[tf.Tensor, Chain, Observed, Body, Weights]


def rule(damping: Damping) -> float | wt.Adaptive:
    """λ as `wiberg_tf` takes it, with the rule that suits these unknowns."""
    return wt.Adaptive(_CONDITION) if isinstance(damping, str) else damping


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


def begin_alone(
    trust: tf.Tensor, observed: Observed, body: Body, weights: Weights
) -> tuple[tf.Tensor, Unknowns]:
    """The same of moments with cameras of their own.

    Args:
      trust: `[F, V, J]`, how detections weigh beside each other; 0 where not seen.
      observed: as of `begin`, as what follows.
      body: see there.
      weights: see there.
    """
    pairs = all_pairs(observed.points_px.shape[1])
    points = triangulate(observed.points_px, trust, observed.projection, pairs)
    return begin(points, observed, body, weights)


def of_frames(
    x: Unknowns,
    turn: tf.Tensor,
    observed: Observed,
    body: Body,
    weights: Weights,
    layout: Layout,
    config: SolverConfig,
    damping: Damping = 0.0,
    derivative: Derivative = "trust_region",
    inference: bool = False,
) -> wt.Solution:
    """Minimises each frame by itself from x.

    Args:
      x: see `of_sequence`, as what follows up to `damping`.
      turn: see there.
      observed: see there.
      body: see there.
      weights: see there.
      layout: see there.
      config: see there.
      damping: see there.
      derivative: "trust_region"; "implicit" without λ, by the Hessian as it stands
        where that is no minimum's, too; or "unrolled" through the steps.
      inference: without a derivative, in a batch of any number, of which frames that
        are done are left behind; not for XLA.
    """

    def energy_of(
        x: Unknowns, turn: tf.Tensor, observed: Observed, body: Body, weights: Weights
    ) -> tf.Tensor:
        return energy.frame_energy(x, turn, observed, body, weights, layout)

    def step(
        x: Unknowns, parameters: _OfFrames, damping: tf.Tensor, right: Unknowns
    ) -> Unknowns:
        return frames.solve_frames(x, *parameters, layout, damping, right)

    # Without what is said of sequences alone: the energy has no derivative by that.
    parameters = (
        turn,
        observed,
        body._replace(acceleration=()),
        weights._replace(time=(), time_freedom=()),
    )
    steps = wt.Newton(
        linear_solve=step, max_iterations=config.frame_iterations, rtol=config.rtol
    )
    derivatives: dict[str, wt.Derivative] = {
        "trust_region": wt.TrustRegion(rule(damping), exactly(energy_of, step, _alone)),
        "implicit": wt.Implicit("dense", indefinite="solve"),
        "unrolled": wt.Unrolled(),
    }
    least = _most_that_are_shared(parameters)
    return wt.argmin(
        energy_of,
        x,
        parameters,
        batch_dims=1,
        solver=wt.Compacted(steps, least=least) if inference else steps,
        derivative=wt.NoDerivative() if inference else derivatives[derivative],
    )


def _most_that_are_shared(parameters: _OfFrames) -> int:
    """The longest axis that what all frames share begins with.

    `wt.Compacted` takes for frames' own what begins with their number.
    """
    shapes = [entry.shape for entry in tf.nest.flatten(parameters)]
    lengths = [shape[0] for shape in shapes if shape.rank and shape[0] is not None]
    return max([wt.Compacted.least, *lengths])


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
    damping: Damping = 0.0,
    inference: bool = False,
    from_frames: bool = True,
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
      damping: λ of the derivative, or its rule.
      inference: without a derivative.
      from_frames: whether x is of frames by themselves. Their accelerations are so
        large that the tail's expected strength would let each step smooth but a little,
        so the first step is one of Gaussian accelerations; from a sequence's joints
        that step would lead away.
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
        return chains.solve_sequence(x, *parameters, layout, overlap, pull, right)

    pull = chains.pulls(chain, body)
    steps = wt.Newton(
        linear_solve=step,
        max_iterations=config.sequence_iterations,
        rtol=config.rtol,
    )
    if from_frames:
        gaussian = tf.constant(_GAUSSIAN, turn.dtype)
        x = wt.argmin(
            energy_of,
            x,
            (turn, chain, observed, body, weights._replace(time_freedom=gaussian)),
            solver=dataclasses.replace(steps, max_iterations=1),
            derivative=wt.NoDerivative(),
        ).value
    return wt.argmin(
        energy_of,
        x,
        (turn, chain, observed, body, weights),
        solver=steps,
        derivative=wt.NoDerivative()
        if inference
        else wt.TrustRegion(rule(damping), exactly(energy_of, step, _by_sequence)),
    )


def exactly(
    energy_of: Callable[..., tf.Tensor],
    step: Callable[..., Any],
    groups: Callable[[Any], tf.Tensor],
) -> Any:
    """A `linear_solve` with the exact Hessian, where `step` solves with one like it.

    Conjugate gradients on products of the Hessian with vectors, preconditioned by the
    steps' matrix, which is near it. Where a direction shows the Hessian of a group of
    frames to be indefinite (the Hessian itself, without λ), so that they are at no
    minimum, their solution ends before it (Steihaug): one such frame among thousands
    must not end a training.

    Args:
      energy_of: of x and parameters.
      step: the steps' `linear_solve`.
      groups: of the parameters; int32 `[F]`, equal for frames that depend on each
        other.

    References:
      Steihaug, The conjugate gradient method and trust regions in large scale
      optimization, SIAM J. Numer. Anal. 20, 1983.
    """

    def solve(x: Any, parameters: Any, damping: tf.Tensor, right: Any) -> Any:
        def product(vector: Any) -> Any:
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    value = tf.reduce_sum(energy_of(x, *parameters))
                slope = inner.gradient(value, x)
            curved = outer.gradient(slope, x, output_gradients=vector)
            return tf.nest.map_structure(
                lambda c, v: c + _per_frame(damping, v) * v, curved, vector
            )

        return _conjugate_gradients(
            product,
            lambda r: step(x, parameters, damping, r),
            right,
            groups(parameters),
            damping,
        )

    return solve


def _alone(parameters: _OfFrames) -> tf.Tensor:
    """Every frame is a group of its own."""
    return tf.range(tf.shape(parameters[0])[0])


def _by_sequence(parameters: _OfSequence) -> tf.Tensor:
    """Groups of frames that accelerations couple."""
    inside = parameters[1].inside
    apart = (inside[1:] == 0) & (inside[:-1] == 0)
    return tf.concat([[0], tf.cumsum(tf.cast(apart, tf.int32))], 0)


def _per_frame(numbers: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """`[F]`, or a scalar, so that it broadcasts to a tensor of frames."""
    return tf.reshape(numbers, [-1] + [1] * (like.shape.rank - 1))


def _conjugate_gradients(
    product: Callable[[Any], Any],
    precondition: Callable[[Any], Any],
    right: Any,
    group: tf.Tensor,
    damping: tf.Tensor,
) -> Any:
    """The solutions of all groups, a nest like `right`, side by side.

    A group ends before a direction along which the matrix without λ is not convex.
    """

    def dot(a: Any, b: Any) -> tf.Tensor:
        """Of each frame's group, `[F]`."""
        pairs = zip(tf.nest.flatten(a), tf.nest.flatten(b), strict=True)
        of_frames = tf.add_n(
            [tf.reduce_sum(p * q, tf.range(1, tf.rank(p))) for p, q in pairs]
        )
        count = tf.shape(group)[0]
        return tf.gather(tf.math.unsorted_segment_sum(of_frames, group, count), group)

    def add(a: Any, size: tf.Tensor, b: Any) -> Any:
        return tf.nest.map_structure(lambda p, q: p + _per_frame(size, q) * q, a, b)

    limit = _SOLVED**2 * dot(right, right)
    begun = precondition(right)

    def going(
        step: Any, x: Any, residual: Any, direction: Any, rho: Any, open_: tf.Tensor
    ) -> Any:
        return tf.reduce_any(open_)

    def body(
        step: Any, x: Any, residual: Any, direction: Any, rho: Any, open_: tf.Tensor
    ) -> Any:
        image = product(direction)
        curvature = dot(direction, image)
        # λ bounds the solution at a minimum. Where there is none, H may be -λ along a
        # direction, and the sum of both next to 0: that is no curvature to divide by.
        open_ &= curvature > damping * dot(direction, direction)
        size = tf.where(open_, tf.math.divide_no_nan(rho, curvature), 0.0)
        x, residual = add(x, size, direction), add(residual, -size, image)
        better = precondition(residual)
        new = dot(residual, better)
        direction = add(better, tf.math.divide_no_nan(new, rho), direction)
        open_ &= dot(residual, residual) > limit
        return step + 1, x, residual, direction, new, open_

    zero = tf.nest.map_structure(tf.zeros_like, right)
    rho, open_ = dot(right, begun), limit > 0
    _, x, *_ = tf.while_loop(
        going,
        body,
        (0, zero, right, begun, rho, open_),
        maximum_iterations=_MOST_SOLVES,
    )
    return x
