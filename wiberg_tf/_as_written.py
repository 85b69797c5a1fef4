"""AutoGraph is for what the caller writes, never for the library.

In a `tf.function` TensorFlow rewrites whatever Python is called, so that a caller may
say `if` of a tensor. Rewriting the library would take several times as long as tracing
it. So its entries are marked as not to be rewritten, remember whether the caller is,
and the caller's own functions are called as the caller would call them.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

_HERE = __name__.partition(".")[0]
# AutoGraph's state where the library was entered.
_caller = contextvars.ContextVar[Any]("caller", default=None)


def entry(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as callers see it, which AutoGraph leaves alone."""
    plain = tf.autograph.experimental.do_not_convert(function)

    # With the mark that `plain` has; what it does comes after a look at the caller.
    @functools.wraps(plain)
    def entered(*args: Any, **named: Any) -> Any:
        with _called_by(tf.__internal__.autograph.control_status_ctx()):
            return plain(*args, **named)

    return entered


def as_written(function: Any) -> Any:
    """A function of the caller's, rewritten by AutoGraph if the caller is.

    Args:
      function: any callable; one of the library stays as it is.
    """
    caller = _caller.get()
    if caller is None or caller.status.name != "ENABLED":
        return function
    if getattr(function, "__module__", "").partition(".")[0] == _HERE:
        return function
    return tf.__internal__.autograph.tf_convert(function, caller)


def later(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the library that is called after its entry: a backward pass."""
    caller = _caller.get()
    plain = tf.autograph.experimental.do_not_convert(function)

    def called(*args: Any, **named: Any) -> Any:
        with _called_by(caller):
            return plain(*args, **named)

    return called


@contextlib.contextmanager
def _called_by(caller: Any) -> Iterator[None]:
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)
