"""Several processes under one supervisor: which code all end with, and how."""

import fcntl
import io
import os
import signal
import subprocess
import sys
import time

import pytest

from human_pose.files.errors import LostWorker
from human_pose.runs import supervision
from human_pose.runs.supervision import TERMINATED, Supervisor

# The number of a worker, from what it is told.
NUMBER = "import json, os, signal, sys, time\n"
NUMBER += "number = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"


def run(code, restarts=0):
    said = []
    command = [sys.executable, "-c", NUMBER + code]
    return Supervisor(command, command, 2, restarts, said.append).run(), said


def test_a_failure_counts_that_another_was_quicker_to_feel():
    """A diverged chief still takes its leave when its fellow has lost it."""
    code, said = run(
        f"time.sleep(0.5 * (1 - number)); sys.exit([1, {LostWorker.EXIT_CODE}][number])"
    )
    assert code == 1
    assert said == ["a worker has failed with exit code 1; all are ended"]


def test_a_kill_is_a_loss():
    code, said = run("number or time.sleep(60); os.kill(os.getpid(), signal.SIGKILL)")
    assert code == LostWorker.EXIT_CODE
    assert said == ["lost a worker 1 times in a row: giving up"]


def test_one_that_is_told_before_it_listens_is_not_lost():
    begun = time.monotonic()
    code, said = run("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", restarts=3)
    assert (code, said) == (TERMINATED, [])
    assert time.monotonic() - begun < 30  # not as long as one may save


def test_one_that_is_started_meanwhile_is_told_too(tmp_path, monkeypatch):
    """The signal may come before the supervisor knows that it has this process."""
    sent = []

    class Started(subprocess.Popen):
        def __init__(self, command, **options):
            super().__init__(command, **options)
            if "-I" in command or sent:
                return  # the watch
            until = time.monotonic() + 30
            while not (tmp_path / "ready").exists() and time.monotonic() < until:
                time.sleep(0.02)
            sent.append(self.pid)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(supervision.subprocess, "Popen", Started)
    begun = time.monotonic()
    code, said = run(
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        f"open({str(tmp_path / 'ready')!r}, 'w').close()\n"
        "time.sleep(60)"
    )
    assert (code, len(said)) == (TERMINATED, 1)
    assert time.monotonic() - begun < 40  # not as long as one may save


def test_those_that_do_not_end_are_told_of(monkeypatch):
    """Their run is not as the word before says, for it was not saved."""
    monkeypatch.setattr(supervision, "_LEAVING_S", 0.5)
    code, said = run(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN) if number else time.sleep(1)\n"
        f"number or sys.exit({TERMINATED})\n"
        "time.sleep(60)"
    )
    assert code == TERMINATED
    assert said == [
        "1 of 2 workers have not ended and are killed; the run goes on from what was "
        "saved last"
    ]


def test_a_worker_goes_on_though_nobody_hears_it(monkeypatch):
    """As when a terminal has been closed: its pipe was full, and it stood still."""

    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    assert run("number and print('word\\n' * 100_000)") == (0, [])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_sent_to_the_whole_group_reaches_workers_as_sigterm(tmp_path, sent):
    """As a terminal does with Ctrl-C: no step of theirs is cut in two."""
    worker = NUMBER + (
        "def told(which, frame):\n"
        f"    open({str(tmp_path)!r} + f'/{{number}}-{{which}}', 'w').close()\n"
        "    time.sleep(0.2)\n"
        f"    sys.exit({TERMINATED})\n"
        "for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n"
        "    signal.signal(each, told)\n"
        f"open({str(tmp_path)!r} + f'/{{number}}-ready', 'w').close()\n"
        "time.sleep(60)\n"
    )
    program = (
        "import signal, sys\n"
        # What runs in the background may have been told to ignore them.
        "for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n"
        "    signal.signal(each, signal.SIG_DFL)\n"
        "from human_pose.runs.supervision import Supervisor\n"
        f"command = [sys.executable, '-c', {worker!r}]\n"
        "sys.exit(Supervisor(command, command, 2, 0, print).run())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], start_new_session=True, stdout=subprocess.PIPE
    ) as process:
        until = time.monotonic() + 60
        while len(list(tmp_path.glob("*-ready"))) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        os.killpg(process.pid, sent)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == TERMINATED
    assert b"told to end" in said
    names = sorted(path.name for path in tmp_path.iterdir())
    told = signal.SIGTERM.value
    assert names == [f"0-{told}", "0-ready", f"1-{told}", "1-ready"]


def test_workers_do_not_outlive_a_supervisor_that_is_killed(tmp_path):
    worker = NUMBER + (
        "import fcntl\n"
        f"held = open({str(tmp_path)!r} + f'/{{number}}', 'w')\n"
        "fcntl.flock(held, fcntl.LOCK_EX)\n"
        f"open({str(tmp_path)!r} + f'/{{number}}-ready', 'w').close()\n"
        "time.sleep(60)\n"
    )
    program = (
        "from human_pose.runs.supervision import Supervisor\n"
        f"command = [{sys.executable!r}, '-c', {worker!r}]\n"
        "Supervisor(command, command, 2, 0, print).run()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        until = time.monotonic() + 30
        while len(list(tmp_path.glob("*-ready"))) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        process.kill()
    for number in range(2):
        with open(tmp_path / str(number)) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # as soon as its holder is gone
    assert time.monotonic() < until  # they would have slept longer
