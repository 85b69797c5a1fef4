"""Pictures of people with their 3D joints, in the layout of the original's data.

layout, index_range   the files, and which sample belongs to whom
writing               the same files, written
picture_file          pictures, checked and decoded
crop, cutting         what of a picture shows the person, and that at 224 px
text_numbers          numbers in the files of text
annotations           the text files, read once and kept as arrays
kept_index            these arrays on the disk
file_state            whether files have changed since
dataset               what a user opens
schema, sharded       the same samples in shards, as a preparation leaves them
source                where samples come from, for whoever makes batches of them
opening               either, by what a folder holds
moments               pictures of one moment from several sides
"""

from typing import TYPE_CHECKING

from human_pose.datasets.protocol import IMAGE_ACTIONS as ACTIONS
from human_pose.datasets.protocol import TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.files.faces import lazy

if TYPE_CHECKING:
    from human_pose.datasets.images.annotations import Annotations
    from human_pose.datasets.images.dataset import ImageDataset, open_dataset
    from human_pose.datasets.images.index_range import IndexRange
    from human_pose.datasets.images.kept_index import Skipped
    from human_pose.datasets.images.layout import (
        CameraFile,
        InfoFile,
        Sample,
        read_sample,
    )
    from human_pose.datasets.images.moments import Moments, moments_of
    from human_pose.datasets.images.opening import ImageSet, open_images
    from human_pose.datasets.images.sharded import ShardedImages, open_sharded

__all__ = [
    "ACTIONS",
    "TEST_SUBJECTS",
    "TRAIN_SUBJECTS",
    "Annotations",
    "CameraFile",
    "ImageDataset",
    "ImageSet",
    "IndexRange",
    "InfoFile",
    "Moments",
    "Sample",
    "ShardedImages",
    "Skipped",
    "moments_of",
    "open_dataset",
    "open_images",
    "open_sharded",
    "read_sample",
]

# Whoever writes this layout needs no TensorFlow.
__getattr__ = lazy(
    __name__,
    {
        "Annotations": "annotations",
        "CameraFile": "layout",
        "ImageDataset": "dataset",
        "ImageSet": "opening",
        "IndexRange": "index_range",
        "InfoFile": "layout",
        "Moments": "moments",
        "Sample": "layout",
        "ShardedImages": "sharded",
        "Skipped": "kept_index",
        "moments_of": "moments",
        "open_dataset": "dataset",
        "open_images": "opening",
        "open_sharded": "sharded",
        "read_sample": "layout",
    },
)
