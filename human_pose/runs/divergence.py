"""When a training has diverged: one rule for every model, and one line that says so.

Values of a step are checked when it is done, and what it has left before anything is
saved, so that the state and the checkpoints saved before stay good. The loss of a step
is that of the weights before it: a step that spoils them is found only by a loss of the
weights after it.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import tensorflow as tf

# A pose whose joints are 100 m away on the mean is nobody's: a person's joints are
# within 2.5 m of each other, and the worst frame of an untrained model errs by metres.
LARGEST_ERROR_MM: Final = 1e5

ADVICE: Final = "a smaller `learning_rate` may help"

# In what TensorFlow says of a matrix that has no decomposition or no inverse, as those
# of numbers out of all bounds, and `wiberg_tf` of a minimiser that is none.
_OF_MATRICES: Final = (
    *("cholesky", "decomposition", "invertible", "linear_solve"),
    "hessian at the minimiser",
)


def check_values(
    values: Mapping[str, float],
    where: str,
    *,
    bounds: Mapping[str, float] | None = None,
    advice: str = ADVICE,
) -> None:
    """Checks what one step has measured.

    Args:
      values: by name, for example "loss".
      where: the step, as a sentence goes on: "at step 3 (epoch 0)".
      bounds: by name the largest value that means anything; without one a value must
        be finite.
      advice: what may help.

    Raises:
      FloatingPointError: naming step and value, if one is not finite or above its
        bound.
    """
    bounds = bounds or {}
    for name, value in values.items():
        if not math.isfinite(value):
            raise _diverged(f"{name} is {value} {where}", advice)
        if value > bounds.get(name, math.inf):
            raise _diverged(
                f"{name} is {value:.6g} {where}, above {bounds[name]:g}, beyond which "
                "it means nothing",
                advice,
            )


def check_left(
    variables: Iterable[Any],
    loss: Callable[[], Any],
    where: str,
    *,
    bound: float = math.inf,
) -> float:
    """Checks what steps have left, before it is saved.

    Args:
      variables: of the model and its optimiser.
      loss: computes a loss of the weights as they are now.
      where: the last step, as a sentence begins: "step 3 of epoch 0".
      bound: the largest loss that means anything.

    Returns:
      The loss.

    Raises:
      FloatingPointError: naming the step, if a variable or the loss is not finite, the
        loss is above its bound, or it cannot be computed.
    """
    if not are_finite(variables):
        raise _left(where, "weights that are not finite")
    try:
        value = float(loss())
    except tf.errors.InvalidArgumentError as error:
        if not _is_of_matrices(error):
            raise
        raise _left(where, "weights whose loss cannot be computed") from error
    if not math.isfinite(value):
        raise _left(where, f"weights whose loss is not finite (it is {value})")
    if value > bound:
        raise _left(where, f"weights whose loss is {value:.6g}, above {bound:g}")
    return value


def are_finite(variables: Iterable[Any]) -> bool:
    """Whether every number of every variable is finite."""
    return all(np.isfinite(np.asarray(variable)).all() for variable in variables)


@contextmanager
def told_in_one_line(where: Callable[[], str]) -> Iterator[None]:
    """Turns TensorFlow's failure to decompose a matrix into what it is: divergence.

    Args:
      where: says the step, as a sentence goes on: "after step 3 (epoch 0)".

    Raises:
      FloatingPointError: in its place; other errors go their way.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if not _is_of_matrices(error):
            raise
        raise _diverged(
            f"{where()} nothing can be computed ({_reason(error)})", ADVICE
        ) from error


def _reason(error: tf.errors.InvalidArgumentError) -> str:
    """What TensorFlow says last, without the nodes of its graph."""
    lines = [line.strip() for line in error.message.splitlines()]
    said = [line for line in lines if line and not line.startswith("[[")]
    return said[-1].split(" [[")[0] if said else type(error).__name__


def _is_of_matrices(error: tf.errors.InvalidArgumentError) -> bool:
    message = str(error).lower()
    return any(word in message for word in _OF_MATRICES)


def _left(where: str, what: str) -> FloatingPointError:
    return _diverged(f"{where} has left {what}; the state saved before is kept", ADVICE)


def _diverged(what: str, advice: str) -> FloatingPointError:
    return FloatingPointError(f"training diverged: {what}; {advice}")
