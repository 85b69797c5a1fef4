"""A process that answers requests, so that two sides of a benchmark can take turns.

Each line of its input is a request, answered by a line; after the last it writes its
peak resident memory. Two frameworks in one process would fight over threads, or bring
it down: PyTorch with Triton, imported after TensorFlow, ends with a segmentation fault.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


class WorkerDiedError(RuntimeError):
    """A process that ended before it answered; the message says how, in a line."""


def serve(answer: Callable[[str], object], greeting: str = "") -> None:
    """Answers every line of the input by what `answer` makes of it."""
    # Libraries write to the output too; answers are marked.
    print(f"ready {greeting}", flush=True)
    for line in sys.stdin:
        print(f"answer {answer(line.strip())}", flush=True)
    print(f"answer {peak_memory_mib()}", flush=True)


def peak_memory_mib() -> float:
    """Of this process since it was started, ru_maxrss without the parent's.

    Unless `/proc/self/clear_refs` has started the mark anew.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class Worker:
    """The other end: a process that serves.

    Args:
      module: what it runs, found from this folder.
      *arguments: its command line.
      quiet: whether what it writes to stderr is kept for the error alone.
      python: the interpreter, where it is another.
      **environment: variables of its own.

    Attributes:
      greeting: what it said when it was ready.

    Raises:
      WorkerDiedError: if it ends before it is ready.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        quiet: bool = False,
        python: str = sys.executable,
        **environment: str,
    ) -> None:
        self._errors = tempfile.TemporaryFile() if quiet else None
        self._process = subprocess.Popen(
            [python, "-m", module, *arguments],
            cwd=_FOLDER,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.greeting = self._read("ready")

    def ask(self, request: str = "call") -> str:
        """The answer to a request.

        Raises:
          WorkerDiedError: if the process ends before it answers.
        """
        try:
            self._process.stdin.write(f"{request}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # Reading tells how it ended.
        return self._read("answer")

    def close(self) -> float:
        """Ends the process; its peak memory, MiB."""
        self._process.stdin.close()
        peak = float(self._read("answer"))
        self._process.wait()
        self._release()
        return peak

    def stop(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._release()

    def _read(self, mark: str) -> str:
        for line in self._process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == mark:
                return rest
        raise WorkerDiedError(self._end())

    def _end(self) -> str:
        code, said = self._process.wait(), ""
        if self._errors is not None:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip()
        self._release()
        if code < 0:
            return f"its process died of {signal.Signals(-code).name}"
        last = said.rpartition("\n")[2] or "see above"
        return f"its process ended with code {code}: {last}"

    def _release(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # What was not read is lost.
            self._process.stdin.close()
        self._process.stdout.close()
        if self._errors is not None:
            self._errors.close()
