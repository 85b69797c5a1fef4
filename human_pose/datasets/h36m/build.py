"""From the unpacked Human3.6M files to pose files.

The raw files are those of Martinez et al., "A simple yet effective baseline for 3d
human pose estimation" (ICCV 2017): 3D positions of 32 joints, and 2D detections of 16
joints by a stacked hourglass network in each of four views.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.datasets.disk import require_free_space
from human_pose.datasets.h36m.names import CAMERAS_FILE, Recording, recordings
from human_pose.datasets.pose_files import (
    PoseSet,
    action_file_names,
    concatenate,
    join_pose_files,
    write_pose_file,
)
from human_pose.datasets.protocol import TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.files.errors import InputError
from human_pose.files.h5 import read_h5
from human_pose.geometry.skeleton import convert
from human_pose.geometry.skeletons import LIFTER_17, RECORDED_32, VIEWS

_RAW_JOINTS: Final = len(RECORDED_32)
_DETECTED_JOINTS: Final = 16

# The joint of our skeleton that each of the detector's 16 is; 9 is not among them.
_JOINT_OF_DETECTION: Final = [3, 2, 1, 4, 5, 6, 0, 7, 8, 10, 16, 15, 14, 11, 12, 13]


@dataclass(frozen=True)
class _Target:
    """A pose file to make: its path, its recordings and the raw files they need."""

    path: Path
    recordings: tuple[Recording, ...]
    sources: tuple[Path, ...]


def build_pose_files(
    raw: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    partial: bool,
    report: Callable[[str], None],
) -> None:
    """Makes training/, testing/, train_sh.h5 and test_sh.h5 from unpacked files.

    Pose files newer than all they are made from are kept, so an interrupted call is
    resumed by the next. A raw file counts as of when it came there, if it brought an
    earlier time along.

    Args:
      raw: folder of `cameras.h5`, `S1/MyPoses/3D_positions/`, ... under uniform names.
      folder: where to.
      partial: leave out recordings that lack a file, instead of refusing to go on.
      report: called with a line of progress per file.

    Raises:
      InputError: if files are missing (with `partial`: if no recording is whole), a raw
        file is damaged or of another shape, or the disk is full.
    """
    raw, folder = Path(raw), Path(folder)
    available = _available(raw, partial=partial, report=report)
    for name, subjects in (("train", TRAIN_SUBJECTS), ("test", TEST_SUBJECTS)):
        chosen = [r for r in available if r.subject in subjects]
        if not chosen:
            continue
        targets = _targets(raw, folder / f"{name}ing", chosen)
        stale = [t for t in targets if not _is_newer(t.path, t.sources)]
        _require_room(folder, stale)
        for target in stale:
            report(f"writing {target.path}")
            poses = [read_recording(raw, recording) for recording in target.recordings]
            write_pose_file(target.path, concatenate(poses))
        parts = [target.path for target in targets]
        whole = folder / f"{name}_sh.h5"
        if not _is_newer(whole, parts):
            report(f"writing {whole}")
            join_pose_files(whole, parts)


def read_recording(raw: str | os.PathLike[str], recording: Recording) -> PoseSet:
    """Reads one recording's raw files.

    Raises:
      InputError: if one is missing, damaged or of another shape, or they do not have
        equally many frames.
    """
    raw = Path(raw)
    joints_3d_mm = _read_positions(raw / recording.positions.uniform)
    frames = len(joints_3d_mm)
    joints_2d_px = np.zeros((frames, VIEWS, len(LIFTER_17), 2))
    for view, file in enumerate(recording.detections):
        path = raw / file.uniform
        detections_px = read_h5(path, {"poses": ("T", _DETECTED_JOINTS, 2)})["poses"]
        if len(detections_px) != frames:
            raise InputError(
                f"{path}: must have the {frames} frames of "
                f"{recording.positions.uniform}; it has {len(detections_px)}"
            )
        joints_2d_px[:, view, _JOINT_OF_DETECTION] = detections_px
    rotations = read_rotations(raw / CAMERAS_FILE, recording.subject)
    return PoseSet(
        joints_2d_px, joints_3d_mm, np.broadcast_to(rotations, (frames, VIEWS, 3, 3))
    )


def read_rotations(path: str | os.PathLike[str], subject: int) -> np.ndarray:
    """A subject's world-to-camera rotations, in the order of the views.

    Args:
      path: the archive's `cameras.h5`.
      subject: whose.

    Returns:
      float64 `[4, 3, 3]`.

    Raises:
      InputError: naming the file, if it is missing, damaged or without them.
    """
    names = [f"subject{subject}/camera{view}/R" for view in range(1, VIEWS + 1)]
    stored = read_h5(path, {name: (3, 3) for name in names})
    # The file holds them transposed.
    return np.stack([stored[name].T for name in names])


def _read_positions(path: Path) -> np.ndarray:
    """The 3D positions `[T, 17, 3]`, mm."""
    positions = read_h5(path, {"3D_positions": (3 * _RAW_JOINTS, "T")})["3D_positions"]
    if not positions.size:
        raise InputError(f"{path}: must hold at least one frame; received none")
    joints = positions.T.reshape(-1, _RAW_JOINTS, 3)
    return convert(joints, RECORDED_32, LIFTER_17).astype(np.float64)


def _available(
    raw: Path, *, partial: bool, report: Callable[[str], None]
) -> list[Recording]:
    """The recordings whose files are all there."""
    wanted = list(recordings(TRAIN_SUBJECTS + TEST_SUBJECTS))
    lacking = {
        recording: [
            f.uniform for f in recording.files if not (raw / f.uniform).exists()
        ]
        for recording in wanted
    }
    missing = [name for names in lacking.values() for name in names]
    if not missing:
        return wanted
    total = sum(len(recording.files) for recording in wanted)
    summary = f"{raw}: lacks {len(missing)} of {total} files, the first {missing[0]}"
    whole = [recording for recording in wanted if not lacking[recording]]
    if not partial or not whole:
        raise InputError(summary)
    report(f"{summary}; building {len(whole)} of {len(wanted)} recordings")
    for recording, names in lacking.items():
        if names:
            report(f"left out: {recording}")
    return whole


def _targets(raw: Path, folder: Path, chosen: Sequence[Recording]) -> list[_Target]:
    targets = []
    for (action, take), group in groupby(chosen, lambda r: (r.action, r.take)):
        members = tuple(group)
        names = [file.uniform for member in members for file in member.files]
        targets.append(
            _Target(
                folder / action_file_names(action)[take],
                members,
                tuple(raw / name for name in (CAMERAS_FILE, *names)),
            )
        )
    return targets


def _is_newer(path: Path, sources: Iterable[Path]) -> bool:
    """Whether a file exists and nothing that it is made from has changed since.

    What is unpacked or moved into its place later may bear the time of long ago, but
    nobody can set the time of its last change of state.
    """
    if not path.exists():
        return False
    made_ns = path.stat().st_mtime_ns
    held = (source.stat() for source in sources)
    return all(max(s.st_mtime_ns, s.st_ctime_ns) <= made_ns for s in held)


def _require_room(folder: Path, stale: Sequence[_Target]) -> None:
    # A frame takes about as many bytes in a pose file as in the raw files, and is
    # written twice: in its action's file and in the whole set's.
    folder.mkdir(parents=True, exist_ok=True)
    raw_bytes = sum(source.stat().st_size for t in stale for source in t.sources)
    require_free_space(folder, 2 * raw_bytes, "build the pose files")
