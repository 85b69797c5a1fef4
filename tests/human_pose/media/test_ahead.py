"""Work ahead: in order, bounded, and its errors where they belong."""

import pytest

from human_pose.media.ahead import in_order


def test_keeps_the_order_and_takes_few_ahead():
    taken = []

    def items():
        for item in range(20):
            taken.append(item)
            yield item

    found = in_order(lambda item: item**2, items(), workers=3, waiting=4)
    for place, square in enumerate(found):
        assert square == place**2
        assert len(taken) <= place + 4


def test_raises_in_its_place():
    found = in_order(lambda item: 1 // item, [1, 1, 0, 1], workers=2, waiting=3)
    assert [next(found), next(found)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)
