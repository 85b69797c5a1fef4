"""What is measured of a take: lengths of bones and noise, of invented data."""

import dataclasses
import warnings

import numpy as np
import pytest

from human_pose.calibrated import noise
from human_pose.calibrated.lengths import estimate_lengths
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.measure import check_known
from human_pose.calibrated.prior.files import load_prior
from human_pose.files.errors import InputError

PRIOR = load_prior()
SKELETON = PRIOR.skeleton


def poses(frames=400, size=1.0, shins=1.0, seed=0):
    """Poses of a person: the prior's directions of bones, lengths of their own."""
    rng = np.random.default_rng(seed)
    mean = PRIOR.means_mm[0] + rng.normal(0, 60, (frames, len(SKELETON), 3))
    lengths = size * PRIOR.lengths_mm.copy()
    for side in ("left", "right"):
        lengths[SKELETON.index(f"{side}_ankle")] *= shins
    joints = np.zeros_like(mean)
    for joint, parent in enumerate(SKELETON.parents):
        if parent >= 0:
            way = mean[:, joint] - mean[:, parent]
            way /= np.linalg.norm(way, axis=-1, keepdims=True)
            joints[:, joint] = joints[:, parent] + lengths[joint] * way
    return joints, lengths


def covariance(points, deviation):
    return np.broadcast_to(deviation**2 * np.eye(3), (*points.shape, 3))


@pytest.mark.parametrize("size, shins", [(1.0, 1.0), (0.55, 1.0), (1.25, 1.07)])
def test_exact_points_give_exact_lengths(size, shins):
    joints, lengths = poses(size=size, shins=shins)
    found, spread = estimate_lengths(joints, covariance(joints, 0.1), PRIOR)
    np.testing.assert_allclose(found, lengths, atol=2.5)
    assert spread[SKELETON.root] == 0 and (np.delete(spread, SKELETON.root) > 0).all()


def test_noise_does_not_lengthen_bones():
    joints, lengths = poses(2000)
    noisy = joints + np.random.default_rng(1).normal(0, 40, joints.shape)
    found, _ = estimate_lengths(noisy, covariance(noisy, 40.0), PRIOR)
    naive = [
        np.linalg.norm(noisy[:, j] - noisy[:, p], axis=-1).mean()
        for j, p in enumerate(SKELETON.parents)
        if p >= 0
    ]
    bones = [j for j, p in enumerate(SKELETON.parents) if p >= 0]
    assert np.abs(found - lengths)[bones].mean() < 3.0
    assert np.mean(naive - lengths[bones]) > 8.0
    flip = list(SKELETON.flip_order)
    np.testing.assert_array_equal(found[bones], found[flip][bones])


def test_noise_along_one_axis_moves_no_lengths():
    """As of two cameras that face each other, far worse known along their line."""
    joints, lengths = poses(2000)
    rng = np.random.default_rng(2)
    turn = rng.uniform(0, 2 * np.pi, len(joints))
    cos, sin, none = np.cos(turn), np.sin(turn), np.zeros_like(turn)
    heading = np.stack([cos, -sin, none, sin, cos, none, none, none, none + 1], -1)
    joints = joints @ heading.reshape(-1, 3, 3)
    deviations = np.array([100.0, 12.0, 12.0])
    noisy = joints + rng.normal(0, deviations, joints.shape)
    along = np.broadcast_to(np.diag(deviations**2), (*joints.shape, 3))
    found, spread = estimate_lengths(noisy, along, PRIOR)
    bones = [j for j, p in enumerate(SKELETON.parents) if p >= 0]
    assert (np.abs(found - lengths)[bones] < 2.5 * spread[bones]).all()
    hip = SKELETON.index("left_hip")
    # 28 mm, where frames weigh by the bone as it is seen; a knee's 80.
    assert abs(found[hip] - lengths[hip]) < 8.0


def test_ends_that_are_lost_say_nothing():
    joints, _ = poses()
    lost = joints + np.random.default_rng(3).normal(0, 1e9, joints.shape)
    given = estimate_lengths(np.full_like(joints, np.nan), covariance(joints, 1), PRIOR)
    found = estimate_lengths(lost, covariance(joints, 1e9), PRIOR)
    np.testing.assert_allclose(found, given)
    found = estimate_lengths(joints, covariance(joints, 3e4), PRIOR)
    np.testing.assert_allclose(found, given, rtol=1e-3)


def test_bones_that_nobody_sees_have_the_persons_size():
    joints, lengths = poses(size=1.2)
    joints[:, SKELETON.index("left_ankle")] = np.nan
    joints[:, SKELETON.index("right_ankle")] = np.nan
    found, spread = estimate_lengths(joints, covariance(joints, 1.0), PRIOR)
    shin = SKELETON.index("left_ankle")
    assert found[shin] == pytest.approx(lengths[shin], rel=0.02)
    assert spread[shin] > 5 * spread[SKELETON.index("left_wrist")]
    nothing = np.full_like(joints, np.nan)
    found, spread = estimate_lengths(nothing, covariance(joints, 1.0), PRIOR)
    assert np.isfinite(found).all() and np.isfinite(spread).all()
    rows = np.delete(found / np.where(lengths > 0, lengths, 1), SKELETON.root)
    np.testing.assert_allclose(rows * 1.2, 1, rtol=0.02)  # the prior's own


def test_joints_that_are_one_in_the_prior_say_nothing_of_the_size():
    """Without a warning of a division by their distance."""
    joints, lengths = poses(size=1.2)
    spine, chest = SKELETON.index("spine"), SKELETON.index("thorax")
    own = PRIOR.lengths_mm.copy()
    own[chest], own[spine] = own[chest] + own[spine], 0.0
    joints[:, spine] = joints[:, SKELETON.index("pelvis")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, spread = estimate_lengths(
            joints, covariance(joints, 1.0), dataclasses.replace(PRIOR, lengths_mm=own)
        )
    rest = np.delete(np.arange(len(own)), [SKELETON.root, spine, chest])
    np.testing.assert_allclose(found[rest], lengths[rest], rtol=0.02)
    assert found[spine] == spread[spine] == 0


def autoregressive(share, steps=200_000, last=0.9, seed=0):
    """Noise of variance 1 of which a share lasts: AR(1) besides white noise."""
    rng = np.random.default_rng(seed)
    drive = rng.normal(size=steps) * np.sqrt(1 - last**2)
    lasting = np.empty(steps)
    lasting[0] = rng.normal()
    for step in range(1, steps):
        lasting[step] = last * lasting[step - 1] + drive[step]
    return np.sqrt(share) * lasting + np.sqrt(1 - share) * rng.normal(size=steps)


def statistics(**changes):
    shape = 4, 17
    values = {
        "squares": np.full(shape, 200.0),
        "coordinates": np.full(shape, 200.0),
        "taken": np.zeros(shape),
        "lags": np.array([1.0, 0.0, 0.0]),
        "shifts": np.zeros((4, 2)),
        "weight": np.ones(4),
    } | changes
    return noise.Statistics(*(values[name] for name in noise.Statistics._fields))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_the_share_that_lasts_is_found(share):
    residual = autoregressive(share)
    lags = [residual[lag:] @ residual[: len(residual) - lag] for lag in (0, 1, 2)]
    found = noise.lasting_share(statistics(lags=np.array(lags)))
    assert found == pytest.approx(share, abs=0.03)


def test_deviations_are_those_of_the_residuals_that_the_fit_left():
    pairs = tuple(SKELETON.flip_order)
    sigma = np.tile(np.where(np.arange(17) % 2, 3.0, 6.0), (4, 1))
    sigma = 0.5 * (sigma + sigma[:, pairs])
    large = np.full((4, 17), 1e7)
    # The fit took 30 % of the coordinates; residuals are twice what was thought.
    found = statistics(coordinates=large, taken=0.3 * large, squares=4 * 0.7 * large)
    np.testing.assert_allclose(
        noise.estimate(found, sigma, pairs), 2 * sigma, rtol=1e-3
    )
    # Of few residuals views and joints are as all are.
    few = statistics(coordinates=np.ones((4, 17)), squares=np.ones((4, 17)))
    np.testing.assert_allclose(noise.estimate(few, sigma, pairs), sigma, rtol=0.05)
    none = statistics(coordinates=np.zeros((4, 17)), squares=np.zeros((4, 17)))
    np.testing.assert_array_equal(noise.estimate(none, sigma, pairs), sigma)


def test_views_that_show_all_beside_its_place_are_moved():
    sigma = np.full((4, 17), 2.0)
    shifts = np.array([[10.0, 0], [0.1, 0.1], [0, -6.0], [0, 0]])
    found = noise.view_shifts(statistics(shifts=shifts, weight=np.full(4, 2.0)), sigma)
    np.testing.assert_allclose(found, [[5, 0], [0, 0], [0, -3], [0, 0]])
    unseen = noise.view_shifts(statistics(weight=np.zeros(4)), sigma)
    np.testing.assert_array_equal(unseen, 0)


def test_statistics_add_up():
    both = statistics() + statistics()
    for one, two in zip(statistics(), both, strict=True):
        np.testing.assert_array_equal(2 * one, two)


@pytest.mark.parametrize(
    ("lengths", "sigma", "message"),
    [
        (np.ones(3), None, r"lengths_mm must be one for each joint.*shape \[3\]"),
        (PRIOR.lengths_mm * np.nan, None, "lengths_mm must be .*positive.*nan"),
        (PRIOR.lengths_mm / 1000, None, "lengths_mm must be millimetres; the prior's"),
        (None, np.ones(17), r"sigma_px must be .*shape \[4, 17\]; received 'shape"),
        (None, np.zeros((4, 17)), "sigma_px must be positive"),
    ],
)
def test_what_is_said_of_a_take_is_checked(lengths, sigma, message):
    """Bones in metres once moved joints by 85 cm."""
    lifter = CalibratedLifter(PRIOR, SKELETON)
    check_known(lifter, 4, 0.6 * PRIOR.lengths_mm, np.ones((4, 17)))
    with pytest.raises(InputError, match=message):
        check_known(lifter, 4, lengths, sigma)
