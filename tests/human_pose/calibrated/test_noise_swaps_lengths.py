"""What is measured of a take: noise, what of it lasts, swaps, lengths, gaps."""

import itertools

import numpy as np
import pytest

from human_pose.calibrated import gaps, noise, swaps
from human_pose.calibrated.joints import ModelJoints
from human_pose.calibrated.lengths import estimate_lengths, size_doubt
from human_pose.calibrated.prior.files import load_prior
from human_pose.geometry.skeletons import LIFTER_17

RNG = np.random.default_rng


def statistics(views=2, joints=3, **changes):
    zeros = np.zeros((views, joints))
    nothing = {"squares": zeros, "coordinates": zeros, "taken": zeros}
    nothing |= {"lags": np.zeros(3), "shifts": np.zeros((views, 2))}
    return noise.Statistics(**{**nothing, "weight": np.zeros(views), **changes})


@pytest.mark.parametrize("share, rho", [(0.6, 0.9), (0.95, 0.8), (0.0, 0.0)])
def test_what_of_the_noise_lasts(share, rho):
    """White noise beside one that falls off geometrically (AR(1))."""
    rng, count, series = RNG(1), 2000, 200
    lasting = np.empty((count, series))
    lasting[0] = rng.normal(size=series)
    for step in range(1, count):
        fresh = rng.normal(size=series)
        lasting[step] = rho * lasting[step - 1] + np.sqrt(1 - rho**2) * fresh
    white = rng.normal(size=lasting.shape)
    values = np.sqrt(share) * lasting + np.sqrt(1 - share) * white
    lags = [(values[lag:] * values[: count - lag]).sum() for lag in range(3)]
    found = noise.lasting_share(statistics(lags=np.array(lags)))
    assert found == pytest.approx(share, abs=0.02)


def test_nothing_lasts_where_nothing_is_seen():
    assert noise.lasting_share(statistics()) == 0
    assert noise.lasting_share(statistics(lags=np.array([100.0, -30, 20]))) == 0


def test_deviations_of_views_and_joints():
    """Of many residuals each its own, both sides alike; of none, those given."""
    rng, count, taken = RNG(2), 20000, 0.3
    pairs, given = (0, 2, 1), np.full((2, 3), 4.0)
    true = np.array([[2.0, 3.0, 3.0], [5.0, 9.0, 9.0]])
    residuals = rng.normal(size=(count, 2, 3, 2)) * true[..., None] * np.sqrt(1 - taken)
    found = statistics(
        squares=((residuals / 4) ** 2).sum((0, 3)),
        coordinates=np.full((2, 3), 2.0 * count),
        taken=np.full((2, 3), 2.0 * count * taken),
    )
    np.testing.assert_allclose(noise.estimate(found, given, pairs), true, rtol=0.02)
    np.testing.assert_array_equal(noise.estimate(statistics(), given, pairs), given)
    few = noise.Statistics(*(part / 1e4 for part in found))
    assert np.ptp(noise.estimate(few, given, pairs)[:, 0]) < 1


def test_shifts_of_views():
    """A view that shows all beside its place is moved; noise is left."""
    sigma, count = np.full((2, 3), 4.0), 300.0
    means = np.array([[12.0, -5.0], [0.2, 0.1]])
    found = statistics(shifts=means * count / 16, weight=np.full(2, count / 16))
    expected = [[12.0, -5.0], [0.0, 0.0]]
    np.testing.assert_allclose(noise.view_shifts(found, sigma), expected)
    np.testing.assert_array_equal(noise.view_shifts(statistics(), sigma), 0)


def test_swaps_beside_all_courses():
    """The most likely course of a few frames, by going through every one."""
    joints = ModelJoints.of(LIFTER_17, LIFTER_17)
    rng, count, states = RNG(3), 4, len(joints.exchanges)
    points = rng.uniform(0, 400, (1, 1, len(joints), 2)) + rng.normal(
        0, 5, (count, 1, len(joints), 2)
    )
    given = np.array([[0], [2], [3], [0]])
    points = swaps.exchanged(points, given, joints)
    seen = rng.random((count, 1, len(joints))) < 0.9
    follows = np.array([False, True, True, True])
    prior = np.array([0.98, 0.008, 0.008, 0.004])
    gains = rng.normal(0, 2, (count, 1, states))
    for extra in (None, gains):
        found = swaps.find_swaps(points, seen, follows, joints, prior, extra)
        np.testing.assert_array_equal(found, best_course(points, seen, joints, extra))
    np.testing.assert_array_equal(found, given)
    twice = swaps.exchanged(swaps.exchanged(points, given, joints), given, joints)
    np.testing.assert_array_equal(twice, points)


def best_course(points, seen, joints, gains):
    """By enumeration, of the costs as the module's text says them."""
    count, flip = len(points), list(joints.counterpart)
    prior = np.log([0.98, 0.008, 0.008, 0.004])

    def arranged(frame, state):
        members = joints.exchanges[state]
        return (
            np.where(members[:, None], points[frame, 0, flip], points[frame, 0]),
            np.where(members, seen[frame, 0, flip], seen[frame, 0]),
        )

    def jump(frame, before, after):
        # Both arrangements have the same jumps once the one before is undone.
        (old, old_seen), (new, new_seen) = (
            arranged(frame - 1, before),
            arranged(frame, after),
        )
        shown = points[frame - 1, 0][seen[frame - 1, 0]]
        scale = max(0.03 * np.ptp(shown, axis=0).max(), 2.0)
        off = np.minimum(np.linalg.norm(new - old, axis=-1) / scale, 4.0) ** 2 / 2
        return off[new_seen & old_seen].sum()

    def value(course):
        total = sum(prior[state] for state in course)
        if gains is not None:
            total += sum(gains[f, 0, state] for f, state in enumerate(course))
        for frame in range(1, count):
            before, after = course[frame - 1], course[frame]
            change = np.log(0.98) if before == after else np.log(0.02 / 3)
            total += change - jump(frame, before, after)
        return total

    best = max(itertools.product(range(4), repeat=count), key=value)
    return np.array(best)[:, None]


def test_lengths_of_a_person():
    """Noise does not lengthen bones; what is not seen is of the prior's proportions."""
    prior, rng, count, noise_mm = load_prior(), RNG(4), 3000, 25.0
    skeleton = prior.skeleton
    size = 0.85
    joints = np.zeros((count, len(skeleton), 3))
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            way = rng.normal(size=(count, 3))
            way /= np.linalg.norm(way, axis=-1, keepdims=True)
            joints[:, joint] = joints[:, parent] + size * prior.lengths_mm[joint] * way
    noisy = joints + rng.normal(0, noise_mm, joints.shape)
    noisy[rng.random(noisy.shape[:2]) < 0.2] = np.nan
    covariance = np.broadcast_to(noise_mm**2 * np.eye(3), (count, len(skeleton), 3, 3))
    found, spreads = estimate_lengths(noisy, covariance, prior)
    true = size * prior.lengths_mm
    np.testing.assert_allclose(found, true, rtol=0.02, atol=2)
    assert found[0] == 0 and (spreads[1:] < 5).all()

    # A wrist that is never seen.
    wrist = skeleton.names.index("left_wrist")
    other = skeleton.flip_order[wrist]
    noisy[:, [wrist, other]] = np.nan
    found, spreads = estimate_lengths(noisy, covariance, prior)
    np.testing.assert_allclose(found[wrist], true[wrist], rtol=0.03)
    np.testing.assert_allclose(spreads[wrist], 0.05 * found[wrist], rtol=1e-6)

    # Nothing seen: the prior's own.
    found, _ = estimate_lengths(np.full_like(noisy, np.nan), covariance, prior)
    flip = list(skeleton.flip_order)
    mean = (prior.lengths_mm + prior.lengths_mm[flip]) / 2
    np.testing.assert_allclose(found, mean)


def test_gaps():
    """Of two takes; nothing crosses from one to the other."""
    seen = np.array([0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0], bool)
    follows = np.array([0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1])
    place = np.where(seen, [0, 10, 0, 0, 40, 0, 0, 0, 7, 0, 0], -99.0)
    turns = np.arange(11.0)[:, None, None] * np.eye(3)
    joints = place[:, None, None] * np.ones((1, 2, 3))
    found, turned = gaps.bridged(joints, turns, seen, follows)
    expected = [10, 10, 20, 30, 40, 40, 7, 7, 7, 7, 7]
    np.testing.assert_allclose(found[:, 1, 2], expected)
    nearest = [1, 1, 1, 4, 4, 4, 8, 8, 8, 8, 8]
    np.testing.assert_array_equal(turned[:, 0, 0], nearest)
    unknown = gaps.unknown(seen, follows, 1)
    np.testing.assert_array_equal(np.flatnonzero(unknown), [6, 10])
    np.testing.assert_array_equal(gaps.unknown(seen, follows, 0), ~seen)
    nothing = np.zeros(11, bool)
    assert gaps.unknown(nothing, follows, 9).all()
    np.testing.assert_array_equal(
        gaps.bridged(joints, turns, nothing, follows)[0], joints
    )


def test_one_view_leaves_open_how_far_away_a_person_is():
    # A camera at (1, 2, 3) m that looks along y.
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    centre_mm = np.array([1000.0, 2000, 3000])
    camera = np.diag([1100.0, 1100, 1]) @ np.c_[rotation, -rotation @ centre_mm]
    doubt = size_doubt(np.array([[[1000.0, 7000, 3000]]]), camera)[0, 0]
    np.testing.assert_allclose(doubt, np.diag([0, 500.0**2, 0]), atol=1e-6)
