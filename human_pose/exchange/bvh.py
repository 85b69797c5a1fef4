"""Motion in BVH: joints in millimetres from it, and poses to it.

A BVH file has one length for each bone, and angles. Poses whose bones keep their
lengths come back as they were; otherwise each joint is moved along its bone, and by how
much is logged. Where a joint has several children, each bone has a joint of its own
within it (its name ends in `__bone`), because angles between the bones of a person's
joints vary, too. What is missing is held as it was before; cuts are not kept.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from absl import logging

from human_pose.exchange import bvh_file
from human_pose.exchange.bvh_file import Bvh, Node
from human_pose.exchange.bvh_joints import named_joints
from human_pose.exchange.format import Format
from human_pose.exchange.named import named_motion, needed_fps, tell_gaps
from human_pose.exchange.recording import Motion
from human_pose.exchange.sources import head
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic
from human_pose.geometry import rotations
from human_pose.geometry.known_skeletons import VOCABULARY
from human_pose.geometry.skeleton import Skeleton

# What many programs take for BVH's unit.
_MILLIMETRES: Final = 10.0
_BONE: Final = "__bone"
_ORDER: Final = "ZXY"
_TURNS: Final = [f"{axis}rotation" for axis in _ORDER]
_SHIFTS: Final = ["Xposition", "Yposition", "Zposition"]
# Of our axes x y z, where BVH's stand, whose y is up: its x is our y.
_TO_BVH: Final = (1, 2, 0)
# Of the rest pose, a T: y up, the person's left at x, seen from the front at z.
_DOWN, _UP, _FRONT = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_REST: Final[Mapping[str, tuple[float, float, float]]] = {
    "hip": (1.0, 0.0, 0.0), "knee": _DOWN, "ankle": _DOWN, "heel": _DOWN,
    "big_toe": _FRONT, "small_toe": _FRONT, "spine": _UP, "thorax": _UP, "neck": _UP,
    "head_top": _UP, "nose": _UP, "shoulder": (1.0, 0.0, 0.0),
    "elbow": (1.0, 0.0, 0.0), "wrist": (1.0, 0.0, 0.0),
}  # fmt: skip
# Beyond it, in mm, a joint that was moved is worth a warning.
_MOVED_MM: Final = 1.0
# Deviation of a bone's length, in BVH's units, that needs no other parent.
_RIGID_CM: Final = 0.5
# Frames at a time: rotations of all would fill the memory.
_PART: Final = 4096


def read_bvh(
    path: str | os.PathLike[str], units: str | None = None, up: str = "y"
) -> Motion:
    """Reads a BVH file.

    Args:
      path: the file.
      units: of its lengths, which it does not say; default: what the body's size
        implies.
      up: its axis that points upwards, of `axes.UP_AXES`.

    Returns:
      The motion in a world whose z points upwards; the joints in the vocabulary's
      words where `bvh_joints` knows the file's.

    Raises:
      InputError: naming the file and the rule, if it is no such file, or its units
        cannot be told.
    """
    path = Path(path)
    bvh = bvh_file.read_bvh_file(path)
    own = [n for n, node in enumerate(bvh.nodes) if not node.name.endswith(_BONE)]
    words = [bvh.nodes[n].name for n in own]
    above = [_above(bvh, own, n) for n in own]
    parts = []
    for first in range(0, len(bvh.values), _PART):
        part = bvh.values[first : first + _PART]
        positions, turns = bvh_file.node_poses(dataclasses.replace(bvh, values=part))
        names, joints, parents = named_joints(
            words, above, positions[:, own], turns[:, own]
        )
        parts.append(joints)
    if not parts:
        raise InputError(f"{path}: must hold at least one frame; it holds none")
    return named_motion(
        path,
        names,
        np.concatenate(parts),
        fps=_rate(bvh.frame_time),
        units=units,
        up=up,
        parents=parents,
    )


def write_bvh(path: str | os.PathLike[str], motion: Motion) -> None:
    """Writes a BVH file in centimetres, y up.

    Raises:
      InputError: if the frame rate is not known, a joint is never there, or the file
        cannot be written.
    """
    path = Path(path)
    fps = needed_fps(path, motion)
    joints = _filled(path, motion.z_up)
    bvh = _posed(_hung(motion.skeleton, joints), joints, 1 / fps)
    _tell_moved(path, motion, joints, bvh)
    tell_gaps(path, motion)
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        bvh_file.write_bvh_file(file, bvh)


def is_bvh(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a BVH file."""
    return head(path).lstrip().startswith("HIERARCHY")


def _above(bvh: Bvh, own: list[int], n: int) -> int:
    """The place among `own` of a node's nearest ancestor that is of them, or -1."""
    parent = bvh.nodes[n].parent
    while parent >= 0 and parent not in own:
        parent = bvh.nodes[parent].parent
    return own.index(parent) if parent >= 0 else -1


def _rate(frame_time: float) -> float:
    """Frames a second; a whole number where the time has but few digits of it."""
    rate = 1 / frame_time
    whole = round(rate)
    return float(whole) if whole and abs(rate - whole) < 1e-4 * rate else rate


def _filled(path: Path, motion: Motion) -> np.ndarray:
    """The joints in BVH's axes, cm, what is missing held as before, or as after."""
    joints = motion.joints_3d_mm[..., _TO_BVH] / _MILLIMETRES
    seen = np.isfinite(joints).all(axis=-1)
    if not len(joints) or not seen.any(axis=0).all():
        raise InputError(f"{path}: BVH must have every joint in one frame or more")
    if not seen.all():
        logging.warning(
            "%s: BVH has no missing joints: %d are held as they were before",
            path, np.sum(~seen),
        )  # fmt: skip
    frame = np.arange(len(joints))[:, None]
    last = np.maximum.accumulate(np.where(seen, frame, -1))
    last = np.where(last < 0, seen.argmax(axis=0), last)
    return np.asarray(np.take_along_axis(joints, last[..., None], axis=0))


def _hung(skeleton: Skeleton, joints: np.ndarray) -> Skeleton:
    """The skeleton with joints of a file's own words on what they move with.

    Where no parent was known they hang on the root, from which fingers, say, are now
    near and now far; a bone has one length.
    """
    names, known = skeleton.names, [n in VOCABULARY for n in skeleton.names]
    tree = {
        name: names[parent] if parent >= 0 else None
        for name, parent in zip(names, skeleton.parents, strict=True)
    }
    for joint, parent in enumerate(skeleton.parents):
        if known[joint] or parent != skeleton.root:
            continue
        ways = joints[:, known] - joints[:, joint, None]
        varies = np.linalg.norm(ways, axis=-1).std(axis=0)
        own = np.linalg.norm(joints[:, parent] - joints[:, joint], axis=-1).std()
        if own > _RIGID_CM and varies.size and varies.min() < own:
            tree[names[joint]] = names[np.flatnonzero(known)[varies.argmin()]]
    return Skeleton.grown(tree, aliases=dict(skeleton.aliases), pairs=skeleton.pairs)


def _posed(skeleton: Skeleton, joints: np.ndarray, frame_time: float) -> Bvh:
    """The tree and its angles for joints `[F, J, 3]` in BVH's axes and units."""
    tree = _Tree(skeleton, joints)
    eye = np.broadcast_to(np.eye(3), (len(joints), 3, 3))
    tree.grow(skeleton.root, -1, eye, np.zeros(3))
    return Bvh(tree.nodes, frame_time, np.concatenate(tree.columns, axis=-1))


class _Tree:
    """Nodes and channels, grown from the root.

    Args:
      skeleton: of the J joints.
      joints: `[F, J, 3]`, in BVH's axes and units.
    """

    def __init__(self, skeleton: Skeleton, joints: np.ndarray) -> None:
        self.nodes: list[Node] = []
        self.columns: list[np.ndarray] = []
        self._skeleton = skeleton
        self._joints = joints

    def grow(
        self, joint: int, parent: int, above: np.ndarray, offset: np.ndarray
    ) -> None:
        """Adds a joint and all below it; `above` `[F, 3, 3]` turns what it is in."""
        parents = self._skeleton.parents
        below = [child for child, p in enumerate(parents) if p == joint]
        rest = np.array([self._rest(joint, child) for child in below]).reshape(-1, 3)
        ways = self._joints[:, below] - self._joints[:, joint, None]  # [F, C, 3]
        turn = _turn(rest, _into(above, ways))
        node = Node(self._skeleton.names[joint], parent, _tuple(offset))
        here = self._add(node, turn, place=self._joints[:, joint])
        if not below:
            self.nodes.append(Node("", here))
        frame = above @ turn
        lengths = np.median(np.linalg.norm(ways, axis=-1), axis=0)
        for c, child in enumerate(below):
            start, own = here, frame
            if len(below) > 1:
                more = _turn(rest[c : c + 1], _into(frame, ways[:, c : c + 1]))
                bone = Node(f"{self._skeleton.names[child]}{_BONE}", here)
                start, own = self._add(bone, more), frame @ more
            self.grow(child, start, own, rest[c] * lengths[c])

    def _add(
        self, node: Node, turn: np.ndarray, place: np.ndarray | None = None
    ) -> int:
        """Adds a joint with its angles, the root with its place; gives its number."""
        angles = np.degrees(rotations.to_euler(turn, _ORDER))
        node.channels = list(_TURNS)
        if node.parent < 0 and place is not None:
            node.channels = [*_SHIFTS, *_TURNS]
            self.columns.append(place)
        self.columns.append(angles)
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _rest(self, joint: int, child: int) -> tuple[float, float, float]:
        """The direction of a bone in the rest pose."""
        name = self._skeleton.names[child]
        word = name.removeprefix("left_").removeprefix("right_")
        if word in _REST:
            x, y, z = _REST[word]
            return (-x if name.startswith("right_") else x), y, z
        way = np.median(self._joints[:, child] - self._joints[:, joint], axis=0)
        size = np.linalg.norm(way)
        return _tuple(way / size) if size > 0 else _UP


def _into(turn: np.ndarray, ways: np.ndarray) -> np.ndarray:
    return np.einsum("fji,fcj->fci", turn, ways)


def _turn(rest: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """The turns `[F, 3, 3]` that bring directions `[C, 3]` nearest to `[F, C, 3]`."""
    size = np.linalg.norm(ways, axis=-1, keepdims=True)
    ways = np.where(size > 0, ways / np.where(size > 0, size, 1.0), rest)
    if len(rest) == 0:
        return np.broadcast_to(np.eye(3), (len(ways), 3, 3))
    if len(rest) == 1:
        return rotations.between(np.broadcast_to(rest[0], ways[:, 0].shape), ways[:, 0])
    return rotations.nearest(np.einsum("fci,cj->fij", ways, rest))


def _tuple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = map(float, values)
    return x, y, z


def _tell_moved(path: Path, motion: Motion, joints: np.ndarray, bvh: Bvh) -> None:
    """Logs how far joints are from where they were, because bones keep one length."""
    positions, _ = bvh_file.node_poses(bvh)
    place = {node.name: n for n, node in enumerate(bvh.nodes)}
    back = positions[:, [place[name] for name in motion.skeleton.names]]
    moved = np.linalg.norm(back - joints, axis=-1) * _MILLIMETRES
    if moved.max() > _MOVED_MM:
        logging.warning(
            "%s: BVH keeps each bone's length: joints move by %.1f mm in the mean, "
            "%.0f at most",
            path, moved.mean(), moved.max(),
        )  # fmt: skip


FORMATS: Final = (
    Format(
        "bvh",
        "motion",
        "BVH, centimetres, y up",
        (".bvh",),
        is_bvh,
        read_bvh,
        write_bvh,
        options=("up",),
    ),
)
