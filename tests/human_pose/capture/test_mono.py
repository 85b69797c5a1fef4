"""One camera: what smoothing gains and says of itself, and sizes that stay."""

import made_up_videos
import numpy as np
import pytest

from human_pose.capture.mono import _uneven, bridged, of_even_size
from human_pose.capture.smoothing import smooth
from human_pose.geometry.skeletons import IMAGE_16
from human_pose.media.videos import probe


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_smoothing_halves_errors_and_knows_what_is_left(unit):
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 8, 400))
    times += 1e-3 * np.arange(400)
    truth = 200 * np.sin(times[:, None] * np.linspace(2, 4, 30) + np.arange(30))
    size = rng.uniform(0.5, 2.0, truth.shape)
    noise = rng.normal(0, 20 * size)
    noise[rng.random(truth.shape) < 0.03] *= 10
    values = unit * (truth + noise)
    values[100:104] = np.nan
    found = smooth(values, (7 * unit * size) ** 2, times)
    off = (found.position - unit * truth)[5:-5]
    assert np.isfinite(off).all()
    rms = np.sqrt(np.mean(off**2))
    assert (
        rms < 0.5 * 20 * unit < 0.3 * np.sqrt(np.nanmean((values - unit * truth) ** 2))
    )
    deviation = np.sqrt(found.variance[5:-5])
    assert 0.6 < np.mean(np.abs(off) < deviation) < 0.85
    assert 0.9 < np.mean(np.abs(off) < 2 * deviation)


@pytest.mark.parametrize("stray", [False, True])
def test_who_comes_late_is_smoothed_as_who_was_always_there(stray):
    times_s = np.arange(700) / 30
    true = 100 * np.sin(2 * np.pi * times_s)[:, None]
    values = true + 3 * np.random.default_rng(0).normal(size=true.shape)
    values[1 if stray else 0 : 520] = np.nan
    late = smooth(values, np.ones_like(values), times_s).position[520:]
    alone = smooth(values[520:], np.ones_like(values[520:]), times_s[520:]).position
    np.testing.assert_allclose(late, alone, atol=1.0)
    assert np.sqrt(np.mean((late - true[520:]) ** 2)) < 2.5


@pytest.mark.parametrize("known", [[4], [2, 7], [2, 3], [0, 9]])
def test_too_few_measurements_to_judge_errors_stay(known):
    """All frames had the first one's position, and no variance."""
    times = np.arange(10) / 30
    values = np.full((10, 2), np.nan)
    values[known] = np.stack([100.0 * np.array(known), -7.0 * np.array(known)], 1)
    found = smooth(values, np.full((10, 2), 9.0), times)
    np.testing.assert_allclose(found.position[known], values[known], atol=1e-3)
    # As said, but that what lies where it must is taken for one of the better ones.
    np.testing.assert_allclose(found.variance[known], 9.0 / 1.25, rtol=0.01)
    others = np.delete(found.variance, known, axis=0)
    assert np.isfinite(others).all() and (others > 9).all()
    between = np.arange(known[0], known[-1] + 1)
    line = between[:, None] * [100.0, -7.0]
    np.testing.assert_allclose(found.position[between], line, atol=2.0)


def test_what_stands_still_has_no_unknown_errors():
    found = smooth(np.full((20, 2), 5.0), np.ones((20, 2)), np.arange(20) / 30)
    np.testing.assert_allclose(found.position, 5.0)
    assert (found.variance[5:] < 1e-6).all() and np.isfinite(found.variance).all()


def test_what_is_exact_stays():
    times = np.arange(50) / 25
    values = np.stack([3 + 2 * times, -5 * times], axis=1)
    found = smooth(values, np.ones_like(values), times)
    np.testing.assert_allclose(found.position, values, atol=1e-6)
    lone = smooth(values[:2], np.ones((2, 2)), times[:2])
    np.testing.assert_array_equal(lone.position, values[:2])


def test_people_are_put_where_their_bones_are_as_long_as_usual():
    rng = np.random.default_rng(1)
    pose = rng.normal(0, 300, (16, 3))
    hips = np.stack(
        [np.linspace(-900, 900, 9), np.zeros(9), np.linspace(3e3, 6e3, 9)], 1
    )
    truth = pose - pose[0] + hips[:, None]
    # Each frame's hip taken to be as far off as one factor says, along its rays.
    wrong = (
        truth[:, :1, 2:] * np.array([1, 1.3, 0.8, 1, 1, 0.6, 1.5, 1, 1])[:, None, None]
    )
    rays = truth / truth[..., 2:]
    taken = rays * (wrong + truth[..., 2:] - truth[:, :1, 2:])
    np.testing.assert_allclose(of_even_size(taken), truth, rtol=1e-6)
    lost = taken.copy()
    lost[3] = np.nan
    found = of_even_size(lost)
    assert np.isnan(found[3]).all() and np.isfinite(found[4:]).all()
    assert len(IMAGE_16.limbs) == 15


def test_uneven_frames_are_told_of(tmp_path):
    stamps = [*range(10), *range(40, 50)]
    gap = probe(made_up_videos.write(tmp_path / "gap.mkv", stamps))
    (line,) = _uneven(gap, range(20))
    assert "20.00 frames a second" in line and "up to 1.50 s" in line
    assert not _uneven(gap, range(10))
    even = probe(made_up_videos.write(tmp_path / "even.mkv", range(90), rate=60))
    assert even.fps == 60 and not _uneven(even, range(90))


def test_nothing_is_said_of_frames_before_after_and_far_between_those_that_show_some():
    """Smoothed on, a person walked straight out of the room."""
    times = np.arange(100) / 20
    seen = np.zeros(100, bool)
    seen[[*range(10, 30), *range(39, 60), *range(75, 90)]] = True
    known = np.isin(np.arange(100), np.r_[10:60, 75:90])
    np.testing.assert_array_equal(bridged(seen, times), known)
    np.testing.assert_array_equal(bridged(seen, 2 * times), seen)
    assert not bridged(np.zeros(5, bool), times[:5]).any()
    assert bridged(np.ones(5, bool), 100 * times[:5]).all()
