"""What an evaluation leaves in a run's folder, whichever model it is of.

With the original's names and layouts:

    errors.npy      [F]            the error of each frame, mm
    poses.npy       [F, 1, 3, J]   reconstructions, mm
    truth.npy       [F, 1, 3, J]   truth, mm
    tabled_res.npy  [A + 1]        means of the A actions, then of all frames

and besides `evaluations/report.md`, `evaluations/skipped.csv` where samples were left
out, and pictures of the best, the median and the worst frame in `images/`.

Results replace each other together. They are written beside the old ones, and only
when all are there the old ones are removed and the new ones renamed. No file system
does that at once for several names; what holds instead, whenever the process is
killed: these names never are of two evaluations at a time. Up to the swap all are the
old ones; during it, which takes milliseconds, some are missing, and the new ones are
complete in a hidden folder, from which the next evaluation or training in this folder
(or `finish`) puts them in place.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.files.errors import InputError, one_line
from human_pose.files.paths import atomic, leftovers
from human_pose.runs.lock import locked

REPORT: Final = "evaluations/report.md"
SKIPPED: Final = "evaluations/skipped.csv"
NOTED: Final = ("best", "median", "worst")
_ARRAYS: Final = ("errors", "poses", "truth", "tabled_res")
# Everything that is an evaluation's.
NAMES: Final = (
    *(f"{name}.npy" for name in _ARRAYS),
    REPORT,
    SKIPPED,
    *(f"images/{name}.png" for name in NOTED),
)

# The swap's journal is the hidden folder's name: not yet complete; complete, while the
# old results are removed; and complete with what has not yet been put in place.
_NEW: Final = ".evaluation.new"
_COMPLETE: Final = ".evaluation.complete"
_MOVING: Final = ".evaluation.moving"


@contextmanager
def evaluating(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keeps a run's folder for one evaluation; a training may go on beside it.

    What an evaluation that was killed has left is put in place or removed.

    Args:
      folder: the run's; made if need be.

    Raises:
      InputError: naming process and host, if another evaluation is at work there; or
        if the folder cannot be written.
    """
    folder = Path(folder)
    with locked(folder, "evaluation"):
        finish(folder)
        yield


@contextmanager
def replaced(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields an empty folder whose files replace the results of an earlier evaluation.

    Only within `evaluating`. Of the names in `NAMES` those that are not written are
    gone afterwards; nothing else is touched. If the block fails all stays as it was.

    Args:
      folder: the run's.

    Raises:
      InputError: if the files cannot be put in place.
    """
    folder = Path(folder)
    new = folder / _NEW
    try:
        new.mkdir()
        yield new
        _check_room(folder, new)
        new.rename(folder / _COMPLETE)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        if new.exists():
            shutil.rmtree(new)
    finish(folder)


def finish(folder: str | os.PathLike[str]) -> None:
    """Ends what an evaluation that was killed has begun; only while none is at work.

    Args:
      folder: the run's.

    Raises:
      InputError: if the files cannot be put in place.
    """
    folder = Path(folder)
    complete, moving = folder / _COMPLETE, folder / _MOVING
    try:
        if (folder / _NEW).exists():
            shutil.rmtree(folder / _NEW)
        if complete.exists():
            for name in NAMES:
                (folder / name).unlink(missing_ok=True)
            complete.rename(moving)
        if moving.exists():
            for path in _files(moving):
                # Also onto another file system, as of a linked `images/`.
                shutil.move(path, folder / path.relative_to(moving))
            shutil.rmtree(moving)
        for path in _leftovers(folder):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def finish_if_free(folder: str | os.PathLike[str]) -> None:
    """As `finish`, if there is anything to end and no evaluation is at work."""
    folder = Path(folder)
    if not any((folder / name).exists() for name in (_NEW, _COMPLETE, _MOVING)):
        return
    try:
        with evaluating(folder):
            pass
    except InputError:
        return  # an evaluation at work does it itself


def write_arrays(
    folder: str | os.PathLike[str],
    *,
    errors_mm: np.ndarray,
    poses_mm: np.ndarray,
    truth_mm: np.ndarray,
    action_errors_mm: np.ndarray,
) -> None:
    """Writes the `.npy` files.

    Args:
      folder: where they go, see `replaced`.
      errors_mm: `[F]`.
      poses_mm: reconstructions, `[F, J, 3]`.
      truth_mm: `[F, J, 3]`.
      action_errors_mm: means of the A actions, then of all frames, `[A + 1]`.

    Raises:
      InputError: if a file cannot be written.
    """
    arrays = (
        errors_mm,
        _original_layout(poses_mm),
        _original_layout(truth_mm),
        action_errors_mm,
    )
    for name, array in zip(_ARRAYS, arrays, strict=True):
        with atomic(Path(folder) / f"{name}.npy") as temporary:
            np.save(temporary, array)


def write_report(folder: str | os.PathLike[str], text: str) -> None:
    """Writes the report, Markdown.

    Raises:
      InputError: if the file cannot be written.
    """
    with atomic(Path(folder) / REPORT) as temporary:
        temporary.write_text(text, encoding="utf-8")


def frames_of_note(errors_mm: np.ndarray) -> dict[str, int]:
    """The numbers of the best, the median and the worst of errors `[F]`."""
    order = np.argsort(errors_mm, kind="stable")
    places = (0, (len(order) - 1) // 2, -1)
    return {name: int(order[p]) for name, p in zip(NOTED, places, strict=True)}


def _original_layout(poses: np.ndarray) -> np.ndarray:
    """From `[F, J, 3]` to the original's `[F, 1, 3, J]`."""
    return np.ascontiguousarray(poses.swapaxes(1, 2)[:, None])


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _check_room(folder: Path, new: Path) -> None:
    """Finds what would stop the swap half-way, and makes the folders it needs."""
    for path in _files(new):
        (folder / path.relative_to(new)).parent.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if (folder / name).is_dir():
            raise InputError(f"{folder / name}: must be a file; it is a folder")


def _leftovers(folder: Path) -> Iterator[Path]:
    """Temporary files of an evaluation, of version 0.1 ones, too."""
    for part in {(folder / name).parent for name in NAMES}:
        yield from leftovers(part)
    for name in NAMES:
        path = folder / name
        yield from path.parent.glob(f".{path.stem}.????????{path.suffix}")


def _unwritable(folder: Path, error: OSError) -> InputError:
    where = error.filename or folder
    reason = error.strerror or one_line(error)
    return InputError(f"{where}: results cannot be put in place: {reason}")
