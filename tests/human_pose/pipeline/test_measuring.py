"""Figures of an evaluation, by hand."""

import contextlib
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from made_up_moments import made_up_batch

from human_pose.i1 import codec
from human_pose.pipeline.evaluation import run
from human_pose.pipeline.evaluation.measuring import GAUSSIAN_WITHIN, Measured
from human_pose.pipeline.evaluation.run import Evaluation

MOMENTS, VIEWS, JOINTS = 3, 2, 16


@pytest.fixture
def found():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 300, (MOMENTS, JOINTS, 3))
    # All joints but the hip are 10 mm off, the whole body 100 mm along x.
    poses = truth + np.array([100.0, 0, 0])
    poses[:, 1:, 2] += 10
    images = rng.uniform(0, 1000, (MOMENTS, VIEWS, JOINTS, 2))
    points = images + np.array([3.0, 4.0])
    points[0] += [3.0, 4.0]
    covariance = np.broadcast_to(36 * np.eye(2), (MOMENTS, VIEWS, JOINTS, 2, 2))
    return Measured(poses, truth, points, covariance, images)


def test_errors_about_the_hip_and_in_the_world(found):
    assert found.standard[:, 0] == pytest.approx(10 * 15 / 16)
    far = np.hypot(100, 10)
    assert found.absolute_mm == pytest.approx((100 + 15 * far) / 16)
    assert found.joint_errors_mm[0] == pytest.approx(0, abs=1e-9)
    assert found.joint_errors_mm[1:] == pytest.approx(10)


def test_detections_and_their_deviations(found):
    assert found.detection_errors_px[0] == pytest.approx(10)
    assert found.detection_errors_px[1:] == pytest.approx(5)
    # 5 px are within 6, 10 px only within 12.
    assert found.share_within(1) == pytest.approx(2 / 3)
    assert found.share_within(2) == 1
    # Errors of 3 and 4 px, or twice that, where x is known to 1 px and y to 20.
    along = np.broadcast_to(np.diag([1.0, 400.0]), found.covariance_px2.shape)
    uneven = dataclasses.replace(found, covariance_px2=along)
    assert uneven.share_within(2.9) == 0
    assert uneven.share_within(3.1) == pytest.approx(2 / 3)
    assert uneven.share_within(6.1) == 1


def test_moments_are_mixed_and_come_in_their_order(tmp_path, monkeypatch):
    """In batches of neighbours a network's statistics would be none that it knows."""
    batch = made_up_batch(MOMENTS, VIEWS, input_size=4)
    views = {"image", "box"}

    def part(moments):
        pictures = np.concatenate([VIEWS * m + np.arange(VIEWS) for m in moments])
        known = (*views, "projection", "joints_world_mm", "moment")
        return {
            name: tf.gather(batch[name], pictures if name in views else moments)
            for name in known
        }

    streams = []

    class Moments(SimpleNamespace):
        def __len__(self):
            return MOMENTS

        def batches(self, stream):
            streams.append(stream)
            return [part([2, 0]), part([1])]

    class Network(SimpleNamespace):
        def __call__(self, image, training):
            return {"heatmap2": image}

    pipeline = SimpleNamespace(
        network=Network(input_size=4),
        read=lambda heatmap2, batch: SimpleNamespace(
            points_px=tf.cast(batch["moment"], tf.float64),
            covariance_px2=heatmap2[::VIEWS],
        ),
        lift=lambda detections, batch: batch["joints_world_mm"] + 1,
    )
    data = Moments(
        pictures=SimpleNamespace(root="here"),
        moments=SimpleNamespace(action=np.zeros(MOMENTS, int), views=(0, 1)),
    )
    monkeypatch.setattr(run, "_draw", lambda *_: {})
    monkeypatch.setattr(run, "_write", lambda *_: None)
    monkeypatch.setattr(run, "naming_damage", lambda *_: contextlib.nullcontext())
    found = run.evaluate(pipeline, data, tmp_path, batch_size=2, verbose=False).found
    assert streams[0].shuffle
    np.testing.assert_array_equal(found.points_px, np.arange(MOMENTS))
    np.testing.assert_array_equal(found.truth_mm, batch["joints_world_mm"])
    np.testing.assert_array_equal(found.poses_mm, found.truth_mm + 1)
    np.testing.assert_array_equal(found.covariance_px2, batch["image"][::VIEWS])


def test_a_gaussian_in_the_plane():
    radius = np.linalg.norm(np.random.default_rng(0).normal(size=(200_000, 2)), axis=1)
    for deviations, share in GAUSSIAN_WITHIN.items():
        assert (radius <= deviations).mean() == pytest.approx(share, abs=0.005)


def test_the_table(found):
    table = Evaluation(np.zeros(MOMENTS, int), found).table()
    assert "3 moments" in table
    assert "MPJPE (mm)" in table
    assert f"{10 * 15 / 16:9.2f}" in table
    assert "detections' mean error (px)" in table


def test_pictures_show_what_was_measured(found, tmp_path, monkeypatch):
    """Outliers are in no picture, so nothing is found anew to draw it."""
    batch = made_up_batch(moments=1, views=VIEWS, input_size=16)
    data = SimpleNamespace(
        some_of=lambda numbers: SimpleNamespace(batches=lambda stream: [batch])
    )
    pipeline = SimpleNamespace(network=SimpleNamespace(input_size=16))
    drawn = []
    monkeypatch.setattr(
        run.pictures, "moment_figure", lambda *shown: drawn.append(shown)
    )
    monkeypatch.setattr(run.drawing, "save", lambda figure, path: None)
    found.poses_mm[1, 1:] += 7  # the worst one
    captions = run._draw(
        pipeline, data, Evaluation(np.zeros(MOMENTS, int), found), tmp_path
    )
    assert captions["worst"].startswith("moment 1, ")
    _, points, _, _, pose, _, title = drawn[[*captions].index("worst")]
    assert title == f"worst: {captions['worst']}"
    np.testing.assert_array_equal(pose, found.poses_mm[1])
    np.testing.assert_allclose(
        codec.to_frame_px(points, batch["box"]), found.points_px[1]
    )


@pytest.mark.parametrize("views", [1, 5, 13])
def test_every_view_has_a_picture(views):
    joints = np.full((views, 16, 2), 0.5)
    figure = run.pictures.moment_figure(
        np.zeros((views, 16, 16, 3)),
        joints,
        np.tile(0.01 * np.eye(2), (views, 16, 1, 1)),
        joints,
        np.arange(48.0).reshape(16, 3),
        np.arange(48.0).reshape(16, 3),
        "a moment",
    )
    shown = [axes for axes in figure.axes if axes.get_title().startswith("view ")]
    assert len(shown) == views
    places = np.array([axes.get_position().bounds for axes in shown])
    assert (places[:, 2] > 0).all() and (np.diff(places[:, 0]) > 0).all()


def test_the_report_tells_the_detections_errors(found):
    report = run._report(Evaluation(np.zeros(MOMENTS, int), found), {}, {})
    # 10 px in one moment of three, 5 px in the others.
    assert "6.67 px in the mean, 5.00 px in the median" in report
    assert "| 1 sigma | 66.7% | 39.3% |" in report
