"""The augmentation and the joint sets against the original's own code."""

import numpy as np
import pytest
import tensorflow as tf

from human_pose.geometry import skeletons
from human_pose.i1.input import colours, placement, resampling

CASES = ("aug_test", "aug_train0", "aug_train1", "aug_train2")


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "reference" / "i1_dev.npz")


def place(golden, *cases):
    if cases == ("aug_test",):
        return placement.at_test([1])
    draws = [golden[f"{case}/rand_sequence"] / 2147483647 for case in cases]
    return placement.from_draws(tf.constant(np.stack(draws)))


def pictures(golden, count=1):
    """Red first, with a fourth channel that must not count."""
    image = golden["aug/image_bgr"][..., ::-1]
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 1), np.uint8)
    return tf.constant(np.stack([np.concatenate([image, noise], axis=-1)] * count))


@pytest.mark.parametrize("case", CASES)
def test_joints_land_where_the_original_puts_them(golden, case):
    where = place(golden, case)
    joints = placement.place_joints(golden["aug/joints224"].reshape(1, 16, 2), where)
    joints = joints[0].numpy()
    if where.flipped[0]:
        joints = joints[list(skeletons.FLIP_ORDER_16)]
    expected = golden[f"{case}/joints256"].reshape(16, 2)
    np.testing.assert_allclose(joints, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("cases", (CASES[:1], CASES[1:]))
def test_pixels_are_the_originals(golden, cases):
    crops = resampling.crop_published(
        pictures(golden, len(cases)), place(golden, *cases)
    )
    for crop, case in zip(crops.numpy(), cases, strict=True):
        expected = golden[f"{case}/crop_u8_bgr_chw"].transpose(1, 2, 0)
        error = np.abs(crop.astype(int) - expected)
        assert error.mean() <= 0.1  # asked for: 0.5
        assert error.max() <= 5


def test_the_test_transform_has_a_closed_form():
    joints = np.random.default_rng(0).uniform(-50, 300, (5, 16, 2))
    placed = placement.place_joints(joints, placement.at_test([5])).numpy()
    np.testing.assert_allclose(placed, joints / 1.12 + 28.5, rtol=0, atol=1e-10)


def test_the_networks_input_is_centred_means_of_blocks():
    crops = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8)
    whole, half = (resampling.network_input(crops, size) for size in (256, 128))
    np.testing.assert_array_equal(whole, (crops - 128.0) / 256)
    blocks = whole.numpy().reshape(2, 128, 2, 128, 2, 3).mean((2, 4))
    np.testing.assert_allclose(half, blocks, atol=1e-6)


def test_crops_do_not_depend_on_their_group(golden):
    where = place(golden, *CASES[1:])
    together = resampling.crop_published(pictures(golden, 3), where)
    for sample in range(3):
        one = placement.Placement(*(v[sample : sample + 1] for v in where))
        alone = resampling.crop_published(pictures(golden), one)
        np.testing.assert_array_equal(alone[0], together[sample])


def test_scales_that_crops_have_no_room_for_are_refused():
    assert placement.Ranges(scale=(0.1, 1.3)).scale == (0.1, 1.3)
    for scale in ((1, 2), (2, 1), (1.0, 1.31)):
        with pytest.raises(ValueError, match=r"`scale` must keep .* within 260 px"):
            placement.Ranges(scale=scale)


def test_joint_sets(golden):
    def check(case, convert, size):
        before, after = golden[f"{case}/bottom"], golden[f"{case}/top"]
        converted = convert(before.reshape(2, -1, size)).reshape(2, -1)
        np.testing.assert_array_equal(converted, after)

    check("convert2d_32to16", skeletons.to_16_joints, 2)
    check("convert3d_32to16", skeletons.to_16_joints, 3)
    check("convert2d_16to32", skeletons.to_32_joints, 2)


def test_17_joints_carry_names_along():
    names = np.array(skeletons.JOINT_NAMES_16)[:, None]
    placed = skeletons.to_17_joints(names, fill="Spine1")[:, 0]
    assert placed.tolist() == [
        "Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg",
        "RightFoot", "Spine1", "Neck", "Head", "Site_2", "LeftArm", "LeftForeArm",
        "LeftHand", "RightArm", "RightForeArm", "RightHand",
    ]  # fmt: skip


def test_flip_order_swaps_the_pairs():
    order = list(range(16))
    for left, right in ((4, 1), (5, 2), (6, 3), (10, 13), (11, 14), (12, 15)):
        order[right], order[left] = left, right
    assert tuple(order) == skeletons.FLIP_ORDER_16
    for here, there in enumerate(order):
        swapped = skeletons.JOINT_NAMES_16[there].replace("Left", "?")
        swapped = swapped.replace("Right", "Left").replace("?", "Right")
        assert swapped == skeletons.JOINT_NAMES_16[here]


def test_colours_act_on_light_and_contrast():
    draws = tf.constant([1.0, 0.5, 0.0, 0.5, 0.5])  # gains 1.2, 1, 0.8
    changed = colours.apply(tf.fill([1, 1, 3], 0.1), colours.from_draws(draws))
    np.testing.assert_allclose(changed[0, 0], [0.22, 0.1, -0.02], atol=1e-6)
    draws = tf.constant([0.5, 0.5, 0.5, 0.0, 1.0])  # contrast 0.8, brightness 0.1
    changed = colours.apply(tf.fill([1, 1, 3], 0.2), colours.from_draws(draws))
    np.testing.assert_allclose(changed, np.full((1, 1, 3), 0.26), atol=1e-6)
