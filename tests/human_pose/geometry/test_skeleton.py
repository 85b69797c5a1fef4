"""Skeletons as values: what they refuse, derive and convert."""

from dataclasses import replace

import numpy as np
import pytest

from human_pose.geometry.skeleton import Skeleton, convert, named_pairs
from human_pose.geometry.skeletons import COARSE_17, IMAGE_16, LIFTER_17, RECORDED_32

# A child may stand before its parent.
ARM = Skeleton.grown(
    {
        "left_wrist": "left_elbow",
        "left_elbow": "neck",
        "right_wrist": "right_elbow",
        "right_elbow": "neck",
        "neck": "pelvis",
        "pelvis": None,
    },
    undetected=("neck",),
    aliases={"hip": "pelvis"},
)


def test_a_skeleton_is_derived_from_its_tree():
    assert len(ARM) == 6
    assert ARM.parents == (1, 4, 3, 4, 5, -1)
    assert ARM.root == 5
    assert ARM.limbs == ((1, 0), (4, 1), (3, 2), (4, 3), (5, 4))
    assert ARM.pairs == (("left_wrist", "right_wrist"), ("left_elbow", "right_elbow"))
    assert (ARM.left, ARM.right) == ((0, 1), (2, 3))
    assert ARM.flip_order == (2, 3, 0, 1, 4, 5)
    assert ARM.detected == (0, 1, 2, 3, 5)
    assert ARM.index("hip") == ARM.index("pelvis") == 5


def test_equal_skeletons_are_one_key():
    again = Skeleton(ARM.names, ARM.parents, ARM.pairs, (), ("neck",), ARM.aliases)
    assert again == ARM
    assert {ARM: "arm"}[again] == "arm"
    assert replace(ARM, undetected=()) != ARM


def test_limbs_can_be_given():
    crossed = replace(ARM, limbs=((0, 2),))
    assert crossed.visible_limbs([True] * 6) == ((0, 2),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": (), "parents": ()}, "`names` must be those of one joint or more"),
        ({"names": ("a", "b", "a")}, "`names` must each mean one joint.*'a'"),
        ({"parents": (-1, 0)}, "one for each of the 3 joints. Received: 2"),
        ({"parents": (-1, -1, 0)}, "-1 for one joint, the root. Received: 2"),
        ({"parents": (1, 0, 0)}, "-1 for one joint, the root. Received: 0"),
        ({"parents": (-1, 2, 1)}, "lead to the root. Received: a circle above 'b'"),
        ({"parents": (-1, 1, 0)}, "a circle above 'b'"),
        ({"parents": (-1, 0, 3)}, "-1 or joints. Received: 3 for 'c'"),
        ({"parents": (-1, 0, -2)}, "-1 or joints. Received: -2 for 'c'"),
        ({"pairs": (("b", "b"),)}, "`pairs` must each mean one joint.*'b'"),
        ({"pairs": (("a", "b"), ("b", "c"))}, "`pairs` must each mean one joint.*'b'"),
        ({"pairs": (("b", "d"),)}, "`pairs` must be of the skeleton's joints.*'d'"),
        ({"limbs": ((0, 3),)}, r"`limbs` must join two of the 3 joints.*\(0, 3\)"),
        ({"limbs": ((1, 1),)}, r"`limbs` must join two of the 3 joints.*\(1, 1\)"),
        ({"undetected": ("neck",)}, "`undetected` must be of .*'neck'"),
        ({"aliases": (("hip", "d"),)}, "`aliases` must be of the .*'d'"),
        ({"aliases": (("b", "c"),)}, "`aliases` must each mean one joint.*'b'"),
        ({"aliases": (("x", "a"), ("x", "b"))}, "`aliases` must each mean .*'x'"),
    ],
)
def test_what_is_no_skeleton_is_refused_in_one_line(changes, message):
    plain = {"names": ("a", "b", "c"), "parents": (-1, 0, 0)}
    Skeleton(**plain)
    with pytest.raises(ValueError, match=message) as refused:
        Skeleton(**(plain | changes))
    assert "\n" not in str(refused.value)


def test_unknown_joints_are_named():
    with pytest.raises(ValueError, match="no joint 'toe'; it has left_wrist, "):
        ARM.index("toe")
    with pytest.raises(ValueError, match="'a' has the parent 'b'"):
        Skeleton.grown({"a": "b"})


def test_pairs_by_name_need_both_sides():
    assert named_pairs(["left_hip", "left_eye", "nose", "right_hip"]) == (
        ("left_hip", "right_hip"),
    )


def test_a_hidden_undetected_joint_is_bridged_and_no_other():
    visible = np.ones(6, dtype=bool)
    visible[ARM.index("neck")] = False
    assert ARM.visible_limbs(visible) == ((1, 0), (3, 2), (5, 1), (5, 3))
    visible[ARM.index("left_elbow")] = False  # it can be found, and was not
    assert ARM.visible_limbs(visible) == ((3, 2), (5, 3))
    visible[ARM.index("pelvis")] = False
    assert ARM.visible_limbs(visible) == ((3, 2),)
    two = replace(ARM, undetected=("neck", "left_elbow"))
    assert (5, 0) in two.visible_limbs([True, False, True, True, False, True])


def test_the_head_is_joined_to_the_thorax_over_the_neck():
    visible = np.arange(17) != LIFTER_17.index("neck")
    assert LIFTER_17.visible_limbs(visible)[-1] == (8, 10)
    assert len(LIFTER_17.visible_limbs(visible)) == 15


def test_joints_keep_their_names():
    names = np.array(LIFTER_17.names)[:, None]
    placed = convert(names, LIFTER_17, COARSE_17)[:, 0]
    assert tuple(placed) == COARSE_17.names
    back = convert(placed[:, None], COARSE_17, LIFTER_17)[:, 0]
    assert tuple(back) == LIFTER_17.names


def test_missing_joints_are_nan_or_the_fill():
    joints = np.random.default_rng(0).normal(size=(2, 3, 16, 3))
    wide = convert(joints, IMAGE_16, LIFTER_17)
    spine = LIFTER_17.index("spine")
    assert wide.shape == (2, 3, 17, 3)
    assert np.isnan(wide[..., spine, :]).all()
    assert np.isfinite(np.delete(wide, spine, axis=-2)).all()
    np.testing.assert_array_equal(convert(wide, LIFTER_17, IMAGE_16), joints)
    assert np.all(convert(joints, IMAGE_16, LIFTER_17, fill=7)[..., spine, :] == 7)


def test_numbers_keep_their_type_where_it_has_nan():
    whole = np.arange(32).reshape(16, 2)
    assert convert(whole, IMAGE_16, LIFTER_17).dtype == np.float64
    assert convert(whole, IMAGE_16, IMAGE_16).dtype == whole.dtype
    short = convert(whole.astype(np.float32), IMAGE_16, RECORDED_32)
    assert short.dtype == np.float32
    assert np.isnan(short[RECORDED_32.index("LeftShoulder")]).all()


def test_aliases_are_read_and_never_guessed():
    detector = Skeleton.grown({"hip": None, "left_foot": "hip", "Neck": "hip"})
    taken = convert(np.array([[1.0], [2], [3]]), detector, LIFTER_17)[:, 0]
    assert taken[LIFTER_17.index("pelvis")] == 1
    assert taken[LIFTER_17.index("left_ankle")] == 2
    assert np.isnan(np.delete(taken, [0, 6])).all()  # `Neck` is not `neck`
    back = convert(taken[:, None], LIFTER_17, detector)[:, 0]
    np.testing.assert_array_equal(back, [1, 2, np.nan])
    # Human3.6M's `Neck` is its thorax; another's is a neck.
    other = Skeleton.grown({"neck": None}, aliases={"Neck": "neck"})
    with pytest.raises(ValueError, match="must have a joint in common"):
        convert(np.ones((1, 2)), other, Skeleton.grown({"thorax": None}))
    only = replace(other, names=("neck",))
    placed = convert(np.ones((1, 2)), only, IMAGE_16)
    assert np.flatnonzero(np.isfinite(placed[:, 0])).tolist() == [8]


@pytest.mark.parametrize("shape", [(17, 3), (16,), (4, 15, 2), ()])
def test_joints_of_another_skeleton_are_refused(shape):
    with pytest.raises(ValueError, match=r"must have shape \[..., 16, C\]"):
        convert(np.zeros(shape), IMAGE_16, LIFTER_17)


def test_nothing_is_changed_in_place():
    joints = np.zeros((16, 2))
    convert(joints, IMAGE_16, IMAGE_16)[:] = 1
    assert not joints.any()
