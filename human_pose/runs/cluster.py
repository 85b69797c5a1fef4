"""Processes that train together: how they meet, agree, and part.

Each is told by `TF_CONFIG` who they are. A process that is gone is not replaced while
the others run: all end, and all are started again (`runs.supervision`, or a scheduler).
"""

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

import wiberg_tf
from human_pose.files.errors import InputError, LostWorker, one_line
from human_pose.runs import distribution
from human_pose.runs.kinds import Distribution
from human_pose.runs.watches import killed_after

# How long a process waits for the others to start. One that is started alone, when the
# others are gone, would wait for ever, and TensorFlow hears no signal meanwhile.
MEETING_S: Final = 300.0
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
      meeting_s: after how long without the other processes this one is killed.

    Raises:
      InputError: if there are no two GPUs to mirror on, or `TF_CONFIG` is not what it
        should be.
    """
    if kind == "multiworker":
        _check_config(os.environ.get(_CONFIG))
        line = (
            f"the other workers have not come in {meeting_s:g} s; all must be started "
            "again, together"
        )
        with killed_after(meeting_s, line):
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
      strategy: that they work by.
      conditions: what must be equal in all, JSON values by name.

    Raises:
      InputError: in every process, naming the first that differs from the chief, and in
        what.
    """
    place = distribution.place_of(strategy)
    if place.processes == 1:
        return
    versions = {
        "version of wiberg-tf": wiberg_tf.__version__,
        "version of TensorFlow": tf.__version__,
        "version of Keras": keras.__version__,
    }
    own = json.dumps(versions | dict(conditions), default=str).encode() + b"\n"
    letters = np.frombuffer(own, np.uint8).astype(np.int32)
    texts = gathered(strategy, {"text": letters})["text"].astype(np.uint8).tobytes()
    everyones = [json.loads(text) for text in texts.splitlines()]
    for number, other in enumerate(everyones):
        for name in dict.fromkeys([*everyones[0], *other]):
            chiefs, its = everyones[0].get(name), other.get(name)
            if chiefs != its:
                raise InputError(
                    f"worker {number}: {name} must be that of worker 0, {chiefs}; "
                    f"it is {its}"
                )


def checksum(arrays: Iterable[Any]) -> str:
    """CRC-32 of the bytes of arrays or variables in order, by which to compare them."""
    found = 0
    for array in arrays:
        found = zlib.crc32(np.asarray(array).tobytes(), found)
    return f"{found:08x}"


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
        _meet(strategy)
    except _OF_LOSS as error:
        raise LostWorker(
            "another worker is gone; all must be started again, with `resume` "
            f"({one_line(error)[:200]})"
        ) from error


@contextmanager
def sharing(kind: Distribution) -> Iterator[tuple[tf.distribute.Strategy, bool]]:
    """Work of several processes that needs no replicas: an evaluation.

    Args:
      kind: "none" or "multiworker".

    Yields:
      The strategy by which they find each other, and whether this process writes.

    Raises:
      InputError: for another kind, or see `make_strategy`.
      LostWorker: if another process is gone.
    """
    if kind == "mirrored":
        rule = "must be none or multiworker for an evaluation: a process for each GPU"
        raise InputError("distribute", rule, kind)
    strategy = make_strategy(kind)
    with together(strategy):
        yield strategy, distribution.is_chief(strategy)


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
        # Evaluators and parameter servers would wait, or train alone.
        known = {task["type"], *cluster} <= {"chief", "worker"}
        known = known and 0 <= int(task["index"]) < len(addresses)
        everyones = [address for each in cluster.values() for address in each]
        known = known and all(":" in address for address in everyones)
        # Two of one address would wait for a third, for ever.
        known = known and len({*everyones}) == len(everyones)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(_CONFIG, form, text) from error
    if not known:
        raise InputError(_CONFIG, form, text)


def gathered(
    strategy: tf.distribute.Strategy, arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What all processes have found, one behind the other by their numbers.

    Args:
      strategy: that they work by.
      arrays: what this one has, integers or floating, `[N, ...]`; N may differ, the
        rest may not.
    """
    place = distribution.place_of(strategy)
    if place.processes == 1:
        return dict(arrays)
    local = strategy.num_replicas_in_sync // place.processes

    def everyones(own: dict[str, tf.Tensor]) -> Any:
        context = tf.distribute.get_replica_context()
        # The first replica of a process speaks for it.
        speaks = context.replica_id_in_sync_group % local == 0
        part = {
            name: value[: tf.where(speaks, tf.shape(value)[0], 0)]
            for name, value in own.items()
        }
        return context.all_gather(part, axis=0)

    @tf.function(autograph=False)
    def gather(own: dict[str, tf.Tensor]) -> Any:
        whole = strategy.run(everyones, args=(own,))
        return tf.nest.map_structure(
            lambda value: strategy.experimental_local_results(value)[0], whole
        )

    found = gather({name: tf.constant(value) for name, value in arrays.items()})
    return {name: value.numpy() for name, value in found.items()}


def _meet(strategy: tf.distribute.Strategy) -> None:
    """Waits until all processes are here."""
    gathered(strategy, {"here": np.ones(1, np.int32)})
