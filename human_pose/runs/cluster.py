"""Processes that train together: how they meet, agree, and part.

Each is told by `TF_CONFIG` who they are. A process that is gone is not replaced while
the others run: all end, and all are started again (`runs.supervision`, or a scheduler).
"""

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import tensorflow as tf

from human_pose.files.errors import InputError, LostWorker, one_line
from human_pose.runs import distribution
from human_pose.runs.kinds import Distribution

# How long a process waits for the others to start. One that is started alone, when the
# others are gone, would wait for ever, and TensorFlow hears no signal meanwhile.
MEETING_S: Final = 300.0
# EX_TEMPFAIL of sysexits.h.
_TRY_AGAIN: Final = 75
_CONFIG: Final = "TF_CONFIG"

# What a step raises where another process has gone, or never came.
_OF_LOSS: Final = (
    tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
    tf.errors.DeadlineExceededError, tf.errors.InternalError,
)  # fmt: skip


def make_strategy(
    kind: Distribution, meeting_s: float = MEETING_S
) -> tf.distribute.Strategy:
    """The strategy by which replicas share every batch.

    Args:
      kind: "none" for one device; "mirrored" for all GPUs of this machine;
        "multiworker" for the processes of `TF_CONFIG`, each with all its GPUs or, where
        there are none, its CPU. To be called before anything else of TensorFlow.
      meeting_s: after how long without the other processes this one ends, with exit
        code 75.

    Raises:
      InputError: if there are no two GPUs to mirror on, or `TF_CONFIG` is not what it
        should be.
    """
    if kind == "multiworker":
        _check_config(os.environ.get(_CONFIG))
        with _waiting(meeting_s):
            # Of every reduction that it traces it says how many tensors it has.
            tf.get_logger().setLevel("WARNING")
            return tf.distribute.MultiWorkerMirroredStrategy()
    if kind == "mirrored":
        found = len(tf.config.list_logical_devices("GPU"))
        if found < 2:
            raise InputError(
                "distribute", "must be none here: mirrored needs two GPUs", found
            )
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def check_alike(
    strategy: tf.distribute.Strategy, conditions: Mapping[str, Any]
) -> None:
    """Refuses processes that would not do the same.

    Args:
      strategy: that they train by.
      conditions: what must be equal in all, JSON values by name.

    Raises:
      InputError: in every process, naming the first that differs from the chief, and in
        what.
    """
    place = distribution.place_of(strategy)
    if place.processes == 1:
        return
    everyones = [json.loads(text) for text in _gathered(strategy, conditions)]
    for number, other in enumerate(everyones):
        for name in dict.fromkeys([*everyones[0], *other]):
            chiefs, its = everyones[0].get(name), other.get(name)
            if chiefs != its:
                raise InputError(
                    f"worker {number}: {name} must be that of worker 0, {chiefs}; "
                    f"it is {its}"
                )


@contextmanager
def together(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """A training of several processes: all leave the block at the same time.

    Raises:
      LostWorker: if another process is gone.
    """
    if distribution.place_of(strategy).processes == 1:
        yield
        return
    try:
        yield
        # The chief holds what the others lean on until they have done.
        _sum(strategy, np.zeros(1, np.float32))
    except _OF_LOSS as error:
        raise LostWorker(
            "another worker is gone; all must be started again, with --resume "
            f"({one_line(error)[:200]})"
        ) from error


def _check_config(text: str | None) -> None:
    """Refuses what TensorFlow would make something else of.

    Raises:
      InputError: naming the variable and the rule.
    """
    form = (
        'must be like {"cluster": {"worker": ["host:port", ...]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    if not text:
        raise InputError(
            f"{_CONFIG} {form}; it is not set. `python -m human_pose.commands.launch` "
            "sets it for the processes of one machine"
        )
    try:
        content = json.loads(text)
        task, cluster = content["task"], content["cluster"]
        addresses = cluster[task["type"]]
        known = 0 <= int(task["index"]) < len(addresses)
        known = known and all(":" in address for address in addresses)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(_CONFIG, form, text) from error
    if not known:
        raise InputError(_CONFIG, form, text)


@contextmanager
def _waiting(seconds: float) -> Iterator[None]:
    """Ends the process if the block takes longer: no other way leads out of it."""

    def end() -> None:
        print(
            f"the other workers have not come in {seconds:g} s; all must be started "
            "again, together",
            file=sys.stderr,
            flush=True,
        )
        os._exit(_TRY_AGAIN)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _gathered(
    strategy: tf.distribute.Strategy, conditions: Mapping[str, Any]
) -> list[str]:
    """What every process has, as JSON, by their numbers."""
    place = distribution.place_of(strategy)
    own = np.frombuffer(json.dumps(dict(conditions), default=str).encode(), np.uint8)
    lengths = np.zeros(place.processes, np.float32)
    lengths[place.number] = len(own)
    lengths = _sum(strategy, lengths).astype(int)
    texts = np.zeros((place.processes, lengths.max()), np.float32)
    texts[place.number, : len(own)] = own
    texts = _sum(strategy, texts).astype(np.uint8)
    return [
        bytes(text[:length]).decode()
        for text, length in zip(texts, lengths, strict=True)
    ]


def _sum(strategy: tf.distribute.Strategy, values: np.ndarray) -> np.ndarray:
    """The sum over processes, exact for small whole numbers."""
    place = distribution.place_of(strategy)
    local = strategy.num_replicas_in_sync // place.processes

    @tf.function(autograph=False)
    def add(part: tf.Tensor) -> tf.Tensor:
        whole = strategy.run(lambda x: distribution.total(tf.identity(x)), args=(part,))
        return strategy.experimental_local_results(whole)[0]

    # Each of the process's replicas adds it.
    return np.asarray(add(tf.constant(values))) / local
