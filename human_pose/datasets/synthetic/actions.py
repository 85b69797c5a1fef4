"""The 15 actions by name, in the order of `protocol.ACTIONS`.

Every action is drawn for a right-handed person; the caller mirrors some of them.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from human_pose.datasets.synthetic import gaits, seated, upright
from human_pose.datasets.synthetic.score import Generator, Score

CHOREOGRAPHY: Final[dict[str, Callable[[Generator, np.ndarray], Score]]] = {
    "Directions": upright.directions,
    "Discussion": upright.discussion,
    "Eating": seated.eating,
    "Greeting": upright.greeting,
    "Phoning": upright.phoning,
    "Photo": upright.photo,
    "Posing": upright.posing,
    "Purchases": upright.purchases,
    "Sitting": seated.sitting_still,
    "SittingDown": seated.sitting_down,
    "Smoking": seated.smoking,
    "Waiting": upright.waiting,
    "WalkDog": gaits.walking_dog,
    "Walking": gaits.walking_alone,
    "WalkTogether": gaits.walking_together,
}
