"""The notice to end: SIGTERM, which a cluster sends some time before it ends a process.

Its handler does no more than take note, so that no step is cut in two; whoever trains
asks after each batch, saves where the training stands, and leaves. Of the processes
that train together each does so: one that ended within a step would leave the others
waiting for its part of it.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import keras
from absl import logging

from human_pose.runs.supervision import TERMINATED


class Notice:
    """Whether the process has been told to end.

    Attributes:
      asked: whether this process has.
      shared: whether others train along: all leave after the same step, so what one of
        them was told counts when all know it (`share`).
    """

    def __init__(self, *, shared: bool = False) -> None:
        self.asked = False
        self.shared = shared
        self._known = False

    @property
    def received(self) -> bool:
        """Whether to end now."""
        return self._known if self.shared else self.asked

    def take(self, number: int, frame: FrameType | None) -> None:
        """Notes that the signal has come: what `signal.signal` calls."""
        self.asked = True

    def share(self, *, asked: bool) -> None:
        """Takes over what all processes know after a step: whether one was told."""
        self._known = self._known or asked

    def leave(self, state: str | os.PathLike[str] | None) -> NoReturn:
        """Ends the process with exit code 143; only after `state` has been saved.

        Args:
          state: the file that a resumed training starts from; None if another process
            saves it.

        Raises:
          SystemExit: always.
        """
        if state is None:
            logging.warning("SIGTERM: the batch is done; another process saves the run")
        else:
            logging.warning(
                "SIGTERM: saved %s, from which the run can be resumed", state
            )
        raise SystemExit(TERMINATED)


class Leaver(keras.callbacks.Callback):
    """Ends the process when it is told to, after the running batch.

    If that is the last of an epoch of `fit`, when it has been validated, too: a resumed
    run would leave that out, and other processes take part in it.

    Args:
      notice: to end.
    """

    def __init__(self, notice: Notice) -> None:
        super().__init__()
        self._notice = notice

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Saves and ends, if it is time to."""
        if self._notice.received and batch + 1 != self.params["steps"]:
            self._notice.leave(self.save({}))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves, and ends if it is time to."""
        state = self.save(logs or {})
        if self._notice.received:
            self._notice.leave(state)

    def save(self, logs: dict[str, Any]) -> str | os.PathLike[str] | None:
        """Saves the state, and says where; to be overridden where one is saved.

        Args:
          logs: of an epoch that has ended, else empty.
        """
        return None


@contextmanager
def noticed(*, shared: bool = False) -> Iterator[Notice]:
    """Within the block SIGTERM is noted instead of ending the process at once.

    Outside of the main thread Python lets nobody handle signals: there it stays as it
    is, and the notice never comes.

    Args:
      shared: whether other processes train along, see `Notice`.
    """
    notice = Notice(shared=shared)
    if threading.current_thread() is not threading.main_thread():
        yield notice
        return
    before = signal.signal(signal.SIGTERM, notice.take)
    try:
        yield notice
    finally:
        # None stands for a handler that is not Python's, which cannot be put back.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
