"""Learning the energy's parameters, several streams and variants at once, in-graph.

Each step takes one problem of each stream, estimates the mean of its inliers with every
variant, and moves each variant's parameters down the gradient of its squared error.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf

import wiberg_tf as wt
from ransac.energy import RobustEnergy, estimate
from ransac.optimizers import Optimizer, Parameters, add_axes
from ransac.problems import Problems, Stream

# Steps that run in one piece of graph, between two reports.
CHUNK: Final = 500
FIRST_SIGMA: Final = 1.0


class Outcome(enum.IntEnum):
    """What one step could learn from its problem.

    Where there is no gradient it is recorded as 0, and only the optimiser's own decay
    and momentum move the parameters: a single hopeless problem ends no run.

    Attributes:
      LEARNED: there was a gradient.
      INDEFINITE: there was one, though the damped curvature is negative at the
        estimate: it is no minimum, and no bound holds. The published code does not
        look at the sign, either.
      SINGULAR: none; the damped curvature is zero to working precision, at the start
        of the Newton step or at the estimate. The published code has a gradient of 0,
        infinity or any size there.
      NOT_FINITE: none; the estimate, its energy or the gradient is NaN or infinite.
    """

    LEARNED = 0
    INDEFINITE = 1
    SINGULAR = 2
    NOT_FINITE = 3

    @property
    def message(self) -> str:
        """What the parameters moved along."""
        return "not learned from" if self > self.INDEFINITE else "learned from anyway"


def has_gradient(outcome: Any) -> Any:
    """Whether there was a gradient, bool like `outcome`."""
    return outcome <= int(Outcome.INDEFINITE)


class Variant(NamedTuple):
    """One way to learn.

    Attributes:
      name: for people.
      damping: λ of the estimate and of its derivative; 0 is the implicit one.
      learning_rate: η.
      clip: bound of each entry of the gradient.
    """

    name: str
    damping: float
    learning_rate: float
    clip: float = float("inf")


class Record(NamedTuple):
    """What happened, for each stream and variant: `[T, N, V]`, float64.

    Attributes:
      sigma: before the step.
      loss: (estimate − mean of the inliers)².
      grad: of the loss, to σ, before clipping.
      est: the estimate.
      outcome: int32, an `Outcome`.
    """

    sigma: Any
    loss: Any
    grad: Any
    est: Any
    outcome: Any


class _State(NamedTuple):
    step: tf.Tensor
    learned: Parameters
    memory: Any


class Result(NamedTuple):
    """A finished run: NumPy arrays.

    Attributes:
      record: what happened at each step.
      learned: the parameters after the last step, `[N, V, ...]`.
    """

    record: Record
    learned: dict[str, np.ndarray]


@dataclass(frozen=True)
class Learner:
    """How to learn.

    Attributes:
      variants: learned side by side on the same problems.
      optimizer: what the gradients are fed to.
      full: whether to learn a weight and a shift for each point's place in the problem
        (its centre is the point plus the shift), as well as σ.
      search: whether estimates are searched for by L-BFGS before the Newton step.
    """

    variants: Sequence[Variant]
    optimizer: Optimizer
    full: bool = False
    search: bool = False

    def run(
        self,
        streams: Sequence[Stream],
        steps: int,
        report: Callable[[int, Record], None] = lambda done, record: None,
    ) -> Result:
        """Learns from the first `steps` problems of each stream.

        Args:
          streams: N streams of problems of the same size.
          steps: how many.
          report: called every `CHUNK` steps, and at the end, with the steps done and
            the record of those since the last call.
        """
        state = self._first_state(len(streams), streams[0].points)
        advance = self._compile(state)
        records = []
        for start in range(0, steps, CHUNK):
            problems = _side_by_side(streams, min(CHUNK, steps - start))
            state, record = advance(state, problems)
            records.append(Record(*(entry.numpy() for entry in record)))
            report(start + len(problems.inliers), records[-1])
        learned = {name: value.numpy() for name, value in state.learned.items()}
        return Result(Record(*map(np.concatenate, zip(*records, strict=True))), learned)

    def _first_state(self, streams: int, points: int) -> _State:
        shape = [streams, len(self.variants)]
        learned = {"sigma": tf.fill(shape, _constant(FIRST_SIGMA))}
        if self.full:
            learned["weights"] = tf.ones([*shape, points], tf.float64)
            learned["shifts"] = tf.zeros([*shape, points], tf.float64)
        return _State(_constant(0.0), learned, self.optimizer.init(learned))

    def _compile(self, state: _State) -> Callable[..., tuple[_State, Record]]:
        problems = tf.TensorSpec([None, len(state.learned["sigma"]), None], tf.float64)
        return tf.function(
            self._advance,
            input_signature=[
                tf.nest.map_structure(tf.TensorSpec.from_tensor, state),
                Problems(problems, problems),
            ],
            # Nothing here needs it, and it takes longer than the rest of the tracing.
            autograph=False,
        )

    def _advance(self, state: _State, problems: Problems) -> tuple[_State, Record]:
        """Learns from problems `[T, N, A or B]` in turn."""
        sigma = state.learned["sigma"]
        zero = tf.zeros_like(sigma)
        nothing = Record(zero, zero, zero, zero, tf.zeros_like(sigma, tf.int32))
        states, record = tf.scan(
            lambda carried, problem: self._learn(carried[0], problem),
            problems,
            (state, nothing),
        )
        return tf.nest.map_structure(lambda entry: entry[-1], states), record

    def _learn(self, state: _State, problem: Problems) -> tuple[_State, Record]:
        """One step of each stream and variant."""
        energy = RobustEnergy(tf.concat(problem, -1)[:, None])
        truth = tf.reduce_mean(problem.inliers, -1)[:, None]
        damping = _constant([variant.damping for variant in self.variants])
        with tf.GradientTape() as tape:
            tape.watch(state.learned)
            solution = estimate(energy, state.learned, damping, self.search)
            outcome = _outcome(energy, state.learned, damping, solution)
            # A problem without a derivative must not reach the backward pass.
            usable = tf.where(has_gradient(outcome), solution.value, truth)
            loss = tf.reduce_sum(tf.square(usable - truth))
        gradients = tape.gradient(loss, state.learned)
        outcome = _flag_overflow(outcome, gradients)
        gradients = {
            name: tf.where(add_axes(has_gradient(outcome), entry), entry, 0)
            for name, entry in gradients.items()
        }
        record = Record(
            state.learned["sigma"],
            tf.square(solution.value - truth),
            gradients["sigma"],
            solution.value,
            outcome,
        )
        return self._move(state, gradients), record

    def _move(self, state: _State, gradients: Parameters) -> _State:
        clip = _constant([variant.clip for variant in self.variants])
        clipped = {}
        for name, entry in gradients.items():
            bound = add_axes(clip, entry)
            clipped[name] = tf.clip_by_value(entry, -bound, bound)
        rate = _constant([variant.learning_rate for variant in self.variants])
        learned, memory = self.optimizer.apply(
            state.step, state.learned, clipped, rate, state.memory
        )
        return _State(state.step + 1, learned, memory)


def _outcome(
    energy: RobustEnergy,
    learned: Parameters,
    damping: tf.Tensor,
    solution: wt.Solution,
) -> tf.Tensor:
    """An `Outcome` for each problem, the gradient not yet known."""
    curvature, round_off = energy.curvature(solution.value, **learned)
    damped = curvature + damping
    outcome = tf.where(damped > 0, Outcome.LEARNED, Outcome.INDEFINITE)
    flat = (tf.abs(damped) <= round_off) | (solution.status == wt.Status.SINGULAR)
    outcome = tf.where(flat, Outcome.SINGULAR, outcome)
    finite = tf.math.is_finite(damped) & (solution.status != wt.Status.NOT_FINITE)
    return tf.where(finite, outcome, Outcome.NOT_FINITE)


def _flag_overflow(outcome: tf.Tensor, gradients: Parameters) -> tf.Tensor:
    finite = tf.ones_like(outcome, tf.bool)
    for entry in gradients.values():
        own_axes = range(2, entry.shape.rank)
        finite &= tf.reduce_all(tf.math.is_finite(entry), own_axes)
    return tf.where(has_gradient(outcome) & ~finite, Outcome.NOT_FINITE, outcome)


def _side_by_side(streams: Sequence[Stream], count: int) -> Problems:
    """The next problems of each stream, `[count, N, A or B]`."""
    taken = [stream.take(count) for stream in streams]
    return Problems(*(np.stack(arrays, 1) for arrays in zip(*taken, strict=True)))


def _constant(value: Any) -> tf.Tensor:
    return tf.constant(value, tf.float64)
