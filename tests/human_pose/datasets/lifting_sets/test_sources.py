"""Sources of poses: the frames of pose files, in the whole set's order."""

import shutil

import h5py
import numpy as np
import pytest

from human_pose.datasets.lifting_sets.invented import invented_source
from human_pose.datasets.lifting_sets.pose_tree import tree_source
from human_pose.datasets.lifting_sets.schema import (
    LIFTING_SCHEMA,
    config_name,
    every_of,
)
from human_pose.datasets.lifting_sets.videopose3d import videopose3d_source
from human_pose.datasets.pose_files import read_pose_file
from human_pose.datasets.shards.preparation import prepare
from human_pose.datasets.shards.reading import open_shards, record_reader
from human_pose.datasets.shards.records import parse
from human_pose.datasets.synthetic import Recipe
from human_pose.datasets.synthetic.dataset import generate
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import LIFTER_17, RECORDED_32

RECIPE = Recipe(train_frames=2, test_frames=3, seed=5)
ARRAYS = ("joints_2d_px", "joints_3d_mm", "rotations")


def stacked(source, part, name):
    return np.stack([item.sample[name] for item in source.samples(part)])


@pytest.fixture(scope="module")
def _tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    generate(folder, RECIPE)
    return folder


@pytest.mark.parametrize(("part", "every"), [("train", 5), ("test", 1)])
def test_frames_are_those_of_the_whole_set(_tree, part, every):
    whole = read_pose_file(_tree / f"{part}_sh.h5")[::every]
    for source in (invented_source(RECIPE, every), tree_source(_tree, every)):
        wanted = (whole.joints_2d_px, whole.joints_3d_mm, whole.camera_rotations)
        for name, values in zip(ARRAYS, wanted, strict=True):
            np.testing.assert_array_equal(stacked(source, part, name), values)


def test_invented_people_are_known_and_those_of_files_are_not(_tree):
    invented, tree = invented_source(RECIPE), tree_source(_tree)
    subjects = stacked(invented, "test", "subject")
    # Directions of S9 alone: the other's first take is left out.
    assert subjects[:12].tolist() == [9, 9, 9, 9, 9, 9, 11, 11, 11, 9, 9, 9]
    assert set(stacked(tree, "test", "subject")) == {-1}
    actions = [stacked(source, "test", "action") for source in (invented, tree)]
    np.testing.assert_array_equal(*actions)
    assert actions[0][:4].tolist() == [0, 0, 0, 1]


def test_records_are_exact(tmp_path):
    source = invented_source(RECIPE, 64)
    folder = prepare(source.plan(2), tmp_path)
    shards = open_shards(folder, "train")
    read = record_reader(shards)
    for row, item in enumerate(source.samples("train")):
        record = parse(read(np.int64(row)), LIFTING_SCHEMA)
        for name, value in item.sample.items():
            np.testing.assert_array_equal(record[name], value)


def test_missing_files_are_named(_tree, tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "testing").mkdir()
    for part in ("training", "testing"):
        path = f"{part}/Eating_sh.h5"
        (tmp_path / path).write_bytes((_tree / path).read_bytes())
    with pytest.raises(InputError, match=r"lacks 29 of 30 .*training/Directions_sh.h5"):
        tree_source(tmp_path)
    some = tree_source(tmp_path, partial_set=True)
    assert set(stacked(some, "train", "action")) == {2}


def test_a_part_may_be_missing_whole(_tree, tmp_path):
    """As where `human-pose-h36m` had nobody for the training."""
    (tmp_path / "testing").mkdir()
    with pytest.raises(InputError, match=r"has no pose file of training/ or testing/"):
        tree_source(tmp_path, partial_set=True)
    shutil.copy(_tree / "testing/Eating_sh.h5", tmp_path / "testing")
    with pytest.raises(InputError, match=r"lacks 30 of 30 pose files of training/"):
        tree_source(tmp_path)
    source = tree_source(tmp_path, partial_set=True)
    assert [*source.parts] == ["test"]
    folder = prepare(source.plan(), tmp_path / "out")
    assert len(open_shards(folder, "test")) == 6


def test_other_detections_of_as_many_frames_are_prepared_anew(_tree, tmp_path):
    tree = tmp_path / "tree"
    shutil.copytree(_tree, tree)
    before = prepare(tree_source(tree, 5).plan(2), tmp_path / "out")
    with h5py.File(tree / "training" / "Eating_sh.h5", "r+") as file:
        file["joint_2d"][...] += 1.0
    source = tree_source(tree, 5)
    folder = prepare(source.plan(2), tmp_path / "out")
    assert folder == before
    read = record_reader(open_shards(folder, "train"))
    wanted = stacked(source, "train", "joints_2d_px")
    found = [
        parse(read(np.int64(row)), LIFTING_SCHEMA)["joints_2d_px"]
        for row in range(len(wanted))
    ]
    np.testing.assert_array_equal(found, wanted)


def test_names_of_steps():
    assert [every_of(config_name(every)) for every in (1, 5, 64)] == [1, 5, 64]
    for name in ("every1", "every05", "every", "5", "every_5", "every\u0665"):
        with pytest.raises(InputError, match="config must be every_frame, or like"):
            every_of(name)


@pytest.fixture
def npz(tmp_path):
    """Two subjects' takes in VideoPose3D's files; each view of its own."""
    rng = np.random.default_rng(4)
    positions, detections = {}, {}
    for subject in (1, 9):
        takes = {"Directions 1": 4, "WalkDog": 3}
        positions[f"S{subject}"] = {
            name: rng.normal(0, 1, (frames, 32, 3)) for name, frames in takes.items()
        }
        # A view has a frame more.
        detections[f"S{subject}"] = {
            name: [rng.uniform(0, 999, (frames + v % 2, 17, 2)) for v in range(4)]
            for name, frames in takes.items()
        }
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=positions)
    metadata = {"layout_name": "h36m", "num_joints": 17}
    np.savez(
        tmp_path / "data_2d_h36m_gt.npz", positions_2d=detections, metadata=metadata
    )
    with h5py.File(tmp_path / "cameras.h5", "w") as file:
        for subject in (1, 9):
            for view in range(1, 5):
                file[f"subject{subject}/camera{view}/R"] = np.eye(3) * (subject + view)
    return tmp_path, positions, detections


def test_videopose3ds_other_detections_are_another_source(npz):
    folder, _, detections = npz
    first = videopose3d_source(folder, partial_set=True).source
    assert videopose3d_source(folder, partial_set=True).source == first
    detections["S1"]["WalkDog"][2][0, 0, 0] += 1.0
    np.savez(
        folder / "data_2d_h36m_gt.npz",
        positions_2d=detections,
        metadata={"layout_name": "h36m", "num_joints": 17},
    )
    assert videopose3d_source(folder, partial_set=True).source != first


def test_videopose3d_frames(npz):
    folder, positions, detections = npz
    source = videopose3d_source(folder, partial_set=True)
    samples = [item.sample for item in source.samples("test")]
    assert [sample["index"] for sample in samples] == [*range(7)]
    assert [sample["action"] for sample in samples] == [0] * 4 + [12] * 3
    assert {sample["subject"] for sample in samples} == {9}
    for joint in ("head_top", "left_wrist"):
        raw = RECORDED_32.index({"head_top": "Site_2", "left_wrist": "LeftHand"}[joint])
        np.testing.assert_allclose(
            samples[4]["joints_3d_mm"][LIFTER_17.index(joint)],
            1000 * positions["S9"]["WalkDog"][0, raw],
        )
    np.testing.assert_array_equal(
        samples[5]["joints_2d_px"],
        np.stack([view[1] for view in detections["S9"]["WalkDog"]]),
    )
    np.testing.assert_array_equal(samples[0]["rotations"][2], np.eye(3) * 12)


def test_videopose3ds_takes_of_one_file_alone_are_told(npz, caplog):
    folder, positions, detections = npz
    positions["S9"]["Walk Dog"] = positions["S9"].pop("WalkDog")
    np.savez(folder / "data_3d_h36m.npz", positions_3d=positions)
    assert len([*videopose3d_source(folder, partial_set=True).samples("test")]) == 4
    assert "leaves out 2 takes of S9 that only one of data_3d_h36m.npz" in caplog.text
    assert "S1 " not in caplog.text
    # One of every two frames in one file: frames of equal number are of other moments.
    for view in range(4):
        detections["S9"]["Directions 1"][view] = np.ones((2, 17, 2))
    np.savez(folder / "data_2d_h36m_gt.npz", positions_2d=detections)
    rule = r"S9 Directions 1 must have a position for each frame.* 2, 2 frames, and 4 p"
    with pytest.raises(InputError, match=rule):
        videopose3d_source(folder, partial_set=True)


def test_videopose3d_lacks_are_named(npz):
    folder, _, detections = npz
    with pytest.raises(InputError, match=r"lacks S5 in data_3d_h36m.npz"):
        videopose3d_source(folder)
    detections["S1"]["WalkDog"][0] = np.zeros((3, 16, 2))
    np.savez(folder / "data_2d_h36m_gt.npz", positions_2d=detections)
    with pytest.raises(InputError, match=r"S1 WalkDog must be finite .*\[3, 16, 2\]"):
        videopose3d_source(folder, partial_set=True)
    for cameras, rule in ((17, ": must be a list of cam"), ([1.0], " must have 4 cam")):
        detections["S1"]["WalkDog"] = cameras
        np.savez(folder / "data_2d_h36m_gt.npz", positions_2d=detections)
        with pytest.raises(InputError, match=f"S1 WalkDog{rule}"):
            videopose3d_source(folder, partial_set=True)
    (folder / "data_2d_h36m_gt.npz").rename(folder / "x.npz")
    with pytest.raises(InputError, match=r"must hold one file data_2d_h36m_\*"):
        videopose3d_source(folder, partial_set=True)


def test_videopose3ds_files_of_nobody_known_make_no_set(npz, tmp_path):
    folder, positions, _ = npz
    others = {name.replace("S", "Subject"): held for name, held in positions.items()}
    np.savez(folder / "data_3d_h36m.npz", positions_3d=others)
    with pytest.raises(InputError, match="h36m_lifting: the source has no sample"):
        videopose3d_source(folder, partial_set=True).plan()


COCOS_SIDES = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]
OWN_SIDES = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]


@pytest.mark.parametrize(
    ("metadata", "received"),
    [
        ({"layout_name": "coco", "keypoints_symmetry": COCOS_SIDES}, "'coco'"),
        ({"layout_name": "coco", "num_joints": 17}, "'coco'"),
        ({"keypoints_symmetry": COCOS_SIDES}, r"\[1, 3, 5, 7, 9, 11, 13, 15\]"),
        ({"layout_name": "h36m", "keypoints_symmetry": [7]}, "not VideoPose3D's"),
        ([17], "not VideoPose3D's"),
    ],
)
def test_videopose3ds_joints_of_another_skeleton_are_refused(npz, metadata, received):
    """COCO has 17 joints, too: their order would make nonsense of every frame."""
    folder, _, detections = npz
    path = folder / "data_2d_h36m_gt.npz"
    held = np.empty((), object)
    held[()] = metadata
    np.savez(path, positions_2d=detections, metadata=held)
    with pytest.raises(InputError, match=f"data_2d_h36m_gt.npz.*{received}"):
        videopose3d_source(folder, partial_set=True)


@pytest.mark.parametrize(
    "metadata",
    [
        {"layout_name": "h36m", "keypoints_symmetry": OWN_SIDES},
        {"num_joints": 17, "keypoints_symmetry": OWN_SIDES},
    ],
)
def test_videopose3ds_own_joints_are_taken(npz, metadata):
    folder, _, detections = npz
    path = folder / "data_2d_h36m_gt.npz"
    np.savez(path, positions_2d=detections, metadata=metadata)
    assert len([*videopose3d_source(folder, partial_set=True).samples("test")]) == 7
