"""Detections of invented people in four views with 3D joints, for TFDS."""

from typing import Final

from human_pose.datasets.builders.builder import SourceBuilder, configs_of
from human_pose.datasets.lifting_sets.schema import LIFTING_SCHEMA

_NAME: Final = "synthetic_lifting"


class Builder(SourceBuilder):
    """Detections of invented people in four views with 3D joints, for TFDS."""

    BUILDER_CONFIGS = configs_of(_NAME)
    SCHEMA = LIFTING_SCHEMA
    NEEDS_FILES = False
