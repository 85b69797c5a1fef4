"""Plans: every sample in one shard, in order."""

from dataclasses import replace

import made_up_source as made_up
import pytest

from human_pose.datasets.shards.plan import VERSION, Piece, stepped, summary_of
from human_pose.files.errors import InputError


@pytest.mark.parametrize("size", [1, 4, 5, 13, 23, 100])
def test_shards_hold_each_sample_once_and_in_order(size):
    plan = made_up.source().plan(size)
    for part, pieces in made_up.source().parts.items():
        tasks = [task for task in plan.tasks if task.part == part]
        wanted = [index for piece in pieces for index in piece.indices]
        held = [index for t in tasks for piece in t.pieces for index in piece.indices]
        assert held == wanted
        assert [len(task) for task in tasks[:-1]] == [size] * (len(tasks) - 1)
        assert [task.number for task in tasks] == [*range(len(tasks))]
        assert tasks[-1].name == (
            f"made_up-{part}.tfrecord-{len(tasks) - 1:05d}-of-{len(tasks):05d}"
        )


def test_its_folder_is_that_of_tfds(tmp_path):
    assert made_up.source().plan().folder(tmp_path) == (
        tmp_path / "made_up" / "all" / VERSION
    )


def test_steps_are_kept_where_pieces_are_cut():
    pieces = {"train": (Piece(None, range(0, 100, 5)),)}
    tasks = made_up.source(pieces).plan(3).tasks
    assert [task.pieces[0].indices for task in tasks][:2] == [
        range(0, 15, 5),
        range(15, 30, 5),
    ]


@pytest.mark.parametrize(
    ("first", "last", "every", "wanted"),
    [(0, 9, 5, [0, 5]), (1, 10, 5, [5, 10]), (6, 9, 5, []), (3, 4, 1, [3, 4])],
)
def test_multiples(first, last, every, wanted):
    assert [*stepped(first, last, every)] == wanted


def test_what_cannot_be_planned_is_refused():
    with pytest.raises(InputError, match="samples_per_shard"):
        made_up.source().plan(0)
    with pytest.raises(InputError, match="the all test part has no sample"):
        made_up.source({"test": ()}).plan()
    with pytest.raises(InputError, match="made_up: the source has no sample"):
        replace(made_up.source(), parts={}).plan()


def test_a_summary_tells_lists_apart():
    assert len({summary_of(words) for words in (["a"], ["b"], ["a", "b"], [])}) == 4
