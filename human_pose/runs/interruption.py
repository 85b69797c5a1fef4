"""The notice to end: SIGTERM, which a cluster sends some time before it ends a process.

Its handler does no more than take note, so that no step is cut in two; whoever trains
asks after each batch, saves where the training stands, and leaves.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

from absl import logging

TERMINATED: Final = 128 + signal.SIGTERM  # the exit code that shells expect


class Notice:
    """Whether the process has been told to end.

    Attributes:
      received: whether it has.
    """

    def __init__(self) -> None:
        self.received = False

    def take(self, number: int, frame: FrameType | None) -> None:
        """Notes that the signal has come: what `signal.signal` calls."""
        self.received = True

    def leave(self, state: str | os.PathLike[str]) -> NoReturn:
        """Ends the process with exit code 143; only after `state` has been saved.

        Args:
          state: the file that a resumed training starts from.

        Raises:
          SystemExit: always.
        """
        logging.warning("SIGTERM: saved %s, from which the run can be resumed", state)
        raise SystemExit(TERMINATED)


@contextmanager
def noticed() -> Iterator[Notice]:
    """Within the block SIGTERM is noted instead of ending the process at once.

    Outside of the main thread Python lets nobody handle signals: there it stays as it
    is, and the notice never comes.
    """
    notice = Notice()
    if threading.current_thread() is not threading.main_thread():
        yield notice
        return
    before = signal.signal(signal.SIGTERM, notice.take)
    try:
        yield notice
    finally:
        # None stands for a handler that is not Python's, which cannot be put back.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
