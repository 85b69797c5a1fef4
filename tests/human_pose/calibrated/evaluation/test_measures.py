"""Numbers of the report, each against what is known of invented results."""

import dataclasses

import made_up_detections
import made_up_recording
import numpy as np
import pytest

from human_pose.calibrated import gaps
from human_pose.calibrated.baselines import of_takes
from human_pose.calibrated.evaluation import comparison, detections, motion_measures
from human_pose.calibrated.evaluation.cautions import cautions
from human_pose.calibrated.evaluation.truth import (
    said_of_numbers,
    truth_errors,
    truth_for,
)
from human_pose.datasets.synthetic.body import BODIES
from human_pose.exchange import formats
from human_pose.exchange.recording import Motion
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import by_name
from human_pose.geometry.skeletons import LIFTER_17, VIEW_NAMES

TRUTH = made_up_recording.truth_mm()
NOISY = made_up_recording.recording(TRUTH, noise_px=3.0)
POSES = made_up_recording.poses(NOISY, TRUTH)


def test_a_body_has_rigid_bones_and_its_height():
    bones = motion_measures.long_bones(LIFTER_17)
    assert list(bones) == ["shin", "thigh", "upper arm", "forearm"]
    lengths = motion_measures.lengths_mm(TRUTH, bones["shin"])
    assert motion_measures.variation(lengths).max() < 1e-9
    height = motion_measures.height_mm(TRUTH, LIFTER_17)
    stature = getattr(BODIES[9], "stature_mm", height)
    assert 1500 < height < 2000 and abs(height / stature - 1) < 0.1
    metres = motion_measures.height_mm(TRUTH / 1000, LIFTER_17)
    assert metres == pytest.approx(height / 1000)


def test_variation_is_deviation_by_mean_of_what_is_known():
    lengths = np.array([[10.0, np.nan], [12.0, 5.0], [np.nan, np.nan], [14.0, np.nan]])
    found = motion_measures.variation(lengths)
    assert found[0] == pytest.approx(np.std([10, 12, 14]) / 12) and np.isnan(found[1])


def test_jerk_is_the_third_derivative_within_takes():
    time = np.arange(8) / 50
    course = np.zeros((8, 2, 3))
    course[:, :, 1] = 1000 * 7 * time[:, None] ** 3  # jerk 42 m/s³
    takes = np.zeros(8, int)
    assert motion_measures.jerk_m_s3(course, 50.0, takes) == pytest.approx(42)
    jumping = course + 1e6 * (np.arange(8) >= 4)[:, None, None]
    cut = (np.arange(8) >= 4).astype(int)
    assert motion_measures.jerk_m_s3(jumping, 50.0, cut) == pytest.approx(42, rel=1e-4)
    assert np.isnan(motion_measures.jerk_m_s3(course, None, takes))


def test_nothing_goes_on_beyond_a_long_gap():
    frames = np.r_[:50, 300:350]
    course = np.zeros((100, len(LIFTER_17), 3))
    course[..., 0] = 1000 * frames[:, None] / 30
    some = made_up_recording.recording(TRUTH[np.arange(100) % len(TRUTH)])
    part = some.replace(frames=frames, fps=30.0)
    assert comparison._row(course, part, None, "ours").jerk_m_s3 < 1e-3
    given = []
    of_takes(lambda take: given.append(take.frames) or course[: len(take)])(part)
    assert [each.tolist() for each in given] == [[*range(50)], [*range(300, 350)]]
    mixed = gaps.stretches(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), None)
    assert mixed.tolist() == [1, 2, 1, 2]
    assert gaps.stretches(frames[:0], frames[:0], 30.0).shape == (0,)


def test_errors_to_the_truth_are_those_that_were_made():
    pelvis = LIFTER_17.index("pelvis")
    moved = TRUTH + np.array([30.0, 0.0, 40.0])
    errors = truth_errors(moved, TRUTH, LIFTER_17)
    assert errors.mean == pytest.approx(50)
    assert max(errors.hip_centred, errors.procrustes) < 1e-3
    assert errors.coverage == 1 and np.isnan(errors.ellipsoids).all()
    lost = moved.copy()
    lost[:12, pelvis + 3] = np.nan
    assert truth_errors(lost, TRUTH, LIFTER_17).coverage == pytest.approx(1 - 0.5 / 17)
    assert truth_errors(lost, TRUTH, LIFTER_17).procrustes < 1e-3
    lost[:, pelvis + 3] = np.nan  # as one that no view ever shows
    assert truth_errors(lost, TRUTH, LIFTER_17).procrustes < 1e-3
    nothing = truth_errors(np.nan * TRUTH, TRUTH, LIFTER_17)
    assert np.isnan(nothing.mean) and nothing.coverage == 0


def test_ellipsoids_hold_their_shares_of_gaussian_errors():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(400, 17, 3, 3)) * 10
    covariance = root @ np.swapaxes(root, -1, -2)
    truth = np.tile(TRUTH[:1], (400, 1, 1))
    found = truth + (root @ rng.normal(size=(400, 17, 3, 1)))[..., 0]
    errors = truth_errors(found, truth, LIFTER_17, covariance)
    # 6,800 draws: deviations below 0.6 %.
    np.testing.assert_allclose(errors.ellipsoids, (0.68, 0.95), atol=0.02)


def test_flat_ellipsoids_hold_nothing_beside_them():
    """What has no extent at all held every truth."""
    flat = np.broadcast_to(np.diag([100.0, 100.0, 0.0]), (24, 17, 3, 3))
    for off, covariance, share in (
        ((1.0, 0.0, 0.0), flat, 1),
        ((1.0, 0.0, 1.0), flat, 0),
        ((1.0, 0.0, 0.0), 0 * flat, 0),
        ((0.0, 0.0, 0.0), 0 * flat, 1),
    ):
        found = truth_errors(TRUTH + off, TRUTH, LIFTER_17, covariance)
        assert found.ellipsoids == (share, share)


@pytest.mark.parametrize("step", [1, 5])
def test_a_truth_that_counts_frames_otherwise_is_told_of(step):
    frames, takes = 7 + step * np.arange(24), np.zeros(24, int)
    late = np.concatenate([np.full((2, 17, 3), np.nan), TRUTH[:-2]])
    said = said_of_numbers(TRUTH, late, frames, takes)
    assert f"taken from {2 * step} frames later: then joints err by 0.0 mm" in said
    assert said_of_numbers(TRUTH, TRUTH, frames, takes) == ""


def test_truth_is_matched_by_the_names_of_joints_and_the_numbers_of_frames():
    coco = by_name("coco_17")
    motion = Motion(TRUTH[::-1], LIFTER_17, frames=np.arange(24)[::-1] + 100)
    frames, takes = np.array([99, 100, 105]), np.zeros(3, int)
    found = truth_for(motion, coco, frames, takes)
    ankle = coco.index("left_ankle"), LIFTER_17.index("left_ankle")
    np.testing.assert_array_equal(found[1:, ankle[0]], TRUTH[[0, 5], ankle[1]])
    assert np.isnan(found[0]).all() and np.isnan(found[:, coco.index("nose")]).all()
    with pytest.raises(InputError, match="must have frames of the recording's, 7 to 8"):
        truth_for(motion, coco, np.array([7, 8]), takes[:2])


def test_truth_without_cuts_is_not_taken_for_one_of_several_takes(tmp_path):
    """A TRC of two takes has every number twice."""
    takes, frames = np.repeat([0, 1], 12), np.tile(np.arange(12), 2)
    motion = Motion(TRUTH, LIFTER_17, 25.0, frames=frames, sequence=takes)
    np.testing.assert_array_equal(truth_for(motion, LIFTER_17, frames, takes), TRUTH)
    formats.write(tmp_path / "truth.trc", motion)
    flat = formats.read_motion(tmp_path / "truth.trc")
    with pytest.raises(InputError, match="matched by number; 0 comes twice"):
        truth_for(flat, LIFTER_17, frames, takes)


def test_the_number_of_an_only_take_says_nothing_beside_a_truth_that_has_none():
    frames, take = np.arange(24), np.full(24, 3)
    plain = Motion(TRUTH, LIFTER_17)
    np.testing.assert_array_equal(truth_for(plain, LIFTER_17, frames, take), TRUTH)
    other = dataclasses.replace(plain, sequence=take + 1)
    with pytest.raises(InputError, match="0 to 23 of take 3; it has 0 to 23 of take 4"):
        truth_for(other, LIFTER_17, frames, take)


def test_truth_of_several_takes_is_matched_by_their_names(tmp_path):
    """Files of other subjects and actions, in another order, are no others' truth."""
    positions = {
        "S9": {"Photo": [TRUTH[:12, :, :2]] * 4, "Eating": [TRUTH[12:, :, :2]] * 4}
    }
    path = made_up_detections.write_videopose3d(tmp_path / "2d.npz", positions)
    seen = formats.read_recording(path)
    takes = {"S1": {"Eating": TRUTH[:12] / 500}, "S9": {"Eating": TRUTH[12:] / 1000}}
    np.savez(tmp_path / "3d.npz", positions_3d=np.array(takes, dtype=object))
    for name in ("3d.npz", "ours.npz"):
        motion = formats.read_motion(tmp_path / name)
        formats.write(tmp_path / "ours.npz", motion)
        found = truth_for(
            motion, LIFTER_17, seen.frames, seen.sequence, seen.take_names
        )
        assert np.isnan(found[:12]).all()
        np.testing.assert_allclose(found[12:], TRUTH[12:])
    formats.write(tmp_path / "2d_ours.npz", seen)
    assert (
        formats.read_recording(tmp_path / "2d_ours.npz").take_names == seen.take_names
    )
    other = dataclasses.replace(motion, take_names=("S5 Photo", "S6 Photo"))
    rule = "of take S9 Photo, S9 Eating; it has 0 to 11 of take S5 Photo, S6 Photo"
    with pytest.raises(InputError, match=rule):
        truth_for(other, LIFTER_17, seen.frames, seen.sequence, seen.take_names)
    with pytest.raises(InputError, match="must be of the takes 0 to 1, from 0"):
        dataclasses.replace(motion, take_names=("S5 Photo",))


def test_one_calibration_for_several_subjects_is_told(tmp_path, caplog):
    views = [TRUTH[:12, :, :2]] * 4
    rig = [
        dataclasses.replace(camera, name=name)
        for camera, name in zip(made_up_recording.cameras(), VIEW_NAMES, strict=True)
    ]
    for subjects, said in (("S9",), False), (("S9", "S11"), True):
        positions = {s: {"Photo": views, "Eating": views} for s in subjects}
        path = made_up_detections.write_videopose3d(tmp_path / "2d.npz", positions)
        formats.read_recording(path)
        assert not caplog.records
        formats.read_recording(path, cameras=rig)
        assert ("has takes of S11, S9; data sets of this form" in caplog.text) == said


def test_predicted_deviations_are_those_of_projected_draws():
    predicted = detections.predicted_px(POSES, NOISY)
    rng = np.random.default_rng(0)
    draws = TRUTH[4] + rng.normal(0, 5.0, (2000, 17, 3))
    for view, camera in enumerate(NOISY.cameras):
        spread = camera.project(draws).var(axis=0).sum(axis=-1)
        np.testing.assert_allclose(predicted[4, view], np.sqrt(spread), rtol=0.06)


def test_sides_that_change_places_over_a_long_gap_are_somebody_who_turned_round():
    turned = TRUTH.copy()
    turned[12:] = TRUTH[12:, list(LIFTER_17.flip_order)]
    for gap, said in ((0, True), (200, False)):
        frames = np.arange(24) + gap * (np.arange(24) >= 12)
        seen = NOISY.replace(frames=frames)
        poses = made_up_recording.poses(seen, turned)
        told = " ".join(cautions(poses, seen, np.zeros((4, 2))))
        assert ("Left and right change places" in told) == said


def test_offsets_show_a_camera_that_looks_elsewhere():
    joints = NOISY.joints_2d_px.copy()
    joints[:, 2] += (9.0, -4.0)
    shifted = NOISY.replace(joints_2d_px=joints)
    found = detections.offsets_px(made_up_recording.poses(shifted, TRUTH), shifted)
    np.testing.assert_allclose(found[2], (9, -4), atol=1.0)
    np.testing.assert_allclose(np.delete(found, 2, axis=0), 0, atol=1.0)


def test_joints_that_a_detector_does_not_have_are_missing_in_no_view():
    """12 of 17 joints without a detection made every view lack 70 % of them."""
    joints = NOISY.joints_2d_px.copy()
    joints[..., 5:, :] = np.nan
    recording = NOISY.replace(joints_2d_px=joints)
    poses = made_up_recording.poses(recording, TRUTH)
    predicted = detections.predicted_px(poses, recording)
    assert [view.missing for view in detections.by_view(poses, predicted)] == [0] * 4
    assert detections.by_joint(poses, predicted)[5].missing == 1
    said = list(cautions(poses, recording, np.zeros((4, 2))))
    assert not any("lacks" in caution for caution in said)
    assert sum("No view ever sees" in caution for caution in said) == 1


def test_agreement_counts_what_is_missing_and_what_was_not_believed():
    joints = NOISY.joints_2d_px.copy()
    joints[:6, 1, 0, 3] = np.nan
    joints[6:12, 1, 0, 3] += 100
    recording = NOISY.replace(joints_2d_px=joints)
    poses = made_up_recording.poses(recording, TRUTH)
    predicted = detections.predicted_px(poses, recording)
    joint = detections.by_joint(poses, predicted)[3]
    assert joint.missing == pytest.approx(6 / 96)
    assert joint.outliers == pytest.approx(6 / 90)
    assert joint.median < 6 < 100 < joint.ninety_five
    view = detections.by_view(poses, predicted)[1]
    assert view.missing == pytest.approx(6 / (24 * 17))
    assert detections.by_view(poses, predicted)[0].missing == 0


def test_swaps_are_ranges_of_the_recordings_frames():
    assert detections.swap_ranges(POSES) == {"door": {"legs": [(3, 5)]}}
    numbered = NOISY.replace(
        frames=np.arange(24) + 100, sequence=(np.arange(24) >= 5).astype(int)
    )
    poses = made_up_recording.poses(numbered, TRUTH)
    ranges = detections.swap_ranges(poses)["door"]["legs"]
    assert ranges == [(103, 104), (105, 105)]
    lacking = NOISY.replace(frames=2 * np.arange(24) + 600 * (np.arange(24) >= 5))
    poses = made_up_recording.poses(lacking, TRUTH)
    ranges = detections.swap_ranges(poses)["door"]["legs"]
    assert ranges == [(6, 8), (610, 610)]
