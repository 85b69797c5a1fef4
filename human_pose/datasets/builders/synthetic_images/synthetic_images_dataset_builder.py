"""Rendered pictures of invented people with 3D joints, for TFDS."""

from typing import Final

from human_pose.datasets.builders.builder import SourceBuilder, configs_of
from human_pose.datasets.images.schema import IMAGE_SCHEMA

_NAME: Final = "synthetic_images"


class Builder(SourceBuilder):
    """Rendered pictures of invented people with 3D joints, for TFDS."""

    BUILDER_CONFIGS = configs_of(_NAME)
    SCHEMA = IMAGE_SCHEMA
    NEEDS_FILES = False
