"""BlazePose, MediaPipe's detector of one person, in a process of its own.

MediaPipe runs as it is, so that joints are its own to the last bit; what this costs is
one copy of each picture. The alternative, its two networks in TensorFlow's interpreter
with the cropping, tracking and decoding written again, would save the environment but
follow MediaPipe only within some pixels, and not its next version.
"""

import mmap
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

import numpy as np

from human_pose.capture.detectors import environment
from human_pose.capture.detectors.protocol import Detect, Found
from human_pose.files.errors import InputError, one_line
from human_pose.geometry.known_skeletons import BLAZEPOSE_33
from human_pose.geometry.skeleton import Skeleton

_WORKER: Final = str(Path(__file__).with_name("blazepose_worker.py"))
_REQUEST: Final = struct.Struct("<iii")
# What it has of each joint: x, y, visibility.
_ANSWER: Final = (len(BLAZEPOSE_33), 3)
_ANSWER_BYTES: Final = 4 * len(BLAZEPOSE_33) * 3
# 1 is what MediaPipe takes by itself, and the only one that its wheel brings along.
_DEFAULT: Final = 1
# A process uses hardly more than one core, however many there are.
_PROCESSES: Final = 8


@dataclass(frozen=True)
class BlazePose:
    """The detector's settings.

    Attributes:
      complexity: of the network: 0, 1 or 2. MediaPipe downloads those of 0 and 2.
      single: whether no video has more than one picture: MediaPipe then looks for a
        person in each, and is not made anew for it. The joints are the same, bit for
        bit.
    """

    complexity: int = _DEFAULT
    single: bool = False

    name = "blazepose"
    skeleton: Skeleton = BLAZEPOSE_33

    @property
    def version(self) -> str:
        """MediaPipe's version, and the network's size."""
        return f"{environment.version()}, complexity {self.complexity}"

    @property
    def parallel(self) -> int:
        """One for each core."""
        return max(1, min(_PROCESSES, os.cpu_count() or 1))

    @contextmanager
    def started(self) -> Iterator[Detect]:
        """Starts MediaPipe; see `Detector`."""
        python = str(environment.python())
        # What MediaPipe logs goes to a file: nobody reads it unless the worker fails.
        with (
            tempfile.NamedTemporaryFile(buffering=0) as shared,
            tempfile.TemporaryFile() as log,
        ):
            numbers = (str(int(each)) for each in (self.complexity, self.single))
            command = [python, _WORKER, *numbers, shared.name]
            with _process(command, log) as process:
                try:
                    yield _Conversation(process, shared, log)
                finally:
                    process.kill()
                    # What was not sent to one that ended is no error of its own; it
                    # would hide the one that says why, and look like a closed output.
                    with suppress(OSError):
                        cast(IO[bytes], process.stdin).close()


def _process(command: list[str], log: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Starts the worker.

    Raises:
      InputError: if the environment's Python is none.
    """
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log)
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise InputError(
            f"detector: {command[0]}: cannot be started; {reason}; "
            f"{environment.MAKERS} makes it anew"
        ) from error


def _fill(file: IO[bytes], size: int) -> None:
    """Gives an unbuffered file so many bytes.

    All are written: where the disk is full, a file of holes would end the process that
    has it in memory without a word.
    """
    file.seek(0)
    left = memoryview(bytes(size))
    while left:
        left = left[file.write(left) :]
    file.truncate(size)


class _Conversation:
    """A running worker that is sent pictures."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        shared: IO[bytes],
        log: IO[bytes],
    ) -> None:
        self._requests = cast(IO[bytes], process.stdin)
        self._answers = cast(IO[bytes], process.stdout)
        self._shared, self._log = shared, log
        self._slots = np.zeros((2, 0), np.uint8)
        self._answered = False
        self._asked = 0  # pictures without an answer yet

    def __call__(self, pictures: Iterable[np.ndarray]) -> Iterator[Found]:
        """Detects in the pictures of one video; see `Detect`."""
        # Of a video that was left before its end.
        while self._asked:
            self._receive()
        self._ask(0, 0, 0)
        for number, picture in enumerate(pictures):
            if self._asked and self._slots.shape[1] != picture.size:
                yield self._receive()
            self._send(number % 2, picture)
            # One picture ahead: it is decoded while the worker has the one before.
            if self._asked > 1:
                yield self._receive()
        if self._asked:
            yield self._receive()

    def _send(self, slot: int, picture: np.ndarray) -> None:
        if self._slots.shape[1] != picture.size:
            self._slots = self._two_slots(picture.size)
        self._slots[slot] = picture.ravel()
        height, width, _ = picture.shape
        self._ask(height, width, slot * picture.size)
        self._asked += 1

    def _two_slots(self, size: int) -> np.ndarray:
        """Room for two pictures in the file that the worker has in memory, too."""
        try:
            _fill(self._shared, 2 * size)
            room = mmap.mmap(self._shared.fileno(), 2 * size)
        except OSError as error:
            reason = error.strerror or one_line(error)
            raise InputError(
                f"detector: {self._shared.name}: has no room for two pictures; {reason}"
            ) from error
        return np.frombuffer(room, np.uint8).reshape(2, size)

    def _ask(self, *request: int) -> None:
        try:
            self._requests.write(_REQUEST.pack(*request))
            self._requests.flush()
        except OSError:
            raise self._ended() from None

    def _receive(self) -> Found:
        answer = self._answers.read(_ANSWER_BYTES)
        if len(answer) != _ANSWER_BYTES:
            raise self._ended()
        self._answered = True
        self._asked -= 1
        rows = np.frombuffer(answer, "<f4").reshape(_ANSWER).astype(np.float64)
        seen = np.isfinite(rows).all(axis=-1)
        confidence = np.where(seen, rows[:, 2].clip(0, 1), 0.0)
        return Found(rows[None, :, :2], confidence[None])

    def _ended(self) -> InputError:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        said = lines[-1] if lines else "it says nothing"
        # One that never answers is of an environment that is half made, or damaged.
        mend = "" if self._answered else f"; {environment.MAKERS} makes it anew"
        return InputError(f"detector: blazepose's process ended; {said}{mend}")
