"""Exchanges of left and right: the likeliest course, against all of them."""

import itertools

import made_up_recording as made
import numpy as np
import pytest

from human_pose.calibrated import swaps
from human_pose.calibrated.joints import SWAP_NAMES, ModelJoints
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.files import load_prior
from human_pose.calibrated.take import of_anybody
from human_pose.geometry.known_skeletons import BODY_25, COCO_17, KNOWN
from human_pose.geometry.skeleton import Skeleton
from human_pose.geometry.skeletons import LIFTER_17

JOINTS = ModelJoints.of(LIFTER_17, LIFTER_17)
PRIOR = np.array([0.98, 0.008, 0.008, 0.004])


def test_the_best_course_is_the_best_of_all():
    rng = np.random.default_rng(0)
    unary, between = rng.normal(size=(5, 3, 4)), rng.normal(size=(4, 3, 4, 4))
    found = swaps.best_course(unary, between)
    frames = range(5)
    for view in range(3):

        def total(course, view=view):
            alone = sum(unary[f, view, course[f]] for f in frames)
            return alone + sum(
                between[f, view, course[f], course[f + 1]] for f in frames[:-1]
            )

        best = max(itertools.product(range(4), repeat=5), key=total)
        assert tuple(found[:, view]) == best


def test_parts_of_a_take_give_the_links_of_the_whole(monkeypatch):
    recording = made.recording(noise_px=2.0)
    points, seen = recording.joints_2d_px[:, :, 0], recording.seen[:, :, 0]
    follows = np.arange(24) % 11 > 0
    whole = swaps.links(points, seen, follows, JOINTS)
    assert whole.shape == (23, 4, 4, 4)
    assert not whole[10].any()
    assert np.unique(whole[9]).size > 4
    for part in (1, 7, 23):
        monkeypatch.setattr(swaps, "_PART", part)
        np.testing.assert_array_equal(swaps.links(points, seen, follows, JOINTS), whole)


@pytest.mark.parametrize("limb", [[4, 5, 6], [14, 15, 16], [16]])
def test_a_limb_that_is_seen_alone_is_not_exchanged_however_it_moves(limb):
    recording = made.recording(noise_px=8.0)
    points, seen = recording.joints_2d_px[:, :, 0], recording.seen[:, :, 0].copy()
    seen[10:] &= np.isin(np.arange(17), limb)
    follows = np.arange(24) > 0
    assert not swaps.find_swaps(points, seen, follows, JOINTS, PRIOR).any()


@pytest.mark.parametrize("state", [1, 2, 3])
def test_exchanges_are_found_and_undone(state):
    recording = made.recording(noise_px=2.0)
    points, seen = recording.joints_2d_px[:, :, 0], recording.seen[:, :, 0]
    seen = seen.copy()
    seen[::5, :, 3] = False
    states = np.zeros((24, 4), int)
    states[8:15, 1] = state
    shown = swaps.exchanged(points, states, JOINTS)
    assert np.abs(shown - points).max() > 20
    follows = np.arange(24) > 0
    found = swaps.find_swaps(shown, seen, follows, JOINTS, PRIOR)
    np.testing.assert_array_equal(found, states)
    np.testing.assert_array_equal(swaps.exchanged(shown, found, JOINTS), points)
    # What the joints say outweighs what moves.
    gains = np.zeros((24, 4, 4))
    gains[:, :, 2] = 1e4
    found = swaps.find_swaps(shown, seen, follows, JOINTS, PRIOR, gains)
    assert (found == 2).all()


def test_nothing_is_said_of_jumps_between_takes():
    points = made.recording().joints_2d_px[:, :, 0]
    states = np.zeros((24, 4), int)
    states[12:] = 3
    shown = swaps.exchanged(points, states, JOINTS)
    follows = np.arange(24) % 12 > 0
    seen = np.ones(points.shape[:-1], bool)
    found = swaps.find_swaps(shown, seen, follows, JOINTS, PRIOR)
    assert not found.any()


@pytest.mark.parametrize("name", KNOWN)
def test_model_joints_of_each_detector(name):
    detector = KNOWN[name]
    joints = ModelJoints.of(LIFTER_17, detector)
    names = joints.skeleton.names
    assert names[:17] == LIFTER_17.names and len(set(names)) == len(names)
    assert len(joints.hangs_on) == len(joints) - 17
    assert all(0 <= anchor < 17 for anchor in joints.hangs_on)
    none, arms, legs, whole = joints.exchanges
    assert not none.any() and not (arms & legs).any() and (arms | legs <= whole).all()
    for place, other in enumerate(joints.counterpart):
        assert joints.counterpart[other] == place
        side = {"left_": "right_", "right_": "left_"}
        for mine, theirs in side.items():
            if names[place].startswith(mine) and names[place] in detector.names:
                assert names[other] == theirs + names[place].removeprefix(mine)
    for members in (arms, legs, whole):
        np.testing.assert_array_equal(members, members[list(joints.counterpart)])
    moved = joints.from_detector(np.arange(len(detector))[:, None] + 1.0, 0.0)[:, 0]
    for place, word in enumerate(names):
        if word in detector.names:
            assert moved[place] == detector.names.index(word) + 1
    assert SWAP_NAMES == ("arms", "legs")


def test_toes_hang_on_ankles_and_eyes_on_heads():
    joints = ModelJoints.of(LIFTER_17, BODY_25)
    anchor = dict(zip(joints.skeleton.names[17:], joints.hangs_on, strict=True))
    assert anchor["left_big_toe"] == LIFTER_17.index("left_ankle")
    assert anchor["right_heel"] == LIFTER_17.index("right_ankle")
    eyes = ModelJoints.of(LIFTER_17, COCO_17)
    anchor = dict(zip(eyes.skeleton.names[17:], eyes.hangs_on, strict=True))
    assert anchor["left_eye"] == LIFTER_17.index("neck")


def test_what_hangs_on_a_limb_changes_sides_with_it():
    joints = ModelJoints.of(LIFTER_17, KNOWN["cmu"])
    _, arms, legs, whole = joints.exchanges
    for name, on_arm in (("left_ring_1", True), ("right_eye", False)):
        place = joints.skeleton.index(name)
        assert (arms[place], legs[place], whole[place]) == (on_arm, False, True)


def further(parents):
    """The prior's joints, and a detector's own: two of a hand, one of nothing."""
    own = {"cuff_L": "left_wrist", "tip_L": "cuff_L", "cuff_R": "right_wrist"}
    names = {n: LIFTER_17.names[p] for n, p in zip(*parents, strict=True) if p >= 0}
    return Skeleton.grown(
        {"pelvis": None} | names | own | {"ball": "pelvis"},
        pairs=(*LIFTER_17.pairs, ("cuff_L", "cuff_R")),
    )


def test_joints_of_unknown_names_hang_where_the_detector_says():
    """On the root they once lay within 150 mm of it, and weakened the prior."""
    joints = ModelJoints.of(LIFTER_17, further((LIFTER_17.names, LIFTER_17.parents)))
    left, right = LIFTER_17.index("left_wrist"), LIFTER_17.index("right_wrist")
    names = dict(zip(joints.skeleton.names[17:], joints.hangs_on, strict=True))
    assert names == {"cuff_L": left, "tip_L": left, "cuff_R": right, "ball": 0}
    assert joints.strays == (False, False, False, True)
    cuffs = [joints.skeleton.index(name) for name in ("cuff_L", "cuff_R")]
    assert joints.exchanges[:, cuffs].tolist() == [[0, 0], [1, 1], [0, 0], [1, 1]]
    prior = load_prior()
    body = CalibratedLifter(prior, joints.detector).body(of_anybody(prior, np.ones(1)))
    deviation = 1 / np.sqrt(np.diag(body.precisions[0])[51:].reshape(-1, 3)[:, 0])
    np.testing.assert_allclose(deviation, [150, 150, 150, 750])
    roughness = 1 / np.diag(body.acceleration)[51:].reshape(-1, 3)[:, 0]
    assert roughness[3] >= roughness[:3].max()
