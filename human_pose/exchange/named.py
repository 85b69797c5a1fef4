"""Motion whose joints a file names: what the formats of markers share."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from absl import logging

from human_pose.exchange.recording import Motion
from human_pose.exchange.units import body_boxes, body_scale
from human_pose.files.errors import InputError, one_line
from human_pose.geometry.joint_words import from_names
from human_pose.geometry.known_skeletons import KNOWN
from human_pose.geometry.plausibility import axis_of_bodies
from human_pose.geometry.skeleton import Skeleton

_NECK: Final = "neck"
_SHOULDERS: Final = "thorax"
_NEARLY_ALL: Final = 0.99  # of the frames


def named_motion(
    path: str | os.PathLike[str],
    names: Sequence[str],
    joints: Any,
    *,
    fps: float | None = None,
    frames: Any = None,
    sequence: Any = None,
    units: str | None = None,
    declared: str | None = None,
    up: str = "z",
    parents: Mapping[str, str] | None = None,
    zeros_missing: bool = False,
) -> Motion:
    """The motion of joints by their names, in millimetres and with z up.

    Args:
      path: the file, for messages.
      names: of the J joints, the file's words for them.
      joints: `[F, J, 3]`, as they are in the file, NaN where one is missing.
      fps: frames a second, or None.
      frames: `[F]`, their numbers, or None.
      sequence: `[F]`, equal for the frames of one take, or None.
      units: what the caller says of lengths.
      declared: what the file says of them.
      up: the file's axis that points upwards.
      parents: of joints that the vocabulary does not know, by name; they hang on the
        root where nothing else is said.
      zeros_missing: whether programs write (0, 0, 0) for joints that are missing.

    Raises:
      InputError: naming the file, if it has no joint or frame, one name twice, or its
        units cannot be told.
    """
    try:
        skeleton = _hung(from_names(names), parents or {})
    except ValueError as error:
        raise InputError(f"{path}: {one_line(error)}") from error
    joints = np.asarray(joints, np.float64)
    if not len(joints):
        raise InputError(f"{path}: must hold at least one frame; it holds none")
    if zeros_missing:
        joints = _without_zeros(path, joints)
    scale = body_scale(joints, str(path), units, declared)
    counted = {
        name: values
        for name, values in (("frames", frames), ("sequence", sequence))
        if values is not None
    }
    with np.errstate(over="ignore"):
        joints = joints * scale
    motion = Motion(joints, skeleton, fps, up=up, source=str(path), **counted).z_up
    _tell_lying(motion, up)
    tell_doubtful(motion.source, skeleton)
    return motion


def _without_zeros(path: str | os.PathLike[str], joints: np.ndarray) -> np.ndarray:
    """Joints with NaN for those at the origin, where none is in other frames.

    One that always lies there is where the body's place was taken off, unless the
    others are elsewhere: then it is a marker that was never found.
    """
    zero = (joints == 0).all(axis=-1)
    always = zero.all(axis=0)
    if always.sum() == 1 and _around_origin(np.where(zero[..., None], np.nan, joints)):
        zero = zero & ~always
    if zero.any():
        logging.warning(
            "%s: %d points lie at (0, 0, 0); they are taken for missing",
            path, zero.sum(),
        )  # fmt: skip
    return np.where(zero[..., None], np.nan, joints)


def _around_origin(joints: np.ndarray) -> bool:
    """Whether bodies are never farther from the origin than they are large.

    But for a frame in a hundred, as of detections gone astray.
    """
    low, high = body_boxes(joints)
    if not len(low):
        return True
    gaps = np.linalg.norm(np.maximum(low, 0) + np.minimum(high, 0), axis=-1)
    size = np.median(np.linalg.norm(high - low, axis=-1))
    return bool(np.quantile(gaps, _NEARLY_ALL) <= size)


def tell_gaps(
    path: str | os.PathLike[str], motion: Motion, *, numbered: bool = False
) -> None:
    """Logs that a format cannot hold several takes, and gaps unless it has numbers."""
    if len(np.unique(motion.sequence)) > 1:
        logging.warning("%s: its format has no cuts: several takes follow as one", path)
    elif np.any(np.diff(motion.frames) != 1) and not numbered:
        logging.warning("%s: its format has no gaps: all frames follow as one", path)


def _tell_lying(motion: Motion, up: str) -> None:
    """Logs that people lie, as they do where another axis than was taken points up."""
    if axis_of_bodies(motion.joints_3d_mm, motion.skeleton.names) not in ("", "z"):
        logging.warning(
            "%s: bodies lie or stand on their heads: does its %s-axis point upwards?",
            motion.source, up,
        )  # fmt: skip


def _hung(skeleton: Skeleton, parents: Mapping[str, str]) -> Skeleton:
    """The skeleton with joints that keep their own names on the parents of a file.

    Both are the file's words, some of which mean joints of the vocabulary.
    """
    if not parents:
        return skeleton
    meaning = dict(skeleton.aliases)
    own = {n: meaning.get(p, p) for n, p in parents.items() if n not in meaning}
    tree: dict[str, str | None] = {}
    for name, parent in zip(skeleton.names, skeleton.parents, strict=True):
        tree[name] = own.get(name, skeleton.names[parent] if parent >= 0 else None)
    return Skeleton.grown(tree, aliases=dict(skeleton.aliases), pairs=skeleton.pairs)


def needed_fps(path: str | os.PathLike[str], motion: Motion) -> float:
    """The frame rate, which a format cannot do without.

    Raises:
      InputError: if it is not known.
    """
    if motion.fps is None:
        raise InputError("fps", f"must be given for {path}, whose format needs it")
    return motion.fps


def tell_doubtful(source: str, skeleton: Skeleton) -> None:
    """Logs that a joint's name means another joint in other vocabularies.

    Most detectors call the middle of the shoulders so; with `thorax` beside it, or in
    a known skeleton's order, it is the upper neck.

    Args:
      source: the file, for messages.
      skeleton: of the joints that it names.
    """
    names = skeleton.names
    known = any(names == each.names for each in KNOWN.values())
    if _NECK in names and _SHOULDERS not in names and not known:
        logging.warning(
            "%s: joint %s is taken for the upper neck, below the head; if it is the "
            "middle of the shoulders, its name must be %s",
            source, _NECK, _SHOULDERS,
        )  # fmt: skip
