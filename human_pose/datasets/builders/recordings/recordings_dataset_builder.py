"""Detections of any format that `exchange` reads, for TFDS."""

import os
from pathlib import Path
from typing import Final

from human_pose.datasets.builders.builder import SourceBuilder, configs_of
from human_pose.datasets.builders.recordings.source import schema_of
from human_pose.datasets.builders.sources import DATA_SETS
from human_pose.datasets.shards.plan import Source

_NAME: Final = "recordings"


class Builder(SourceBuilder):
    """Detections of any format; as many views, people and joints as they have."""

    BUILDER_CONFIGS = configs_of(_NAME)
    SCHEMA = schema_of(None, None, None)
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"manual_dir must hold {DATA_SETS[_NAME].files}."

    def source(self, folder: str | os.PathLike[str] | None) -> Source:
        """The source of the one recording in a folder, or that the folder is."""
        held = [*Path(folder).iterdir()] if folder else []
        return super().source(held[0] if len(held) == 1 else folder)
