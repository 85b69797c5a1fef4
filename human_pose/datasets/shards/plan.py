"""What a preparation makes: which samples go into which shard, known before any is.

A plan depends on its source alone, so that whoever makes it again, after a kill or on
another machine, names the same shards and fills them with the same bytes.
"""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.datasets.shards.records import Schema
from human_pose.datasets.shards.writing import Bad, Good, shard_name
from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError

# Of every prepared folder, as TFDS counts: raise it when the records' content changes.
VERSION: Final = "1.0.0"
# 40 MB of JPEG; what a killed worker has to make again takes some ten seconds.
SAMPLES_PER_SHARD: Final = 2000


@dataclass(frozen=True)
class Piece:
    """Neighbouring samples of one place of the source, a video for example.

    Attributes:
      place: where they come from; it can be pickled.
      indices: of the samples.
    """

    place: Any
    indices: range

    def __len__(self) -> int:
        return len(self.indices)


# Makes the samples of a piece, in order; it can be pickled.
Make = Callable[[Piece], Iterator[Good | Bad]]
# The files of a piece; they need not be there.
Files = Callable[[Piece], Iterator[Path]]


@dataclass(frozen=True)
class Task:
    """One shard to be written.

    Attributes:
      part: "train" or "test".
      number: from 0.
      pieces: what it holds.
      name: of its file.
    """

    part: str
    number: int
    pieces: tuple[Piece, ...]
    name: str

    def __len__(self) -> int:
        """Samples, good or bad."""
        return sum(map(len, self.pieces))

    @property
    def indices(self) -> np.ndarray:
        """Of the samples, good or bad, int64 `[N]`."""
        ranges = [np.array(piece.indices, np.int64) for piece in self.pieces]
        return np.concatenate([np.zeros(0, np.int64), *ranges])


@dataclass(frozen=True)
class Plan:
    """All shards of a data set.

    Attributes:
      data_set: its name, of small letters, digits and underscores.
      config: which form of it.
      schema: of its records.
      source: one line that tells what it is made of.
      make: yields the samples of a piece.
      tasks: the shards, part by part.
      description: a sentence about it.
      files: those that the samples of a piece are read from, where `source` does not
        tell their content; a shard is made anew when one of them has changed since.
    """

    data_set: str
    config: str
    schema: Schema
    source: str
    make: Make
    tasks: tuple[Task, ...]
    description: str = ""
    files: Files | None = None

    def __len__(self) -> int:
        """Samples in all shards, good or bad."""
        return sum(map(len, self.tasks))

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts' names, in order."""
        return tuple(dict.fromkeys(task.part for task in self.tasks))

    def folder(self, out: str | os.PathLike[str]) -> Path:
        """Where it goes: `<out>/<name>/<config>/<version>`, as TFDS has it."""
        return Path(out) / self.data_set / self.config / VERSION

    def samples(self, task: Task) -> Iterator[Good | Bad]:
        """The samples of a shard, in order."""
        for piece in task.pieces:
            yield from self.make(piece)


@dataclass(frozen=True)
class Source:
    """Where samples come from: all that a plan needs but the size of its shards.

    Attributes:
      data_set, config, schema, source, make, description, files: see `Plan`.
      parts: the pieces of each part, in order.
    """

    data_set: str
    config: str
    schema: Schema
    source: str
    make: Make
    parts: Mapping[str, tuple[Piece, ...]]
    description: str = ""
    files: Files | None = None

    def samples(self, part: str) -> Iterator[Good | Bad]:
        """The samples of a part, in order."""
        for piece in self.parts[part]:
            yield from self.make(piece)

    def plan(self, samples_per_shard: int = SAMPLES_PER_SHARD) -> Plan:
        """The shards, each of so many samples but for a part's last.

        Raises:
          InputError: if `samples_per_shard` is no number from 1 on, or a part has no
            sample, or there is no part.
        """
        check_whole("samples_per_shard", samples_per_shard, 1)
        if not self.parts:
            raise InputError(f"{self.data_set}: the source has no sample")
        tasks: list[Task] = []
        for part, pieces in self.parts.items():
            shards = [*_packed(pieces, samples_per_shard)]
            if not shards:
                raise InputError(
                    f"{self.data_set}: the {self.config} {part} part has no sample"
                )
            tasks += [
                Task(
                    part,
                    number,
                    packed,
                    shard_name(self.data_set, part, number, len(shards)),
                )
                for number, packed in enumerate(shards)
            ]
        return Plan(
            self.data_set,
            self.config,
            self.schema,
            f"{self.source} in shards of {samples_per_shard}",
            self.make,
            tuple(tasks),
            self.description,
            self.files,
        )


def stepped(first: int, last: int, every: int) -> range:
    """The multiples of `every` from `first` to `last`, inclusive."""
    return range(-(-first // every) * every, last + 1, every)


def summary_of(parts: Iterable[str]) -> str:
    """A few letters that tell lists of files, lengths or ranges apart."""
    return f"{zlib.crc32('; '.join(parts).encode()):08x}"


def _packed(pieces: Iterable[Piece], most: int) -> Iterator[tuple[Piece, ...]]:
    """Pieces cut and put together to shards of `most` samples."""
    held: list[Piece] = []
    room = most
    for piece in pieces:
        rest = piece.indices
        while rest:
            held.append(Piece(piece.place, rest[:room]))
            rest, room = rest[room:], room - len(held[-1])
            if not room:
                yield tuple(held)
                held, room = [], most
    if held:
        yield tuple(held)
