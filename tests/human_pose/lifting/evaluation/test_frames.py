"""Which files are read of a folder of takes, and what is said of the others."""

import numpy as np
import pytest

from human_pose.datasets.pose_files import PoseSet, read_people, write_pose_file
from human_pose.files.errors import InputError
from human_pose.lifting.evaluation.frames import read_action_frames


def take(scale=1.0):
    rng = np.random.default_rng(0)
    truth = scale * rng.uniform(-500, 500, (3, 17, 3))
    return PoseSet(rng.uniform(1, 900, (3, 4, 17, 2)), truth, np.zeros((3, 4, 3, 3)))


def test_files_that_no_action_is_called_are_named(tmp_path, caplog):
    write_pose_file(tmp_path / "Walking 1_sh.h5", take())
    with pytest.raises(InputError, match="must hold test files such as"):
        read_action_frames(tmp_path, 1)
    assert "passes over Walking 1_sh.h5" in caplog.text
    write_pose_file(tmp_path / "Walking_sh.h5", take())
    write_pose_file(tmp_path / "TakingPhoto_sh.h5", take())
    found = read_action_frames(tmp_path, 1)
    assert found.files == ("Walking_sh.h5",) and len(found) == 3
    assert "passes over TakingPhoto_sh.h5, Walking 1_sh.h5" in caplog.text


def test_takes_in_metres_are_refused(tmp_path):
    write_pose_file(tmp_path / "Walking_sh.h5", take(1e-3))
    with pytest.raises(InputError, match=r"Walking_sh.h5: joint_3d must be millimet"):
        read_action_frames(tmp_path, 1)


def test_views_that_do_not_fit_the_truth_are_warned_of(tmp_path, caplog):
    poses = take()
    turns = np.broadcast_to(np.eye(3), (3, 4, 3, 3))
    path = tmp_path / "a.h5"
    write_pose_file(path, PoseSet(poses.joints_2d_px, poses.joints_3d_mm, turns))
    read_people(path)
    assert "they may not belong together" in caplog.text
