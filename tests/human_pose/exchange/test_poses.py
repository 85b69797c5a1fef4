"""The results file and what it must hold."""

import dataclasses

import numpy as np
import pytest
from made_up_motion import results

from human_pose.exchange import motion_npz, poses
from human_pose.files.errors import InputError
from human_pose.files.npz import read_npz, write_npz
from human_pose.geometry.skeletons import LIFTER_17

FRAMES, JOINTS, VIEWS = 5, 17, 3


@pytest.mark.parametrize("fps", [59.94, None])
def test_what_is_written_is_read(tmp_path, fps):
    path = tmp_path / "poses.npz"
    expected = results(fps=fps)
    poses.write_poses(path, expected)
    found = poses.read_poses(path)
    for field in dataclasses.fields(expected):
        if field.name != "source":
            np.testing.assert_array_equal(
                getattr(found, field.name), getattr(expected, field.name), field.name
            )
    assert found.views_used.dtype == found.swapped.dtype == bool
    with np.load(path) as file:
        assert (str(file["units"]), str(file["frame"])) == ("mm", "world, z up")
        assert file["views_used"].dtype == bool
        assert file["joint_names"].tolist() == list(LIFTER_17.names)
    assert poses.is_poses(path)
    motion = motion_npz.read_motion_npz(path)
    for name in ("joints_3d_mm", "skeleton", "fps", "frames", "sequence", "up"):
        np.testing.assert_array_equal(
            getattr(motion, name), getattr(found.as_motion, name), name
        )


def test_nobody_seen_and_no_swaps(tmp_path):
    empty = results(
        swap_names=(),
        swapped=np.zeros((FRAMES, VIEWS, 0), bool),
        reprojection_px=np.full((FRAMES, VIEWS, JOINTS), np.nan),
    )
    poses.write_poses(tmp_path / "poses.npz", empty)
    found = poses.read_poses(tmp_path / "poses.npz")
    assert (found.swap_names, found.swapped.shape) == ((), (FRAMES, VIEWS, 0))
    assert np.isnan(found.errors_px).all()


def test_mean_errors_are_of_what_was_used():
    used = np.zeros((FRAMES, VIEWS, JOINTS), bool)
    used[:, :2] = True
    pixels = np.broadcast_to(np.array([1.0, 3.0, 99.0])[:, None], used.shape)
    found = results(views_used=used, reprojection_px=pixels)
    np.testing.assert_array_equal(found.errors_px, 2.0)
    np.testing.assert_array_equal(found.cameras_used, 2)


ZEROS = np.zeros((FRAMES, JOINTS, 3))
# Its pairs of rows have no negative variance, all three have.
INDEFINITE = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
SKEWED = np.broadcast_to([[1, 2, 0], [0, 1, 0], [0, 0, 1.0]], (FRAMES, JOINTS, 3, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joints_3d_mm": np.zeros((5, 16, 3))}, r"must have shape \[5, 17, 3\]"),
        ({"views_used": np.ones((5, 3, 17))}, "views_used must be bool; rec.*float64"),
        ({"frames": np.arange(5.0)}, "frames must be int64"),
        ({"frames": np.arange(4)}, r"must have shape \[5\]; received \[4\]"),
        ({"view_names": ("a", "b", "b")}, "view_names must differ"),
        ({"fps": 0.0}, "fps must be positive"),
        ({"joints_3d_mm": ZEROS}, "must be missing where the joint is"),
        ({"reprojection_px": np.full((5, 3, 17), -1.0)}, "px must be 0 or more"),
        ({"reprojection_px": np.full((5, 3, 17), np.inf)}, "must be finite, or NaN"),
        ({"covariance_mm2": SKEWED, "joints_3d_mm": ZEROS}, "symmetric"),
        (
            {"covariance_mm2": 0 * SKEWED + INDEFINITE, "joints_3d_mm": ZEROS},
            "without negative variances",
        ),
        (
            {"covariance_mm2": 0 * SKEWED - np.eye(3), "joints_3d_mm": ZEROS},
            "without n",
        ),
    ],
)
def test_what_is_no_result(changes, message):
    with pytest.raises(InputError, match=message):
        results(**changes)


@pytest.mark.parametrize("part", [1, 2, 4])
def test_covariances_of_all_parts_are_checked(monkeypatch, part):
    monkeypatch.setattr(poses, "_CHECKED", part)
    covariance = np.tile(np.eye(3), (FRAMES, JOINTS, 1, 1))
    results(covariance_mm2=covariance, joints_3d_mm=ZEROS)
    covariance[-1, -1] = INDEFINITE
    with pytest.raises(InputError, match="without negative variances"):
        results(covariance_mm2=covariance, joints_3d_mm=ZEROS)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("units", np.array("m"), "units must be 'mm'; received 'm'"),
        ("frame", np.array("camera"), "frame must be 'world, z up'"),
        ("version", np.int64(2), "version must be 1; received 2"),
        ("joint_names", np.array(["a"] * 17), "must differ"),
        ("swapped", np.zeros((5, 3, 1), bool), r"shape \[5, 3, 1\]|\[1\]"),
    ],
)
def test_a_file_of_something_else(tmp_path, name, value, message):
    path = tmp_path / "poses.npz"
    poses.write_poses(path, results())
    with np.load(path) as file:
        write_npz(path, {**file, name: value})
    with pytest.raises(InputError, match=message) as error:
        poses.read_poses(path)
    assert str(error.value).startswith(str(path))


def test_flags_are_read_as_such(tmp_path):
    np.savez(tmp_path / "a.npz", flags=np.array([True, False]), texts=np.array("x"))
    found = read_npz(tmp_path / "a.npz", {"flags": (2,)}, {"texts": ()})
    assert found["flags"].tolist() == [True, False]
    with pytest.raises(InputError, match="texts must be real numbers"):
        read_npz(tmp_path / "a.npz", {"texts": ()})


def test_names_may_be_bytes(tmp_path):
    """As programs write them that know no other texts."""
    path = tmp_path / "poses.npz"
    poses.write_poses(path, results())
    with np.load(path) as file:
        arrays = dict(file)
    for name in ("joint_names", "view_names"):
        arrays[name] = np.char.encode(arrays[name], "utf-8")
    write_npz(path, arrays)
    assert poses.read_poses(path).skeleton == LIFTER_17
    assert motion_npz.read_motion_npz(path).skeleton == LIFTER_17
    arrays["joint_names"] = np.array([b"\xff%d" % n for n in range(JOINTS)])
    write_npz(path, arrays)
    for read in (poses.read_poses, motion_npz.read_motion_npz):
        with pytest.raises(InputError, match=r"joint_names must be text in UTF-8"):
            read(path)
