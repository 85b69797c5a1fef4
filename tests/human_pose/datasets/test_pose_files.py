import h5py
import numpy as np
import pytest

from human_pose.datasets.pose_files import (
    PoseSet,
    action_file_names,
    concatenate,
    join_pose_files,
    read_pose_file,
    write_pose_file,
)
from human_pose.datasets.protocol import ACTIONS
from human_pose.files.errors import InputError


def _poses(frames, seed=0):
    rng = np.random.default_rng(seed)
    return PoseSet(
        rng.normal(size=(frames, 4, 17, 2)),
        rng.normal(size=(frames, 17, 3)),
        rng.normal(size=(frames, 4, 3, 3)),
    )


def _assert_equal(a, b):
    np.testing.assert_array_equal(a.joints_2d_px, b.joints_2d_px)
    np.testing.assert_array_equal(a.joints_3d_mm, b.joints_3d_mm)
    np.testing.assert_array_equal(a.camera_rotations, b.camera_rotations)


def test_round_trip(tmp_path):
    poses = _poses(5)
    write_pose_file(tmp_path / "a_sh.h5", poses)
    read = read_pose_file(tmp_path / "a_sh.h5")
    _assert_equal(read, poses)
    assert len(read) == 5


def test_the_originals_names(tmp_path):
    poses = _poses(2)
    write_pose_file(tmp_path / "a_sh.h5", poses)
    with h5py.File(tmp_path / "a_sh.h5") as file:
        assert set(file) == {"joint_2d", "joint_3d", "camera"}
        np.testing.assert_array_equal(file["joint_2d"], poses.joints_2d_px)
        np.testing.assert_array_equal(file["joint_3d"], poses.joints_3d_mm)
        np.testing.assert_array_equal(file["camera"], poses.camera_rotations)


def test_the_originals_files_are_read(shared):
    poses = read_pose_file(shared / "data/real/dev/testing/Walking_1_sh.h5")
    assert poses.joints_2d_px.shape == (len(poses), 4, 17, 2)
    assert not poses.joints_2d_px[:, :, 9].any()
    # World to camera: rows are unit vectors.
    norms = np.linalg.norm(poses.camera_rotations, axis=-1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)


def test_frames_are_chosen_together():
    poses = _poses(7)
    part = poses[1::3]
    assert len(part) == 2
    np.testing.assert_array_equal(part.joints_3d_mm, poses.joints_3d_mm[[1, 4]])
    _assert_equal(poses[np.array([1, 4])], part)


def test_joining_files_is_concatenating_their_frames(tmp_path):
    parts = [_poses(frames, seed=frames) for frames in (3, 1, 600)]
    paths = [tmp_path / f"{len(part)}_sh.h5" for part in parts]
    for path, part in zip(paths, parts, strict=True):
        write_pose_file(path, part)
    join_pose_files(tmp_path / "all_sh.h5", paths)
    joined = read_pose_file(tmp_path / "all_sh.h5")
    _assert_equal(joined, concatenate(parts))
    np.testing.assert_array_equal(joined.joints_3d_mm[3], parts[1].joints_3d_mm[0])


def test_joining_fails_whole(tmp_path):
    write_pose_file(tmp_path / "good_sh.h5", _poses(1))
    (tmp_path / "bad_sh.h5").write_bytes(b"no HDF5")
    with pytest.raises(InputError, match=r"bad_sh\.h5"):
        join_pose_files(
            tmp_path / "all_sh.h5", [tmp_path / "good_sh.h5", tmp_path / "bad_sh.h5"]
        )
    assert not list(tmp_path.glob("*all_sh*"))


@pytest.mark.parametrize(
    ("name", "shape"),
    [("joint_2d", (3, 4, 16, 2)), ("joint_3d", (2, 17, 3)), ("camera", (3, 3, 3))],
)
def test_another_shape_is_named(tmp_path, name, shape):
    path = tmp_path / "a_sh.h5"
    write_pose_file(path, _poses(3))
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = np.zeros(shape)
    with pytest.raises(InputError, match=rf"a_sh\.h5: {name} must have shape"):
        read_pose_file(path)


def test_no_frame_is_an_error(tmp_path):
    write_pose_file(tmp_path / "a_sh.h5", _poses(0))
    with pytest.raises(InputError, match="at least one frame"):
        read_pose_file(tmp_path / "a_sh.h5")


def _changed(poses, name, frame, value):
    arrays = {key: array.copy() for key, array in vars(poses).items()}
    arrays[name][frame] = value
    return PoseSet(**arrays)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("joints_2d_px", -1e7, r"joint_2d must be within .*1e\+06; frame 2 has 1e\+07"),
        ("joints_3d_mm", 1e8, r"joint_3d must be within .*1e\+07; frame 2 has 1e\+08"),
        ("joints_2d_px", 300, "joint_2d must have a view .* frame 2 has none"),
        ("joints_3d_mm", 300, "joint_3d must not be one point; that of frame 2 is"),
    ],
)
def test_frames_without_a_sensible_size_are_named(tmp_path, name, value, message):
    write_pose_file(tmp_path / "a_sh.h5", _changed(_poses(4), name, 2, value))
    with pytest.raises(InputError, match=rf"a_sh\.h5: {message}"):
        read_pose_file(tmp_path / "a_sh.h5")


def test_a_view_may_be_flat(tmp_path):
    poses = _changed(_poses(2), "joints_2d_px", (1, slice(3)), 0.0)
    write_pose_file(tmp_path / "a_sh.h5", poses)
    _assert_equal(read_pose_file(tmp_path / "a_sh.h5"), poses)


def test_nan_is_not_found_in_2d_and_refused_elsewhere(tmp_path):
    lost = (1, 0, 3)
    write_pose_file(
        tmp_path / "a_sh.h5", _changed(_poses(2), "joints_2d_px", lost, np.nan)
    )
    _assert_equal(
        read_pose_file(tmp_path / "a_sh.h5"),
        _changed(_poses(2), "joints_2d_px", lost, 0.0),
    )
    write_pose_file(
        tmp_path / "a_sh.h5", _changed(_poses(2), "joints_3d_mm", 1, np.nan)
    )
    with pytest.raises(InputError, match="joint_3d must be finite"):
        read_pose_file(tmp_path / "a_sh.h5")


def test_joints_not_found_are_of_no_height(tmp_path):
    """(0, 0) is not another height than that of the joints that were found."""
    poses = _changed(_poses(2), "joints_2d_px", 1, 300.0)
    poses = _changed(poses, "joints_2d_px", (1, slice(None), 3), 0.0)
    write_pose_file(tmp_path / "a_sh.h5", poses)
    with pytest.raises(InputError, match="frame 1 has none"):
        read_pose_file(tmp_path / "a_sh.h5")


def test_whole_numbers_become_float64(tmp_path):
    poses = _poses(3)
    whole = PoseSet(
        *(np.rint(9 * part).astype(np.int32) for part in vars(poses).values())
    )
    write_pose_file(tmp_path / "a_sh.h5", whole)
    read = read_pose_file(tmp_path / "a_sh.h5")
    _assert_equal(read, whole)
    assert {part.dtype for part in vars(read).values()} == {np.dtype(np.float64)}


def test_two_files_per_action():
    names = [name for action in ACTIONS for name in action_file_names(action)]
    assert len(set(names)) == 30
    assert names[:2] == ["Directions_sh.h5", "Directions_1_sh.h5"]
