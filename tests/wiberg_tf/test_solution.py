"""The statuses say what they mean."""

import pytest

import wiberg_tf as wt


@pytest.mark.parametrize("status", wt.Status)
def test_each_status_has_its_own_sentence(status):
    assert status.message.endswith(".")
    assert [other for other in wt.Status if other.message == status.message] == [status]


def test_converged_is_zero():
    # So that `tf.cast(status, tf.bool)` means trouble.
    assert wt.Status.CONVERGED == 0
