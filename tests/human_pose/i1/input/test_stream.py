"""What a stream may be asked for."""

import dataclasses

import numpy as np
import pytest

from human_pose.datasets.images import open_dataset
from human_pose.files.errors import InputError
from human_pose.i1.input import Stream, batches


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"batch_size": 0},
            "^batch_size must be a whole number, at least 1; received 0$",
        ),
        ({"batch_size": 2.0}, "^batch_size must be a whole number, .* received 2.0$"),
        (
            {"augment": "wild"},
            "^augment must be published, modern, mild or None; received",
        ),
        (
            {"augment": "none"},
            "^augment must be published, modern, mild or None; received",
        ),
        ({"seed": -1}, "^seed must be a whole number, at least 0; received -1$"),
        ({"seed": 2**30}, r"^seed must be in \[0, 2\^30\); received 1073741824$"),
        ({"epoch": True}, "^epoch must be a whole number, at least 0; received True$"),
        (
            {"start_step": -1},
            "^start_step must be a whole number, at least 0; received -1$",
        ),
        (
            {"input_size": 0},
            "^input_size must be a whole number, at least 1; received 0$",
        ),
        ({"input_size": 100}, "^input_size must be a divisor of 256; received 100$"),
        (
            {"sampling": "all"},
            "^sampling must be epochs or replacement; received 'all'$",
        ),
    ],
)
def test_is_refused_when_it_is_made(options, message):
    with pytest.raises(InputError, match=message):
        Stream(**{"batch_size": 2} | options)


def test_is_a_value():
    stream = Stream(2, "mild", seed=np.int64(3), repeat=True)
    assert stream == Stream(2, "mild", seed=3, repeat=True)
    assert len({stream, dataclasses.replace(stream), Stream(2)}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        stream.seed = 4
    with pytest.raises(InputError, match=r"^batch_size must"):
        dataclasses.replace(stream, batch_size=-1)


@pytest.mark.parametrize(
    ("options", "span"),
    [
        ({}, (0, 9)),
        ({"epoch": 2}, (18, 27)),
        ({"epoch": 1, "start_step": 2}, (13, 18)),
        ({"start_step": 7}, (14, 14)),
        ({"start_step": 7, "repeat": True}, (14, None)),
    ],
)
def test_knows_its_positions(options, span):
    assert Stream(2, **options).span(9) == span


def test_equal_streams_are_equal_batches(root):

    stream = Stream(3, "mild", shuffle=True, seed=5, input_size=32)
    for one, other in zip(
        batches(open_dataset(root), stream),
        batches(open_dataset(root), dataclasses.replace(stream)),
        strict=True,
    ):
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])


_PARTS = [
    (2, {"start_step": 1}),  # 9 samples: batches of 4 and 1, the last part empty
    (4, {"sampling": "replacement", "epoch": 1}),
    (2, {"start_step": 3, "repeat": True}),
    (2, {"start_step": 5}),  # behind the end
]


def _augmented_parts():
    """All parts with modern changes, and the first with every other."""
    for augment in ("published", "modern", None):
        for number, (workers, options) in enumerate(_PARTS):
            quick = augment == "modern" or number == 0
            marks = () if quick else pytest.mark.large
            yield pytest.param(augment, workers, options, marks=marks)


@pytest.mark.parametrize(("augment", "workers", "options"), list(_augmented_parts()))
def test_parts_of_all_workers_are_the_batches(root, augment, workers, options):
    whole = Stream(4, augment, shuffle=True, seed=6, input_size=64, **options)
    dataset = open_dataset(root)
    assert len(dataset) == 9
    parts = [
        batches(dataset, dataclasses.replace(whole, workers=workers, worker=worker))
        for worker in range(workers)
    ]
    expected = batches(dataset, whole)
    assert {part.cardinality().numpy() for part in parts} == {
        expected.cardinality().numpy()
    }
    for one, *others in zip(expected.take(5), *(p.take(5) for p in parts), strict=True):
        sizes = [len(other["index"]) for other in others]
        assert sizes == sorted(sizes, reverse=True)
        for name, values in one.items():
            np.testing.assert_array_equal(
                np.concatenate([other[name] for other in others]), values, name
            )


def test_a_worker_needs_a_part_of_every_batch():
    with pytest.raises(InputError, match=r"^worker must be less than .* is 2; rec"):
        Stream(4, workers=2, worker=2)
    with pytest.raises(InputError, match=r"^batch_size must be a multiple of `workers"):
        Stream(3, workers=2)
    with pytest.raises(InputError, match=r"^workers must be a whole number, at least"):
        Stream(4, workers=0)
