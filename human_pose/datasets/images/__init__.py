"""Pictures of people with their 3D joints, in the layout of the original's data.

layout, index_range   the files, and which sample belongs to whom
writing               the same files, written
picture_file          pictures, checked and decoded
annotations           the text files, read once and kept as arrays
kept_index            these arrays on the disk
file_state            whether files have changed since
dataset               what a user opens
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

__all__ = [
    "ACTIONS",
    "TEST_SUBJECTS",
    "TRAIN_SUBJECTS",
    "Annotations",
    "CameraFile",
    "ImageDataset",
    "IndexRange",
    "InfoFile",
    "Sample",
    "Skipped",
    "open_dataset",
    "read_sample",
]

# Whoever writes this layout needs no TensorFlow.
__getattr__ = lazy(
    __name__,
    {
        "Annotations": "annotations",
        "CameraFile": "layout",
        "ImageDataset": "dataset",
        "IndexRange": "index_range",
        "InfoFile": "layout",
        "Sample": "layout",
        "Skipped": "kept_index",
        "open_dataset": "dataset",
        "read_sample": "layout",
    },
)
