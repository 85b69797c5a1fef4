"""The embedded data as files: formats, cameras, detections, recognisable actions."""

import filecmp
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from human_pose.datasets.pose_files import read_pose_file
from human_pose.datasets.protocol import ACTIONS, TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.datasets.synthetic import (
    BODIES,
    Recipe,
    data_files,
    generate,
    subject_cameras,
)
from human_pose.datasets.synthetic.dataset import sequence
from human_pose.datasets.synthetic.detector import EXTREMITIES, Detector
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import UNDETECTED_JOINT
from human_pose.lifting.prior.pose_mixture import align

TINY = Recipe(train_frames=3, test_frames=4)
PERFECT = Detector(0.0, 0.0, outlier_rate=0.0, exchange_rate=0.0)
DETECTED = [joint for joint in range(17) if joint != UNDETECTED_JOINT]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    generate(folder, TINY)
    return folder


def test_all_files_are_there_and_whole(folder):
    assert sorted(p for p in folder.rglob("*") if p.is_file()) == sorted(
        data_files(folder)
    )
    assert len(data_files(folder)) == 62
    assert len(read_pose_file(folder / "train_sh.h5")) == 5 * 30 * 3
    # Subject 11's first Directions is left out.
    assert len(read_pose_file(folder / "test_sh.h5")) == (2 * 30 - 1) * 4
    assert len(read_pose_file(folder / "testing/Directions_sh.h5")) == 4
    assert len(read_pose_file(folder / "testing/Directions_1_sh.h5")) == 8
    assert len(read_pose_file(folder / "training/Walking_1_sh.h5")) == 15


def test_whole_sets_are_the_takes_in_order(folder):
    whole = read_pose_file(folder / "train_sh.h5")
    names = [f"{action}_sh.h5" for action in ACTIONS]
    names += [f"{action}_1_sh.h5" for action in ACTIONS]
    for index, name in enumerate(names):
        part = read_pose_file(folder / "training" / name)
        frames = slice(15 * index, 15 * (index + 1))
        np.testing.assert_array_equal(part.joints_2d_px, whole.joints_2d_px[frames])
        np.testing.assert_array_equal(part.joints_3d_mm, whole.joints_3d_mm[frames])


def test_equal_seeds_give_equal_bytes_and_others_do_not(folder, tmp_path):
    generate(tmp_path / "again", TINY)
    generate(tmp_path / "other", replace(TINY, seed=1))
    for path in data_files("."):
        assert filecmp.cmp(folder / path, tmp_path / "again" / path, shallow=False)
        assert not filecmp.cmp(folder / path, tmp_path / "other" / path, shallow=False)


def test_files_are_replaced_only_when_asked(folder, tmp_path):
    mine = tmp_path / "test_sh.h5"
    mine.write_text("mine")
    with pytest.raises(InputError, match=r"test_sh\.h5 is there already"):
        generate(tmp_path, TINY)
    assert mine.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [mine]
    generate(tmp_path, TINY, overwrite=True)
    assert filecmp.cmp(mine, folder / "test_sh.h5", shallow=False)


def test_what_fails_half_way_leaves_the_old_ones(folder, tmp_path):
    """Else a set would be of two recipes, and nothing would say so."""
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)

    def fail(path, done, total):
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(kept, replace(TINY, seed=1), overwrite=True, progress=fail)
    assert sorted(p for p in kept.rglob("*") if p.is_file()) == sorted(data_files(kept))
    for path in data_files("."):
        assert filecmp.cmp(folder / path, kept / path, shallow=False)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "new", TINY, progress=lambda *_: fail(kept, 40, 62))
    assert not [*(tmp_path / "new").iterdir()]


def test_a_folder_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/data: cannot be written: Not a dir"):
        generate(tmp_path / "file" / "data", TINY)


@pytest.mark.parametrize(
    "wrong",
    [{"train_frames": 0}, {"test_frames": -1}, {"train_frames": 2.5}, {"seed": -1}],
)
def test_a_recipe_that_cannot_be_made_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=f"^{name} must be a whole number, at least"):
        Recipe(**wrong)


def test_the_command_leaves_committed_files_alone(tmp_path):
    committed = tmp_path / "model_parameters.h5"
    committed.write_text("fitted")
    command = [sys.executable, "-m", "human_pose.commands.make_poses"]
    command.append(f"--data_dir={tmp_path}")
    for said in ("is in", "already"):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert said in done.stdout
    assert committed.read_text() == "fitted"
    frames = len(read_pose_file(tmp_path / "train_sh.h5"))
    assert 600 <= len(range(0, frames, 5)) <= 1000
    assert len(range(0, frames, 5)) % 4 == 0


def test_no_tensorflow_is_needed():
    code = (
        "import sys, human_pose.datasets.synthetic; print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.split() == [b"False"]


@pytest.mark.parametrize("subject", [1, 9])
def test_truth_projects_onto_noiseless_detections(subject):
    recipe = Recipe(detector=PERFECT)
    poses = sequence(subject, "Greeting", 0, 10, recipe)
    for view, camera in enumerate(subject_cameras(subject, recipe.seed)):
        np.testing.assert_array_equal(
            poses.camera_rotations[:, view], np.stack([camera.rotation] * 10)
        )
        # By hand: rotate, translate, divide, scale.
        points = poses.joints_3d_mm @ camera.rotation.T + camera.translation_mm
        pixels = camera.focal_px * points[..., :2] / points[..., 2:] + camera.centre_px
        np.testing.assert_allclose(
            poses.joints_2d_px[:, view, DETECTED], pixels[:, DETECTED], atol=1e-9
        )
    np.testing.assert_array_equal(poses.joints_2d_px[:, :, UNDETECTED_JOINT], 0)
    # The image's y-axis points down.
    assert np.all(poses.joints_2d_px[..., 10, 1] < poses.joints_2d_px[..., 0, 1])


def test_cameras_stand_in_four_corners_near_their_average():
    rotations = []
    for subject in BODIES:
        cameras = subject_cameras(subject, 0)
        corners = [tuple(np.sign(camera.position_mm[:2])) for camera in cameras]
        assert corners == [(1, 1), (1, -1), (-1, 1), (-1, -1)]
        rotations.append([camera.rotation for camera in cameras])
    average = np.mean(rotations, axis=0)
    cosine = (np.einsum("svij,vij->sv", rotations, average) - 1) / 2
    degrees = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
    assert 1 < degrees.mean() < 4
    assert degrees.max() < 8


def test_the_person_is_in_every_picture(folder):
    for name in ("train_sh.h5", "test_sh.h5"):
        pixels = read_pose_file(folder / name).joints_2d_px[:, :, DETECTED]
        assert np.mean((pixels > 0) & (pixels < 1000)) > 0.999


def detected(frames=20000, **rates):
    """Detections of well-separated points, and the points."""
    exact = np.stack([100.0 * np.arange(17), 50.0 * np.arange(17)], axis=-1)
    exact = np.broadcast_to(exact, (frames, 17, 2))
    return Detector(**rates).detect(exact, np.random.default_rng(0)), exact


def test_gaussian_noise_is_wider_at_the_extremities():
    found, exact = detected(outlier_rate=0.0, exchange_rate=0.0)
    deviations = (found - exact).std(axis=0)
    others = [joint for joint in DETECTED if joint not in EXTREMITIES]
    np.testing.assert_allclose(deviations[list(EXTREMITIES)], 7, rtol=0.03)
    np.testing.assert_allclose(deviations[others], 4, rtol=0.03)
    np.testing.assert_allclose((found - exact)[:, DETECTED].mean(axis=0), 0, atol=0.25)


def test_outliers_have_their_rate_and_size():
    found, exact = detected(
        deviation_px=0.0, extremity_deviation_px=0.0, exchange_rate=0.0
    )
    distance = np.linalg.norm(found - exact, axis=-1)[:, DETECTED]
    assert np.mean(distance > 0) == pytest.approx(0.02, rel=0.05)
    assert 20 <= distance[distance > 0].min() < distance.max() <= 80


def test_arms_and_legs_are_exchanged_whole():
    found, exact = detected(
        deviation_px=0.0, extremity_deviation_px=0.0, outlier_rate=0.0
    )
    for right, left in (([14, 15, 16], [11, 12, 13]), ([1, 2, 3], [4, 5, 6])):
        moved = np.any(found[:, right] != exact[:, right], axis=(1, 2))
        assert np.mean(moved) == pytest.approx(0.005, rel=0.25)
        np.testing.assert_array_equal(found[moved][:, right], exact[moved][:, left])
        np.testing.assert_array_equal(found[moved][:, left], exact[moved][:, right])
    np.testing.assert_array_equal(found[:, [0, 7, 8, 10]], exact[:, [0, 7, 8, 10]])


def test_detection_leaves_its_input_alone():
    points = np.ones((2, 17, 2))
    Detector().detect(points, np.random.default_rng(0))
    np.testing.assert_array_equal(points, 1)


def statistics(poses_mm):
    """Means and deviations of the aligned, hip-centred joints of one sequence."""
    aligned = align(poses_mm)
    relative = aligned - aligned[:, :1]
    return np.concatenate([relative.mean(axis=0).ravel(), aligned.std(axis=0).ravel()])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_nearest_centroid_rule_tells_the_actions_apart(seed):
    recipe = Recipe(seed=seed)

    def described(subjects, frames):
        rows, labels = [], []
        for label, action in enumerate(ACTIONS):
            for subject in subjects:
                for take in range(2):
                    poses = sequence(subject, action, take, frames, recipe)
                    rows.append(statistics(poses.joints_3d_mm))
                    labels.append(label)
        return np.array(rows), np.array(labels)

    rows, labels = described(TRAIN_SUBJECTS, recipe.train_frames)
    centroids = np.stack([rows[labels == k].mean(axis=0) for k in range(len(ACTIONS))])
    rows, labels = described(TEST_SUBJECTS, recipe.test_frames)
    distance = np.linalg.norm(rows[:, None] - centroids, axis=-1)
    assert np.mean(distance.argmin(axis=1) == labels) >= 0.8
