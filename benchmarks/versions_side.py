"""One checkout's side of `benchmarks/versions.py`: rows of its own benchmarks."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROWS = ("lifting forward", "lifting step", "i1 step", "pictures")


def main() -> None:
    root, row, folder, data_dir = sys.argv[1:]
    # Before this folder, which is another checkout's where the sides differ.
    sys.path[:0] = [root, os.path.join(root, "benchmarks")]
    from i1_rows import keras_side
    from i1_rows import worker as own

    images = argparse.Namespace(
        folder=Path(folder),
        data_dir=Path(data_dir),
        depth_bins=4,
        **dict.fromkeys(("bfloat16", "remat", "jit"), False),
    )
    if row == "prepare":
        keras_side._write_weights(images)
        own.serve(lambda: 0.0)
        return
    if row == "pictures":
        rate = keras_side._pictures(images)
        own.serve(lambda: 1 / rate())
        return
    call = keras_side._step(images) if row == "i1 step" else _lifting(root, row)
    own.serve(lambda: _seconds(call))


def _lifting(root: str, row: str) -> Callable[[], object]:
    import lifting
    import tensorflow as tf

    data = Path(root) / "data"
    arguments = argparse.Namespace(input_path=data / "sample.h5", parameters_dir=data)
    if row == "lifting step":
        return lifting._training_step(arguments, "trust_region")
    lifter = lifting._lifter(arguments)
    joints = lifting._frames(arguments, lifting.FORWARD_BATCH).joints_2d_px
    forward = tf.function(lambda: lifter(tf.constant(joints)))
    return lambda: forward()["pose"].numpy()


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
