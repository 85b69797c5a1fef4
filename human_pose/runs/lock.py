"""Locks of a run's folder: one training, and one evaluation, at a time.

The operating system keeps a lock for the process that holds it and frees it when that
ends, however it ends. What lies in the folder meanwhile are an empty file to lock and,
beside it, who holds it; both go with the lock, or are taken over after a kill.
"""

import json
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import filelock

from human_pose.files.errors import InputError, one_line

# Long enough for a new holder to have said who it is.
_WAIT_S: Final = 1.0
# How often a folder is made again that another process, which left nothing, removed.
_TRIES: Final = 100


@contextmanager
def locked(
    folder: str | os.PathLike[str], work: str, choice: str = "name"
) -> Iterator[None]:
    """Holds the lock of one kind of work in a folder.

    The folder is made if need be, and removed again where nothing was put into it.

    Args:
      folder: the run's.
      work: what excludes each other, for example "training".
      choice: the argument by which another folder is chosen, for messages.

    Raises:
      InputError: naming process and host of the holder, if another one has the lock;
        or if the folder cannot be written or its file system has no locks.
    """
    folder = Path(folder)
    path = folder / f".{work}.lock"
    holder = folder / f".{work}.holder.json"
    made: set[Path] = set()
    try:
        lock = _acquire(path, holder, made, work, choice)
        try:
            _say(holder)
            yield
        finally:
            holder.unlink(missing_ok=True)
            _release(lock, path)
    finally:
        for empty in sorted(made, reverse=True):  # the innermost first
            with suppress(OSError):
                empty.rmdir()


def _make(folder: Path) -> set[Path]:
    """Makes a folder; returns the new ones."""
    new = {path for path in (folder, *folder.parents) if not path.exists()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}") from error
    return new


def _acquire(
    path: Path, holder: Path, made: set[Path], work: str, choice: str
) -> filelock.BaseFileLock:
    """Makes the folder, whose new parts are added to `made`, and takes the lock."""
    folder = path.parent
    lock = filelock.FileLock(path, timeout=_WAIT_S)
    try:
        with warnings.catch_warnings():
            # Of its falling back to a file that a killed process would leave behind.
            warnings.simplefilter("error", UserWarning)
            for left in reversed(range(_TRIES)):
                made |= _make(folder)
                try:
                    lock.acquire()
                    break
                except FileNotFoundError:
                    if not left:
                        raise
    except InputError:
        raise
    except filelock.Timeout:
        raise InputError(
            f"{folder}: {_who(holder)} is at {work} there; wait for its end, or choose "
            f"another `{choice}`"
        ) from None
    except (OSError, NotImplementedError, UserWarning) as error:
        raise InputError(
            f"{folder}: cannot be locked against other processes ({one_line(error)}); "
            "choose a folder on another file system"
        ) from error
    return lock


def _release(lock: filelock.BaseFileLock, path: Path) -> None:
    """Frees the lock and removes its file.

    Only while it is held is the file nobody else's; whoever waits for one that is gone
    makes a new one. Windows removes none that is open, and there a file that others
    have opened meanwhile stays.
    """
    if os.name == "posix":
        with suppress(OSError):
            path.unlink()
        lock.release()
    else:
        lock.release()
        with suppress(OSError):
            path.unlink()


def _say(holder: Path) -> None:
    """Writes who holds the lock; whoever reads half of it learns less."""
    content = {"process": os.getpid(), "host": socket.gethostname()}
    try:
        holder.write_text(json.dumps(content) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{holder}: cannot be written: {error.strerror}") from error


def _who(holder: Path) -> str:
    """The holder in words, as far as its file can be believed."""
    try:
        content = json.loads(holder.read_bytes())
        process, host = int(content["process"]), str(content["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    if host == socket.gethostname() and not _runs(process):
        return f"another process on {host}"  # the file is of one that was killed
    return f"process {process} on {host}"


def _runs(process: int) -> bool:
    if os.name != "posix":
        return True  # asking would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # someone else's
    return True
