import os
import shutil
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from human_pose.datasets.h36m.build import build_pose_files
from human_pose.datasets.h36m.names import RawFile, Recording
from human_pose.datasets.pose_files import action_file_names, read_pose_file
from human_pose.datasets.protocol import ACTIONS
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import LIFTER_17

# Written from the two skeletons' joint names rather than from the tables under test.
_NAME_OF_RAW_JOINT = {
    0: "hip",
    1: "right_hip",
    2: "right_knee",
    3: "right_foot",
    6: "left_hip",
    7: "left_knee",
    8: "left_foot",
    12: "spine",
    13: "thorax",
    14: "neck",
    15: "head_top",
    17: "left_shoulder",
    18: "left_elbow",
    19: "left_wrist",
    25: "right_shoulder",
    26: "right_elbow",
    27: "right_wrist",
}
_NAMES_OF_DETECTIONS = (
    "right_foot right_knee right_hip left_hip left_knee left_foot hip spine thorax "
    "head_top right_wrist right_elbow right_shoulder left_shoulder left_elbow "
    "left_wrist"
).split()


def _quietly(_):
    pass


@pytest.fixture
def raw(raw_tree, tmp_path):
    """The made-up tree under uniform names."""
    raw = tmp_path / "raw"
    files = [f for r in raw_tree.recordings for f in r.files]
    for file in [*files, RawFile("cameras.h5", "cameras.h5")]:
        (raw / file.uniform).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(raw_tree.path(file), raw / file.uniform)
    return raw


def _build(raw, folder, *, partial=False, report=_quietly):
    build_pose_files(raw, folder, partial=partial, report=report)


def _expected(raw_tree, subjects, action, take):
    """Frames of one pose file, number by number from where they must come from."""
    joints_2d, joints_3d, rotations = [], [], []
    for number, recording in enumerate(raw_tree.recordings):
        wanted = recording.action == action and recording.take == take
        if not wanted or recording.subject not in subjects:
            continue
        for frame in range(1 + number % 2):
            pose = np.zeros((17, 3))
            for raw_joint, name in _NAME_OF_RAW_JOINT.items():
                for axis in range(3):
                    value = 1000 * number + raw_joint + axis / 4 + frame / 16
                    pose[LIFTER_17.index(name), axis] = value
            views = np.zeros((4, 17, 2))
            cameras = np.zeros((4, 3, 3))
            for view in range(4):
                for detection, name in enumerate(_NAMES_OF_DETECTIONS):
                    value = 1000 * number + 100 * view + detection + frame / 16
                    views[view, LIFTER_17.index(name)] = value, value + 1 / 4
                for row in range(3):
                    for column in range(3):
                        stored = 100 * recording.subject + 10 * (view + 1)
                        entry = stored + (3 * row + column) / 16
                        cameras[view, column, row] = entry  # transposed
            joints_2d.append(views)
            joints_3d.append(pose)
            rotations.append(cameras)
    return np.stack(joints_2d), np.stack(joints_3d), np.stack(rotations)


@pytest.mark.parametrize(
    ("folder", "subjects"), [("training", (1, 5, 6, 7, 8)), ("testing", (9, 11))]
)
def test_every_number_arrives_at_its_place(raw, raw_tree, tmp_path, folder, subjects):
    _build(raw, tmp_path / "out")
    in_order = []
    for take in (0, 1):
        for action in ACTIONS:
            name = action_file_names(action)[take]
            poses = read_pose_file(tmp_path / "out" / folder / name)
            expected = _expected(raw_tree, subjects, action, take)
            np.testing.assert_array_equal(poses.joints_2d_px, expected[0])
            np.testing.assert_array_equal(poses.joints_3d_mm, expected[1])
            np.testing.assert_array_equal(poses.camera_rotations, expected[2])
            in_order.append(poses.joints_3d_mm)
    whole = read_pose_file(tmp_path / "out" / f"{folder.removesuffix('ing')}_sh.h5")
    np.testing.assert_array_equal(whole.joints_3d_mm, np.concatenate(in_order))
    assert len(list((tmp_path / "out" / folder).iterdir())) == 30


def test_the_damaged_recording_is_left_out(raw, raw_tree, tmp_path):
    assert Recording(11, "Directions", 0) not in raw_tree.recordings
    assert Recording(11, "Directions", 1) in raw_tree.recordings
    _build(raw, tmp_path / "out")
    poses = read_pose_file(tmp_path / "out/testing/Directions_sh.h5")
    np.testing.assert_array_equal(poses.camera_rotations // 100, 9)


def test_a_second_build_only_does_what_is_stale(raw, tmp_path):
    _build(raw, tmp_path / "out")
    reports = []
    _build(raw, tmp_path / "out", report=reports.append)
    assert reports == []

    changed = raw / Recording(9, "Eating", 1).detections[2].uniform
    with h5py.File(changed, "r+") as file:
        file["poses"][...] = 7
    later = os.stat(tmp_path / "out/test_sh.h5").st_mtime_ns + 1_000_000
    os.utime(changed, ns=(later, later))
    _build(raw, tmp_path / "out", report=reports.append)
    written = [line.rsplit(os.sep, 1)[-1] for line in reports]
    assert written == ["Eating_1_sh.h5", "test_sh.h5"]
    poses = read_pose_file(tmp_path / "out/test_sh.h5")
    assert np.any(np.all(poses.joints_2d_px[:, 2, :9] == 7, axis=(1, 2)))


def test_missing_files_are_counted_and_named(raw, tmp_path):
    (raw / "S9/StackedHourglass/Phoning.58860488.h5").unlink()
    (raw / "S9/StackedHourglass/Phoning.60457274.h5").unlink()
    with pytest.raises(InputError) as error:
        _build(raw, tmp_path / "out")
    assert "lacks 2 of 1045 files" in str(error.value)
    assert "S9/StackedHourglass/Phoning.58860488.h5" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_partial_builds_from_what_is_whole(raw, tmp_path):
    for subject in (1, 5, 6, 7, 8):
        shutil.rmtree(raw / f"S{subject}")
    (raw / "S9/StackedHourglass/Phoning.58860488.h5").unlink()
    shutil.rmtree(raw / "S11/MyPoses")
    reports = []
    _build(raw, tmp_path / "out", partial=True, report=reports.append)
    assert "building 29 of 209 recordings" in reports[0]
    assert not (tmp_path / "out/train_sh.h5").exists()
    assert not (tmp_path / "out/testing/Phoning_sh.h5").exists()
    poses = read_pose_file(tmp_path / "out/test_sh.h5")
    np.testing.assert_array_equal(poses.camera_rotations // 100, 9)


def test_files_that_come_later_count_whatever_their_times_are(raw, tmp_path):
    """As of unpacking: a set without them would stay, without a word."""
    name = Recording(9, "Phoning", 0).detections[2].uniform
    (raw / name).rename(tmp_path / "away.h5")
    os.utime(tmp_path / "away.h5", ns=(10**18, 10**18))
    _build(raw, tmp_path / "out", partial=True)
    before = len(read_pose_file(tmp_path / "out/test_sh.h5"))
    shutil.copy2(tmp_path / "away.h5", raw / name)
    assert (raw / name).stat().st_mtime_ns == 10**18
    _build(raw, tmp_path / "out")
    found = read_pose_file(tmp_path / "out/testing/Phoning_sh.h5").camera_rotations
    assert set((found[:, 0, 0, 0] // 100).tolist()) == {9, 11}
    assert len(read_pose_file(tmp_path / "out/test_sh.h5")) > before


def test_views_of_another_length_are_refused(raw, raw_tree, tmp_path):
    recording = raw_tree.recordings[0]
    path = raw / recording.detections[3].uniform
    with h5py.File(path, "r+") as file:
        del file["poses"]
        file["poses"] = np.zeros((5, 16, 2))
    with pytest.raises(InputError, match=r"Directions\.60457274\.h5: must have"):
        _build(raw, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "dataset", "value", "rule"),
    [
        ("S5/MyPoses/3D_positions/Eating.h5", "3D_positions", np.zeros((3, 9)), "96"),
        ("S5/MyPoses/3D_positions/Eating.h5", "3D_positions", np.zeros((96, 0)), "one"),
        ("S5/StackedHourglass/Eating.55011271.h5", "poses", np.ones((1, 17, 2)), "16"),
        ("S5/StackedHourglass/Eating.55011271.h5", "poses", np.nan, "must have shape"),
        ("cameras.h5", "subject5/camera2/R", np.ones((3, 4)), "3, 3"),
    ],
)
def test_another_shape_is_refused(raw, tmp_path, name, dataset, value, rule):
    with h5py.File(raw / name, "r+") as file:
        del file[dataset]
        file[dataset] = value
    with pytest.raises(InputError, match=rf"{os.path.basename(name)}: .*{rule}"):
        _build(raw, tmp_path / "out")
    assert not (tmp_path / "out/training/Eating_sh.h5").exists()


def test_a_full_disk_is_noticed_before_building(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match="free disk to build the pose files"):
        _build(raw, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.h5"))
