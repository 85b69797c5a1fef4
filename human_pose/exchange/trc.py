"""Motion in TRC, OpenSim's text files of markers, as Pose2Sim writes them.

Tabs part the columns: frame, time, and x y z of each marker. Pose2Sim's files are in
metres with y up: (x, y, z) there is (y, z, x) of our world. Cells that are blank or NaN
are missing; NaN is written, since OpenSim 4.6 refuses rows that end in blanks.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from absl import logging

from human_pose.exchange.format import Format
from human_pose.exchange.markers import joints_of, markers_of
from human_pose.exchange.named import named_motion, needed_fps, tell_gaps
from human_pose.exchange.recording import Motion, integers
from human_pose.exchange.sources import head
from human_pose.exchange.units import MILLIMETRES
from human_pose.files.arrays import MOST_BYTES
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, read_text

_MARK: Final = "PathFileType"
_HEADINGS: Final = (
    "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate",
    "OrigDataStartFrame", "OrigNumFrames",
)  # fmt: skip
_HEADER_LINES: Final = 5
_BEFORE: Final = 2  # columns: frame and time
# Times have few digits.
_SAME_RATE: Final = 0.05
# Of our axes x y z, where TRC's stand: TRC's x is our y.
_TO_TRC: Final = (1, 2, 0)


def read_trc(
    path: str | os.PathLike[str], units: str | None = None, up: str = "y"
) -> Motion:
    """Reads a TRC file.

    Args:
      path: the file.
      units: of its lengths; default: those it says.
      up: its axis that points upwards, of `axes.UP_AXES`.

    Returns:
      The motion in a world whose z points upwards.

    Raises:
      InputError: naming the file, the line and the rule, if it is no such file.
    """
    path = Path(path)
    lines = read_text(path, MOST_BYTES).splitlines()
    if not lines or not lines[0].startswith(_MARK) or len(lines) < _HEADER_LINES:
        raise InputError(f"{path}: must begin with the five lines of a TRC file")
    heading = dict(zip(lines[1].split(), lines[2].split(), strict=False))
    missing = [word for word in ("DataRate", "Units") if word not in heading]
    if missing:
        raise InputError(f"{path}: must say {', '.join(missing)} in its third line")
    names = [name.strip() for name in lines[3].split("\t")[_BEFORE:] if name.strip()]
    rows = _rows(path, lines[_HEADER_LINES:], _BEFORE + 3 * len(names))
    if heading.get("NumFrames") not in (None, str(len(rows))):
        logging.warning(
            "%s: says that it holds %s frames; it holds %d",
            path, heading["NumFrames"], len(rows),
        )  # fmt: skip
    fps = _number(path, "DataRate", heading["DataRate"])
    _tell_times(path, rows, fps)
    return named_motion(
        path,
        joints_of(names),
        rows[:, _BEFORE:].reshape(len(rows), len(names), 3),
        fps=fps,
        frames=integers(f"{path}: Frame#", rows[:, 0]),
        units=units,
        declared=heading["Units"],
        up=up,
        zeros_missing=True,
    )


def write_trc(path: str | os.PathLike[str], motion: Motion) -> None:
    """Writes a TRC file in metres, y up, to a hundred-thousandth of a millimetre.

    Markers have Pose2Sim's names (`markers_of`).

    Raises:
      InputError: if the frame rate is not known, or the file cannot be written.
    """
    path = Path(path)
    fps = needed_fps(path, motion)
    tell_gaps(path, motion, numbered=True)
    motion = motion.z_up
    points = motion.joints_3d_mm[..., _TO_TRC] / MILLIMETRES["m"]
    names, count = markers_of(motion.skeleton.names), len(motion)
    start = int(motion.frames[0]) if count else 0
    values = (fps, fps, count, len(names), "m", fps, start, count)
    axes = [f"{axis}{n + 1}" for n in range(len(names)) for axis in "XYZ"]
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f"{_MARK}\t4\t(X/Y/Z)\t{path.name}\n")
        file.write("\t".join(_HEADINGS) + "\n")
        file.write("\t".join(map(_short, values)) + "\n")
        # The tabs at the ends are Pose2Sim's, whose tools look for them.
        file.write("Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t\t\n")
        file.write("\t\t" + "\t".join(axes) + "\t\n")
        times = _times(motion, fps)
        for number, time, point in zip(motion.frames, times, points, strict=True):
            cells = [str(number), f"{time:.6f}", *map(_cell, point.ravel())]
            file.write("\t".join(cells) + "\n")


def is_trc(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a TRC file."""
    return head(path).startswith(_MARK)


def _tell_times(path: Path, rows: np.ndarray, fps: float) -> None:
    """Warns of times that are of another rate, by rows and by numbers of frames."""
    number, time = np.diff(rows[:, :_BEFORE], axis=0).T
    goes_on = (time > 0) & (number > 0)
    if not goes_on.any() or not fps > 0:
        return
    seconds = time[goes_on]
    rates = [np.median(count / seconds) for count in (1.0, number[goes_on])]
    if all(abs(rate / fps - 1) > _SAME_RATE for rate in rates):
        logging.warning(
            "%s: its times are of %.4g frames a second; DataRate, which counts, is %g",
            path, rates[0], fps,
        )  # fmt: skip


def _times(motion: Motion, fps: float) -> np.ndarray:
    """Seconds of each frame, by its number, as Pose2Sim, where numbers ascend.

    Where they go on in like steps, as of every fifth frame, the rate is that of frames
    that are there.
    """
    steps = np.diff(motion.frames)
    if not (steps > 0).all():
        return np.arange(len(motion)) / fps
    usual = np.median(steps) if len(steps) else 1.0
    return np.asarray(motion.frames / (usual * fps))


def _rows(path: Path, lines: Sequence[str], columns: int) -> np.ndarray:
    """The numbers of the lines that are not blank."""
    rows = []
    for number, line in enumerate(lines, _HEADER_LINES + 1):
        if not line.strip():
            continue
        cells = line.split("\t")
        # Blank cells at the end may be left out, or one more tab be there.
        if len(cells) > columns and not any(cells[columns:]):
            cells = cells[:columns]
        if len(cells) > columns or len(cells) < _BEFORE:
            raise InputError(
                f"{path}: line {number} must have {columns} columns; it has "
                f"{len(cells)}"
            )
        try:
            row = [float(cell) if cell.strip() else np.nan for cell in cells]
        except ValueError:
            raise InputError(f"{path}: line {number} must be numbers") from None
        rows.append(row + [np.nan] * (columns - len(row)))
    if not rows:
        raise InputError(f"{path}: must hold at least one frame; it holds none")
    return np.array(rows)


def _number(path: Path, what: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{path}: {what}", "must be a number", text) from None


def _short(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _cell(value: float) -> str:
    return "NaN" if np.isnan(value) else f"{value:.8f}"


FORMATS: Final = (
    Format(
        "trc",
        "motion",
        "OpenSim's TRC, metres, y up",
        (".trc",),
        is_trc,
        read_trc,
        write_trc,
        options=("up",),
    ),
)
