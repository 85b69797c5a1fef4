"""What the rows are measured on: `python -m pipeline_rows.data --folder FOLDER`.

`shards` holds rendered pictures as JPEG, `many` the same ones again and again, `index`
a made-up set of 1.5 million, whose shards are one file by many names. PyTorch's side,
which need not load TensorFlow, finds the pictures' bytes in `bytes.bin`.
"""

import argparse
import io
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from human_pose.datasets.images import open_dataset
from human_pose.datasets.images.schema import IMAGE_SCHEMA
from human_pose.datasets.rendered.dataset import Recipe, generate
from human_pose.datasets.shards.sidecar import Sidecar, sidecar_path, text_of
from human_pose.datasets.shards.writing import Good, shard_name, write_shard

FEW, MANY, POSITIONS = 1_000, 100_000, 1_500_000
# As in Human3.6M's preparation here.
QUALITY = 95
_PER_SHARD = 5_000
_INDEX_SHARDS = 40
# Rendered, of which nine in ten are of the training part.
_RENDERED = 1_200
NUMBERS = ("box", "camera", "joints_2d_px", "joints_3d_mm")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", nargs="+", default=())
    arguments = parser.parse_args()
    folder = arguments.folder
    pictures = folder / "pictures"
    if not pictures.exists():
        generate(pictures, Recipe(count=_RENDERED))
    samples = list(itertools.islice(_samples(pictures), FEW))
    _write(folder / "shards", samples, FEW)
    _write_bytes(folder, samples)
    if "growth" in arguments.rows:
        _write(folder / "many", samples, MANY)
    if "start" in arguments.rows:
        _write_index(folder / "index", samples)


def _samples(pictures: Path) -> Iterator[dict[str, Any]]:
    annotations = open_dataset(pictures).annotations
    for row, index in enumerate(annotations.index.tolist()):
        file = io.BytesIO()
        picture = Image.open(pictures / "images" / f"{index}.png").convert("RGB")
        picture.save(file, "JPEG", quality=QUALITY)
        names = IMAGE_SCHEMA.keys() - {"image"}
        numbers = {name: getattr(annotations, name)[row] for name in names}
        yield numbers | {"image": file.getvalue()}


def _write(folder: Path, samples: list[dict[str, Any]], count: int) -> None:
    """Shards of `count` samples, which are repeated."""
    shards = -(-count // _PER_SHARD)
    for number in range(shards):
        some = range(number * _PER_SHARD, min((number + 1) * _PER_SHARD, count))
        write_shard(
            folder / shard_name("benchmark", "train", number, shards),
            (Good(i, samples[i % len(samples)] | {"index": i}) for i in some),
            IMAGE_SCHEMA,
            "benchmark",
        )


def _write_index(folder: Path, samples: list[dict[str, Any]]) -> None:
    each = POSITIONS // _INDEX_SHARDS
    first: tuple[Path, Sidecar] | None = None
    for number in range(_INDEX_SHARDS):
        path = folder / shard_name("benchmark", "train", number, _INDEX_SHARDS)
        if first is None:
            goods = (Good(i, samples[i % len(samples)]) for i in range(each))
            first = path, write_shard(path, goods, IMAGE_SCHEMA, "benchmark")
        elif not path.exists():
            os.link(first[0], path)
            indices = tuple(range(number * each, (number + 1) * each))
            sidecar_path(path).write_text(text_of(replace(first[1], indices=indices)))


def _write_bytes(folder: Path, samples: list[dict[str, Any]]) -> None:
    pictures = [sample["image"] for sample in samples]
    (folder / "bytes.bin").write_bytes(b"".join(pictures))
    lengths = np.array([len(picture) for picture in pictures])
    np.savez(
        folder / "bytes.npz",
        start=np.cumsum(lengths) - lengths,
        length=lengths,
        **{name: np.stack([sample[name] for sample in samples]) for name in NUMBERS},
    )


if __name__ == "__main__":
    main()
