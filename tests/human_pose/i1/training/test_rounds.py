"""The calls of `fit` that train a stage."""

import pytest

from human_pose.i1.training import rounds


@pytest.mark.parametrize(
    ("done", "calls"),
    [
        (0, [(0, 2, 4), (2, 3, 3)]),
        (4, [(1, 2, 4), (2, 3, 3)]),
        (8, [(2, 3, 3)]),
        (11, []),
        # From the middle of a chunk: the calls after it are as ever.
        (1, [(0, 1, 3), (1, 2, 4), (2, 3, 3)]),
        (7, [(1, 2, 1), (2, 3, 3)]),
        (9, [(2, 3, 2)]),
    ],
)
def test_calls_go_on_where_a_state_was_saved(done, calls):
    assert list(rounds.rounds(done, total=11, chunk=4)) == calls


@pytest.mark.parametrize(
    ("total", "chunk", "at_once"),
    [
        (10_000, 500, 10),
        (800, 500, 10),
        (250, 100, 10),
        (20, 7, 1),
        (8, 9, 8),
        (9, 6, 3),
    ],
)
def test_calls_of_several_steps_end_where_states_are_saved(total, chunk, at_once):
    assert rounds.steps_at_once(total, chunk, 10) == at_once


def test_calls_of_several_steps_fit_those_from_the_middle_too():
    assert rounds.steps_at_once(1000, 500, 10, done=490) == 10
    assert rounds.steps_at_once(1000, 500, 10, done=495) == 5
    assert rounds.steps_at_once(1000, 500, 10, done=497) == 1


@pytest.mark.parametrize(
    ("first", "last", "ends", "epochs"),
    [
        (0, 20, True, [5, 10, 15, 20]),
        (0, 1, True, [1]),
        (3, 12, False, [5, 10]),
        (12, 13, True, [13]),
    ],
)
def test_validates_now_and_then_and_at_the_end(first, last, ends, epochs):
    assert rounds.validated(first, last, 5, ends=ends) == epochs
