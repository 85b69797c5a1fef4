"""Locks between real processes, and what is said of their holders."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import warnings
from contextlib import contextmanager

import filelock
import pytest

from human_pose.files.errors import InputError
from human_pose.runs import lock
from human_pose.runs.lock import locked

HOLD = """
import sys
from human_pose.runs.lock import locked
with locked(sys.argv[1], "training"):
    print("held", flush=True)
    sys.stdin.read()
"""

# Adds 1 to the number in a file, again and again, each time under the lock.
COUNT = """
import sys
from pathlib import Path
from human_pose.files.errors import InputError
from human_pose.runs.lock import locked
path, left = Path(sys.argv[1]), int(sys.argv[2])
while left:
    try:
        with locked(path.parent / "run", "training"):
            path.write_text(str(int(path.read_text()) + 1))
            left -= 1
    except InputError:
        pass
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(lock, "_WAIT_S", 0.1)


@contextmanager
def holder(folder):
    """A process that holds the lock until it is killed or the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.communicate("")


def held_by(folder):
    with pytest.raises(InputError) as raised, locked(folder, "training"):
        pass
    return str(raised.value)


def test_a_second_process_is_told_who_holds_it(tmp_path):
    run = tmp_path / "run"
    with holder(run) as process:
        host = socket.gethostname()
        assert held_by(run) == (
            f"{run}: process {process.pid} on {host} is at training there; wait for "
            "its end, or choose another `name`"
        )
        with locked(run, "evaluation"):
            pass
    assert not run.exists()


def test_a_killed_process_holds_nothing(tmp_path):
    run = tmp_path / "run"
    with holder(run) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = {".training.lock", ".training.holder.json"}
    assert {path.name for path in run.iterdir()} == left
    with locked(run, "training"):
        # Now it is this process's, whatever was left.
        content = json.loads((run / ".training.holder.json").read_text())
        assert content["process"] == os.getpid()
        assert f"process {os.getpid()} on" in held_by(run)
    assert list(run.iterdir()) == []


def test_no_two_processes_are_at_it_at_a_time(tmp_path):
    """Also where the file is removed and made anew all the time."""
    (tmp_path / "count").write_text("0")
    counting = [
        subprocess.Popen([sys.executable, "-c", COUNT, tmp_path / "count", "40"])
        for _ in range(3)
    ]
    assert [process.wait() for process in counting] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "120"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "nothing",
        "[]",
        "{}",
        '{"process": "x", "host": 1}',
        '{"process": 4194305, "host": "%s"}',  # above what Linux gives
        '{"process": -99999999999999999999999, "host": ""}',
    ],
)
def test_what_lies_beside_the_lock_is_not_trusted(tmp_path, content):
    with locked(tmp_path, "training"):
        beside = tmp_path / ".training.holder.json"
        beside.write_text(content.replace("%s", socket.gethostname()))
        assert "process" in held_by(tmp_path)
        assert "4194305" not in held_by(tmp_path)


def test_a_folder_that_its_maker_removes_is_made_again(tmp_path, monkeypatch):
    """As by another process that ends between the making and the lock."""
    run = tmp_path / "results" / "run"
    acquire = filelock.FileLock.acquire
    removed = []

    def late(self):
        if len(removed) < 2:
            run.rmdir()
            run.parent.rmdir()
            removed.append(run)
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return acquire(self)

    monkeypatch.setattr(filelock.FileLock, "acquire", late)
    with locked(run, "training"):
        assert len(removed) == 2
        assert (run / ".training.lock").is_file()
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "results" / "run", "training"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyError), locked(tmp_path / "results" / "run", "training"):
        (tmp_path / "results" / "run" / "mine").touch()
        raise KeyError
    assert [path.name for path in (tmp_path / "results" / "run").iterdir()] == ["mine"]


def fall_back(*arguments):
    warnings.warn("flock not supported, falling back to SoftFileLock", stacklevel=1)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOLCK, "No locks available"), NotImplementedError("flock")]
)
def test_a_file_system_without_locks(tmp_path, monkeypatch, error):
    def acquire(self):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    with pytest.raises(InputError, match=r"run: cannot be locked .*; choose a folder"):
        with locked(tmp_path / "run", "training"):
            pass
    assert not (tmp_path / "run").exists()


def test_no_soft_lock_takes_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(filelock.FileLock, "acquire", fall_back)
    with pytest.raises(InputError, match=r"cannot be locked .*falling back"):
        with locked(tmp_path, "training"):
            pass


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"run: cannot be made"):
        with locked(tmp_path / "file" / "run", "training"):
            pass


def test_a_process_of_someone_elses_is_alive(monkeypatch):
    def forbid(process, number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbid)
    assert lock._runs(1)
