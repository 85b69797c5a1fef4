"""The settings of a recording that weights are learned in."""

import dataclasses

import made_up_recording
import numpy as np
import pytest

from human_pose.calibrated.training.config import CalibratedTrainingConfig
from human_pose.calibrated.training.settings import with_settings
from human_pose.files.errors import InputError

CONFIG = CalibratedTrainingConfig()


@pytest.mark.parametrize("seed", range(3))
def test_fewer_views_and_detections(seed):
    recording = made_up_recording.recording(noise_px=3.0)
    config = dataclasses.replace(CONFIG, seed=seed)
    whole, some, gaps = with_settings(recording, config)
    assert whole is recording
    assert 2 <= len(some.view_names) < 4
    for view, name in enumerate(some.view_names):
        place = recording.view_names.index(name)
        shown = recording.joints_2d_px[:, place]
        assert np.array_equal(some.joints_2d_px[:, view], shown)
        assert some.cameras[view] == recording.cameras[place]
    assert 1 - gaps.seen.mean() == pytest.approx(config.missing, abs=0.02)
    assert np.array_equal(gaps.joints_2d_px[gaps.seen], whole.joints_2d_px[gaps.seen])
    again = [*with_settings(recording, config)]
    assert again[1].view_names == some.view_names
    assert np.array_equal(again[2].seen, gaps.seen)
    assert len({one.source for one in again}) == 3


def test_two_views_have_no_others():
    recording = made_up_recording.recording(views=2)
    assert [len(r.view_names) for r in with_settings(recording, CONFIG)] == [2, 2]


@pytest.mark.parametrize("names", [(), ("as it is", "night")])
def test_unknown_settings_are_told(names):
    config = dataclasses.replace(CONFIG, settings=names)
    with pytest.raises(InputError, match="settings must be of as it is, some views"):
        [*with_settings(made_up_recording.recording(), config)]


def test_views_that_show_nobody_are_none_of_the_fewer():
    """Two of them alone would have ended the training."""
    recording = made_up_recording.recording()
    joints = recording.joints_2d_px.copy()
    joints[:, 2] = np.nan
    shown = recording.replace(joints_2d_px=joints)
    for seed in range(5):
        config = dataclasses.replace(CONFIG, seed=seed)
        _, some, _ = with_settings(shown, config)
        assert len(some.view_names) == 2
        assert some.seen.any(axis=(0, 2, 3)).all()
    joints[:, 1] = np.nan
    few = recording.replace(joints_2d_px=joints)
    assert len([*with_settings(few, CONFIG)]) == 2
