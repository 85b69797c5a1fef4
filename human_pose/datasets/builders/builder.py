"""What all builders for TFDS share: their sources are those of the preparation.

`tfds build` and `tfds.load` make a set in one go, in TFDS's own way; the command
`human_pose.commands.prepare` makes the same records so that it can be killed.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from absl import logging

from human_pose.datasets.builders.sources import DATA_SETS, Options, open_source
from human_pose.datasets.shards.plan import VERSION, Source
from human_pose.datasets.shards.preparation import MAX_BAD_SHARE
from human_pose.datasets.shards.records import Schema
from human_pose.datasets.shards.tfds_folder import features_of
from human_pose.datasets.shards.writing import Good
from human_pose.files.errors import InputError

RELEASE_NOTES = {VERSION: "Initial release."}


def configs_of(name: str) -> list[tfds.core.BuilderConfig]:
    """The usual configurations of a data set, the default first."""
    return [tfds.core.BuilderConfig(name=each) for each in DATA_SETS[name].configs]


class SourceBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A builder of what a source yields.

    Attributes:
      SCHEMA: of its records.
      OPTIONS: of its source.
      NEEDS_FILES: whether its source is a folder.
    """

    VERSION = tfds.core.Version(VERSION)
    RELEASE_NOTES: ClassVar[dict[str, str]] = RELEASE_NOTES
    SCHEMA: ClassVar[Schema]
    OPTIONS: ClassVar[Options] = Options()
    NEEDS_FILES: ClassVar[bool] = True

    def source(self, folder: str | os.PathLike[str] | None) -> Source:
        """The source of the files in a folder."""
        return open_source(
            self.name, folder, self.builder_config.name, type(self).OPTIONS
        )

    def _info(self) -> Any:
        return self.dataset_info_from_configs(features=features_of(type(self).SCHEMA))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        folder = Path(dl_manager.manual_dir) if self.NEEDS_FILES else None
        source = self.source(folder)
        return {part: self._generate_examples(source, part) for part in source.parts}

    def _generate_examples(
        self, source: Source, part: str
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """The samples by index; unusable ones are told, and too many refused."""
        total = sum(map(len, source.parts[part]))
        bad = 0
        for item in source.samples(part):
            if isinstance(item, Good):
                yield item.index, {**item.sample}
                continue
            bad += 1
            logging.warning("sample %d is left out: %s", item.index, item.reason)
            if bad > MAX_BAD_SHARE * total:
                raise InputError(
                    f"{self.name}: more than {MAX_BAD_SHARE:g} of the {part} samples "
                    f"cannot be used; the last: {item.reason}"
                )
