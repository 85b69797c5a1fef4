"""Recordings without truth: which views and joints the lifter is given."""

import made_up_detections as made_up
import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import COCO_17
from human_pose.geometry.skeleton import Skeleton
from human_pose.geometry.skeletons import LIFTER_17, VIEW_NAMES
from human_pose.lifting.lifter import LiftedPoses
from human_pose.lifting.recordings import in_order, lift_recording, lifter_joints

VIEWS = ("a", "b", "c", "d")


class Lifter:
    """Gives the frames' own numbers, and notes what it was asked for."""

    def __init__(self):
        self.asked = []

    def lift(self, joints_2d_px, *, batch_size):
        self.asked.append((joints_2d_px, batch_size))
        poses = np.repeat(np.nan_to_num(joints_2d_px[:, 0, :, :1]), 3, axis=-1)
        return LiftedPoses(poses, np.zeros((len(poses), 3)))


def test_human36m_views_are_found_by_their_names():
    recording = made_up.recording(views=VIEW_NAMES[::-1], skeleton=LIFTER_17)
    ordered = in_order(recording)
    assert ordered.view_names == VIEW_NAMES
    np.testing.assert_array_equal(ordered.joints_2d_px, recording.joints_2d_px[:, ::-1])


def test_other_views_are_said(caplog):
    recording = made_up.recording(views=VIEWS)
    assert in_order(recording) is recording
    assert f"a for {VIEW_NAMES[0]}" in caplog.text


@pytest.mark.parametrize("views", [VIEWS[:3], (*VIEW_NAMES[:2], "a", "b")])
def test_views_that_are_not_four_of_a_kind_are_refused(views):
    with pytest.raises(InputError, match=r"views must be the 4 of Human3\.6M"):
        in_order(made_up.recording(views=views))


def test_joints_are_found_by_their_names(caplog):
    recording = made_up.recording(views=VIEWS)
    joints, found = lifter_joints(recording)
    ankle = COCO_17.index("left_ankle"), LIFTER_17.index("left_ankle")
    np.testing.assert_array_equal(
        joints[:, :, ankle[1]], recording.joints_2d_px[:, :, 0, ankle[0]]
    )
    missing = [LIFTER_17.index(n) for n in ("pelvis", "spine", "thorax", "neck")]
    assert not found[:, :, missing].any()
    assert np.isnan(joints[~found]).all()
    assert "left to the model: pelvis, spine, thorax, head_top" in caplog.text


def test_whom_it_cannot_lift_it_refuses():
    with pytest.raises(InputError, match="people must be one; received 2"):
        lifter_joints(made_up.recording(views=VIEWS, people=2))
    other = Skeleton.grown({"beak": None, "tail": "beak"})
    with pytest.raises(InputError, match="joints must be some of pelvis"):
        lifter_joints(made_up.recording(views=VIEWS, skeleton=other))


def test_frames_that_show_too_little_are_nan(tmp_path, caplog):
    recording = made_up.recording(frames=20, views=VIEWS, skeleton=LIFTER_17)
    confidence = np.array(recording.confidence)
    confidence[4] = 0
    confidence[4, 1, 0, 3] = 1  # one joint has no height
    recording = recording.replace(confidence=confidence, fps=25.0)
    lifter = Lifter()
    path = lift_recording(lifter, recording, tmp_path, batch_size=2, verbose=False)
    assert [len(joints) for joints, _ in lifter.asked] == [16, 3]
    with np.load(path) as file:
        poses = file["joints_3d"]
        assert file["joint_names"].tolist() == list(LIFTER_17.names)
        assert (str(file["units"]), float(file["fps"])) == ("unit-free", 25.0)
        assert file["views_used"][4].sum() == 1
    assert np.isnan(poses[4]).all() and np.isfinite(np.delete(poses, 4, 0)).all()
    assert "1 of 20 frames show too little" in caplog.text
    with pytest.raises(InputError, match="must have a frame with two joints"):
        lift_recording(lifter, recording.of_frames([4]), tmp_path)
