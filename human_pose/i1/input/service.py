"""Batches made by other processes, through tf.data's service, in the same order.

The service promises no order for several workers, so each address is a service of one
worker, and each makes a part of every batch (`Stream.workers`): the batches are those
of one process, bit for bit. A service of more workers is noticed at its first batch out
of turn and refused.
"""

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import tensorflow as tf
from absl import logging

from human_pose.files.errors import InputError, LostWorker, one_line
from human_pose.i1.input.stream import Stream

_ADDRESS: Final = re.compile(r"grpc://([^:/]+):(\d{1,5})")
# A host that does not answer so soon is not there.
_SECONDS_TO_CONNECT: Final = 5.0
# TensorFlow waits for a service that is gone without end; this long it may be away.
_AWAY_S: Final = 60.0
_LOOK_S: Final = 5.0
# Of TensorFlow's message, where another service than before is at an address.
_UNKNOWN: Final = "iteration client id"
_OUT_OF_TURN: Final = "a batch came out of turn"

Make = Callable[[Stream], tf.data.Dataset]


def served(make: Make, stream: Stream, services: Sequence[str]) -> tf.data.Dataset:
    """The batches of a stream, each made in equal parts by services.

    Args:
      make: makes the batches of a stream; what they are read from must have the same
        path on every host.
      stream: what is wanted.
      services: K addresses `grpc://host:port` of dispatchers with one worker each.

    Raises:
      InputError: if an address is none, nobody answers there, or a worker's samples of
        a batch cannot be shared equally.
      tf.errors.InvalidArgumentError: while the stream runs, if a service has several
        workers.
    """
    for address in services:
        _check_reachable(address)
    count = len(services)
    if stream.part_size % count:
        rule = f"must be a multiple of {stream.workers * count}, one for each service"
        raise InputError("batch_size", rule, stream.batch_size)
    workers, first = stream.workers * count, stream.worker * count
    parts = [
        _from(address, make(replace(stream, workers=workers, worker=first + place)))
        for place, address in enumerate(services)
    ]
    if count == 1:
        return parts[0]
    together = tf.data.Dataset.zip(tuple(parts))
    return together.map(
        lambda *batches: {
            name: tf.concat([batch[name] for batch in batches], 0)
            for name in batches[0]
        }
    ).prefetch(2)


@contextmanager
def watched(services: Sequence[str]) -> Iterator[None]:
    """Ends what streams from services within the block when one of them is gone.

    Args:
      services: their addresses; none: nothing is watched.

    Raises:
      LostWorker: if a service was started again, for it knows nothing of the stream.
      InputError: if one has several workers, or its worker was started again.
      SystemExit: not raised, but the process ends with `LostWorker.EXIT_CODE` after a
        line in the log, if one has been away for a minute: what waits for its batches
        can be told nothing.
    """
    if not services:
        yield
        return
    ended = threading.Event()
    threading.Thread(target=_watch, args=(services, ended), daemon=True).start()
    again = "the run goes on from what was saved last when it is resumed"
    where = ", ".join(services)
    try:
        yield
    except tf.errors.NotFoundError as error:
        if _UNKNOWN not in str(error):
            raise
        rule = f"was started again while it made batches; {again}"
        raise LostWorker(f"data_service {where}: {rule}") from error
    except tf.errors.InvalidArgumentError as error:
        if _OUT_OF_TURN not in str(error):
            raise
        rule = "must each have one worker, and that not started again while it works"
        said = f"{_OUT_OF_TURN}; {again}"
        raise InputError(f"data_service {where}: {rule}: {said}") from error
    finally:
        ended.set()


def _watch(services: Sequence[str], ended: threading.Event) -> None:
    """Ends the process when a service has been away too long."""
    seen = dict.fromkeys(services, time.monotonic())
    while not ended.wait(_LOOK_S):
        for address in services:
            try:
                _check_reachable(address)
            except InputError as error:
                if time.monotonic() - seen[address] < _AWAY_S or ended.is_set():
                    continue
                logging.error(
                    "%s, for %.0f s: the process ends, and the run goes on from what "
                    "was saved last when it is resumed",
                    *(one_line(error), _AWAY_S),
                )
                logging.flush()
                os._exit(LostWorker.EXIT_CODE)
            seen[address] = time.monotonic()


def _from(address: str, batches: tf.data.Dataset) -> tf.data.Dataset:
    """The same batches, made by a service of one worker."""
    remote = batches.enumerate().apply(
        tf.data.experimental.service.distribute(
            tf.data.experimental.service.ShardingPolicy.OFF, address
        )
    )

    def in_turn(
        expected: tf.Tensor, numbered: tuple[tf.Tensor, dict[str, tf.Tensor]]
    ) -> dict[str, tf.Tensor]:
        number, batch = numbered
        rule = f"{address}: must be a service of one worker; {_OUT_OF_TURN}"
        with tf.control_dependencies([tf.debugging.Assert(number == expected, [rule])]):
            return {name: tf.identity(values) for name, values in batch.items()}

    numbers = tf.data.Dataset.range(tf.int64.max)
    ordered = tf.data.Dataset.zip((numbers, remote)).map(in_turn)
    return ordered.apply(
        tf.data.experimental.assert_cardinality(batches.cardinality())
    ).prefetch(2)


def _check_reachable(address: str) -> None:
    match = _ADDRESS.fullmatch(address)
    if not match:
        raise InputError("data_service", "must be grpc://host:port", address)
    try:
        where = match[1], int(match[2])
        socket.create_connection(where, timeout=_SECONDS_TO_CONNECT).close()
    # The second of a port that there is not, the third of a name that no host can have.
    except (OSError, OverflowError, UnicodeError) as error:
        rule = f"must be reachable, which it is not ({error})"
        raise InputError("data_service", rule, address) from error
