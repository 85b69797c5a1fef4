"""A preparation killed at random moments against an undisturbed one; workers.

    python benchmarks/preparation.py --source=FOLDER --kills=3 --workers=0,1,2

FOLDER is in the original's text layout (`human-pose-data --images` renders one); 0
workers are the command's own process, 1 and more are Beam's. Says how long each
preparation takes, and how long its shards alone took, from the first to the last; fails
if any ends with other bytes.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

SAMPLES_PER_SHARD = 500


def command(source: str, out: Path, workers: int) -> list[str]:
    return [
        *(sys.executable, "-m", "human_pose.commands.prepare"),
        *("--dataset=synthetic_images", f"--source={source}", f"--out={out}"),
        *(f"--workers={max(workers, 1)}", f"--samples_per_shard={SAMPLES_PER_SHARD}"),
        # Else one worker would be the command itself.
        *(["--beam_pipeline_options=--job_name=prepare"] if workers == 1 else []),
    ]


def prepared(source: str, out: Path, workers: int) -> float:
    """Prepares in one go; returns the seconds that it took."""
    start = time.perf_counter()
    subprocess.run(command(source, out, workers), check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def pace(out: Path, workers: int) -> float:
    """Shards a second between the first ones and the last, whatever the start took."""
    times = sorted(path.stat().st_mtime for path in out.rglob("*.tfrecord*.json"))
    first = max(workers, 1) - 1  # each worker has written about one
    return (len(times) - 1 - first) / (times[-1] - times[first])


def killed(source: str, out: Path, workers: int, moments_s: list[float]) -> None:
    """Starts a preparation as often as there are moments to kill it at."""
    for moment in moments_s:
        process = subprocess.Popen(
            command(source, out, workers),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        time.sleep(moment)
        early = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        shards = len([*out.rglob("*.tfrecord*.json")])
        says = "killed" if early else "had ended"
        print(f"  {says} after {moment:.1f} s with {shards} shards", flush=True)


def content(folder: Path) -> dict[str, int]:
    """A checksum of each file, hidden ones too, by its path."""
    return {
        str(path.relative_to(folder)): zlib.crc32(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--workers", default="0,1,2")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    print("load", *(f"{load:.2f}" for load in os.getloadavg()))
    with tempfile.TemporaryDirectory() as place:
        wanted: dict[str, int] | None = None
        for workers in map(int, arguments.workers.split(",")):
            whole, cut = (Path(place) / f"{kind}{workers}" for kind in ("a", "b"))
            seconds = prepared(arguments.source, whole, workers)
            said = f"{pace(whole, workers):.2f} shards/s once it runs"
            print(f"workers {workers}: {seconds:.1f} s, {said}", flush=True)
            wanted = wanted or content(whole)
            assert content(whole) == wanted, "other bytes"
            if not arguments.kills:
                continue
            moments = [rng.uniform(0.2, 0.4) * seconds for _ in range(arguments.kills)]
            killed(arguments.source, cut, workers, moments)
            print(f"  the rest: {prepared(arguments.source, cut, workers):.1f} s")
            assert content(cut) == wanted, "other bytes"
            print(f"  {len(wanted)} files are equal", flush=True)
    print("load", *(f"{load:.2f}" for load in os.getloadavg()))


if __name__ == "__main__":
    main()
