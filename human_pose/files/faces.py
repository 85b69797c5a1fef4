"""Faces of packages: their names, handed on when they are first asked for.

A package whose `__init__` imported all its modules would load TensorFlow for whoever
wants its configurations alone. Imports nothing that is not the standard library's.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` that imports names from where they are at home.

    Args:
      package: its `__name__`.
      homes: by name the module within the package that defines it, or that it is.

    Returns:
      The function to be called `__getattr__` there.
    """

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{homes[name]}")
        return getattr(module, name, module)

    return __getattr__
