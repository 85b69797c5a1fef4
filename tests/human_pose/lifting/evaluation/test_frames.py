"""Which files are read of a folder of takes, and what is said of the others."""

import numpy as np
import pytest
from made_up_lifting import write_lifting_shards

from human_pose.datasets.lifting_sets.pose_tree import tree_source
from human_pose.datasets.pose_files import PoseSet, read_people, write_pose_file
from human_pose.datasets.shards.preparation import prepare
from human_pose.datasets.synthetic import Recipe, generate
from human_pose.files.errors import InputError
from human_pose.lifting.evaluation.frames import read_action_frames, read_test_frames


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


def test_a_prepared_tree_gives_the_frames_of_its_files_in_their_order(tmp_path):
    generate(tmp_path, Recipe(train_frames=1, test_frames=3))
    folder = prepare(tree_source(tmp_path).plan(500), tmp_path / "prepared")
    for subsample in (2, 1):
        ours = read_test_frames(folder, subsample)
        files = read_test_frames(tmp_path, subsample)
        for name, values in vars(files.poses).items():
            np.testing.assert_array_equal(vars(ours.poses)[name], values)
        np.testing.assert_array_equal(ours.actions, files.actions)
        assert ours.missing == files.missing == ()
    # The first take of the second action comes behind that of the first.
    first = files.files.index("Discussion_sh.h5")
    start = int(np.argmax(files.file_indices == first))
    number = int((files.file_indices == 0).sum())
    assert ours.source(start) == f"h36m_lifting/every_frame/1.0.0, sample {number}"


def test_samples_of_unknown_actions_are_refused(tmp_path):
    folder = write_lifting_shards(tmp_path, take(), "test", action=-1)
    with pytest.raises(InputError, match=r"action of every sample, .* sample 0 is unk"):
        read_test_frames(folder, 1)
