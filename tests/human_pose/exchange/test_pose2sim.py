"""Pose2Sim's projects, made up and real."""

import sys
from dataclasses import replace

import made_up_detections as made_up
import made_up_videos
import numpy as np
import pytest

from human_pose.exchange import formats, pose2sim, table
from human_pose.files.errors import InputError
from human_pose.geometry import known_skeletons as known
from human_pose.geometry.cameras import Camera

BARE = Camera(np.eye(3), [0, 0, 4000], [1000, 1000], [500, 500])
CAMERA = """
[{section}]
name = "{name}"
size = [1080.0, 1920.0]
matrix = [[1600.0, 0.0, 540.0], [0.0, 1600.0, 960.0], [0.0, 0.0, 1.0]]
distortions = [0.0, 0.0, 0.0, 0.0]
rotation = [0.0, 0.0, {turn}]
translation = [{n}.0, 0.0, 4.0]
fisheye = false
"""


@pytest.fixture
def warned(monkeypatch):
    from absl import logging

    lines = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *args: lines.append(text % args)
    )
    return lines


def write_trial(folder, detections="pose", joints=26, at=100.0, config="[project]"):
    """A trial of four frames in two views."""
    for view in ("left", "right"):
        made_up.write_openpose(
            folder / detections / f"{view}_json",
            {f"{view}_{n:06d}.json": [made_up.person(joints, at)] for n in range(4)},
        )
    (folder / "Config.toml").write_text(config)
    return folder


def write_calibration(folder, names):
    folder.mkdir(parents=True)
    text = "".join(
        CAMERA.format(section=f"int_{n}", name=name, n=n, turn=n / 10)
        for n, name in enumerate(names)
    )
    (folder / "Calib_scene.toml").write_text(f"{text}[metadata]\nadjusted = false\n")


def test_a_trial_below_a_session(tmp_path, warned):
    """Settings come from above unless the trial has them; the calibration is above."""
    (tmp_path / "Config.toml").write_text(
        "[project]\nframe_rate = 120\nframe_range = [1, 3]\n[pose]\npose_model = 'Body'"
    )
    config = "[project]\nframe_range = [0, 3]\n[pose]\npose_model = 'Body_with_feet'"
    trial = write_trial(tmp_path / "trial", config=config)
    # Rigs are written in any order, and may have a camera that nobody used.
    write_calibration(tmp_path / "calibration", ["right", "spare", "left"])
    assert table.recognise(trial) is pose2sim.FORMAT
    read = formats.read_recording(trial)
    assert read.view_names == ("left", "right") and read.fps == 120
    (line,) = warned
    assert line.endswith("no view is named spare; views: left, right")
    assert read.skeleton == known.HALPE_26 and read.frames.tolist() == [0, 1, 2]
    assert [camera.name for camera in read.cameras] == ["left", "right"]
    turns = [np.arctan2(c.rotation[1, 0], c.rotation[0, 0]) for c in read.cameras]
    np.testing.assert_allclose(turns, [0.2, 0], atol=1e-12)
    np.testing.assert_allclose(read.cameras[0].translation_mm, [2000, 0, 4000])
    # What the user says counts more than the project.
    asked = formats.read_recording(trial, fps=25, frames=slice(2, None))
    assert asked.fps == 25 and asked.frames.tolist() == [2, 3]


def test_cameras_of_other_names_are_refused(tmp_path):
    trial = write_trial(tmp_path, config="[project]\nframe_rate = 60")
    write_calibration(tmp_path / "calibration", ["cam_left", "cam_right"])
    with pytest.raises(InputError, match="left, right; cameras: cam_left, cam_right"):
        formats.read_recording(trial)
    cameras = [replace(BARE, name=name) for name in ("right", "left")]
    read = formats.read_recording(trial, cameras=cameras)
    assert [camera.name for camera in read.cameras] == ["left", "right"]


def test_a_calibration_that_is_none_is_said(tmp_path, warned):
    trial = write_trial(tmp_path, config="[project]\nframe_rate = 60")
    (tmp_path / "calibration" / "intrinsics").mkdir(parents=True)
    (tmp_path / "calibration" / "Calib.toml").write_text("[other]\n")
    assert formats.read_recording(trial).cameras == ()
    assert warned == [f"{tmp_path / 'calibration'}: holds no calibration that is known"]


def test_units_are_of_a_calibration(tmp_path, warned):
    trial = write_trial(tmp_path / "trial")
    with pytest.raises(InputError, match="units are a calibration's, and none is"):
        formats.read_recording(trial, units="m")


def test_associated_detections_come_first(tmp_path, warned):
    for number, folder in enumerate(("pose", "pose-sync", "pose-associated"), 1):
        write_trial(tmp_path, folder, at=100.0 * number)
        read = pose2sim.read(tmp_path)
        assert read.joints_2d_px[0, 0, 0, 0, 0] == 100 * number
    assert read.fps == 60 and "taken to be 60 frames a second" in warned[0]
    assert pose2sim.read(tmp_path, fps=50).fps == 50 and len(warned) == 3


def test_the_rate_is_that_of_the_videos(tmp_path, warned, monkeypatch):
    write_trial(tmp_path)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/broken.mp4").write_text("no video")
    made_up_videos.write(tmp_path / "videos/a b%ä.mp4", rate=25)
    assert pose2sim.read(tmp_path).fps == 25 and not warned
    made_up_videos.write(tmp_path / "videos/b.mp4", rate=30)
    with pytest.raises(InputError, match=r"one frame rate; a b%ä\.mp4: 25, b\.mp4: 30"):
        pose2sim.read(tmp_path)
    monkeypatch.setitem(sys.modules, "av", None)
    assert pose2sim.read(tmp_path).fps == 60 and "needs PyAV" in warned[0]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("[pose]\npose_model = 'HAND_21'", "pose_model must be one of BODY, COCO_17"),
        ("[pose]\npose_model = 'COCO_17'", "has 17 joints; received 26"),
        ("[project]\nframe_rate = 'fast'", "frame_rate must be a number or 'auto'"),
        ("[project]\nframe_rate = 0", "fps must be positive"),
        ("[project]\nframe_range = [1]", "frame_range must be"),
        ("[project]\nframe_range = [70, 90]", "frames must be of those of"),
        ("[project", "is no readable TOML file"),
    ],
)
def test_settings_that_are_none(config, message, tmp_path, warned):
    with pytest.raises(InputError, match=message) as error:
        pose2sim.read(write_trial(tmp_path, config=config))
    assert str(tmp_path) in str(error.value)


def test_the_real_project(shared):
    """Unchanged: cameras by name, each of which sees the person at one place."""
    read = formats.read_recording(shared / "data/recording/single", fps=60)
    assert read.joints_2d_px.shape == (100, 4, 1, 17, 2)
    assert [camera.name for camera in read.cameras] == list(read.view_names)
    # Rays through the hips' middle meet within some centimetres.
    hips = [read.skeleton.index(name) for name in ("left_hip", "right_hip")]
    middle = read.joints_2d_px[:41, :, 0, hips].mean(axis=2)
    normal, total = np.zeros((41, 3, 3)), np.zeros((41, 3))
    centres = []
    for view, camera in enumerate(read.cameras):
        plane = (camera.undistort(middle[:, view]) - camera.centre_px) / camera.focal_px
        rays = np.concatenate([plane, np.ones((41, 1))], axis=1) @ camera.rotation
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        across = np.eye(3) - rays[:, :, None] * rays[:, None]
        normal += across
        total += across @ camera.position_mm
        centres.append((across, camera.position_mm))
    points = np.linalg.solve(normal, total[..., None])[..., 0]
    for across, centre in centres:
        off = np.linalg.norm((across @ (points - centre)[..., None])[..., 0], axis=1)
        assert np.median(off) < 60
    assert np.all((points[:, 2] > 500) & (points[:, 2] < 1500))  # z is up
