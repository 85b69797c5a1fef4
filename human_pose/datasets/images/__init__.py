"""Pictures of people with their 3D joints, in the layout of the original's data.

layout, index_range   the files, and which sample belongs to whom
annotations           the text files, read once and kept as arrays
kept_index            these arrays on the disk
file_state            whether files have changed since
placement, resampling the original's scaling, rotation, crop and flip
projection            one pass in their place, for the modern augmentation
colours               random light and colour
sampling, pipeline    deterministic streams of batches
dataset               what a user opens
"""

from human_pose.datasets.images.annotations import Annotations
from human_pose.datasets.images.dataset import ImageDataset, open_dataset
from human_pose.datasets.images.index_range import IndexRange
from human_pose.datasets.images.kept_index import Skipped
from human_pose.datasets.images.layout import CameraFile, InfoFile, Sample, read_sample
from human_pose.datasets.protocol import IMAGE_ACTIONS as ACTIONS
from human_pose.datasets.protocol import TEST_SUBJECTS, TRAIN_SUBJECTS

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
