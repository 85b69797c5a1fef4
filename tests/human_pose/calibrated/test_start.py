"""What is seen of a recording, and where its minimiser starts."""

import logging

import made_up_problem as made
import made_up_recording
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from human_pose.calibrated import start
from human_pose.calibrated.energy import project
from human_pose.calibrated.observe import observe

PROBLEM = made.problem(2, at_rest=True)
MEAN_MM = PROBLEM.body.means_mm.numpy()[0]


@pytest.mark.parametrize("turn", [(0, 0, 2.0), (np.pi / 2, 0, 0), (0, np.pi, 0.3)])
def test_bodies_are_turned_to_the_known_joints_and_completed(turn):
    rotation = Rotation.from_rotvec(turn).as_matrix()
    joints = MEAN_MM @ rotation.T + [300.0, -50.0, 900.0]
    known = np.ones((1, 17), bool)
    known[0, [3, 16]] = False
    points = joints.copy()
    points[[3, 16]] = 1e4
    # One that is far off is none of this body.
    points[10] += 5000.0
    arrays = tf.constant(points[None]), tf.constant(known)
    found, completed = start.complete(*arrays, PROBLEM.body, PROBLEM.weights)
    np.testing.assert_allclose(found[0], rotation, atol=0.02)
    np.testing.assert_allclose(completed[0], joints, atol=20)


def test_nothing_known_is_no_fault():
    arrays = tf.zeros((2, 17, 3), tf.float64), tf.zeros((2, 17), bool)
    turn, joints = start.complete(*arrays, PROBLEM.body, PROBLEM.weights)
    assert np.isfinite(turn).all() and np.isfinite(joints).all()


def test_a_body_that_one_view_sees_stands_at_the_depth_of_its_size():
    seen = PROBLEM.observed.seen.numpy()
    seen[:, [0, 1, 3]] = 0
    observed = PROBLEM.observed._replace(seen=tf.constant(seen))
    joints, shown = start.place_by_size(observed, PROBLEM.body)
    np.testing.assert_array_equal(shown, seen[:, 2] > 0)
    images, depth = project(joints, observed.projection)
    _, truth = project(PROBLEM.x.joints_mm, observed.projection)
    where = seen[:, 2] > 0
    points = observed.points_px.numpy()[:, 2]
    np.testing.assert_allclose(images.numpy()[:, 2][where], points[where], atol=1e-6)
    ratio = depth.numpy()[:, 2] / truth.numpy()[:, 2]
    assert 0.6 < ratio.min() and ratio.max() < 1.6


def test_lenses_are_undone_and_what_they_cannot_show_is_not_seen(caplog):
    # Beyond some distance this lens folds back.
    rig = made_up_recording.cameras(lens=(-0.2, 0.0, 0.0, 0.0, 0.0))
    truth = made_up_recording.truth_mm(4)
    shown = np.stack([camera.project(truth) for camera in rig], axis=1)
    recording = made_up_recording.recording(truth).replace(
        cameras=rig, joints_2d_px=shown[:, :, None]
    )
    points = recording.joints_2d_px.copy()
    points[0, 1, 0, 3] = np.nan
    points[1, 2, 0, 4] = 1e5
    confidence = recording.confidence.copy()
    confidence[2, 0, 0, 5] = 0
    points[2, 0, 0, 5] = 0
    with caplog.at_level(logging.WARNING):
        sight = observe(
            recording.replace(joints_2d_px=points, confidence=confidence), made.MODEL
        )
    unseen = set(zip(*np.nonzero(sight.confidence == 0), strict=True))
    assert unseen == {(0, 1, 3), (1, 2, 4), (2, 0, 5)}
    assert "1 detections of view left lie where its lens shows nothing" in caplog.text
    images, _ = project(tf.constant(truth), tf.constant(sight.projection))
    seen = sight.confidence > 0
    np.testing.assert_allclose(sight.points_px[seen], images.numpy()[seen], atol=1e-4)
    assert (sight.points_px[~seen] == 0).all()
