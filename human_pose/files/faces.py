"""Faces of packages: their names, handed on when they are first asked for.

A package whose `__init__` imported all its modules would load TensorFlow for whoever
wants its configurations alone. Imports nothing that is not the standard library's.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

_OTHER_BACKENDS: Final = ("jax", "torch", "openvino")


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` that imports names from where they are at home.

    Args:
      package: its `__name__`.
      homes: by name the module within the package that defines it, or that it is.

    Returns:
      The function to be called `__getattr__` there. It raises an ImportError where
      Keras is set to another backend than TensorFlow.
    """

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            module = import_module(f"{package}.{homes[name]}")
        except ModuleNotFoundError as error:
            _refuse_backend(error.name)  # TensorFlow itself imports Keras
            raise
        if keras := sys.modules.get("keras"):
            _refuse_backend(keras.config.backend())
        return getattr(module, name, module)

    return __getattr__


def _refuse_backend(name: str | None) -> None:
    """Says in one line what to unset where Keras is set to another backend."""
    if name in _OTHER_BACKENDS:
        raise ImportError(
            f"Keras must run on TensorFlow, not on {name}: unset KERAS_BACKEND, or set "
            "it to tensorflow where a keras.json chooses"
        )
