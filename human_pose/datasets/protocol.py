"""Who does what: the subjects and the actions of Human3.6M's layout.

Training is on five subjects, tests are on two others.
"""

from typing import Final, Literal, get_args

Split = Literal["corrected", "published"]
Part = Literal["train", "test"]
SPLITS: Final = get_args(Split)
PARTS: Final = get_args(Part)

TRAIN_SUBJECTS: Final = (1, 5, 6, 7, 8)
TEST_SUBJECTS: Final = (9, 11)

# The 15 Human3.6M actions, in the order of every per-action table.
ACTIONS: Final = (
    "Directions",
    "Discussion",
    "Eating",
    "Greeting",
    "Phoning",
    "Photo",
    "Posing",
    "Purchases",
    "Sitting",
    "SittingDown",
    "Smoking",
    "Waiting",
    "WalkDog",
    "Walking",
    "WalkTogether",
)

# What the layout of pictures calls three of them.
_LONGER: Final = {
    "Photo": "TakingPhoto",
    "WalkDog": "WalkingDog",
    "WalkTogether": "WalkingTogether",
}
# By the name of an action in the layout of pictures, its name in pose files.
POSE_ACTIONS: Final = {_LONGER.get(action, action): action for action in ACTIONS}
# In alphabetical order, which is that of Human3.6M's numbers: the order of every
# `action` number of pictures.
IMAGE_ACTIONS: Final = tuple(sorted(POSE_ACTIONS))
