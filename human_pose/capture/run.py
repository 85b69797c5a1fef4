"""From videos to results: detections, common time, cameras, the calibrated lifter."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from absl import logging

from human_pose.calibrated.config import RecordingConfig
from human_pose.calibrated.evaluation.matching import in_skeleton
from human_pose.calibrated.people import tell_apart
from human_pose.calibrated.results import CAMERAS, VIDEOS, WRITTEN, Beside
from human_pose.calibrated.run import Done, lift_people, lifter_for, read, read_truth
from human_pose.capture import synchronise
from human_pose.capture.config import CaptureConfig, DetectorConfig
from human_pose.capture.detecting import detect_videos
from human_pose.capture.detectors import find_detector
from human_pose.capture.footage import find_cameras, find_videos
from human_pose.capture.overlay import Shown, film, write_overlays
from human_pose.capture.refine import refine_cameras
from human_pose.capture.timing import resample, shown_frames, time_base
from human_pose.capture.views import View
from human_pose.exchange import formats, pose2sim
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError
from human_pose.files.extras import needed
from human_pose.geometry.cameras import Camera
from human_pose.geometry.joint_words import from_names
from human_pose.media.videos import Video
from human_pose.runs.folder import RunFolder
from human_pose.runs.lock import locked

# Joints that are left to files of detections.
_FINE: Final = re.compile("inner|outer|mouth|pinky|index|thumb|finger|hand|face")
# Of a project's detections, whose frames are the videos'; others are synchronised.
_AS_DETECTED: Final = "pose"
# Of detections of videos whose folders cannot be written to.
_SPARE: Final = "detections"


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the views show, on one time base.

    Attributes:
      recording: the detections, with cameras.
      shown: the views' videos beside them.
      made: lines about how it was made.
      refined: whether the cameras are no longer the calibration's.
    """

    recording: Recording
    shown: Sequence[Shown]
    made: Sequence[str]
    refined: bool = False


def capture(config: CaptureConfig, folder: str | os.PathLike[str]) -> str:
    """Finds people in videos, lifts them to 3D, and draws them.

    Results are those of `calibrated.run.lift`, and `videos/` with the views. Detections
    stay beside the videos, so that an ended run goes on where it was.

    Args:
      config: what is captured.
      folder: of the run.

    Returns:
      What was found, in lines.

    Raises:
      InputError: naming the file or the argument, the rule and what was received.
    """
    folder = Path(folder)
    place = RunFolder(folder)
    place.check_writable()
    place.check_apart(_inputs(config), WRITTEN)
    # Asked for at the end, and better missed at once.
    needed("cv2", "videos", "video")
    with locked(folder, "lifting"):
        # Both are read again once it is known what is seen, after hours of detecting.
        read_truth(config.truth, config.units)
        lifter_for(None, config.prior, config.checkpoint, config.lifter)
        seen = _seen(config, folder)
        if config.refine_cameras:
            seen = _refined(seen)
        truth = read_truth(config.truth, config.units, seen.recording.fps)
        lifter = lifter_for(
            seen.recording.skeleton, config.prior, config.checkpoint, config.lifter
        )
        names = seen.recording.view_names
        done = lift_people(
            seen.recording,
            folder,
            lifter,
            person=config.person,
            truth=truth,
            film=config.film,
            beside=Beside(
                "\n".join(f"- {line}" for line in seen.made),
                {
                    name: film(name, each.video)
                    for name, each in zip(names, seen.shown, strict=True)
                },
            ),
            meanwhile=lambda each: _write_beside(seen, each, folder),
        )
    return "\n".join(
        line
        for each in done
        for line in (*each.lines, f"videos: {each.folder / VIDEOS}")
    )


def _inputs(config: CaptureConfig) -> list[Path | None]:
    """What is read of the user's."""
    project = config.project
    videos = None if project is None else pose2sim.videos_folder(project)
    return [*config.videos, project, videos, config.cameras, config.truth]


def _seen(config: CaptureConfig, folder: Path) -> _Seen:
    videos = find_videos(config)
    cameras = find_cameras(config, videos)
    project = config.project
    if project is not None and not config.redo and pose2sim.recognises(project):
        return _given(config, project, videos)
    chosen = config.frames
    if chosen is None and project is not None:
        chosen = pose2sim.frame_range(project)
    # Before hours of detection.
    synchronise.check_offsets([video.name for video in videos], config.offsets_frames)
    detector = find_detector(config.detector)
    found = detect_videos(
        videos, detector, chosen=chosen, redo=config.redo, spare=folder / _SPARE
    )
    _check_people(found)
    clocks = _clocks(config, found, cameras)
    offsets = clocks.offsets_s.tolist()
    base = time_base(found, offsets)
    recording = _body(
        resample(found, offsets, cameras=cameras, source=str(videos[0].path.parent))
    )
    shown = []
    for video, view, offset in zip(videos, found, offsets, strict=True):
        rows = shown_frames(view, offset, base)
        shown.append(Shown(video, np.where(rows < 0, -1, rows + view.first)))
    made = [
        f"Detector: {detector.name}, {detector.version}",
        *(_described(video) for video in videos),
    ]
    if config.sync != "none":
        made += [f"Clock of {line}" for line in clocks.lines]
    return _Seen(recording, shown, made)


def _refined(seen: _Seen) -> _Seen:
    """With the cameras where the motion says that they are, if that is worth it."""
    found = refine_cameras(tell_apart(seen.recording).recordings)
    lines = list(found.lines)
    if kept := found.cause == "nothing":
        lines.append("the calibration stands, and results are by it")
    for line in lines:
        print(f"cameras: {line}")
    cameras = seen.recording.cameras if kept else found.cameras
    return _Seen(
        seen.recording.replace(cameras=cameras),
        seen.shown,
        [*seen.made, *(f"Refined cameras: {line}" for line in lines)],
        refined=not kept,
    )


def _write_beside(seen: _Seen, done: Done, folder: Path) -> None:
    """Writes what a person's results have beside those of a recording."""
    if seen.refined and done.folder == folder:
        formats.write(folder / CAMERAS, seen.recording.cameras)
    write_overlays(done.folder, done.poses, done.recording, seen.shown)


def _given(config: CaptureConfig, project: Path, videos: Sequence[Video]) -> _Seen:
    """What a project's own detections show."""
    rule = "needs the videos' detections made here: `redo` makes them"
    if config.sync != "none":
        raise InputError("sync", rule)
    if config.detector != DetectorConfig():
        raise InputError("detector", rule, config.detector.name)
    recording = read(
        RecordingConfig(
            path=project,
            cameras=config.cameras,
            frames=config.frames,
            units=config.units,
            up=config.up,
        )
    )
    by_name = {video.name: video for video in videos}
    shown = []
    for name in recording.view_names:
        if name not in by_name:
            raise InputError(
                f"{project}: no video is of view {name}; videos: {', '.join(by_name)}"
            )
        inside = recording.frames < len(by_name[name])
        shown.append(Shown(by_name[name], np.where(inside, recording.frames, -1)))
    folder = Path(recording.source).name
    made = f"Detections: those of the project, in `{folder}/`"
    if folder != _AS_DETECTED:
        made += "; their frames may have been moved, those of the videos were not"
    return _Seen(recording, shown, [made])


def _clocks(
    config: CaptureConfig, views: Sequence[View], cameras: Sequence[Camera]
) -> synchronise.Synchronisation:
    """How the views' clocks stand to each other."""
    if config.sync == "motion":
        clocks = synchronise.by_motion(views, cameras)
    else:
        clocks = synchronise.given(views, frames=config.offsets_frames)
    for line in clocks.lines if config.sync != "none" else ():
        print(f"clock of {line}")
    return clocks


def _check_people(views: Sequence[View]) -> None:
    """Refuses videos without anybody, and names those among others."""
    empty = [view.name for view in views if not view.seen.any()]
    if len(empty) == len(views):
        raise InputError(f"videos: nobody was found in any of {', '.join(empty)}")
    for name in empty:
        logging.warning("view %s: nobody was found in its video", name)


def _body(recording: Recording) -> Recording:
    """The recording without joints of faces and hands, of which no prior knows more."""
    names = [name for name in recording.skeleton.names if not _FINE.search(name)]
    return in_skeleton(recording, from_names(names))


def _described(video: Video) -> str:
    rate = "" if video.fps is None else f", {video.fps:.2f} frames a second"
    turned = f", turned by {video.rotation_deg}°" if video.rotation_deg else ""
    size = f"{video.width_px} x {video.height_px} px"
    return f"View {video.name}: {len(video)} frames{rate}, {size}{turned}"
