"""One camera: the image network's pose in each frame, smoothed, with its uncertainty.

The network says how joints lie about the hip; how far the person is follows from the
bones, whose length in all stays what it is in the median of the frames. With a camera
that is not known, and a person whose size is not known, all of it is of an assumed size
(`i1.viewpoint`): shapes and angles are what can be relied on.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from tqdm import tqdm

from human_pose.calibrated import gaps
from human_pose.calibrated.baselines import Method
from human_pose.calibrated.evaluation.detections import images_px
from human_pose.calibrated.evaluation.report import Findings
from human_pose.calibrated.results import (
    POSES,
    VIDEOS,
    WRITTEN,
    withdraw_results,
    write_findings,
)
from human_pose.capture.config import CaptureConfig
from human_pose.capture.detectors import find_image_network
from human_pose.capture.detectors.image_network import FindPoses, covariance_px2
from human_pose.capture.footage import find_cameras, find_videos
from human_pose.capture.overlay import Shown, film, write_overlays
from human_pose.capture.smoothing import smooth
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError
from human_pose.files.extras import needed
from human_pose.geometry.cameras import Camera
from human_pose.geometry.skeletons import IMAGE_16
from human_pose.i1.codec import ENCODING
from human_pose.i1.readout.spread import spread
from human_pose.i1.sample import Sample
from human_pose.i1.viewpoint import FOCAL_OF_SIDE
from human_pose.media.videos import Video, answers, frames_of
from human_pose.runs.folder import RunFolder
from human_pose.runs.lock import locked

# A camera that nothing is known of is level: x to the right, y away, z up.
_LEVEL: Final = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
# How far, as a factor, the distance that bones say may be from what the box says.
_MOST_FACTOR: Final = 3.0
_BISECTIONS: Final = 40
# Who walks has taken a step by then, of which nothing would be seen.
LONGEST_BRIDGED_S: Final = 0.5
# Methods that need several views have nothing to say.
_NONE: Final[Mapping[str, Method]] = MappingProxyType({})
_SIZE: Final = (
    "One camera does not show how large a person is: lengths and distances are those "
    "of an assumed size, which the ellipsoids do not count as an error."
)


class _Read(NamedTuple):
    """What the network says of F frames.

    Attributes:
      joints_mm: `[F, 16, 3]`, camera frame; NaN where nobody is.
      variance: `[F, 16, 3]`, of x, y and z about the hip, mm².
      joints_2d_px: `[F, 16, 2]`.
      confidence: `[F, 16]`.
      covariance_px2: `[F, 16, 2, 2]`.
    """

    joints_mm: np.ndarray
    variance: np.ndarray
    joints_2d_px: np.ndarray
    confidence: np.ndarray
    covariance_px2: np.ndarray


def capture_one(config: CaptureConfig, folder: str | os.PathLike[str]) -> str:
    """Finds one person's motion in one video, and draws it.

    Args:
      config: with one video and the image network; of the rest `cameras`, `units`,
        `frames` and `film` count.
      folder: of the run; it gets the files of `calibrated.run.lift`, and `videos/`.

    Returns:
      What was found, in lines.

    Raises:
      InputError: naming the file or the argument, the rule and what was received.
    """
    folder = Path(folder)
    place = RunFolder(folder)
    place.check_writable()
    place.check_apart((*config.videos, config.cameras), WRITTEN)
    needed("cv2", "videos", "video")
    detector = find_image_network(config.detector)
    (video,) = find_videos(config)
    camera, cautions = _camera(config, video)
    frames = frames_of(video, config.frames)
    with locked(folder, "lifting"), detector.poses_started(_four(camera)) as poses:
        found = _poses(video, frames, poses)
        recording = _recording(video, frames, found, camera)
        result = _smoothed(found, video.times_s[frames.start : frames.stop], recording)
        findings = Findings(
            result,
            recording,
            people=1,
            cautions=[*cautions, *_uneven(video, frames), _SIZE],
            made=f"- Network: {detector.checkpoint.name}, {detector.version}",
        )
        films = {video.name: film(video.name, video)}
        withdraw_results(folder)
        report = write_findings(
            folder, findings, film=config.film, films=films, baselines=_NONE
        )
        write_overlays(folder, result, recording, [Shown(video, np.array(frames))])
    lines = (f"poses: {folder / POSES}", f"report: {report}")
    return "\n".join((*lines, f"videos: {folder / VIDEOS}"))


def _camera(config: CaptureConfig, video: Video) -> tuple[Camera, list[str]]:
    """The video's camera, or one as Human3.6M's, and what is to be said of it."""
    if config.cameras is None:
        if config.up is not None:
            raise InputError("up", "is of a calibration's world, and none is given")
        size = video.width_px, video.height_px
        focal = FOCAL_OF_SIDE * max(size)
        camera = Camera(
            _LEVEL,
            np.zeros(3),
            np.full(2, focal),
            np.array(size) / 2,
            size_px=size,
            name=video.name,
        )
        return camera, [f"The camera is assumed: level, focal length {focal:.0f} px."]
    (camera,) = find_cameras(config, [video])
    if not any(camera.distortion):
        return camera, []
    return camera, ["The network knows no lens: the camera's distortion is left out."]


def _uneven(video: Video, frames: range) -> list[str]:
    """What is to be said where numbers of frames and the rate do not give the times."""
    times = video.times_s[frames.start : frames.stop]
    if video.fps is None:
        return []
    off = np.ptp(times - np.arange(len(times)) / video.fps)
    if off <= 1 / video.fps:
        return []
    return [
        f"Frames are not evenly spaced: by their numbers and {video.fps:.2f} frames a "
        f"second, as in the files of results, times are off by up to {off:.2f} s."
    ]


def _four(camera: Camera) -> tuple[float, float, float, float]:
    (fx, fy), (cx, cy) = camera.focal_px.tolist(), camera.centre_px.tolist()
    return fx, fy, cx, cy


def _poses(video: Video, frames: range, find: FindPoses) -> _Read:
    """The network's answers; of frames that cannot be decoded there are none.

    Raises:
      InputError: if it finds nobody at all.
    """
    shape = (len(frames), len(IMAGE_16))
    read = _Read(
        joints_mm=np.full((*shape, 3), np.nan),
        variance=np.full((*shape, 3), np.nan),
        joints_2d_px=np.full((*shape, 2), np.nan),
        confidence=np.zeros(shape),
        covariance_px2=np.full((*shape, 2, 2), np.nan),
    )
    label = "finding poses"
    with tqdm(total=len(frames), unit=" frames", desc=label, disable=None) as bar:
        for number, sample in answers(find, video, frames):
            bar.update()
            if sample is not None:
                _keep(read, number - frames.start, sample)
    if not read.confidence.any():
        raise InputError(f"{video.path}: nobody was found in it")
    return read


def _keep(read: _Read, row: int, sample: Sample) -> None:
    """Keeps what a sample says of the frame of a row."""
    seen = spread(sample.heatmap2)
    read.joints_mm[row] = sample.joints_3d_mm
    read.joints_2d_px[row] = sample.joints_2d_px
    read.confidence[row] = seen.confidence
    read.covariance_px2[row] = covariance_px2(seen, sample.box)
    # Across the picture as far away as the joint, along it of the range of depths.
    plane = np.diagonal(read.covariance_px2[row], axis1=-2, axis2=-1)
    away = sample.joints_3d_mm[:, 2:] / np.array(sample.camera[:2])
    read.variance[row, :, :2] = plane * away**2
    read.variance[row, :, 2] = seen.covariance[:, 2, 2] * ENCODING.extent_mm**2


def _smoothed(found: _Read, times_s: np.ndarray, recording: Recording) -> Poses:
    """The poses over time: about the hip, and the hip across and along the view."""
    joints = of_even_size(found.joints_mm)
    frames, count, _ = joints.shape
    about = (joints[:, 1:] - joints[:, :1]).reshape(frames, -1)
    relative = smooth(about, found.variance[:, 1:].reshape(about.shape), times_s)
    across = smooth(joints[:, 0, :2], found.variance[:, 0, :2], times_s)
    along = smooth(joints[:, 0, 2:], found.variance[:, 0, 2:], times_s)
    hip = np.concatenate([across.position, along.position], axis=-1)[:, None]
    moved = relative.position.reshape(frames, count - 1, 3)
    variance = np.zeros_like(joints)
    variance[:, 1:] = relative.variance.reshape(moved.shape)
    variance += np.concatenate([across.variance, along.variance], axis=-1)[:, None]
    placed = np.concatenate([hip, hip + moved], axis=1)
    lost = ~bridged(np.isfinite(joints).all(axis=(1, 2)), times_s)
    placed[lost], variance[lost] = np.nan, np.nan
    return _in_world(placed, variance, recording)


def bridged(seen: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Frames, bool `[F]`, that show somebody or are in a short gap between such.

    Smoothing goes on for ever where nobody is seen: straight ahead, out of the room.

    Args:
      seen: bool `[F]`, whether a frame shows somebody.
      times_s: float64 `[F]`, ascending.
    """
    before, after = gaps.nearest_seen(seen, np.arange(len(seen)) > 0)
    gap = times_s[after] - times_s[before]
    return np.asarray((before >= 0) & (after >= 0) & (gap <= LONGEST_BRIDGED_S))


def of_even_size(joints_mm: np.ndarray) -> np.ndarray:
    """Poses moved along their rays, until their bones are in all as long as usual.

    Depths about the hip stay. Where they are right, this puts the hip where it is, but
    for one factor of the whole take.

    Args:
      joints_mm: float64 `[F, 16, 3]`, camera frame; NaN where nobody is.
    """
    depth = joints_mm[:, :1, 2:]
    rays = joints_mm / joints_mm[..., 2:]
    beside = joints_mm[..., 2:] - depth
    ends = np.array(IMAGE_16.limbs).T

    def length(hip: np.ndarray) -> np.ndarray:
        placed = rays * (hip + beside)
        bones = placed[:, ends[0]] - placed[:, ends[1]]
        total = np.linalg.norm(bones, axis=-1).sum(axis=-1)
        return np.asarray(total[:, None, None])

    usual = np.nanmedian(length(depth))
    near, far = depth / _MOST_FACTOR, depth * _MOST_FACTOR
    for _ in range(_BISECTIONS):
        middle = np.sqrt(near * far)
        short = length(middle) < usual
        near, far = np.where(short, middle, near), np.where(short, far, middle)
    return np.asarray(rays * (np.sqrt(near * far) + beside))


def _in_world(
    joints_mm: np.ndarray, variance: np.ndarray, recording: Recording
) -> Poses:
    """Poses of the camera's frame in its world."""
    (camera,) = recording.cameras
    turn = camera.rotation
    frames, count, _ = joints_mm.shape
    poses = Poses(
        (joints_mm - camera.translation_mm) @ turn,
        np.einsum("ca,fjc,cb->fjab", turn, variance, turn),
        np.full((frames, 1, count), np.nan),
        recording.seen[:, :, 0],
        np.zeros((frames, 1, 0), bool),
        IMAGE_16,
        recording.view_names,
        (),
        recording.fps,
        recording.frames,
        recording.sequence,
        source=recording.source,
    )
    off = images_px(poses, recording) - recording.joints_2d_px[:, :, 0]
    return dataclasses.replace(poses, reprojection_px=np.linalg.norm(off, axis=-1))


def _recording(video: Video, frames: range, found: _Read, camera: Camera) -> Recording:
    """The network's detections, for the report and the pictures."""
    return Recording(
        found.joints_2d_px[:, None, None],
        found.confidence[:, None, None],
        IMAGE_16,
        (video.name,),
        video.fps,
        np.array(frames),
        covariance_px2=found.covariance_px2[:, None, None],
        cameras=(camera,),
        source=str(video.path),
    )
