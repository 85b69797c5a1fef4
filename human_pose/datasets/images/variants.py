"""The forms of a set of pictures: which split, which frames, damaged takes or not."""

import re
from dataclasses import dataclass
from itertools import product
from typing import Final

from human_pose.datasets.protocol import SPLITS, Split
from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError

# What the literature thins out by: the original's training index, and Protocol 2.
USUAL_STEPS: Final = (1, 5, 64)

# Takes of S9 whose 3D joints drifted off the person; and a camera of S11 whose video is
# damaged. By what the videos are called, with or without their camera.
_DAMAGED: Final = frozenset(
    {
        "S9 Greeting",
        "S9 SittingDown 1",
        "S9 Waiting 1",
        "S11 Directions.54138969",
    }
)
_NAME: Final = re.compile(r"(corrected|published)(_sound)?(?:_every([1-9][0-9]*))?")


@dataclass(frozen=True)
class Variant:
    """One form of a set.

    Attributes:
      split: "corrected" goes by subject, "published" by the original's indices.
      every: use only indices that are multiples of this.
      sound: leave the takes out whose truth or video is known to be damaged.
    """

    split: Split = "corrected"
    every: int = 1
    sound: bool = False

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise InputError("split", f"must be one of {', '.join(SPLITS)}", self.split)
        check_whole("every", self.every, 1)

    @property
    def name(self) -> str:
        """As folders and TFDS call it: `corrected_sound_every5`."""
        sound = "_sound" if self.sound else ""
        every = f"_every{self.every}" if self.every > 1 else ""
        return f"{self.split}{sound}{every}"

    @property
    def description(self) -> str:
        """In words."""
        every = f"every {self.every}th sample" if self.every > 1 else "every sample"
        sound = ", without damaged takes" if self.sound else ""
        return f"the {self.split} split, {every}{sound}"

    def holds(self, video: str) -> bool:
        """Whether a video's samples belong to it; `S9 Greeting.54138969` is one."""
        if not self.sound:
            return True
        take = video.rpartition(".")[0]
        return not {video, take} & _DAMAGED


def variant_of(name: str) -> Variant:
    """The form of a name.

    Raises:
      InputError: if it is none.
    """
    found = _NAME.fullmatch(name)
    if not found:
        raise InputError(
            "config",
            "must be like corrected, corrected_sound, published or corrected_every5",
            name,
        )
    split: Split = "published"
    if found[1] == "corrected":
        split = "corrected"
    return Variant(split, int(found[3] or 1), bool(found[2]))


# With or without damaged takes; the original has them all.
_FORMS: Final[tuple[tuple[Split, bool], ...]] = (
    ("corrected", False),
    ("corrected", True),
    ("published", False),
)
# The first is the default.
VARIANTS: Final = tuple(
    Variant(split, every, sound)
    for (split, sound), every in product(_FORMS, USUAL_STEPS)
)
