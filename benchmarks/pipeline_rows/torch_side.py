"""PyTorch's side: `python -m pipeline_rows.torch_side`, see `benchmarks/pipeline.py`.

A DataLoader of as many processes as there are cores. OpenCV decodes the pictures and
augments them as the original does, in the order of its own functions.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from i1_rows import torch_loader
from torch.utils import data

from pipeline_rows import usage


class Pictures(data.Dataset):
    """The pictures of `bytes.bin`, augmented anew each time."""

    def __init__(self, folder: Path) -> None:
        with np.load(folder / "bytes.npz") as arrays:
            self._arrays = {name: arrays[name] for name in arrays.files}
        self._path = folder / "bytes.bin"
        self._file: int | None = None

    def __len__(self) -> int:
        return len(self._arrays["start"])

    def __getitem__(self, row: int) -> dict[str, Any]:
        if self._file is None:  # of each process
            self._file = os.open(self._path, os.O_RDONLY)
        length, start = (int(self._arrays[name][row]) for name in ("length", "start"))
        content = np.frombuffer(os.pread(self._file, length, start), np.uint8)
        picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
        return torch_loader.sample(picture, self._arrays, row)


def batches(folder: Path, workers: int) -> Iterator[dict[str, torch.Tensor]]:
    """Endless batches."""
    return torch_loader.endless(Pictures(folder), workers)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    stream = batches(arguments.folder, workers=len(os.sched_getaffinity(0)))
    usage.serve(stream)


if __name__ == "__main__":
    main()
