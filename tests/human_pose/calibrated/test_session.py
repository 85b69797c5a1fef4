"""Recordings lifted by a session: what must not matter, and what must work."""

import dataclasses

import made_up_recording as made
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from human_pose.calibrated import measure, results
from human_pose.calibrated.config import CalibratedConfig, SolverConfig
from human_pose.calibrated.evaluation.cautions import cautions
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.files import load_prior
from human_pose.calibrated.session import Session
from human_pose.geometry.known_skeletons import by_name
from human_pose.geometry.skeleton import convert
from human_pose.geometry.skeletons import LIFTER_17

FRAMES = 12
TRUTH = made.truth_mm(FRAMES)
NOISY = made.recording(TRUTH, noise_px=3.0)


@pytest.fixture(scope="module")
def session():
    return Session(CalibratedLifter(load_prior(), LIFTER_17))


@pytest.fixture(scope="module")
def lifted(session):
    return session.lift(NOISY)


def hidden(recording, *places):
    """The recording without the detections at these places of `[F, V]`."""
    joints = recording.joints_2d_px.copy()
    for place in places:
        joints[place] = np.nan
    return recording.replace(joints_2d_px=joints)


def seen_from(recording, change):
    """The recording with a change of its cameras."""
    return recording.replace(cameras=tuple(map(change, recording.cameras)))


def errors_mm(poses, truth_mm=TRUTH):
    """Mean errors of each frame."""
    wanted = convert(truth_mm, LIFTER_17, poses.skeleton)
    return np.linalg.norm(poses.joints_3d_mm - wanted, axis=-1).mean(axis=-1)


def said(poses, recording):
    return " ".join(cautions(poses, recording, np.zeros((len(poses.view_names), 2))))


def test_a_noisy_recording(lifted):
    """10 mm are what triangulated points are off."""
    assert errors_mm(lifted.poses).mean() < 10
    deviation = np.sqrt(np.trace(lifted.poses.covariance_mm2, axis1=-2, axis2=-1))
    assert 5 < deviation.mean() < 15
    assert lifted.take.sigma_px.mean() == pytest.approx(3.0, rel=0.15)


def test_neither_order_nor_names_of_cameras_matter(session, lifted):
    order = [2, 0, 3, 1]
    names = tuple(f"camera {number}" for number in range(4))
    moved = NOISY.of_views([NOISY.view_names[view] for view in order])
    rig = [
        dataclasses.replace(camera, name=name)
        for camera, name in zip(moved.cameras, names, strict=True)
    ]
    found = session.lift(moved.replace(view_names=names, cameras=tuple(rig))).poses
    expected = lifted.poses
    np.testing.assert_allclose(found.joints_3d_mm, expected.joints_3d_mm, atol=1e-6)
    np.testing.assert_allclose(
        found.reprojection_px, expected.reprojection_px[:, order], atol=1e-6
    )


def test_a_turned_and_moved_world(session, lifted):
    sine, cosine = np.sin(1.1), np.cos(1.1)
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    move = np.array([3000.0, -20000.0, 700.0])

    def moved(camera):
        rotation = camera.rotation @ turn.T
        return dataclasses.replace(
            camera,
            rotation=rotation,
            translation_mm=camera.translation_mm - rotation @ move,
        )

    found = session.lift(seen_from(NOISY, moved)).poses
    there = lifted.poses.joints_3d_mm @ turn.T + move
    np.testing.assert_allclose(found.joints_3d_mm, there, atol=1e-6)
    spread = turn @ lifted.poses.covariance_mm2 @ turn.T
    np.testing.assert_allclose(found.covariance_mm2, spread, atol=1e-6)


def test_a_frames_result_does_not_depend_on_its_batch(session, lifted):
    """Once its take is measured, which rests on all of its frames."""
    work = session.measured(NOISY)
    body, terms = work.body(), work.terms(temporal=False)

    def joints(part):
        points, observed = work.triangulated(part), work.observed(part)
        return work.stages.frames(points, observed, body, terms)[0].joints_mm.numpy()

    expected = lifted.frame_joints_mm[4:9]
    np.testing.assert_allclose(joints(slice(4, 9)), expected, atol=1e-6)
    np.testing.assert_allclose(joints(slice(6, 7)), expected[2:3], atol=1e-6)


def test_exact_detections_give_exact_joints(session):
    for noise_px, limit_mm in ((0.01, 0.1), (0.0, 1e-4)):
        found = session.lift(made.recording(TRUTH, noise_px=noise_px))
        assert errors_mm(found.poses).max() < limit_mm
        alone = dataclasses.replace(found.poses, joints_3d_mm=found.frame_joints_mm)
        assert errors_mm(alone).max() < limit_mm


def test_what_is_not_seen(session):
    """A view, a frame, and the first frame, that show nothing."""
    partly = hidden(NOISY, np.s_[:, 1], np.s_[5], np.s_[0])
    found = session.lift(partly)
    errors = errors_mm(found.poses)
    assert errors[[5, 0]].max() < 60 and np.delete(errors, [0, 5]).max() < 20
    assert "View door has no detection at all" in said(found.poses, partly)
    assert not found.poses.views_used[:, 1].any()
    # Uncertainty grows where nothing is seen.
    spread = np.trace(found.poses.covariance_mm2, axis1=-2, axis2=-1).mean(axis=-1)
    assert spread[[0, 5]].min() > 2 * np.median(spread)


def test_frames_by_themselves(session):
    """A frame without detections is not known; one joint of one view is hardly."""
    few = hidden(NOISY, np.s_[5], np.s_[6, 1:], np.s_[6, 0, :, 1:])
    found = session.lift(few.replace(sequence=np.arange(FRAMES))).poses
    errors = errors_mm(found)
    assert np.isnan(errors[5]) and np.isnan(found.covariance_mm2[5]).all()
    assert np.delete(errors, [5, 6]).max() < 20
    deviation = np.sqrt(np.trace(found.covariance_mm2[6], axis1=-2, axis2=-1))
    assert (deviation > 5000).all()
    assert "of the joints have no estimate" in said(found, few)


def test_one_frame_and_no_frame_rate(session):
    assert errors_mm(session.lift(NOISY.of_frames([3])).poses, TRUTH[3:4]) < 20
    timeless = NOISY.replace(fps=None)
    found = session.lift(timeless).poses
    assert found.fps is None and "frame rate is unknown" in said(found, timeless)
    assert errors_mm(found).mean() < 10


def test_after_a_long_gap_another_take_begins(session):
    """A body that went elsewhere meanwhile is not smoothed with where it was."""
    away = TRUTH + np.array([1500.0, 0, 0])
    cut = np.concatenate([TRUTH, away])
    recording = made.recording(cut, noise_px=3.0)
    frames = np.arange(2 * FRAMES) + 100 * (np.arange(2 * FRAMES) >= FRAMES)
    takes = np.repeat([0, 1], FRAMES)
    gap = session.lift(recording.replace(frames=frames)).poses.joints_3d_mm
    apart = session.lift(recording.replace(sequence=takes)).poses.joints_3d_mm
    np.testing.assert_allclose(gap, apart, atol=1e-6)


@pytest.mark.parametrize("height_m", [0.9, 2.2])
def test_children_and_giants(session, height_m):
    size = height_m / 1.8
    recording = made.recording(size * TRUTH, noise_px=1.0)
    found = session.lift(recording)
    assert errors_mm(found.poses, size * TRUTH).mean() < 5
    assert "The bones imply" not in said(found.poses, recording)


@pytest.mark.parametrize("size, height", [(1e-3, "0.001"), (10.0, "1")])
def test_units_that_are_not_those_of_the_calibration(session, size, height):
    """Metres taken for millimetres, and millimetres for centimetres."""

    def scaled(camera):
        return dataclasses.replace(camera, translation_mm=size * camera.translation_mm)

    recording = seen_from(NOISY, scaled)
    found = session.lift(recording).poses
    assert f"The bones imply a body of {height}" in said(found, recording)


@pytest.mark.large
def test_one_view(session):
    """A body whose size is known stands within half a metre of its place."""
    single = NOISY.of_views(["door"])
    lengths = session.lift(made.recording(TRUTH, noise_px=0.1)).take.lengths_mm
    found = session.lift(single, lengths).poses
    assert errors_mm(found).mean() < 500
    assert "One view alone does not show depth" in said(found, single)
    centred = [
        joints - joints.mean(axis=1, keepdims=True)
        for joints in (found.joints_3d_mm, convert(TRUTH, LIFTER_17, found.skeleton))
    ]
    assert np.linalg.norm(centred[0] - centred[1], axis=-1).mean() < 150


@pytest.mark.large
def test_windows_do_not_show():
    """Long takes are lifted window by window, with the same result."""
    recording = made.recording(made.truth_mm(400), noise_px=3.0)
    found = []
    for window in (128, 1024):
        config = CalibratedConfig(solver=SolverConfig(window=window))
        session = Session(CalibratedLifter(load_prior(), LIFTER_17, config))
        found.append(session.lift(recording).poses)
    joints = [poses.joints_3d_mm for poses in found]
    np.testing.assert_allclose(*joints, atol=0.1)
    spreads = [poses.covariance_mm2 for poses in found]
    np.testing.assert_allclose(*spreads, atol=1.0)


@pytest.mark.large
@pytest.mark.parametrize("name", ["coco_17", "body_25", "blazepose_33"])
def test_detectors(name):
    """Joints of one name are the same; what a detector adds hangs on the nearest."""
    skeleton = by_name(name)
    rng = np.random.default_rng(5)
    anchor = convert(TRUTH, LIFTER_17, skeleton, fill=np.nan)
    head = [LIFTER_17.names.index(name) for name in ("neck", "head_top")]
    anchor[:, skeleton.names.index("nose")] = TRUTH[:, head].mean(axis=1)
    while (lacking := np.isnan(anchor[0, :, 0])).any():
        for joint in np.flatnonzero(lacking):
            anchor[:, joint] = anchor[:, skeleton.parents[joint]]
            anchor[:, joint] += rng.normal(0, 30, 3)
    recording = made.recording(TRUTH, noise_px=0.0)
    exact = np.stack([camera.project(anchor) for camera in recording.cameras], axis=1)
    detected = (exact + rng.normal(0, 1.0, exact.shape))[:, :, None]
    given = recording.replace(
        joints_2d_px=detected,
        confidence=np.ones(detected.shape[:-1]),
        skeleton=skeleton,
    )
    found = Session(CalibratedLifter(load_prior(), skeleton)).lift(given).poses
    wanted = convert(anchor, skeleton, found.skeleton, fill=np.nan)
    errors = np.linalg.norm(found.joints_3d_mm - wanted, axis=-1)
    assert np.nanmean(errors) < 5
    own = convert(TRUTH, LIFTER_17, found.skeleton, fill=np.nan)
    unseen = np.isnan(wanted[..., 0]) & ~np.isnan(own[..., 0])
    off = np.linalg.norm(found.joints_3d_mm - own, axis=-1)[unseen]
    assert not off.size or off.mean() < 60


def test_windows_and_batches_give_what_one_gives(session):
    """Frames that are done are left behind by batches of more than 32, not by these."""
    truth = made.truth_mm(60)
    recording = made.recording(truth, noise_px=3.0)
    lifted = session.lift(recording)
    config = session.lifter.config
    solver = dataclasses.replace(config.solver, window=20, overlap_s=0.9, batch=20)
    session.lifter.config = dataclasses.replace(config, solver=solver)
    try:
        again = session.lift(recording)
    finally:
        session.lifter.config = config
    alone = again.frame_joints_mm
    np.testing.assert_allclose(alone, lifted.frame_joints_mm, rtol=0, atol=1e-6)
    whole, parts = lifted.poses, again.poses
    np.testing.assert_allclose(parts.joints_3d_mm, whole.joints_3d_mm, atol=0.1)
    roots = [np.sqrt(p.covariance_mm2[..., 0, 0]) for p in (parts, whole)]
    np.testing.assert_allclose(*roots, atol=0.1)


@pytest.mark.parametrize(
    "turn", [(90, 0), (0, 180), (40, 30)], ids=["lying", "handstand", "leaning"]
)
def test_bodies_that_are_not_upright(session, turn):
    middle = TRUTH.mean(axis=(0, 1))
    rotation = Rotation.from_euler("xy", turn, degrees=True).as_matrix()
    truth = (TRUTH - middle) @ rotation.T + middle
    found = session.lift(made.recording(truth, noise_px=3.0))
    assert errors_mm(found.poses, truth).mean() < 11


def test_exchanged_legs_are_found(session):
    points = NOISY.joints_2d_px.copy()
    points[4:8, 1, :, 1:7] = points[4:8, 1][:, :, [4, 5, 6, 1, 2, 3]]
    found = session.lift(NOISY.replace(joints_2d_px=points)).poses
    expected = np.zeros((FRAMES, 4, 2), bool)
    expected[4:8, 1, 1] = True
    np.testing.assert_array_equal(found.swapped, expected)
    assert errors_mm(found).mean() < 10


def test_a_joint_that_is_never_seen_has_the_priors_place(session, lifted):
    points = NOISY.joints_2d_px.copy()
    points[:, :, :, 16] = np.nan
    shown = NOISY.replace(joints_2d_px=points)
    found = session.lift(shown).poses
    assert "No view ever sees right_wrist" in said(found, shown)
    off = np.linalg.norm(found.joints_3d_mm - TRUTH, axis=-1)
    assert off[:, :16].mean() < 12 and off[:, 16].mean() < 250
    spread = np.trace(found.covariance_mm2, axis1=-2, axis2=-1)[:, 16]
    known = np.trace(lifted.poses.covariance_mm2, axis1=-2, axis2=-1)[:, 16]
    assert np.sqrt(spread.mean()) > 3 * np.sqrt(known.mean())


def test_frames_that_one_view_alone_sees_are_told(session):
    shown = hidden(NOISY, np.s_[3:9, 1:])
    found = session.lift(shown).poses
    assert np.isfinite(errors_mm(found)).all()
    assert "In 50 % of frames one view alone sees the body" in said(found, shown)


def test_frames_that_no_view_sees_are_told(session):
    shown = hidden(NOISY, np.s_[3:9])
    assert "In 50 % of frames no view sees the body" in said(
        session.lift(shown).poses, shown
    )


def test_unseen_frames_are_no_surer_where_errors_last(session):
    """What lasts comes on top of what time adds, and does not take its place."""
    solved = session.solved(hidden(NOISY, np.s_[3:9]))
    variances = {}
    for lasting in (0.0, 0.5):
        solved.work.take = solved.work.take._replace(lasting=lasting)
        covariance = session._covariances(solved)
        variances[lasting] = np.trace(covariance, axis1=-2, axis2=-1)
    assert (variances[0.5][3:9] > 0.9 * variances[0.0][3:9]).all()


def test_a_body_exchanged_in_all_views_is_told(session):
    """As if the person had turned round from one frame to the next, twice."""
    joints = NOISY.joints_2d_px.copy()
    joints[4:8] = joints[4:8][..., list(LIFTER_17.flip_order), :]
    shown = NOISY.replace(joints_2d_px=joints)
    found = session.lift(shown).poses
    off = errors_mm(found)
    assert "Left and right change places in all views" in said(found, shown) or (
        off.max() < 20
    )
    assert "change places" not in said(session.lift(NOISY).poses, NOISY)


def test_two_joints_alone_are_placed_or_missing(session):
    """Where there are few a matrix may be singular in numbers; no NaN gets out."""
    joints = np.full_like(NOISY.joints_2d_px, np.nan)
    few = [LIFTER_17.index(name) for name in ("left_wrist", "left_ankle")]
    joints[..., few, :] = NOISY.joints_2d_px[..., few, :]
    found = session.lift(NOISY.replace(joints_2d_px=joints)).poses
    known = np.isfinite(found.joints_3d_mm).all(axis=-1)
    assert (np.isfinite(found.covariance_mm2).all(axis=(-1, -2)) == known).all()


def test_detections_that_are_one_point(session):
    found = session.lift(NOISY.replace(joints_2d_px=0 * NOISY.joints_2d_px + 500.0))
    assert np.isfinite(found.poses.joints_3d_mm).all()


def test_a_person_who_is_there_for_a_part_is_measured_there(session, monkeypatch):
    """Of a long take runs of frames are measured, all of which once showed nobody."""
    tall = made.recording(1.2 * TRUTH, noise_px=1.0)
    start, count = 14, 60
    late = made.recording(np.tile(TRUTH, (count // FRAMES, 1, 1)))
    joints = np.full_like(late.joints_2d_px, np.nan)
    joints[start : start + FRAMES] = tall.joints_2d_px
    monkeypatch.setattr(measure, "_SAMPLE", 16)
    found = session.measured(late.replace(joints_2d_px=joints)).take
    expected = session.measured(tall).take
    np.testing.assert_allclose(found.lengths_mm, expected.lengths_mm, rtol=1e-6)
    np.testing.assert_allclose(found.sigma_px, expected.sigma_px, rtol=1e-6)


def test_frames_before_and_after_that_show_nobody_change_no_others(session):
    """Five of them made joints of all others 13 % worse: steps of all were short."""
    whole = made.recording(made.truth_mm(40), noise_px=3.0)
    alone = session.lift(whole.of_frames(slice(8, 32))).poses.joints_3d_mm
    shown = hidden(whole, np.s_[:8], np.s_[32:])
    found = session.lift(shown).poses
    np.testing.assert_allclose(found.joints_3d_mm[8:32], alone, atol=1e-6)
    spread = np.trace(found.covariance_mm2, axis1=-2, axis2=-1).mean(axis=-1)
    assert (np.diff(spread[32:]) > 0).all() and (np.diff(spread[:8]) < 0).all()
    off = np.linalg.norm(np.diff(found.joints_3d_mm, axis=0), axis=-1).mean(axis=-1)
    assert off.max() < 2 * off[9:31].max()


def test_deviations_may_be_a_list(session, lifted):
    sigma = lifted.take.sigma_px.tolist()
    found = session.measured(NOISY, sigma_px=sigma).take.sigma_px
    np.testing.assert_allclose(found, lifted.take.sigma_px, rtol=0.05)


def test_views_that_show_no_body_are_no_fault_of_a_comparison():
    """Cameras of which those that are left show a nose: the report was not written."""
    skeleton = by_name("coco_17")
    session = Session(CalibratedLifter(load_prior(), skeleton))
    joints = np.full((2, 4, 1, 17, 2), 500.0)
    seen = NOISY.of_frames(slice(2)).replace(
        joints_2d_px=joints, confidence=np.ones((2, 4, 1, 17)), skeleton=skeleton
    )
    noses = np.full_like(joints, np.nan)
    noses[..., skeleton.index("nose"), :] = 500.0
    method = results._of_some_views(session, seen, np.ones((4, 22)))
    found = method(seen.replace(joints_2d_px=noses).of_views(seen.view_names[:2]))
    assert found.shape == (2, 22, 3) and np.isnan(found).all()
