"""The skeleton of joints that a file names by words of its own."""

import re
from collections.abc import Sequence
from typing import Final

from human_pose.geometry.known_skeletons import KNOWN, VOCABULARY, tree
from human_pose.geometry.skeleton import Skeleton

# Where a word begins: `RightHip`, `right hip`, `Right-Hip`.
_BREAK: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+")
# In a word for a bone of animated bodies, whose `LeftShoulder` is a collar bone.
_OF_BONES: Final = "arm"


def _unambiguous_words() -> dict[str, str]:
    """Other words for joints that mean the same in every skeleton that knows them."""
    meanings: dict[str, set[str]] = {}
    for skeleton in KNOWN.values():
        for word, name in skeleton.aliases:
            meanings.setdefault(word, set()).add(name)
    return {
        word: next(iter(names))
        for word, names in meanings.items()
        if len(names) == 1 and names <= set(VOCABULARY)
    }


_WORDS: Final = _unambiguous_words()


def from_names(words: Sequence[str]) -> Skeleton:
    """The skeleton of joints that a file names, in the file's order.

    It is a known one if the words and their order are the known one's. Else other words
    for joints of the vocabulary (Human3.6M's `hip` and `left_foot`, OpenPose's
    `LAnkle`) become its names, and remain as aliases, unless the file has a joint of
    that name besides, in whatever case. So do sides' joints that are written otherwise
    (`RightHip`, `right hip`), unless a word with `arm` says that these are bones.
    Unknown ones keep theirs and hang on the root.

    Args:
      words: of the J joints.

    Raises:
      ValueError: if there are none, or two are the same.
    """
    if not words:
        raise ValueError("`joint_names` must name one joint or more")
    for skeleton in KNOWN.values():
        if [*map(dict(skeleton.aliases).get, words, words)] == [*skeleton.names]:
            return skeleton
    meant = _spelled([_WORDS.get(word, word) for word in words])
    kept = {word for word, name in zip(words, meant, strict=True) if word == name}
    held = meant + [word.lower() for word in kept if word != word.lower()]
    names = tuple(
        word if held.count(name) > 1 else name
        for word, name in zip(words, meant, strict=True)
    )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"`joint_names` must differ. Received twice: {twice[0]!r}")
    pairs = zip(words, names, strict=True)
    return tree(names, {word: name for word, name in pairs if word != name})


def _spelled(words: Sequence[str]) -> list[str]:
    """The words, those that spell a side's joint in another way as the vocabulary does.

    But one that another word means already.
    """
    if any(_OF_BONES in word.lower() for word in words):
        return [*words]
    spelled = ["_".join(filter(None, _BREAK.split(word))).lower() for word in words]
    return [
        name
        if name.startswith(("left_", "right_"))
        and name in VOCABULARY
        and name not in words
        and spelled.count(name) == 1
        else word
        for word, name in zip(words, spelled, strict=True)
    ]
