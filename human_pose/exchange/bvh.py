"""Motion in BVH: joints in millimetres from it, and poses to it.

A BVH file has one length for each bone, and angles. Poses whose bones keep their
lengths come back as they were; otherwise each joint is moved along its bone, and by how
much is logged. Where a joint has several children, each bone has a joint of its own
within it (its name ends in `__bone`), because angles between the bones of a person's
joints vary, too. What is missing is held as it was before; cuts are not kept.
"""

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
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic
from human_pose.geometry import rotations
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


def read_bvh(
    path: str | os.PathLike[str], units: str | None = None, up: str = "y"
) -> Motion:
    """Reads a BVH file.

    Args:
      path: the file.
      units: of its lengths, which it does not say; default: what the body's size
        implies.
      up: its axis that points upwards, "x", "y" or "z".

    Returns:
      The motion in a world whose z points upwards; the joints in the vocabulary's
      words where `bvh_joints` knows the file's.

    Raises:
      InputError: naming the file and the rule, if it is no such file, or its units
        cannot be told.
    """
    path = Path(path)
    bvh = bvh_file.read_bvh_file(path)
    positions, turns = bvh_file.node_poses(bvh)
    own = [n for n, node in enumerate(bvh.nodes) if not node.name.endswith(_BONE)]
    names, joints, parents = named_joints(
        [bvh.nodes[n].name for n in own],
        [_above(bvh, own, n) for n in own],
        positions[:, own],
        turns[:, own],
    )
    return named_motion(
        path,
        names,
        joints,
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
    bvh = _posed(motion.skeleton, joints, 1 / fps)
    _tell_moved(path, motion, joints, bvh)
    tell_gaps(path, motion)
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        bvh_file.write_bvh_file(file, bvh)


def is_bvh(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a BVH file."""
    path = Path(path)
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(1024).lstrip("\ufeff \t\r\n").startswith("HIERARCHY")
    except OSError:
        return False


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


def _posed(skeleton: Skeleton, joints: np.ndarray, frame_time: float) -> Bvh:
    """The tree and its angles for joints `[F, J, 3]` in BVH's axes and units."""
    children = {
        j: [c for c, p in enumerate(skeleton.parents) if p == j]
        for j in range(len(skeleton))
    }
    frames = len(joints)
    nodes: list[Node] = []
    columns: list[np.ndarray] = []

    def add(node: Node, turn: np.ndarray | None, *shift: np.ndarray) -> int:
        if turn is not None:
            node.channels = [*(_SHIFTS if shift else []), *_TURNS]
            angles = np.degrees(rotations.to_euler(turn, _ORDER))
            columns.append(np.concatenate([*shift, angles], axis=-1))
        nodes.append(node)
        return len(nodes) - 1

    def grow(j: int, parent: int, above: np.ndarray, offset: np.ndarray) -> None:
        """Adds a joint and all below it; `above` turns its parent's frame."""
        below = children[j]
        rest = np.array([_rest(skeleton, j, c, joints) for c in below]).reshape(-1, 3)
        ways = joints[:, below] - joints[:, j, None]  # [F, C, 3]
        lengths = np.linalg.norm(ways, axis=-1)
        local = np.einsum("fji,fcj->fci", above, ways)
        turn = _turn(rest, local)
        shift = [joints[:, j]] if parent < 0 else []
        node = Node(skeleton.names[j], parent, _tuple(offset))
        here = add(node, turn, *shift)
        if not below:
            add(Node("", here), None)
            return
        whole = above @ turn
        for c, child in enumerate(below):
            start, frame = here, whole
            if len(below) > 1:
                own = _turn(rest[c : c + 1], _into(whole, ways[:, c : c + 1]))
                start = add(Node(f"{skeleton.names[child]}{_BONE}", here), own)
                frame = whole @ own
            grow(child, start, frame, rest[c] * np.median(lengths[:, c]))

    eye = np.broadcast_to(np.eye(3), (frames, 3, 3))
    grow(skeleton.root, -1, eye, np.zeros(3))
    return Bvh(nodes, frame_time, np.concatenate(columns, axis=-1))


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


def _rest(
    skeleton: Skeleton, joint: int, child: int, joints: np.ndarray
) -> tuple[float, float, float]:
    """The direction of a bone in the rest pose."""
    name = skeleton.names[child]
    side, word = "", name
    for prefix in ("left_", "right_"):
        if name.startswith(prefix):
            side, word = prefix, name.removeprefix(prefix)
    if word in _REST:
        x, y, z = _REST[word]
        return (-x if side == "right_" else x), y, z
    way = np.median(joints[:, child] - joints[:, joint], axis=0)
    size = np.linalg.norm(way)
    return _tuple(way / size) if size > 0 else _UP


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
    ),
)
