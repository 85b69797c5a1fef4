"""The image network as a detector, and alone: what its volumes say of real pixels."""

import dataclasses

import made_up_videos
import numpy as np
import pytest

from human_pose.capture.config import CaptureConfig, DetectorConfig
from human_pose.capture.detectors import environment, find_detector
from human_pose.capture.detectors.image_network import ImageNetwork, covariance_px2
from human_pose.capture.mono import capture_one
from human_pose.capture.run import capture
from human_pose.exchange import formats
from human_pose.exchange.poses import read_poses
from human_pose.geometry.cameras import Camera
from human_pose.i1.network.hourglass import build_network
from human_pose.i1.readout.spread import Spread

SIZE = (64, 48)
FRAMES = 4


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "d4.keras"
    build_network(4, input_size=64, preset="tiny", seed=0).save(path)
    return path


@pytest.fixture
def config(checkpoint, tmp_path, monkeypatch):
    """Four frames of each of two videos; boxes are about the network's own joints."""
    monkeypatch.setattr(environment, "is_made", lambda: False)
    paths = tmp_path / "one.mp4", tmp_path / "two.mp4"
    for path in paths:
        made_up_videos.write(path, range(FRAMES), size=SIZE)
    return CaptureConfig(videos=paths, detector=DetectorConfig("i1", (checkpoint,)))


@pytest.mark.parametrize("number", [int, float])
def test_covariances_are_of_the_boxes_pixels(number):
    """Also of a box of whole pixels; a crop's sides are 256 / 224 * 1.12 of a box's."""
    box = tuple(map(number, (10, 20, 110, 220)))
    shape = np.array([[0.04, 0.01, 0], [0.01, 0.09, 0], [0, 0, 1]])
    seen = Spread(np.tile(shape, (16, 1, 1)), np.ones(16))
    x, y = 1.28 * np.array([100, 200])
    expected = [[0.04 * x * x, 0.01 * x * y], [0.01 * x * y, 0.09 * y * y]]
    np.testing.assert_allclose(covariance_px2(seen, box), [expected] * 16, rtol=1e-12)


def test_is_found_by_its_name(config):
    found = find_detector(config.detector)
    assert isinstance(found, ImageNetwork)
    assert found.checkpoint == config.detector.files[0]


def test_one_camera_is_enough(config, tmp_path):
    capture_one(
        dataclasses.replace(config, videos=config.videos[:1]), tmp_path / "results"
    )
    poses = read_poses(tmp_path / "results" / "poses.npz")
    assert poses.joints_3d_mm.shape == (FRAMES, 16, 3)
    assert np.isfinite(poses.joints_3d_mm).all()
    assert (np.linalg.eigvalsh(poses.covariance_mm2) > 0).all()
    assert (tmp_path / "results" / "videos" / "one.mp4").is_file()


@pytest.mark.large
def test_its_joints_are_lifted(config, tmp_path):
    rig = [
        Camera(np.eye(3), (x, 0, 5000), (90, 90), (32, 24), size_px=SIZE, name=name)
        for name, x in (("one", 0.0), ("two", 900.0))
    ]
    formats.write(tmp_path / "rig.toml", rig)
    config = dataclasses.replace(config, cameras=tmp_path / "rig.toml")
    capture(config, tmp_path / "results")
    poses = read_poses(tmp_path / "results" / "poses.npz")
    assert poses.view_names == ("one", "two") and len(poses) == FRAMES
    assert np.isfinite(poses.joints_3d_mm).all()
