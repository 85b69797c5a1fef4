"""BVH files as trees of joints and their angles: read whole, and written.

The format: Meredith and Maddock, "Motion Capture File Formats Explained", Sheffield,
2001. A joint may have any channels in any order, positions too, which stand for its
offset. The libraries that were tried do not read this: pybvh 0.9 refuses positions of
joints other than the root, and bvhio 1.5 never returns from a file that ends early.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from human_pose.files.arrays import MOST_BYTES
from human_pose.files.errors import InputError
from human_pose.files.paths import read_text
from human_pose.geometry import rotations

_MOST_JOINTS: Final = 10_000
_AXES: Final = "XYZ"
_POSITION: Final = "position"
_ROTATION: Final = "rotation"


@dataclass
class Node:
    """A joint, or the end of a bone.

    Attributes:
      name: the joint's; of an end, its parent's with `_end`.
      parent: the number of its parent, -1 for the root.
      offset: `[3]`, from the parent, in the file's units.
      channels: as "Xposition" or "Zrotation", in the file's order.
    """

    name: str
    parent: int
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bvh:
    """A whole file.

    Attributes:
      nodes: parents before children.
      frame_time: seconds.
      values: `[F, C]`, all channels of all nodes, in order; degrees and lengths.
    """

    nodes: Sequence[Node]
    frame_time: float
    values: np.ndarray


def read_bvh_file(path: str | os.PathLike[str]) -> Bvh:
    """Reads a file.

    Raises:
      InputError: naming the file and the rule, if it is none.
    """
    path = Path(path)
    text = read_text(path, MOST_BYTES)
    hierarchy, word, motion = text.partition("MOTION")
    if not word:
        raise InputError(f"{path}: must hold HIERARCHY and MOTION")
    nodes = _nodes(path, hierarchy)
    lines = iter(line for line in motion.splitlines() if line.strip())
    frames = _heading(path, next(lines, ""), "Frames:")
    frame_time = _heading(path, next(lines, ""), "Frame Time:")
    if not 0 < frame_time < np.inf:
        raise InputError(f"{path}: Frame Time", "must be positive", frame_time)
    columns = sum(len(node.channels) for node in nodes)
    values = _values(path, lines, columns)
    if len(values) != frames:
        raise InputError(
            f"{path}: must hold the {frames:g} frames that it says; it holds "
            f"{len(values)}"
        )
    return Bvh(nodes, frame_time, values)


def node_poses(bvh: Bvh) -> tuple[np.ndarray, np.ndarray]:
    """Where the nodes are, by forward kinematics.

    Returns:
      Positions `[F, N, 3]`, in the file's units, and rotations to the world
      `[F, N, 3, 3]`.
    """
    frames = len(bvh.values)
    positions = np.empty((frames, len(bvh.nodes), 3))
    turns = np.empty((frames, len(bvh.nodes), 3, 3))
    column = 0
    for n, node in enumerate(bvh.nodes):
        values = bvh.values[:, column : column + len(node.channels)]
        column += len(node.channels)
        offset = np.broadcast_to(node.offset, (frames, 3)).copy()
        order, angles = "", []
        for channel, series in zip(node.channels, values.T, strict=True):
            if channel.endswith(_POSITION):
                offset[:, _AXES.index(channel[0])] = series
            else:
                order += channel[0]
                angles.append(np.radians(series))
        turn = rotations.from_euler(np.stack([*angles, np.zeros(frames)], -1), order)
        if node.parent < 0:
            positions[:, n], turns[:, n] = offset, turn
            continue
        above = turns[:, node.parent]
        shift = np.einsum("fij,fj->fi", above, offset)
        positions[:, n] = positions[:, node.parent] + shift
        turns[:, n] = above @ turn
    return positions, turns


def write_bvh_file(file: TextIO, bvh: Bvh) -> None:
    """Writes a file whose nodes stand as its tree is walked through."""
    children: dict[int, list[int]] = {}
    for n, node in enumerate(bvh.nodes):
        children.setdefault(node.parent, []).append(n)
    file.write("HIERARCHY\n")
    _write_node(file, bvh.nodes, children, children[-1][0], 0)
    file.write(f"MOTION\nFrames: {len(bvh.values)}\n")
    file.write(f"Frame Time: {bvh.frame_time:.10g}\n")
    for row in bvh.values:
        file.write(" ".join(f"{value:.6f}" for value in row) + "\n")


def _write_node(
    file: TextIO,
    nodes: Sequence[Node],
    children: dict[int, list[int]],
    number: int,
    depth: int,
) -> None:
    node, pad = nodes[number], "\t" * depth
    below = children.get(number, [])
    if not node.channels:
        file.write(f"{pad}End Site\n")
    else:
        file.write(f"{pad}{'JOINT' if depth else 'ROOT'} {node.name}\n")
    offset = " ".join(f"{value:.6f}" for value in node.offset)
    file.write(f"{pad}{{\n{pad}\tOFFSET {offset}\n")
    if node.channels:
        words = " ".join(node.channels)
        file.write(f"{pad}\tCHANNELS {len(node.channels)} {words}\n")
    for child in below:
        _write_node(file, nodes, children, child, depth + 1)
    file.write(f"{pad}}}\n")


def _nodes(path: Path, hierarchy: str) -> list[Node]:
    """The tree, from its words."""
    nodes: list[Node] = []
    opened: list[int] = []
    named: Node | None = None
    lines = (line.split() for line in hierarchy.splitlines())
    for number, words in enumerate(lines, 1):
        where = f"{path}: line {number}"
        match words:
            case [] | ["HIERARCHY"]:
                continue
            case ["ROOT" | "JOINT" as kind, *name] if name:
                if (kind == "ROOT") != (not nodes) or (nodes and not opened):
                    raise InputError(f"{where} must have its {kind} within one ROOT")
                named = Node(" ".join(name), opened[-1] if opened else -1)
            case ["End", "Site" | "site"] if opened:
                named = Node(f"{nodes[opened[-1]].name}_end", opened[-1])
            case ["{"] if named is not None and len(nodes) < _MOST_JOINTS:
                opened.append(len(nodes))
                nodes.append(named)
                named = None
            case ["}"] if opened:
                opened.pop()
            case ["OFFSET", x, y, z] if opened:
                nodes[opened[-1]].offset = _three(where, (x, y, z))
            case ["CHANNELS", count, *channels] if opened:
                nodes[opened[-1]].channels = _channels(where, count, channels)
            case _:
                line = " ".join(words)[:40]
                raise InputError(f"{where} must be of a BVH hierarchy", None, line)
    if not nodes or opened or named is not None:
        raise InputError(f"{path}: must hold one whole hierarchy of joints")
    names = [node.name for node in nodes]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: joints must have names of their own; twice: {twice}")
    return nodes


def _three(where: str, words: tuple[str, str, str]) -> tuple[float, float, float]:
    x, y, z = (_float(where, word) for word in words)
    return x, y, z


def _float(where: str, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(where, "must have finite numbers", word)
    return value


def _channels(where: str, count: str, words: Sequence[str]) -> list[str]:
    channels = [word[:1].upper() + word[1:].lower() for word in words]
    known = {f"{axis}{kind}" for axis in _AXES for kind in (_POSITION, _ROTATION)}
    if count != str(len(channels)) or not set(channels) <= known:
        raise InputError(where, "must count and name its channels", " ".join(words))
    return channels


def _heading(path: Path, line: str, word: str) -> float:
    if not line.strip().startswith(word):
        raise InputError(f"{path}: must say {word}")
    return _float(f"{path}: {word}", line.strip().removeprefix(word).strip())


def _values(path: Path, lines: Iterator[str], columns: int) -> np.ndarray:
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = np.array(line.split(), np.float64)
        except ValueError:
            raise InputError(f"{path}: frame {number} must be numbers") from None
        if len(row) != columns:
            raise InputError(
                f"{path}: frame {number} must have the {columns} numbers of all "
                f"channels; it has {len(row)}"
            )
        rows.append(row)
    values = np.stack(rows) if rows else np.empty((0, columns))
    if not np.isfinite(values).all():
        raise InputError(f"{path}: must hold finite numbers")
    return values
