"""Frames that show nothing: which they are, and how bodies go on through them."""

import numpy as np

from human_pose.calibrated import gaps

# Two takes that begin and end unseen, one that is not seen, and one of a frame.
SEEN = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1], bool)
FOLLOWS = np.array([0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 0], float)


def test_spans_are_those_of_each_take():
    first, last = gaps.spans(SEEN, FOLLOWS)
    assert first.tolist() == [1] * 6 + [8] * 5 + [14] * 2 + [13]
    assert last.tolist() == [4] * 6 + [9] * 5 + [-1] * 2 + [13]


def test_a_body_goes_on_as_it_moved():
    rng = np.random.default_rng(0)
    pose, way = rng.normal(size=(2, 3)), np.array([30.0, -10.0, 2.0])
    joints = pose + np.arange(14)[:, None, None] * way
    hidden = np.where(SEEN[:, None, None], joints, 1e6)
    hidden[3] = joints[3]  # between seen frames it is found otherwise
    found = gaps.carried_on(hidden, SEEN, FOLLOWS, reach=4)
    known = np.delete(np.arange(14), [11, 12])
    np.testing.assert_allclose(found[known], joints[known])
    np.testing.assert_array_equal(found[11:13], hidden[11:13])
    # Out of reach it stands; where one frame is seen, throughout.
    short = gaps.carried_on(hidden, SEEN, FOLLOWS, reach=1)
    np.testing.assert_allclose(short[[6, 7]], joints[[7, 7]])
    single = gaps.carried_on(joints, np.arange(14) == 5, np.ones(14), reach=4)
    np.testing.assert_allclose(single, np.broadcast_to(joints[5], joints.shape))
