"""Processes that watch over others, and kill them where nothing within them can.

Native code may hold Python's lock as long as it waits, so that no thread could end it.
And nothing is called in a process that gets SIGKILL: what it started goes on alone. A
watch sees both, by the end of a pipe whose other end closes with the process.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

# Without the user's paths: in a folder with a `signal.py` that would be imported.
_PYTHON: Final = (sys.executable, "-I", "-S", "-c")
_OF_TIME: Final = """
import os, select, signal, sys
if not select.select([0], [], [], float(sys.argv[1]))[0]:
    print(sys.argv[3], file=sys.stderr, flush=True)
    os.kill(int(sys.argv[2]), signal.SIGKILL)
"""
# Each line names all that are to be killed; the last one counts.
_OF_ENDS: Final = """
import os, sys
last = ""
for last in sys.stdin:
    pass
for number in last.split():
    try:
        os.kill(int(number), 9)
    except OSError:
        pass
"""


@contextmanager
def watched() -> Iterator[Callable[[Iterable[int]], None]]:
    """Watches over processes while the block runs; they may not listen to anything.

    Yields:
      What takes the numbers of all processes that are to be killed if this one ends
        within the block: those that have been waited for no longer, for a number can
        become another's.
    """
    with subprocess.Popen(
        [*_PYTHON, _OF_ENDS],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        # Ctrl-C is not for it.
        start_new_session=True,
    ) as watch:

        def tell(numbers: Iterable[int]) -> None:
            assert watch.stdin is not None
            # Work goes on though somebody has killed the watch.
            with suppress(BrokenPipeError):
                watch.stdin.write(" ".join(map(str, numbers)).encode() + b"\n")

        try:
            yield tell
        finally:
            tell([])


@contextmanager
def killed_after(seconds: float, line: str) -> Iterator[None]:
    """Kills this process if the block takes longer.

    Args:
      seconds: how long it may take.
      line: told then.
    """
    words = [*_PYTHON, _OF_TIME, str(seconds), str(os.getpid()), line]
    # Of its own session, so that it hears no Ctrl-C.
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, start_new_session=True
    ) as watch:
        try:
            yield
        finally:
            assert watch.stdin is not None
            watch.stdin.close()  # as the end of this process does
