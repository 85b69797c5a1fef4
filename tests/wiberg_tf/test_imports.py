"""The library's modules import in one direction, and TensorFlow and NumPy alone."""

import ast
import graphlib
import sys
from pathlib import Path

import wiberg_tf

_ROOT = Path(wiberg_tf.__file__).parent


def _imports():
    """For each module, the modules that it imports anywhere, read and not run."""
    found = {}
    for path in sorted(_ROOT.rglob("*.py")):
        parts = path.relative_to(_ROOT.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        names = found.setdefault(name, set())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name} imports relatively"
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {
        name: {_module(each, found) for each in imported}
        for name, imported in found.items()
    }


def _module(name, modules):
    """The module of ours that a dotted name is or lies in, else its first word."""
    while "." in name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def test_imports_go_one_way():
    imports = _imports()
    assert "wiberg_tf._linear.choice" in imports["wiberg_tf._derivatives"]
    # `wiberg_tf.keras` is handed on when it is asked for, so it may use the library.
    ours = {
        name: {each for each in imported if each in imports}
        for name, imported in imports.items()
    }
    list(graphlib.TopologicalSorter(ours).static_order())


def test_rooms_import_from_their_left_only():
    imports = _imports()
    for name, imported in imports.items():
        if name.startswith("wiberg_tf._linear"):
            assert not any(each.startswith("wiberg_tf._solvers") for each in imported)
            assert "wiberg_tf._iterate" not in imported
        if name.startswith("wiberg_tf._solvers"):
            assert not {"wiberg_tf._derivatives", "wiberg_tf._argmin"} & imported


def test_tensorflow_alone_is_needed():
    for name, imported in _imports().items():
        foreign = {each.split(".")[0] for each in imported} - {"wiberg_tf"}
        foreign -= set(sys.stdlib_module_names)
        allowed = {"tensorflow", "numpy"}
        if name == "wiberg_tf.keras":
            allowed.add("keras")
        assert foreign <= allowed, name
