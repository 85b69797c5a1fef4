"""Embedded data: plausible articulated human motion that this project invents.

    angles, tracks, postures, actions    what a person does, as joint angles
    body, kinematics, grounding, motion  how a body of some size does it on a floor
    rig, detector                        what four cameras and a 2D detector see of it
    dataset                              pose files of training and test subjects

Nothing of it is recorded from or fitted to a person.
"""

from human_pose.datasets.protocol import TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.datasets.synthetic.body import BODIES
from human_pose.datasets.synthetic.dataset import (
    Recipe,
    data_files,
    generate,
    subject_cameras,
    takes,
)

__all__ = [
    "BODIES",
    "TEST_SUBJECTS",
    "TRAIN_SUBJECTS",
    "Recipe",
    "data_files",
    "generate",
    "subject_cameras",
    "takes",
]
