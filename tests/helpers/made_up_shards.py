"""Small made-up sets in shards."""

import io

import numpy as np
from PIL import Image

from human_pose.datasets.images import open_dataset
from human_pose.datasets.images.schema import IMAGE_SCHEMA
from human_pose.datasets.shards.writing import Bad, Good, shard_name, write_shard


def write_shards(root, folder, part="train", shards=2, bad=(), encoded=None, order=1):
    """The samples of a set in the original's layout, in shards.

    Args:
      root: of the set.
      folder: where to.
      part: of the set.
      shards: how many.
      bad: indices that are listed as bad.
      encoded: from the bytes of a picture's file to those that are kept.
      order: -1 writes them last first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    annotations = open_dataset(root, part=part).annotations
    samples = []
    for row, index in enumerate(annotations.index.tolist()):
        if index in bad:
            samples.append(Bad(index, f"{index}: was bad"))
            continue
        values = {
            name: getattr(annotations, name)[row]
            for name in IMAGE_SCHEMA
            if name != "image"
        }
        content = (root / "images" / f"{index}.png").read_bytes()
        values["image"] = encoded(content) if encoded else content
        samples.append(Good(index, values))
    samples = samples[::order]
    for number, rows in enumerate(np.array_split(np.arange(len(samples)), shards)):
        name = shard_name("made_up", part, number, shards)
        chosen = [samples[row] for row in rows]
        write_shard(folder / name, chosen, IMAGE_SCHEMA, f"made up {order}")
    return folder


def jpeg(content):
    """A picture's bytes as JPEG."""
    file = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(file, "JPEG", quality=95)
    return file.getvalue()
