"""Detections of Human3.6M in four views with 3D joints, for TFDS."""

from typing import Final

from human_pose.datasets.builders.builder import SourceBuilder, configs_of
from human_pose.datasets.builders.sources import DATA_SETS
from human_pose.datasets.lifting_sets.schema import LIFTING_SCHEMA

_NAME: Final = "h36m_lifting"


class Builder(SourceBuilder):
    """Detections of Human3.6M in four views with 3D joints, for TFDS."""

    BUILDER_CONFIGS = configs_of(_NAME)
    SCHEMA = LIFTING_SCHEMA
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"manual_dir must hold {DATA_SETS[_NAME].files}."
