"""Methods of others: exact where detections are, robust where they say to be."""

import made_up_recording
import numpy as np
import pytest
from scipy.optimize import check_grad

from human_pose.calibrated.baselines import BASELINES, anipose, of_takes, smoothed
from human_pose.calibrated.baselines.filtering import filtered
from human_pose.calibrated.baselines.pose2sim import camera_dropping, gaps_filled
from human_pose.calibrated.baselines.views import pinhole_views
from human_pose.files.errors import InputError

TRUTH = made_up_recording.truth_mm()
EXACT = made_up_recording.recording(TRUTH)
PLAIN = ("weighted DLT", "RANSAC", "IRLS", "Pose2Sim's rule", "Anipose's optimiser")
ROBUST = PLAIN[1:]


def changed(recording, edit):
    joints = recording.joints_2d_px.copy()
    edit(joints[:, :, 0])
    return recording.replace(joints_2d_px=joints)


def far_off(joints):
    """One view is wrong by 120 px in a joint and frame; another is blind there."""
    joints[7, 1, 3] += 120, -90
    joints[8, 2, 5] = np.nan


@pytest.mark.parametrize("name", PLAIN)
def test_exact_detections_give_the_truth(name):
    found = BASELINES[name](EXACT)
    # Anipose's trades pixels for smoothness, a few millimetres of a walk at 12.5 Hz.
    most = 25.0 if name.startswith("Anipose") else 1e-5
    assert np.abs(found - TRUTH).max() < most


@pytest.mark.parametrize("name", ROBUST)
def test_one_view_far_off_or_blind_does_not_count(name):
    exact = BASELINES[name](EXACT)
    found = BASELINES[name](changed(EXACT, far_off))
    dlt = BASELINES["weighted DLT"](changed(EXACT, far_off))
    assert np.linalg.norm(dlt - TRUTH, axis=-1).max() > 60
    # A loss that grows for ever never lets go of a detection.
    most = {"IRLS": 30, "Anipose's optimiser": 60}.get(name, 1e-5)
    assert np.linalg.norm(found - exact, axis=-1).max() < most


@pytest.mark.parametrize("name", PLAIN)
def test_cameras_may_stand_in_any_order(name):
    noisy = made_up_recording.recording(TRUTH, noise_px=4.0)
    turned = noisy.of_views(noisy.view_names[::-1])
    difference = BASELINES[name](turned) - BASELINES[name](noisy)
    assert np.abs(difference).max() < (0.5 if name.startswith("Anipose") else 1e-6)


@pytest.mark.parametrize("name", PLAIN)
def test_a_joint_of_one_view_is_none(name):
    def blind(joints):
        joints[:, 1:, 4] = np.nan

    found = BASELINES[name](changed(EXACT, blind))
    assert np.isnan(found[:, 4]).all()
    assert np.isfinite(np.delete(found, 4, axis=1)).all()


def test_pose2sim_gives_up_where_no_two_cameras_agree():
    def scattered(joints):
        # Each view sees another place: no two rays meet.
        joints[10:13, :, 2] += [[200, 300], [-90, -300], [200, 100], [90, 0]]

    recording = changed(EXACT, scattered)
    found = BASELINES["Pose2Sim's rule"](recording)
    # Three frames of a gap, closed by a cubic of the neighbours.
    assert np.linalg.norm(found[10:13, 2] - TRUTH[10:13, 2], axis=-1).max() < 60
    few = recording.of_frames(slice(10, 13))
    lost = camera_dropping(
        few.joints_2d_px[:, :, 0], few.confidence[:, :, 0], few.cameras
    )
    assert np.isnan(lost[:, 2]).all() and np.isfinite(lost[:, 3]).all()


def test_gaps_are_closed_by_a_cubic_and_long_ones_hold_the_last_value():
    time = np.arange(60.0)
    course = np.stack([time**3 / 100, time**2, time], axis=-1)[:, None]
    gaps = course.copy()
    gaps[10:14] = gaps[25:50] = gaps[:2] = np.nan
    filled = gaps_filled(gaps)
    np.testing.assert_allclose(filled[2:25], course[2:25], rtol=1e-9)
    assert (filled[25:50] == course[24]).all() and (filled[:2] == course[2]).all()


def test_anipose_jacobian_is_that_of_its_residuals():
    views = pinhole_views(
        EXACT.joints_2d_px[:4, :, 0], EXACT.confidence[:4, :, 0], EXACT.cameras
    )
    rng = np.random.default_rng(0)
    start = TRUTH[:4] / 1e3 + rng.normal(0, 0.02, TRUTH[:4].shape)
    bones = np.array(EXACT.skeleton.limbs)
    problem = anipose.Problem(views, bones, 3.0, np.linspace(0.2, 0.5, len(bones)))
    unknowns = np.concatenate([start.ravel(), problem.lengths_m])
    weights = rng.normal(size=len(anipose._residuals(unknowns, problem)))
    off = check_grad(
        lambda x: weights @ anipose._residuals(x, problem),
        lambda x: anipose._jacobian(x, problem).T @ weights,
        unknowns,
        epsilon=1e-7,
    )
    size = np.linalg.norm(anipose._jacobian(unknowns, problem).T @ weights)
    assert off < 1e-5 * size


def test_anipose_in_windows_is_nearly_the_whole(monkeypatch):
    noisy = made_up_recording.recording(made_up_recording.truth_mm(60), noise_px=3.0)
    whole = BASELINES["Anipose's optimiser"](noisy)
    monkeypatch.setattr(anipose, "_WINDOW", 30)
    parts = BASELINES["Anipose's optimiser"](noisy)
    assert np.abs(parts - whole).max() < 15


def test_filters_pass_slow_and_stop_fast_motion():
    time = np.arange(240) / 60
    slow, fast = (np.sin(2 * np.pi * f * time) for f in (1.0, 15.0))
    motion = 100 * np.stack([slow, slow + 0.05 * fast, 0 * slow], axis=-1)[:, None]
    found = filtered(motion, 60.0)[30:-30]
    np.testing.assert_allclose(found[..., 0], motion[30:-30, :, 0], atol=1.0)
    np.testing.assert_allclose(found[..., 1], motion[30:-30, :, 0], atol=1.0)
    # A jump of one frame is Hampel's; a gap stays a gap.
    jumping = motion.copy()
    jumping[100] += 5000.0
    jumping[150] = np.nan
    mended = filtered(jumping, 60.0)
    np.testing.assert_allclose(mended[80:120, 0, 0], motion[80:120, 0, 0], atol=25)
    assert np.isnan(mended[150]).all() and np.isfinite(np.delete(mended, 150, 0)).all()
    assert filtered(motion[:0], 60.0).shape == (0, 1, 3)
    assert (filtered(0 * motion, 10.0) == 0).all()


def test_takes_do_not_touch_each_other():
    halves = np.repeat([0, 1], 12)
    recording = made_up_recording.recording(TRUTH, 4.0).replace(sequence=halves)
    for name in ("Pose2Sim's rule, filtered", "Anipose's optimiser"):
        whole = BASELINES[name](recording)
        alone = BASELINES[name](recording.of_frames(halves == 1))
        np.testing.assert_array_equal(whole[12:], alone)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cameras": ()}, "must have cameras"),
        ({"fps": None}, "fps must be known"),
    ],
)
def test_what_is_missing_is_named(change, words):
    method = of_takes(smoothed(BASELINES["weighted DLT"]))
    with pytest.raises(InputError, match=words):
        method(EXACT.replace(**change))


def test_views_need_their_cameras():
    with pytest.raises(InputError, match="one view for each camera"):
        pinhole_views(
            EXACT.joints_2d_px[:, :, 0], EXACT.confidence[:, :, 0], EXACT.cameras[:3]
        )
