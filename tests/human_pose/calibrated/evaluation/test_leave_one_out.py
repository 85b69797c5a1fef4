"""Errors in cameras left out: none of the truth, a known one of a known shift."""

import made_up_recording
import numpy as np
import pytest

from human_pose.calibrated.baselines import BASELINES
from human_pose.calibrated.evaluation import leave_one_out as loo

TRUTH = made_up_recording.truth_mm()
EXACT = made_up_recording.recording(TRUTH)


def test_the_truth_has_no_error():
    errors = loo.leave_cameras_out(lambda _: TRUTH, EXACT, 3)
    assert errors.mean < 1e-6
    assert (errors.within_50, errors.coverage, errors.detections) == (1, 1, 24 * 17)


def test_only_certain_detections_of_other_views_count():
    confidence = EXACT.confidence.copy()
    confidence[:, :, :, 2] = 0.8
    joints = EXACT.joints_2d_px.copy()
    joints[:, 0] += 1000  # the method's own view is no measure
    joints[:, 1, :, 5] += (36, 48)
    lost = TRUTH.copy()
    lost[:, 7] = np.nan
    recording = EXACT.replace(joints_2d_px=joints, confidence=confidence)
    seen = []

    def method(given):
        seen.append(given.view_names)
        return lost

    errors = loo.leave_out(method, recording, ["back", "left"], joints=[2, 5, 7])
    assert seen == [("back", "left")]
    # Joint 5 in two views, one of them 60 px off; joint 7 is nowhere.
    assert errors.detections == 2 * 2 * 24
    assert errors.mean == pytest.approx(30) and errors.ninety == pytest.approx(60)
    assert (errors.within_50, errors.coverage) == (0.25, 0.5)


def test_what_a_camera_cannot_see_is_infinitely_far():
    behind = EXACT.cameras[0].position_mm * 1.5
    errors = loo.distances_px(np.broadcast_to(behind, TRUTH.shape), EXACT)
    assert np.isinf(errors[:, 0]).all() and np.isfinite(errors[:, 2]).all()


def test_a_method_that_finds_nothing_is_measured():
    errors = loo.leave_cameras_out(lambda _: TRUTH * np.nan, EXACT, 2)
    assert np.isnan(errors.mean) and errors.coverage == 0


def test_a_view_whose_detections_are_all_unsure_hides_no_others_errors():
    confidence = EXACT.confidence.copy()
    confidence[:, 1] = 0.7
    unsure = EXACT.replace(confidence=confidence)
    errors = loo.leave_cameras_out(lambda _: TRUTH, unsure, 3)
    assert errors.mean < 1e-6
    assert (errors.within_50, errors.coverage, errors.detections) == (1, 1, 24 * 17)
    nothing = EXACT.replace(confidence=0.7 * EXACT.confidence)
    assert np.isnan(loo.leave_cameras_out(lambda _: TRUTH, nothing, 3).mean)


def test_many_cameras_have_not_too_many_subsets():
    names = [f"view {k}" for k in range(16)]
    assert len(loo.subsets(names, 2)) == loo.MOST_SUBSETS
    assert len(loo.subsets(names[:4], 3)) == 4
    assert [loo.sizes(n) for n in (1, 2, 3, 4)] == [(), (), (2,), (3, 2)]


# The figures of ../shared/data/recording/README.md, and how far its own methods, which
# are not these to the letter, may be from them.
@pytest.mark.parametrize(
    ("name", "joints", "count", "figures", "off"),
    [
        ("weighted DLT", [0, *range(5, 17)], 3, (26.9, 69.2, 205.6), 0.01),
        ("weighted DLT", [0, *range(5, 17)], 2, (32.2, 92.2, 293), 0.01),
        ("Pose2Sim's rule", range(5, 17), 3, (24.4, 58.3, 132.8), 0.02),
        ("Pose2Sim's rule", range(5, 17), 2, (29.8, 65.9, 181), 0.04),
    ],
)
def test_the_real_recording_gives_the_known_figures(
    shared, name, joints, count, figures, off
):
    recording = made_up_recording.real(shared / "data" / "recording")
    errors = loo.leave_cameras_out(BASELINES[name], recording, count, joints)
    found = (errors.median, errors.mean, errors.ninety)
    np.testing.assert_allclose(found, figures, rtol=off)
