"""Where a training of the image network stands, and the file to continue it from."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from human_pose.files.errors import InputError
from human_pose.files.paths import atomic

P = TypeVar("P")

_HEADER: Final = "header"
_LISTED: Final = 3  # differing conditions shown


def write_state(
    path: Path,
    progress: Any,
    conditions: Mapping[str, Any],
    variables: Sequence[Any],
) -> None:
    """Writes everything that decides how a training goes on, atomically.

    Order and augmentation of the data follow from the seed and the step.

    Args:
      path: the file, `.npz`.
      progress: how far the training is, a dataclass of JSON values.
      conditions: what must be equal for it to be continued (JSON values by name).
      variables: of the network and the optimiser.

    Raises:
      InputError: if the file cannot be written.
    """
    header = json.dumps({"progress": vars(progress), "conditions": dict(conditions)})
    arrays: dict[str, Any] = {
        str(number): np.asarray(v) for number, v in enumerate(variables)
    }
    arrays[_HEADER] = np.array(header)
    # Not compressed: weights hardly shrink, and a large network has half a gigabyte.
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def read_progress(
    path: Path, conditions: Mapping[str, Any], kind: Callable[..., P]
) -> P:
    """How far the training of a state file is.

    Args:
      path: the file.
      conditions: what must be equal for the training to be continued.
      kind: the dataclass that was saved.

    Raises:
      InputError: if it cannot be read, or belongs to a run under other conditions.
    """
    header = str(_read(path, [_HEADER])[0])
    try:
        content = json.loads(header)
        saved, progress = content["conditions"], kind(**content["progress"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is no training state of this kind") from error
    differences = [*_differences(saved, dict(conditions))]
    if differences:
        more = len(differences) - _LISTED
        end = f" and {more} more" if more > 0 else ""
        raise InputError(
            f"{path}: the run to resume has other conditions: "
            f"{', '.join(differences[:_LISTED])}{end}"
        )
    return progress


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


def restore_variables(path: Path, variables: Sequence[Any]) -> None:
    """Gives variables the values of a state file.

    Raises:
      InputError: if it cannot be read or holds others.
    """
    names = [str(number) for number in range(len(variables))]
    arrays = _read(path, names)
    for name, array, variable in zip(names, arrays, variables, strict=True):
        if array.shape != tuple(variable.shape):
            raise InputError(
                f"{path}: variable {name} must have shape {tuple(variable.shape)}; "
                f"it has {array.shape}"
            )
    for array, variable in zip(arrays, variables, strict=True):
        variable.assign(array)


def _read(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    try:
        # Opened here, because NumPy leaves a damaged file open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return [file[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: is not a readable training state ({reason})") from (
            error
        )
