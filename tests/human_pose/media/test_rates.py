"""Rates are those meant, whatever stamps are rounded to and whatever is missing."""

import numpy as np
import pytest

from human_pose.media.rates import rate_of

MISSING = {"none": [], "every fifth": range(3, 300, 5), "two and one": [50, 51, 120]}


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("count", [30, 300])
@pytest.mark.parametrize("rate", [24000 / 1001, 25, 30, 50, 60, 120, 240])
def test_rounded_stamps_show_the_rate(rate, count, missing):
    """As of MKV and WebM: at 60 frames a second steps are of 16 and 17 ms."""
    left_out = [number for number in MISSING[missing] if number < count]
    times = np.delete(np.round(np.arange(count) / rate, 3), left_out)
    assert rate_of(times) == pytest.approx(rate, rel=1e-3 if count < 100 else 1e-12)


def test_whole_rates_are_whole_in_short_takes():
    """Or the view with rounded stamps would lead, and move the others' frames."""
    times = np.delete(np.round(np.arange(30) / 60, 3), range(3, 30, 5))
    assert rate_of(times) == 60


def test_a_rate_of_its_own_and_a_long_pause_stay():
    assert rate_of(np.arange(9) / 41.3) == pytest.approx(41.3)
    pause = np.r_[np.arange(50), 5000.4 + np.arange(50)] / 30
    assert rate_of(pause) == 30
    assert rate_of(np.zeros(1)) is None
