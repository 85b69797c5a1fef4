"""A lifter in a file: all of it comes back, and no other detector's joints get in."""

import dataclasses

import numpy as np
import pytest

from human_pose.calibrated.checkpoint import NAME, load_lifter, save_lifter
from human_pose.calibrated.config import CalibratedConfig, EnergyConfig, SolverConfig
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.files import load_prior
from human_pose.calibrated.training.config import WEIGHTS
from human_pose.files.errors import InputError
from human_pose.files.npz import write_npz
from human_pose.geometry.known_skeletons import by_name

COCO = by_name("coco_17")
CONFIG = CalibratedConfig(temporal=False, energy=EnergyConfig(flat_mm=4.0))


@pytest.fixture(scope="module")
def lifter():
    made = CalibratedLifter(
        load_prior(), COCO, CONFIG, damping=1e-6, derivative="unrolled"
    )
    rng = np.random.default_rng(0)
    for name in WEIGHTS.values():
        variable = made.weight(name)
        variable.assign_add(rng.normal(0, 0.1, variable.shape))
    return made


@pytest.fixture(scope="module")
def saved(lifter, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    save_lifter(folder / NAME, lifter)
    return folder


def assert_alike(found, lifter):
    assert (found.config, found.damping) == (lifter.config, lifter.damping)
    assert found.derivative == lifter.derivative
    assert found.joints.detector == lifter.joints.detector
    assert found.prior.skeleton == lifter.prior.skeleton
    for name in ("lengths_mm", "shares", "means_mm", "acceleration_mm2"):
        assert np.array_equal(getattr(found.prior, name), getattr(lifter.prior, name))


def test_everything_comes_back(saved, lifter, tmp_path):
    for path in (saved, saved / NAME):
        found = load_lifter(path, COCO)
        assert_alike(found, lifter)
        assert len(lifter.variables) == len(WEIGHTS)
        for name in WEIGHTS.values():
            assert np.array_equal(found.weight(name), lifter.weight(name))
    save_lifter(tmp_path / "again.npz", found)
    assert (tmp_path / "again.npz").read_bytes() == (saved / NAME).read_bytes()


def test_keras_keeps_it_too(lifter, tmp_path):
    assert_alike(CalibratedLifter.from_config(lifter.get_config()), lifter)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"weight_log_time": np.array(1e9)}, "weight_log_time"),
        ({"weight_log_sigma": np.zeros(3), "weight_log_lasting": np.zeros(3)},
         r"weight_log_sigma must have shape \[\d+\]"),
        ({"settings": np.array("{}")}, "settings"),
        ({"settings": np.array("[1]")}, "settings"),
        ({"settings": np.array('{"detector": 3')}, "settings"),
        ({"fps": np.array(-1.0)}, "fps must be positive"),
    ],
)  # fmt: skip
def test_damage_is_told_in_one_line(saved, tmp_path, changes, rule):
    with np.load(saved / NAME) as file:
        write_npz(tmp_path / "bad.npz", {**file, **changes})
    with pytest.raises(InputError, match=rule):
        load_lifter(tmp_path / "bad.npz")


def test_other_joints_and_no_file_are_told_in_one_line(saved, tmp_path):
    with pytest.raises(InputError, match="was trained on detections of nose"):
        load_lifter(saved, by_name("body_25"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=NAME):
        load_lifter(tmp_path / "empty")
    renamed = dataclasses.replace(COCO, aliases=())
    load_lifter(saved, renamed)  # other words for the same joints


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        (EnergyConfig, {"time": 0.0}, r"time must be positive; received 0\.0"),
        (EnergyConfig, {"bone_mm": -3.0}, "bone_mm must be positive"),
        (EnergyConfig, {"tilt_rad": np.nan}, "tilt_rad must be positive; received nan"),
        (EnergyConfig, {"outlier_share": 1.0}, "outlier_share must be below 1"),
        (EnergyConfig, {"limb_swap": 0.5}, "limb_swap and body_swap must leave"),
        (EnergyConfig, {"lasting": 1.2}, "lasting must be from 0 to 1"),
        (SolverConfig, {"window": 0}, "window must be 1 or more"),
        (SolverConfig, {"overlap_s": np.inf}, "overlap_s must be 0 or more"),
    ],
)
def test_settings_that_are_none_are_refused(config, changes, message):
    """Of a weight of 0 the file could be written, and not read again."""
    with pytest.raises(InputError, match=message):
        config(**changes)
    assert EnergyConfig(lasting=0.0) and SolverConfig(noise_rounds=0)
