"""The names of joints in files of markers: Pose2Sim's, which OpenSim's sets of it know.

Pose2Sim's words are Halpe-26's, and its scaling, augmenting and inverse kinematics look
markers up by them. Joints that they have no word for keep their names.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from human_pose.geometry.known_skeletons import HALPE_26

# BODY_25B's word stands beside Halpe's: `Neck` is the middle of the shoulders.
_JOINTS: Final[Mapping[str, str]] = {**dict(HALPE_26.aliases), "UpperNeck": "neck"}
_WORDS: Final = {joint: word for word, joint in _JOINTS.items()}


def markers_of(joints: Sequence[str]) -> list[str]:
    """The marker of each joint, under a name of its own."""
    return _renamed(joints, _WORDS)


def joints_of(markers: Sequence[str]) -> list[str]:
    """The joint of each marker: what `markers_of` made is taken back."""
    return _renamed(markers, _JOINTS)


def _renamed(names: Sequence[str], words: Mapping[str, str]) -> list[str]:
    """Other words for names, but where two would have the same."""
    meant = [words.get(name, name) for name in names]
    return [
        name if meant.count(word) > 1 else word
        for name, word in zip(names, meant, strict=True)
    ]
