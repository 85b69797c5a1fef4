"""Motion in Anipose's CSV: for each joint `_x _y _z _error _ncams _score`.

After them stand `M_ij` and `center_i`, a change of axes that was made (none here), and
`fnum`, the frame. Lengths are those of the calibration; written are millimetres, z up.
"""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.exchange.format import Format
from human_pose.exchange.named import named_motion
from human_pose.exchange.recording import Motion, integers
from human_pose.exchange.sources import first_row, table_rows
from human_pose.files.arrays import MOST_BYTES, check_names, refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, read_text

_AXES: Final = ("_x", "_y", "_z")
_ERROR, _CAMERAS, _SCORE = "_error", "_ncams", "_score"
_FRAME: Final = "fnum"
_AFTER: Final[Mapping[str, str]] = {
    **{f"M_{i}{j}": "1.0" if i == j else "0.0" for i in range(3) for j in range(3)},
    **{f"center_{i}": "0.0" for i in range(3)},
}


def read_anipose(
    path: str | os.PathLike[str],
    units: str | None = None,
    up: str = "z",
    fps: float | None = None,
) -> Motion:
    """Reads a CSV of 3D joints as Anipose writes it.

    Args:
      path: the file.
      units: of its lengths, which it does not say; default: what the body's size
        implies.
      up: its axis that points upwards, of `axes.UP_AXES`.
      fps: frames a second, which the file does not say.

    Raises:
      InputError: naming the file and the rule, if it is no such file, or its units
        cannot be told.
    """
    path = Path(path)
    lines = read_text(path, MOST_BYTES).splitlines()
    with refusing(path, "is no readable CSV file"):
        header, *rows = table_rows(lines)
    names = _names(header)
    if not names:
        raise InputError(f"{path}: must hold columns joint_x, joint_y, joint_z")
    wanted = [f"{name}{axis}" for name in names for axis in _AXES]
    check_names(path, wanted, header)
    values = _values(path, header, rows, [*wanted, _FRAME])
    return named_motion(
        path,
        names,
        values[:, :-1].reshape(len(values), len(names), 3),
        fps=fps,
        frames=integers(f"{path}: {_FRAME}", values[:, -1])
        if _FRAME in header
        else None,
        units=units,
        up=up,
        zeros_missing=True,
    )


def write_anipose(
    path: str | os.PathLike[str],
    motion: Motion,
    *,
    errors_px: Any = None,
    cameras_used: Any = None,
    scores: Any = None,
) -> None:
    """Writes a CSV of 3D joints with Anipose's columns.

    Args:
      path: the file.
      motion: of F frames and J joints.
      errors_px: `[F, J]`, the mean distance of the detections from the joints' images;
        default: NaN.
      cameras_used: `[F, J]`, how many cameras saw each joint; default: NaN.
      scores: `[F, J]`, from 0 to 1; default: 1 where a joint is, else 0.

    Raises:
      InputError: if the file cannot be written.
    """
    path = Path(path)
    motion = motion.z_up
    seen = np.isfinite(motion.joints_3d_mm).all(axis=-1)
    blank = np.full(seen.shape, np.nan)
    parts = {
        _ERROR: blank if errors_px is None else np.asarray(errors_px),
        _CAMERAS: blank if cameras_used is None else np.asarray(cameras_used),
        _SCORE: seen.astype(float) if scores is None else np.asarray(scores),
    }
    columns = np.concatenate(
        [motion.joints_3d_mm, np.stack(list(parts.values()), axis=-1)], axis=-1
    )
    endings = (*_AXES, *parts)
    header = [f"{n}{e}" for n in motion.skeleton.names for e in endings]
    after = list(_AFTER.values())
    with (
        atomic(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*header, *_AFTER, _FRAME])
        for number, row in zip(motion.frames, columns, strict=True):
            writer.writerow([*map(_cell, row.ravel()), *after, number])


def is_anipose(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a CSV of 3D joints."""
    header = first_row(path)
    return any(
        {f"{name}{axis}" for axis in _AXES} <= set(header) for name in _names(header)
    )


def _names(header: Sequence[str]) -> list[str]:
    """The joints of the columns, in order."""
    return [word.removesuffix("_x") for word in header if word.endswith("_x")]


def _values(
    path: Path,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    wanted: Sequence[str],
) -> np.ndarray:
    """Columns `[F, C]` by their names, NaN where a cell or the column is missing."""
    places = [header.index(name) if name in header else None for name in wanted]
    values = np.full((len(rows), len(wanted)), np.nan)
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise InputError(
                f"{path}: row {number + 1} must have {len(header)} cells; it has "
                f"{len(row)}"
            )
        for column, place in enumerate(places):
            if place is None or not row[place].strip():
                continue
            try:
                values[number, column] = float(row[place])
            except ValueError:
                raise InputError(
                    f"{path}: row {number + 1}: {wanted[column]}",
                    "must be a number",
                    row[place],
                ) from None
    return values


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}" if value == 0 else f"{value:.5f}"


FORMATS: Final = (
    Format(
        "csv",
        "motion",
        "Anipose's CSV, millimetres",
        (".csv",),
        is_anipose,
        read_anipose,
        write_anipose,
        options=("up", "fps"),
    ),
)
