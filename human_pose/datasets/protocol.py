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


# The order of every `action` number.
IMAGE_ACTIONS: Final = (
    "Directions",
    "Discussion",
    "Eating",
    "Greeting",
    "Phoning",
    "Posing",
    "Purchases",
    "Sitting",
    "SittingDown",
    "Smoking",
    "TakingPhoto",
    "Waiting",
    "Walking",
    "WalkingDog",
    "WalkingTogether",
)
