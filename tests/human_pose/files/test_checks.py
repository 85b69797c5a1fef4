"""Whole numbers, and what is none."""

import numpy as np
import pytest

from human_pose.files.checks import check_whole, whole_numbers
from human_pose.files.errors import InputError


@pytest.mark.parametrize("value", [3, 4, np.int64(3), np.uint8(200)])
def test_takes_whole_numbers_of_any_type(value):
    check_whole("n", value, 3)


@pytest.mark.parametrize("value", [2, np.int64(-1), 3.0, "3", True, None, np.nan])
def test_refuses_what_is_none_or_too_small(value):
    with pytest.raises(
        InputError, match=r"^n must be a whole number, at least 3; received "
    ) as refused:
        check_whole("n", value, 3)
    assert str(refused.value).endswith(repr(value))


def test_sorts_whole_numbers_each_once():
    np.testing.assert_array_equal(whole_numbers("n", iter([5, 0, 5])), [0, 5])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "n must name at least one sample; received none"),
        ([1, True], "n must be whole numbers, at least 0; received True"),
    ],
)
def test_refuses_other_lists(values, message):
    with pytest.raises(InputError, match=message):
        whole_numbers("n", values)
