"""What a minimisation returns: the minimiser, and how it went, as data."""

import enum
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Status(enum.IntEnum):
    """How the minimisation of one problem ended; `message` says it in words."""

    CONVERGED = 0
    MAX_ITERATIONS = 1
    NO_DESCENT = 2
    NOT_FINITE = 3
    NOT_CHECKED = 4
    SINGULAR = 5

    @property
    def message(self) -> str:
        """The status as a sentence for people."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "What is left to gain is as small as asked for.",
    Status.MAX_ITERATIONS: "The iterations ran out before it was.",
    Status.NO_DESCENT: "No step lowers the energy any more, though it should.",
    Status.NOT_FINITE: "The energy or its gradient is NaN or infinite.",
    Status.NOT_CHECKED: "The caller's own solver does not say whether it converged.",
    Status.SINGULAR: "The (damped) Hessian is singular, so there is no Newton step.",
}


class Stats(NamedTuple):
    """Figures of a minimisation, one of each per problem.

    Attributes:
      iterations: int32 `[*batch]`, 0 for a solver that does not count.
      energy: `[*batch]`, at the returned value; its gradient is that of the energy at
        a fixed x.
      gradient_norm: `[*batch]`, Euclidean norm of the energy's gradient there, without
        unknowns that a bound holds.
      smallest_eigenvalue: `[*batch]`, of the energy's Hessian there; None unless
        `argmin` was asked for it.
    """

    iterations: tf.Tensor
    energy: tf.Tensor
    gradient_norm: tf.Tensor
    smallest_eigenvalue: tf.Tensor | None = None


class Solution(NamedTuple):
    """The result of `argmin`.

    Attributes:
      value: the minimiser, a nest like `initial`; differentiable with respect to
        `parameters` and what the energy captures, as the chosen derivative says.
      status: int32 `[*batch]`, a `Status` for each problem.
      stats: `Stats` for each problem.
      aux: what the energy returned besides at `value`, if it `has_aux`, else None;
        differentiable by ordinary operations through `value` and `parameters`.
    """

    value: Any
    status: tf.Tensor
    stats: Stats
    aux: Any = None

    def raise_if_failed(
        self, *, accept: Collection[Status] = (Status.NOT_CHECKED,)
    ) -> "Solution":
        """Raises where a problem has not converged; for callers that do not look.

        Eagerly at once. In a `tf.function` when it runs, but not under
        `jit_compile=True`, which drops assertions: look at `status` there.

        Args:
          accept: statuses that are no failures, besides `CONVERGED`; by default that
            of the caller's own solver, which does not say.

        Returns:
          This solution.

        Raises:
          TypeError: if `accept` holds anything else than statuses.
          tf.errors.InvalidArgumentError: for problems that failed: how many of the
            batch with which status, and the first of them.
        """
        raise_if_failed(self.status, accept)
        return self


def raise_if_failed(
    statuses: tf.Tensor, accept: Collection[Status], kind: str = "minimisation"
) -> None:
    """What `Solution.raise_if_failed` does, for any statuses `[*batch]` of a kind."""
    if not all(isinstance(status, Status) for status in accept):
        raise TypeError(
            "`accept` must hold statuses, such as wt.Status.MAX_ITERATIONS; "
            f"received {accept!r}"
        )
    fine = tf.constant([Status.CONVERGED, *accept], tf.int32)
    failed = tf.reduce_all(statuses[..., None] != fine, -1)
    if not tf.executing_eagerly():
        tf.debugging.Assert(~tf.reduce_any(failed), _failures(statuses, failed, kind))
    elif tf.reduce_any(failed):
        raise tf.errors.InvalidArgumentError(
            None, None, _failure(statuses.numpy(), failed.numpy(), kind)
        )


def _failure(status: np.ndarray, failed: np.ndarray, kind: str) -> str:
    """The failures of a batch in a line."""
    first = tuple(int(index) for index in np.argwhere(failed)[0])
    reason = Status(int(status[first]))
    if not first:
        return f"The {kind} failed: {reason.name}. {reason.message}"
    kinds, counts = np.unique(status[failed], return_counts=True)
    each = ", ".join(
        f"{count} {Status(int(kind)).name}"
        for kind, count in zip(kinds, counts, strict=True)
    )
    return (
        f"{failed.sum()} of {failed.size} {kind}s failed ({each}); the first is "
        f"problem {list(first)}: {reason.name}. {reason.message}"
    )


def _failures(status: tf.Tensor, failed: tf.Tensor, kind: str) -> list[Any]:
    """The same of a graph, as what an assertion prints: in operations that XLA has."""
    flat, lost = tf.reshape(status, [-1]), tf.reshape(failed, [-1])
    first = tf.argmax(lost, output_type=tf.int32)
    shown: list[Any] = [_count(lost), "of", tf.size(lost), f"{kind}s failed:"]
    for reason in Status:
        if reason is not Status.CONVERGED:
            shown += [_count(lost & (flat == int(reason))), reason.name]
    index, rest = list[tf.Tensor](), first
    for size in reversed(tf.unstack(tf.shape(status), status.shape.rank)):
        index, rest = [rest % size, *index], rest // size
    return [*shown, "; the first is problem", *index, "with status", flat[first]]


def _count(mask: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(mask, tf.int32))
