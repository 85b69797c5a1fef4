"""Motion in ASF and AMC, Acclaim's skeletons and motion, as CMU's database has them.

Each bone of the skeleton has a direction, a length and the axes of its own frame C; its
motion M turns it by C M C⁻¹ within its parent's frame. Angles "XYZ" turn about X first:
R = Z Y X. Lengths are in inches times the number that the file calls `length`. See
M. Schafer, "ASF/AMC File Specifications", University of Wisconsin, and CMU's own notes.
No library that is kept reads these.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.exchange.format import Format
from human_pose.exchange.named import named_motion
from human_pose.exchange.recording import Motion
from human_pose.exchange.sources import head
from human_pose.files.arrays import MOST_BYTES
from human_pose.files.errors import InputError
from human_pose.files.paths import read_text
from human_pose.geometry import rotations

_INCH: Final = 25.4
# CMU's, which its files do not say.
_FPS: Final = 120.0
# Letters among which an AMC file says how it counts angles.
_BEGINNING: Final = 4096
_ROOT: Final = "root"
_PLACE: Final = ("TX", "TY", "TZ")
# The ends of CMU's bones in the vocabulary's words; others keep their own.
_WORDS: Final[Mapping[str, str]] = {
    "upperback": "spine", "thorax": "thorax", "upperneck": "neck", "head": "head_top",
    **{
        f"{side[0]}{word}": f"{side}_{joint}"
        for side in ("right", "left")
        for word, joint in (
            ("hipjoint", "hip"), ("femur", "knee"), ("tibia", "ankle"),
            ("toes", "big_toe"), ("clavicle", "shoulder"), ("humerus", "elbow"),
            ("radius", "wrist"),
        )
    },
}  # fmt: skip
_ANGLES_RAD: Final[Mapping[str, float]] = {":DEGREES": np.pi / 180, ":RADIANS": 1.0}
_HIPS: Final = ("left_hip", "right_hip")


@dataclass
class _Bone:
    """A bone; of the root, which has none, the length is 0."""

    name: str
    axis: np.ndarray = field(default_factory=lambda: np.zeros(3))
    axis_order: str = "XYZ"
    direction: np.ndarray | None = None
    length: float | None = None
    channels: tuple[str, ...] = ()
    parent: str = ""


@dataclass(frozen=True)
class _Skeleton:
    bones: Mapping[str, _Bone]  # parents first
    unit_mm: float
    angle_rad: float  # of its own angles, and of a motion that does not say its


def read_amc(
    path: str | os.PathLike[str],
    units: str | None = None,
    skeleton: str | os.PathLike[str] | None = None,
    fps: float = _FPS,
) -> Motion:
    """Reads an AMC file.

    Args:
      path: the file.
      units: of the skeleton's lengths; default: inches times its `length`.
      skeleton: the ASF file; default: the one beside it whose name begins the motion's
        (`01.asf` for `01_14.amc`), or the only one there.
      fps: frames a second, which the format does not say; default: CMU's.

    Returns:
      The motion in a world whose z points upwards.

    Raises:
      InputError: naming the file and the rule, if one is no such file.
    """
    path = Path(path)
    asf = Path(skeleton) if skeleton is not None else _beside(path)
    tree = _read_skeleton(asf)
    motion, angle_rad = _read_motion(path, tree)
    names, joints = _joints(tree, motion, angle_rad)
    parents = {
        name: _WORDS.get(bone.parent, bone.parent)
        for name, bone in tree.bones.items()
        if name not in _WORDS and bone.parent
    }
    scale = 1.0 if units is not None else tree.unit_mm
    return named_motion(
        path,
        names,
        joints * scale,
        fps=fps,
        frames=motion["frame"],
        units=units,
        declared="mm",
        up="y",
        parents=parents,
    )


def is_amc(path: str | os.PathLike[str]) -> bool:
    """Whether a file is an AMC file."""
    words = head(path)[:_BEGINNING].upper().split()
    return ":FULLY-SPECIFIED" in words or any(word in words for word in _ANGLES_RAD)


def _beside(path: Path) -> Path:
    """The skeleton of a motion."""
    found = sorted(path.parent.glob("*.asf")) if path.parent.is_dir() else []
    # Not 10.asf of 102_01.amc, who is another person.
    begin = [
        each
        for each in found
        if path.stem.startswith(each.stem)
        and not path.stem[len(each.stem) :][:1].isalnum()
    ]
    if begin:
        return max(begin, key=lambda each: len(each.stem))
    if len(found) != 1:
        raise InputError(
            f"{path}: must have its skeleton, an .asf file whose name begins its own, "
            f"beside it; there are {len(found)} others"
        )
    return found[0]


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Where each line stands, and its words, without comments."""
    for number, line in enumerate(read_text(path, MOST_BYTES).splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            yield f"{path}: line {number}", words


def _numbers(where: str, words: Sequence[str], count: int) -> np.ndarray:
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.array([np.nan])
    if len(values) != count or not np.isfinite(values).all():
        raise InputError(where, f"must have {count} finite numbers", " ".join(words))
    return values


def _turn(angles: np.ndarray, order: str) -> np.ndarray:
    """Turns about the letters' axes, the first one first."""
    return rotations.from_euler(angles[..., ::-1], order[::-1])


def _read_skeleton(path: Path) -> _Skeleton:
    bones = {
        _ROOT: _Bone(
            _ROOT,
            direction=np.zeros(3),
            length=0.0,
            channels=(*_PLACE, "RX", "RY", "RZ"),
        )
    }
    units: dict[str, str] = {}
    section, bone = "", bones[_ROOT]
    for where, words in _lines(path):
        key, rest = words[0].lower(), words[1:]
        if key.startswith(":"):
            section = key
            bone = bones[_ROOT] if section == ":root" else _Bone("")
        elif section == ":units":
            units[key] = " ".join(rest)
        elif section == ":hierarchy" and key not in ("begin", "end"):
            _hang(where, bones, words)
        elif section == ":bonedata" and key == "end":
            if not bone.name or bone.name in bones:
                raise InputError(
                    where, "must end a bone of a name of its own", bone.name
                )
            if bone.direction is None or bone.length is None:
                raise InputError(where, "must end a bone of a direction and a length")
            bones[bone.name] = bone
        elif section in (":root", ":bonedata"):
            bone = _Bone("") if key == "begin" else bone
            _set(where, bone, key, rest)
    if len(bones) == 1 or "length" not in units:
        raise InputError(f"{path}: must hold the units and bones of an ASF skeleton")
    length = _numbers(f"{path}: length", [units["length"]], 1)[0]
    if not length > 0:
        raise InputError(f"{path}: length", "must be positive", float(length))
    radians = units.get("angle", "deg").startswith("rad")
    angle = _ANGLES_RAD[":RADIANS" if radians else ":DEGREES"]
    return _Skeleton(_ordered(path, bones), _INCH / length, angle)


def _set(where: str, bone: _Bone, key: str, rest: Sequence[str]) -> None:
    """Takes one line of a bone."""
    if key == "name" and rest:
        bone.name = rest[0]
    elif key == "direction":
        bone.direction = _numbers(where, rest, 3)
    elif key == "length":
        bone.length = _numbers(where, rest, 1)[0]
    elif key in ("axis", "orientation") and rest:
        # The root's axis is its order alone; its angles are the orientation.
        if rest[-1].isalpha():
            *rest, order = rest
            if not set(order.upper()) <= set("XYZ") or len(order) != 3:
                raise InputError(where, "must name three axes", order)
            bone.axis_order = order.upper()
        if rest:
            bone.axis = _numbers(where, rest, 3)
    elif key in ("dof", "order"):
        bone.channels = tuple(word.upper() for word in rest)


def _hang(where: str, bones: Mapping[str, _Bone], words: Sequence[str]) -> None:
    for word in words:
        if word not in bones:
            raise InputError(where, "must name bones", word)
    for word in words[1:]:
        if word == _ROOT or bones[word].parent:
            raise InputError(where, "must hang every bone on the root once", word)
        bones[word].parent = words[0]


def _ordered(path: Path, bones: Mapping[str, _Bone]) -> Mapping[str, _Bone]:
    """The bones, parents first."""
    order = [_ROOT]
    for name in order:
        order += [n for n, bone in bones.items() if bone.parent == name and n != _ROOT]
        if len(order) > len(bones):
            break
    if len(order) != len(bones):
        raise InputError(f"{path}: must hang every bone on the root once")
    return {name: bones[name] for name in order}


def _read_motion(
    path: Path, skeleton: _Skeleton
) -> tuple[dict[str, np.ndarray], float]:
    """Of each bone its channels `[F, C]`, and the numbers of the frames as "frame".

    Besides, how many radians an angle of them has.
    """
    angle_rad = skeleton.angle_rad
    frames: list[int] = []
    rows: dict[str, list[np.ndarray]] = {
        name: [] for name, bone in skeleton.bones.items() if bone.channels
    }
    for where, words in _lines(path):
        name, rest = words[0], words[1:]
        if name.startswith(":"):
            angle_rad = _ANGLES_RAD.get(name.upper(), angle_rad)
        elif name.isdecimal() and not rest:
            frames.append(int(name[:18]))
        elif frames and name in rows and len(rows[name]) == len(frames) - 1:
            count = len(skeleton.bones[name].channels)
            rows[name].append(_numbers(where, rest, count))
        else:
            raise InputError(where, "must be of a bone, once in each frame", name)
    lost = [name for name, row in rows.items() if len(row) != len(frames)]
    if not frames or lost:
        raise InputError(
            f"{path}: must hold frames with all bones; {lost[:3]} are not in all"
        )
    motion = {name: np.stack(row) for name, row in rows.items()}
    return {"frame": np.array(frames), **motion}, angle_rad


def _joints(
    skeleton: _Skeleton, motion: Mapping[str, np.ndarray], angle_rad: float
) -> tuple[list[str], np.ndarray]:
    """The ends of the bones, `[F, J, 3]`, in the file's units, and their names."""
    frames = len(motion["frame"])
    eye = np.broadcast_to(np.eye(3), (frames, 3, 3))
    ends: dict[str, np.ndarray] = {"": np.zeros((frames, 3))}
    turns: dict[str, np.ndarray] = {"": eye}
    for name, bone in skeleton.bones.items():
        place, turn = np.zeros((frames, 3)), eye
        if bone.channels:
            place, turn = _moved(bone, motion[name], angle_rad)
        axis = _turn(bone.axis * skeleton.angle_rad, bone.axis_order)
        own = axis @ turn @ axis.T
        turns[name] = turns[bone.parent] @ own
        assert bone.direction is not None and bone.length is not None
        way = bone.direction * bone.length
        ends[name] = ends[bone.parent] + place + turns[name] @ way
    joints = {_WORDS.get(name, name): end for name, end in ends.items() if name}
    if set(_HIPS) <= set(joints):
        joints["pelvis"] = (joints[_HIPS[0]] + joints[_HIPS[1]]) / 2
    return list(joints), np.stack(list(joints.values()), axis=1)


def _moved(
    bone: _Bone, values: np.ndarray, angle_rad: float
) -> tuple[np.ndarray, np.ndarray]:
    """A bone's shift `[F, 3]` and turn `[F, 3, 3]` by its channels."""
    place = np.zeros((len(values), 3))
    order, angles = "", []
    for channel, series in zip(bone.channels, values.T, strict=True):
        if channel in _PLACE:
            place[:, _PLACE.index(channel)] = series
        elif len(channel) == 2 and channel[0] == "R" and channel[1] in "XYZ":
            order += channel[1]
            angles.append(series * angle_rad)
    if not order:
        return place, np.broadcast_to(np.eye(3), (len(values), 3, 3))
    return place, _turn(np.stack(angles, axis=-1), order)


FORMATS: Final = (
    Format(
        "amc",
        "motion",
        "Acclaim's AMC with its ASF",
        (),
        is_amc,
        read_amc,
        options=("fps",),
    ),
)
