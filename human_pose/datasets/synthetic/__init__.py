"""Embedded data: plausible articulated human motion that this project invents.

    angles, tracks, postures             joint angles, and layers of them
    upright, seated, gaits, actions      what a person does, as a score of layers
    body, kinematics, grounding, motion  how a body of some size does it on a floor
    rig, detector                        what four cameras and a 2D detector see of it
    dataset                              pose files of training and test subjects

Nothing of it is recorded from or fitted to a person.
"""

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
    "Recipe",
    "data_files",
    "generate",
    "subject_cameras",
    "takes",
]
