"""Several processes of one command on this machine, started again when one is lost.

None can go on without the others (`runs.cluster`), so that all end with the first that
does, and start again from the state that was saved last.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, Final, TextIO

from human_pose.files.errors import LostWorker
from human_pose.runs.watches import watched

TERMINATED: Final = 128 + signal.SIGTERM  # the exit code that shells expect

# A process that was told to end has this long to save its state.
_LEAVING_S: Final = 60.0
# Those whose fellow has failed by itself say so within this time.
_SAYING_S: Final = 5.0
# Shells and wrappers may send one Ctrl-C twice, but not after this time.
_TWICE_S: Final = 1.0
# After this long a start has been a success, and restarts are counted anew.
_SETTLED_S: Final = 600.0
_POLL_S: Final = 0.05


class Supervisor:
    """Runs processes until they have done, failed, or been told to end.

    Args:
      first: the command of every process.
      again: the same for those that are started after a loss.
      workers: how many processes.
      max_restarts: how often in a row all are started again.
      say: takes lines for the user.
    """

    def __init__(
        self,
        first: Sequence[str],
        again: Sequence[str],
        workers: int,
        max_restarts: int,
        say: Callable[[str], None],
    ) -> None:
        self._first = [*first]
        self._again = [*again]
        self._workers = workers
        self._max_restarts = max_restarts
        self._say = say
        self._running: list[subprocess.Popen[str]] = []
        self._relays: list[threading.Thread] = []
        self._told = False
        self._told_at = 0.0
        self._hurried = False
        self._watch: Callable[[Iterable[int]], None]

    def run(self) -> int:
        """Runs them; returns the exit code of all: 0, 143, or that of a failure.

        SIGTERM, Ctrl-C and a closed terminal let them save and end; Ctrl-C once more
        ends them at once, as a kill of this process does.
        """
        heard = [n for n in _ENDING if signal.getsignal(n) is not signal.SIG_IGN]
        before = {n: signal.signal(n, self._take) for n in heard}
        with watched() as self._watch:
            try:
                return self._until_done()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
                self._kill()

    def _until_done(self) -> int:
        command, restarts = self._first, 0
        while True:
            begun = time.monotonic()
            self._start(command)
            code = self._wait()
            if code in (0, TERMINATED) or self._told:
                return code
            if not _is_loss(code):
                self._say(f"a worker has failed with exit code {code}; all are ended")
                return code
            if time.monotonic() - begun > _SETTLED_S:
                restarts = 0
            restarts += 1
            if restarts > self._max_restarts:
                self._say(f"lost a worker {restarts} times in a row: giving up")
                return LostWorker.EXIT_CODE
            self._say(
                f"lost a worker ({_described(code)}); starting all {self._workers} "
                f"again ({restarts} of {self._max_restarts})"
            )
            command = self._again

    def _start(self, command: Sequence[str]) -> None:
        addresses = [f"localhost:{port}" for port in _free_ports(self._workers)]
        for number in range(self._workers):
            if self._told:
                return
            task = {"type": "worker", "index": number}
            config = {"cluster": {"worker": addresses}, "task": task}
            self._running.append(
                subprocess.Popen(
                    command,
                    env=os.environ | {"TF_CONFIG": json.dumps(config)},
                    text=True,
                    errors="replace",
                    # Ctrl-C goes to all of a terminal's group, and would cut their
                    # steps in two; `_take` passes it on as what they wait for.
                    start_new_session=True,
                    **(_PIPED if number else {}),
                )
            )
            self._watch(process.pid for process in self._running)
            if self._told:  # while it was being started, before `_take` knew of it
                self._running[-1].send_signal(signal.SIGTERM)
            if number:
                self._relays.append(_relay(self._running[-1], f"[worker {number}] "))

    def _wait(self) -> int:
        """Waits for the end of all; returns the code of the first that failed."""
        failed = 0
        while any(process.poll() is None for process in self._running):
            failed = self._first_failure()
            if failed or self._told:
                break
            time.sleep(_POLL_S)
        if not failed and not self._told:
            failed = self._first_failure()
        if self._told:
            self._say("told to end; the workers save the run, unless told once more")
        if failed or self._told:
            self._let_end(failed)
            # The failure of one makes losses of the others.
            codes = [process.returncode for process in self._running]
            own = [code for code in codes if code and not _is_loss(code)]
            failed = TERMINATED if self._told else next(iter(own), failed)
            if failed == -signal.SIGTERM:  # told before it could listen
                failed = TERMINATED
        self._watch([])
        for relay in self._relays:
            relay.join(_SAYING_S)
        self._relays.clear()
        self._running.clear()
        return failed

    def _first_failure(self) -> int:
        """The code of the first process that has ended with another than 0."""
        return next((code for p in self._running if (code := p.poll())), 0)

    def _let_end(self, failed: int) -> None:
        """Gives the others time for what they still have to do, and ends them."""
        leaving = self._told or failed == TERMINATED
        # A loss that is not a kill may be another's failure, which is still to be told.
        killed = failed == -signal.SIGKILL
        patience = _LEAVING_S if leaving else 0.0 if killed else _SAYING_S
        until = time.monotonic() + patience
        while time.monotonic() < until and not self._hurried:
            if all(process.poll() is not None for process in self._running):
                break
            time.sleep(_POLL_S)
        late = sum(process.poll() is None for process in self._running)
        if leaving and late:
            self._say(
                f"{late} of {self._workers} workers have not ended and are killed; "
                "the run goes on from what was saved last"
            )
        self._kill()

    def _kill(self) -> None:
        for process in self._running:
            # One that waits for a lost one in native code hears nothing else.
            process.kill()
        for process in self._running:
            process.wait()

    def _take(self, number: int, frame: FrameType | None) -> None:
        """Passes the signal on: the workers agree on the step to leave after."""
        now = time.monotonic()
        again = self._told and now - self._told_at > _TWICE_S
        self._hurried = self._hurried or (again and number == signal.SIGINT)
        if not self._told:
            self._told, self._told_at = True, now
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


# Windows has no terminal that can be closed on a process.
_ENDING: Final = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP")
    if hasattr(signal, name)
)
_PIPED: Final[dict[str, Any]] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}


def _is_loss(code: int) -> bool:
    """Whether a process with this code was killed, or lost another one."""
    return code < 0 or code == LostWorker.EXIT_CODE


def _described(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _free_ports(number: int) -> list[int]:
    """Ports that nobody listens at; new ones for every start."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _relay(process: subprocess.Popen[str], prefix: str) -> threading.Thread:
    """Prints what a process says, each line with its name, until it ends."""

    def lines(source: TextIO) -> None:
        with source:
            for line in source:
                # Whoever listens may be gone, as a terminal that was closed; a pipe
                # that nobody empties would hold the process up for good.
                with suppress(OSError, ValueError):
                    sys.stderr.write(prefix + line)
                    sys.stderr.flush()

    assert process.stdout is not None
    thread = threading.Thread(target=lines, args=(process.stdout,), daemon=True)
    thread.start()
    return thread
