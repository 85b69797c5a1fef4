"""Pictures of Human3.6M with 3D joints, for TFDS."""

from typing import Final

from human_pose.datasets.builders.builder import SourceBuilder, configs_of
from human_pose.datasets.builders.sources import DATA_SETS
from human_pose.datasets.images.schema import IMAGE_SCHEMA

_NAME: Final = "h36m_images"


class Builder(SourceBuilder):
    """Pictures of Human3.6M with 3D joints, for TFDS."""

    BUILDER_CONFIGS = configs_of(_NAME)
    SCHEMA = IMAGE_SCHEMA
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"manual_dir must hold {DATA_SETS[_NAME].files}."
