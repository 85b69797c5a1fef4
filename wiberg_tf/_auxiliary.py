"""Functions that return something besides: `(energy, aux)`."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._nest import as_tensors
from wiberg_tf._problem import call_energy
from wiberg_tf._residuals import ResidualEnergy


def without_aux(function: Any, name: str) -> Any:
    """The function alone, of one that returns `(value, aux)`.

    Args:
      function: an energy, a `ResidualEnergy` whose residuals return the pair, or the
        function of equations.
      name: of the function, for errors.

    Returns:
      What the solvers and derivatives take in its place, of the same kind.
    """
    if isinstance(function, ResidualEnergy):
        alone = without_aux(function.residuals, "residuals")
        return dataclasses.replace(function, residuals=alone)

    def first(*args: Any, **named: Any) -> Any:
        return _pair(as_written(function)(*args, **named), name)[0]

    return first


def aux_at(function: Callable[..., Any], name: str, value: Any, parameters: Any) -> Any:
    """The aux of one evaluation, as tensors; tapes record it as any operations.

    Args:
      function: as of `without_aux`.
      name: of the function, for errors.
      value: the nest x.
      parameters: θ, a tuple, list or dict of tensors.

    Raises:
      ValueError: if the function returns no pair.
      TypeError: for an aux that holds other things than tensors.
    """
    if isinstance(function, ResidualEnergy):
        function, name = function.residuals, "residuals"
    _, aux = _pair(call_energy(function, value, parameters), name)
    dtype = tf.nest.flatten(value)[0].dtype
    return as_tensors(aux, "aux", dtype)


def _pair(returned: Any, name: str) -> Any:
    """What was returned, if it is a pair.

    Raises:
      ValueError: if it is not.
    """
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        kind = type(returned).__name__
        size = f" of {len(returned)}" if isinstance(returned, tuple | list) else ""
        raise ValueError(
            f"`{name}` must return ({name}, aux) with has_aux=True; "
            f"received a {kind}{size}"
        )
    return returned
