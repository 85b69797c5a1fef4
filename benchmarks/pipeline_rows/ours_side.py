"""Our side: `python -m pipeline_rows.ours_side`, see `benchmarks/pipeline.py`."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
import worker
from i1_rows import problem

from human_pose.datasets.images import open_sharded
from human_pose.i1.input import Stream, batches, loader
from pipeline_rows import usage
from pipeline_rows.data import FEW

ROWS = ("stream", "decoding", "epochs", "start")
_CHANNELS = 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--augment", default="published")
    parser.add_argument("--input_size", type=int, default=problem.SIZE_PX)
    arguments = parser.parse_args()
    # What is measured is the way of sets that do not fit.
    loader._MOST_KEPT_BYTES = 0
    if arguments.row == "start":
        print(f"ready {_seconds_to_first_batch(arguments):.2f}", flush=True)
        worker.serve(str)
        return
    if arguments.row == "epochs":
        stream = _stream(arguments)
        worker.serve(lambda _: _resident_mib_after_epoch(stream))
        return
    make = {"stream": _stream, "decoding": _decoding}[arguments.row]
    usage.serve(make(arguments))


def _stream(arguments: argparse.Namespace) -> Iterator[dict[str, tf.Tensor]]:
    stream = Stream(
        problem.PICTURES_BATCH,
        arguments.augment,
        shuffle=True,
        repeat=True,
        input_size=arguments.input_size,
    )
    return iter(batches(open_sharded(arguments.shards), stream))


def _decoding(arguments: argparse.Namespace) -> Iterator[dict[str, tf.Tensor]]:
    """Pictures decoded and thrown away, their bytes in memory."""
    content = tf.constant(_contents(arguments.shards))

    def decoded(number: tf.Tensor) -> tf.Tensor:
        chosen = tf.gather(content, number % FEW)
        picture = tf.io.decode_jpeg(
            chosen, channels=_CHANNELS, dct_method="INTEGER_ACCURATE"
        )
        return tf.shape(picture)[0]

    numbers = tf.data.Dataset.range(tf.int64.max)
    pictures = numbers.map(decoded, num_parallel_calls=tf.data.AUTOTUNE)
    sizes = pictures.batch(problem.PICTURES_BATCH).prefetch(2)
    return iter(sizes.map(lambda size: {"joints_2d": size}))


def _contents(folder: Path) -> list[bytes]:
    records = tf.data.TFRecordDataset(sorted(map(str, folder.glob("*[0-9]"))))
    examples = (tf.train.Example.FromString(r) for r in records.as_numpy_iterator())
    return [e.features.feature["image"].bytes_list.value[0] for e in examples]


def _resident_mib_after_epoch(stream: Iterator[Any]) -> float:
    for _ in range(-(-FEW // problem.PICTURES_BATCH)):
        next(stream)
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _seconds_to_first_batch(arguments: argparse.Namespace) -> float:
    start = time.perf_counter()
    next(_stream(arguments))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
