"""Times what processes that train together have to tell each other, on this machine.

A sum over processes costs a latency and a time for each byte; both are fitted to sums
of several sizes, of processes on loopback. What a step costs on other networks is
arithmetic, by latencies and bandwidths that are assumed:

  python benchmarks/synchronisation.py
  python benchmarks/synchronisation.py --workers=3 --rounds=30

Figures are medians; the processes share the cores, as they would not elsewhere.
"""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from human_pose.runs.supervision import Supervisor

# Numbers of float32 in a sum; the last is the published network's weights.
SIZES = (1, 64, 1024, 65_536, 1_048_576, 40_500_000)
# Of the published network: layers that normalise by the whole batch, whose replicas
# meet once for the statistics and once for their gradients, and all weights.
NORMALISATIONS, WEIGHTS = 109, 40_500_000
MEETINGS_EACH = 2
# Latency (s) and bandwidth (bytes/s) of networks, for the arithmetic.
NETWORKS = {
    "10 Gbit/s": (100e-6, 1.25e9),
    "25 Gbit/s": (50e-6, 3.1e9),
    "100 Gbit/s": (20e-6, 12.5e9),
    "NVLink, one host": (10e-6, 300e9),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seconds.json"
        options = [f"--measure={path}", f"--rounds={arguments.rounds}"]
        command = [sys.executable, __file__, *options]
        if code := Supervisor(command, command, arguments.workers, 0, print).run():
            sys.exit(code)
        seconds = json.loads(path.read_text())
    report(arguments.workers, seconds)


def measure(path: Path, rounds: int) -> None:
    """What each worker does; the first writes the medians."""
    import tensorflow as tf

    from human_pose.runs import cluster, distribution

    strategy = cluster.make_strategy("multiworker")

    @tf.function(autograph=False)
    def add(values: tf.Tensor) -> tf.Tensor:
        whole = strategy.run(lambda x: distribution.total(tf.identity(x)), (values,))
        return strategy.experimental_local_results(whole)[0][:1]

    medians = []
    with cluster.together(strategy):
        for size in SIZES:
            values = tf.ones([size])
            add(values)
            times = []
            for _ in range(rounds):
                begun = time.perf_counter()
                add(values).numpy()
                times.append(time.perf_counter() - begun)
            medians.append(statistics.median(times))
    if distribution.is_chief(strategy):
        path.write_text(json.dumps(medians))


def report(workers: int, seconds: list[float]) -> None:
    """Prints the medians, what is fitted to them, and what a step costs by that."""
    print(f"{os.cpu_count()} cores, {workers} workers on loopback\n")
    print("| numbers | ms a sum | MB/s |\n|---:|---:|---:|")
    for size, second in zip(SIZES, seconds, strict=True):
        print(f"| {size:,} | {second * 1e3:.2f} | {4 * size / second / 1e6:,.0f} |")
    latency = float(np.median(seconds[:3]))
    per_byte = (seconds[-1] - latency) / (4 * SIZES[-1])
    meetings = NORMALISATIONS * MEETINGS_EACH
    print(
        f"\nlatency {latency * 1e3:.2f} ms, {1e-9 / per_byte:.2f} GB/s; a step of the "
        f"published network has {meetings} small meetings with --sync_bn, and a sum of "
        f"{4 * WEIGHTS / 1e6:.0f} MB\n"
    )
    print("| network (assumed) | workers | gradients, ms | --sync_bn, ms more |")
    print("|---|---:|---:|---:|")
    for name, (wait, rate) in NETWORKS.items():
        for number in (2, 8, 64):
            # A ring passes each byte twice, but for one part of `number`; a small sum
            # goes up and down a tree.
            sent = 2 * (number - 1) / number * 4 * WEIGHTS / rate
            small = 2 * math.ceil(math.log2(number)) * wait
            print(
                f"| {name} | {number} | {(sent + small) * 1e3:,.0f} | "
                f"{meetings * small * 1e3:,.0f} |"
            )


if __name__ == "__main__":
    main()
