import numpy as np
import pytest

from human_pose.calibrated.prior.embedded import (
    Breadth,
    broadened,
    embedded_prior,
)
from human_pose.calibrated.prior.files import (
    EMBEDDED,
    load_prior,
    read_prior,
    write_prior,
)
from human_pose.calibrated.prior.pose_prior import PosePrior
from human_pose.datasets.protocol import TRAIN_SUBJECTS
from human_pose.datasets.synthetic.body import BODIES
from human_pose.files.errors import InputError
from human_pose.files.paths import PROJECT_ROOT
from human_pose.geometry.skeleton import Skeleton
from human_pose.geometry.skeletons import LIFTER_17

FIELDS = (
    "lengths_mm", "shares", "means_mm", "covariances_mm2", "acceleration_mm2", "fps",
)  # fmt: skip


@pytest.fixture(scope="module")
def embedded():
    return load_prior()


def test_a_prior_comes_back(embedded, tmp_path):
    write_prior(tmp_path / "a.npz", embedded)
    write_prior(tmp_path / "run" / "prior.npz", read_prior(tmp_path / "a.npz"))
    found = load_prior(tmp_path / "run")
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found, name), getattr(embedded, name))
    assert found.skeleton is LIFTER_17
    assert (tmp_path / "a.npz").read_bytes() == (
        tmp_path / "run" / "prior.npz"
    ).read_bytes()


def test_a_prior_of_another_skeleton_comes_back(tmp_path):
    skeleton = Skeleton.grown(
        {"pelvis": None, "left_hip": "pelvis", "right_hip": "pelvis"}
    )
    eye = np.eye(9)
    lengths = np.array([0, 100.0, 100])
    own = PosePrior(
        skeleton, lengths, np.ones(1), np.zeros((1, 3, 3)), eye[None], eye, 30.0
    )
    write_prior(tmp_path / "a.npz", own)
    assert read_prior(tmp_path / "a.npz").skeleton == skeleton


def changed(path, embedded, name, change):
    write_prior(path, embedded)
    with np.load(path) as held:
        arrays = dict(held)
    arrays[name] = change(arrays[name])
    np.savez(path, **arrays)


def with_value(place, value):
    def change(array):
        array = array.copy()
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("shares", lambda a: a * 0.9, "add up to 1"),
        ("shares", lambda a: a * [2, 1, -1] / a / 2, "be positive"),
        ("shares", lambda a: a[:2], "means_mm must have shape"),
        ("means_mm", lambda a: a + 50, "centred"),
        ("means_mm", lambda a: a * np.nan, "finite"),
        ("covariances_mm2", lambda a: -a, "positive semidefinite"),
        ("covariances_mm2", with_value((0, 0, 1), 9e3), "symmetric"),
        ("covariances_mm2", lambda a: a * 1e9, "within"),
        ("acceleration_mm2", lambda a: -a, "positive definite"),
        ("acceleration_mm2", lambda a: a[:48, :48], "acceleration_mm2 must have shape"),
        ("lengths_mm", with_value(0, 5), "0 of the root"),
        ("lengths_mm", lambda a: a * 0, "not all be 0"),
        ("fps", lambda a: a * 0, "fps must be positive"),
        ("parents", lambda a: a * 1.0, "whole numbers"),
        ("parents", with_value(0, 16), "joint_names and parents"),
        ("parents", with_value(3, 40), "joint_names and parents"),
        ("joint_names", lambda a: np.array(["x"] * 17), "joint_names"),
        ("joint_names", lambda a: np.array([f"x{n}" for n in range(17)]), "faces"),
        ("joint_names", lambda a: np.array([b"\xff"] * 17), "text in UTF-8"),
    ],
)
def test_wrong_files_are_refused(embedded, tmp_path, name, change, message):
    path = tmp_path / "a.npz"
    changed(path, embedded, name, change)
    with pytest.raises(InputError, match=message) as raised:
        read_prior(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_a_folder_without_a_prior_is_named(tmp_path):
    with pytest.raises(InputError, match=f"{tmp_path}/prior.npz: no such file"):
        load_prior(tmp_path)


def test_the_embedded_prior_is_of_the_invented_people(embedded):
    arms = [BODIES[subject].upper_arm for subject in TRAIN_SUBJECTS]
    assert embedded.lengths_mm[12] == pytest.approx(np.mean(arms), rel=1e-4)
    assert embedded.skeleton is LIFTER_17
    # Wide enough for other people: every joint by centimetres.
    for covariance in embedded.covariances_mm2:
        assert np.sqrt(np.diag(covariance)).min() > 15
    assert np.sqrt(np.diag(embedded.acceleration_mm2)).min() > 2


def test_breadth_is_what_it_says(embedded):
    still = Breadth(0.0, 0.0, 0.0)
    same = broadened(embedded, still)
    np.testing.assert_array_equal(same.covariances_mm2, embedded.covariances_mm2)
    swung = broadened(embedded, Breadth(0.0, 10.0, 0.0)).acceleration_mm2
    added = np.diag(swung - embedded.acceleration_mm2)
    ankle, fps = 3, embedded.fps
    chain = np.square(embedded.lengths_mm[[1, 2, 3]]).sum()
    assert added[3 * ankle] == pytest.approx(chain * (10 / fps**2) ** 2)
    assert added[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.large
def test_the_embedded_prior_is_made_anew(embedded):
    made = embedded_prior()
    for name in FIELDS:
        ours = getattr(embedded, name)
        np.testing.assert_allclose(
            getattr(made, name), ours, rtol=1e-3, atol=1e-3 * np.abs(ours).max()
        )
    assert (PROJECT_ROOT / EMBEDDED).stat().st_size < 100_000
