"""Sizes, sides, axes and orders that are not what they are said to be are told."""

import numpy as np
import pytest

from human_pose.datasets.synthetic import BODIES, subject_cameras
from human_pose.datasets.synthetic.motion import perform
from human_pose.geometry.plausibility import (
    axis_of_bodies,
    doubts,
    implausible_size,
)
from human_pose.geometry.skeletons import LIFTER_17

FLIP = LIFTER_17.flip_order
ENDS = (
    LIFTER_17.index("head_top"),
    [LIFTER_17.index("left_ankle"), LIFTER_17.index("right_ankle")],
)


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    truth = perform("Walking", BODIES[9], rng, 30).joints_3d_mm
    cameras = subject_cameras(9, 0)
    points = np.stack([camera.project(truth) for camera in cameras], axis=1)
    points += rng.normal(0, 5, points.shape)
    points[rng.random(points.shape[:-1]) < 0.2] = 0
    turns = np.stack([camera.rotation for camera in cameras])
    return points, truth, np.broadcast_to(turns, (len(truth), *turns.shape))


def said(points, truth, turns):
    return list(doubts(points, truth, turns, FLIP, ENDS))


def turned(points, axis):
    sizes = np.array([1000.0, 1000.0])
    moved = np.where(np.arange(2) == axis, sizes - points, points)
    return np.where((points != 0).any(axis=-1, keepdims=True), moved, 0.0)


def test_what_is_as_said_is_not_doubted(frames):
    assert said(*frames) == []
    lost = frames[0].copy()
    lost[:, 1:] = 0
    assert said(lost, *frames[1:]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, t, r: (p[:, :, list(FLIP)], t, r), "left and right seem"),
        (lambda p, t, r: (p, t[:, list(FLIP)], r), "left and right seem"),
        (lambda p, t, r: (turned(p, 0), t, r), "x seems to point to the left"),
        (lambda p, t, r: (turned(p, 1), t, r), "y seems to point upwards"),
        (lambda p, t, r: (p[:, [1, 2, 3, 0]], t, r), "in the order 3, 0, 1, 2"),
        (lambda p, t, r: (p, t[::-1, :, [1, 0, 2]], r), "may not belong together"),
        (
            lambda p, t, r: (p, t * [1, -1, -1], r),
            "the head is below the feet in 100 %",
        ),
    ],
)
def test_what_is_not_is_named(frames, change, words):
    assert words in " | ".join(said(*change(*frames)))


def of_one(points, view, change):
    changed = points.copy()
    changed[:, view] = change(points)[:, view]
    return changed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p[:, :, list(FLIP)], "left and right seem to be exchanged"),
        (lambda p: turned(p, 0), "x seems to point to the left"),
        (lambda p: turned(p, 1), "y seems to point upwards"),
    ],
)
def test_a_view_that_differs_from_the_others_is_named(frames, change, words):
    found = said(of_one(frames[0], 2, change), *frames[1:])
    assert found == [f"joint_2d of view 2 is off joint_3d: {words}"]


def test_a_view_of_another_person_is_no_exchanged_one(frames):
    """Nothing explains it, and the other views are as said."""
    other = perform("Sitting", BODIES[1], np.random.default_rng(9), 30).joints_3d_mm
    camera = subject_cameras(9, 0)[1]
    points = of_one(frames[0], 1, lambda p: np.stack([camera.project(other)] * 4, 1))
    assert said(points, *frames[1:]) == []


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1.0, ""),
        (0.4, ""),
        (1e-3, "are they metres?"),
        (0.1, "are they centimetres?"),
        (10.0, "are they tenths of a millimetre?"),
        (1e3, "the joints are "),
    ],
)
def test_bodies_have_a_size_in_millimetres(frames, factor, words):
    wrong = implausible_size(factor * frames[1])
    assert words in wrong and bool(wrong) == bool(words)


def test_joints_that_are_not_known_do_not_count(frames):
    lost = frames[1].copy()
    lost[:20] = np.nan
    lost[:, 3] = np.nan
    assert implausible_size(lost) == ""
    assert "are they metres?" in implausible_size(lost / 1000)
    assert implausible_size(np.full_like(lost, np.nan)) == ""
    lost[:25, 1:] = np.nan  # one marker alone has no size
    assert implausible_size(lost) == ""
    assert "are they metres?" in implausible_size(lost / 1000)
    assert implausible_size(lost[:25, :1]) == ""


def test_the_axis_from_the_feet_to_the_head(frames):
    truth, names = frames[1], LIFTER_17.names
    assert axis_of_bodies(truth, names) == "z"
    assert axis_of_bodies(truth[..., [1, 2, 0]], names) == "y"
    assert axis_of_bodies(-truth[..., [2, 0, 1]], names) == "-x"
    assert axis_of_bodies(np.nan * truth, names) == ""
    assert axis_of_bodies(truth[:, :4], names[:4]) == ""  # no head
    # A file may name joints that it never has.
    for never in (["head_top"], ["left_knee", "right_knee"], ["neck", "left_ankle"]):
        lacking = truth.copy()
        lacking[:, [names.index(name) for name in never]] = np.nan
        assert axis_of_bodies(lacking[..., [1, 2, 0]], names) == "y"
