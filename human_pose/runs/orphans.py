"""Processes that do not outlive the one that started them, however that ends.

Nothing is called in a process that gets SIGKILL, and what it started goes on alone. So
another one holds the end of a pipe whose other end closes with the first.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

# Each line names all that are to be killed; the last one counts.
_WATCH: Final = """
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
        [sys.executable, "-I", "-S", "-c", _WATCH],
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
