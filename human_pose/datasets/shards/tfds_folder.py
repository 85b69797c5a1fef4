"""The files by which TFDS reads a folder of shards: `tfds.builder_from_directory`.

Written from what the sidecars say, no shard is read; with sorted names, so that equal
shards stand beside equal files, which TFDS's own are not.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.datasets.shards.plan import VERSION, Plan
from human_pose.datasets.shards.records import Field, Schema
from human_pose.datasets.shards.sidecar import Sidecar
from human_pose.datasets.shards.writing import FORMAT
from human_pose.files.extras import needed
from human_pose.files.paths import atomic

# The first says that the preparation is finished, and is written last.
_INFO: Final = "dataset_info.json"
_FEATURES: Final = "features.json"


def features_of(schema: Schema) -> Any:
    """A schema as `tfds.features.FeaturesDict`, with units and frames."""
    features = _tfds().features
    return features.FeaturesDict(
        {name: _feature(features, field) for name, field in schema.items()}
    )


def is_finished(folder: str | os.PathLike[str]) -> bool:
    """Whether a preparation has come to its end."""
    return (Path(folder) / _INFO).exists()


def remove_metadata(folder: str | os.PathLike[str]) -> None:
    """Removes the files, because a shard is to be made anew."""
    for name in (_INFO, _FEATURES):
        (Path(folder) / name).unlink(missing_ok=True)


def write_metadata(
    plan: Plan, folder: str | os.PathLike[str], sidecars: Mapping[str, Sidecar]
) -> None:
    """Writes the files.

    Args:
      plan: whose shards the folder holds, all of them.
      folder: see `Plan.folder`.
      sidecars: of the shards, by their names.
    """
    folder = Path(folder)
    info = _info(plan, folder, sidecars)
    with tempfile.TemporaryDirectory() as temporary:
        info.write_to_directory(temporary)
        for name in (_FEATURES, _INFO):
            content = json.loads((Path(temporary) / name).read_text("utf-8"))
            text = json.dumps(content, indent=2, sort_keys=True) + "\n"
            with atomic(folder / name) as path:
                path.write_text(text, "utf-8")


def _info(plan: Plan, folder: Path, sidecars: Mapping[str, Sidecar]) -> Any:
    tfds = _tfds()
    identity = tfds.core.dataset_info.DatasetIdentity(
        name=plan.data_set,
        version=tfds.core.utils.Version(VERSION),
        data_dir=os.fspath(folder),
        module_name="",
        config_name=plan.config,
    )
    info = tfds.core.DatasetInfo(
        builder=identity,
        description=plan.description,
        features=features_of(plan.schema),
    )
    info.set_file_format(FORMAT)
    template = tfds.core.ShardedFileTemplate(
        dataset_name=plan.data_set, data_dir=folder, filetype_suffix=FORMAT
    )
    splits = []
    for part in plan.parts:
        held = [sidecars[task.name] for task in plan.tasks if task.part == part]
        splits.append(
            tfds.core.SplitInfo(
                name=part,
                shard_lengths=[len(sidecar) for sidecar in held],
                num_bytes=sum(sum(sidecar.lengths) for sidecar in held),
                filename_template=template,
            )
        )
    info.set_splits(tfds.core.splits.SplitDict(splits))
    return info


def _feature(features: Any, field: Field) -> Any:
    if field.picture:
        return features.Image(shape=(*field.shape, None, None, 3), doc=field.unit)
    if field.text:
        return features.Text(doc=field.unit)
    # Numbers that an Example does not know are bytes in a record (`records`).
    encoding = "bytes" if field.is_bytes else None
    return features.Tensor(
        shape=field.shape,
        dtype=np.dtype(field.dtype),
        encoding=encoding or features.Encoding.NONE,
        doc=field.unit,
    )


def _tfds() -> Any:
    return needed("tensorflow_datasets", "a prepared data set", "pose")
