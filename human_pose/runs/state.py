"""Where a training stands, and the one file that it can be continued from.

A state says how far the training is and under what conditions it can be continued,
and holds named arrays. The file's name decides how it is kept, in either way as version
0.1 did: as NumPy's `.npz`, quick for large networks, with a `header` in JSON; or as
`.h5`, whose arrays any HDF5 tool shows, with the conditions in JSON and each entry of
the progress as an array of its own.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np

from human_pose.files.arrays import Shape
from human_pose.files.errors import InputError
from human_pose.files.h5 import read_h5, write_h5
from human_pose.files.npz import read_npz, write_npz

P = TypeVar("P")
# By name; a sequence's are named by their places.
Variables: TypeAlias = Mapping[str, Any] | Sequence[Any]

_HEADER: Final = "header"
_CONDITIONS: Final = "conditions"
_LISTED: Final = 3  # differing conditions shown


def write_state(
    path: str | os.PathLike[str],
    progress: Any,
    conditions: Mapping[str, Any],
    variables: Variables,
) -> None:
    """Writes everything that decides how a training goes on, atomically.

    The order of the data, and their augmentation, need no state: they follow from the
    seed and the step.

    Args:
      path: the file, `.npz` or `.h5`.
      progress: how far the training is, a dataclass of JSON values.
      conditions: what must be equal for it to be continued (JSON values by name).
      variables: of the model and the optimiser.

    Raises:
      InputError: if the file cannot be written.
    """
    path = Path(path)
    arrays: dict[str, Any] = {
        name: np.asarray(v) for name, v in _named(variables).items()
    }
    if _is_h5(path):
        text = json.dumps(dict(conditions)).encode()
        header = {_CONDITIONS: np.frombuffer(text, np.uint8), **vars(progress)}
        write_h5(path, header | arrays)
        return
    content = {"progress": vars(progress), _CONDITIONS: dict(conditions)}
    arrays[_HEADER] = np.array(json.dumps(content))
    write_npz(path, arrays)


def read_progress(
    path: str | os.PathLike[str],
    conditions: Mapping[str, Any],
    kind: Callable[..., P],
    *,
    free: Collection[str] = (),
) -> P:
    """How far the training of a state file is.

    Args:
      path: the file.
      conditions: what must be equal for the training to be continued.
      kind: the dataclass that was saved.
      free: names of conditions that may differ after all, or be saved on one side only.

    Raises:
      InputError: if it cannot be read, or belongs to a run under other conditions.
    """
    path = Path(path)
    saved, progress = _read(path, kind)
    before, now = (
        {name: value for name, value in known.items() if name not in free}
        for known in (saved, conditions)
    )
    differences = [*_differences(before, now)]
    if differences:
        more = len(differences) - _LISTED
        end = f" and {more} more" if more > 0 else ""
        raise InputError(
            f"{path}: the run to resume has other conditions: "
            f"{', '.join(differences[:_LISTED])}{end}"
        )
    return progress


def read_conditions(
    path: str | os.PathLike[str], kind: Callable[..., Any]
) -> dict[str, Any]:
    """Under what conditions a state was saved.

    Args:
      path: the file.
      kind: the dataclass of the progress that was saved.

    Raises:
      InputError: if it cannot be read.
    """
    return _read(Path(path), kind)[0]


def restore_variables(path: str | os.PathLike[str], variables: Variables) -> None:
    """Gives variables the values of a state file.

    Raises:
      InputError: if it cannot be read or holds others; no variable is changed then.
    """
    path = Path(path)
    variables = _named(variables)
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    arrays = (read_h5 if _is_h5(path) else read_npz)(path, shapes)
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _read(path: Path, kind: Callable[..., P]) -> tuple[dict[str, Any], P]:
    """Conditions and progress."""
    try:
        content = _read_h5_header(path, kind) if _is_h5(path) else _read_header(path)
        return dict(content[_CONDITIONS]), kind(**content["progress"])
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: is no training state of this kind") from error


def _named(variables: Variables) -> dict[str, Any]:
    if isinstance(variables, Mapping):
        return dict(variables)
    return {str(number): variable for number, variable in enumerate(variables)}


def _is_h5(path: Path) -> bool:
    return path.suffix == ".h5"


def _read_header(path: Path) -> Any:
    return json.loads(str(read_npz(path, {}, {_HEADER: ()})[_HEADER]))


def _read_h5_header(path: Path, kind: Callable[..., Any]) -> Any:
    starts = vars(kind())
    shapes: dict[str, Shape] = {_CONDITIONS: ("L",), **dict.fromkeys(starts, ())}
    arrays = read_h5(path, shapes)
    return {
        _CONDITIONS: json.loads(bytes(arrays[_CONDITIONS].tolist())),
        "progress": {name: arrays[name].item() for name in starts},
    }


def _differences(saved: Any, wanted: Any, name: str = "") -> Iterator[str]:
    """What differs between two JSON values, each in words."""
    if isinstance(saved, dict) and isinstance(wanted, dict):
        for key in dict.fromkeys([*wanted, *saved]):
            inner = f"{name}.{key}" if name else str(key)
            yield from _differences(saved.get(key), wanted.get(key), inner)
    elif not isinstance(saved, list) or not isinstance(wanted, list):
        if saved != wanted:
            yield f"{name} was {_said(saved)}, is {_said(wanted)}"
    elif len(saved) != len(wanted):
        yield f"{name} had {len(saved)} entries, has {len(wanted)}"
    else:
        for number, (old, new) in enumerate(zip(saved, wanted, strict=True)):
            yield from _differences(old, new, f"{name}[{number}]")


def _said(value: Any) -> str:
    """A value, or only its kind where that would be long."""
    return type(value).__name__ if isinstance(value, dict | list) else str(value)
