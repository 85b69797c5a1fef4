"""The tables of version 0.1, number by number, and the published conversions."""

import numpy as np
import pytest

from human_pose.geometry import skeletons
from human_pose.geometry.skeletons import COARSE_17, IMAGE_16, LIFTER_17, RECORDED_32


def test_the_lifters_skeleton_is_as_before():
    names = (
        "hip right_hip right_knee right_foot left_hip left_knee left_foot spine thorax "
        "neck head_top left_shoulder left_elbow left_wrist right_shoulder right_elbow "
        "right_wrist"
    ).split()
    assert [LIFTER_17.index(name) for name in names] == list(range(17))
    limbs = (
        *((0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 9)),
        *((9, 10), (8, 11), (11, 12), (12, 13), (8, 14), (14, 15), (15, 16)),
    )
    assert LIFTER_17.limbs == limbs
    assert LIFTER_17.right == (1, 2, 3, 14, 15, 16)
    assert LIFTER_17.left == (4, 5, 6, 11, 12, 13)
    assert LIFTER_17.root == 0
    assert (skeletons.JOINTS, skeletons.VIEWS, skeletons.UNDETECTED_JOINT) == (17, 4, 9)
    assert LIFTER_17.detected == (*range(9), *range(10, 17))


def test_the_image_networks_skeleton_is_as_before():
    limbs = (
        *((0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 9)),
        *((7, 10), (10, 11), (11, 12), (7, 13), (13, 14), (14, 15)),
    )
    assert IMAGE_16.limbs == limbs
    assert IMAGE_16.right == (1, 2, 3, 13, 14, 15)
    assert IMAGE_16.left == (4, 5, 6, 10, 11, 12)
    assert skeletons.FLIP_ORDER_16 == (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, *range(13, 16), 10,
                                       11, 12)  # fmt: skip
    of_32 = (0, 1, 2, 3, 6, 7, 8, 13, 14, 15, 17, 18, 19, 25, 26, 27)
    assert skeletons.JOINTS_16_OF_32 == of_32
    assert skeletons.JOINT_NAMES_16 == tuple(
        skeletons.JOINT_NAMES_32[joint] for joint in of_32
    )


def test_the_recorded_joints_are_as_before():
    names = skeletons.JOINT_NAMES_32
    assert [RECORDED_32.index(name) for name in names] == list(range(32))
    assert (names[13], names[14], names[15]) == ("Neck", "Head", "Site_2")
    # Both sides are told apart, and only they.
    middle = ("Hips", "Spine", "Spine1", "Neck", "Head", "Site_2")
    sides = {*RECORDED_32.left, *RECORDED_32.right}
    assert sides == {*range(32)} - {names.index(name) for name in middle}
    for left, right in zip(RECORDED_32.left, RECORDED_32.right, strict=True):
        for side, joint in (("L", left), ("R", right)):
            assert names[joint].startswith((side, "Site")), names[joint]


def test_the_recorded_joints_of_the_lifter_are_human36ms():
    kept = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
    assert tuple(map(RECORDED_32.index, LIFTER_17.names)) == kept


def test_coarse_to_fine_joints_are_the_originals_table():
    of_16 = (0, 4, 5, 6, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16)
    assert tuple(map(COARSE_17.index, IMAGE_16.names)) == of_16
    joints = np.random.default_rng(0).normal(size=(2, 16, 3)).astype(np.float32)
    placed = skeletons.to_17_joints(joints)
    assert placed.dtype == np.float32
    np.testing.assert_array_equal(placed[:, of_16], joints)
    assert np.all(placed[:, 7] == 0.5)


def test_32_joints_are_the_originals_table():
    joints = np.random.default_rng(0).normal(size=(2, 16, 2)).astype(np.float32)
    wide = skeletons.to_32_joints(joints)
    expected = np.full((2, 32, 2), 0.5, np.float32)
    expected[:, skeletons.JOINTS_16_OF_32] = joints
    expected[:, 28:] = joints[:, :1]
    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide, expected)
    np.testing.assert_array_equal(skeletons.to_16_joints(wide), joints)


@pytest.mark.parametrize("skeleton", [LIFTER_17, IMAGE_16, RECORDED_32, COARSE_17])
def test_sides_mirror_the_tree(skeleton):
    order = skeleton.flip_order
    assert [order[joint] for joint in order] == list(range(len(skeleton)))
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert {frozenset(order[j] for j in limb) for limb in limbs} == limbs
