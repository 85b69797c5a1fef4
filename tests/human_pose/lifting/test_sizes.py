"""Sizes, centres and normalised views."""

import numpy as np
import tensorflow as tf

from human_pose.lifting.sizes import centred, normalise_views, pose_size


def test_size_is_the_norm_over_the_tree():
    joints = np.zeros((17, 3))
    joints[3] = [3, 4, 0]  # a leaf: one edge of length 5
    assert pose_size(tf.constant(joints)) == 5
    joints[8] = [0, 0, 2]  # the thorax has four edges
    np.testing.assert_allclose(pose_size(tf.constant(joints)), np.sqrt(25 + 4 * 4))
    joints[16] = 1e6  # the last joint is in no edge
    np.testing.assert_allclose(pose_size(tf.constant(joints)), np.sqrt(25 + 4 * 4))


def test_size_equals_original(golden):
    sizes = pose_size(tf.constant(golden["poses_3d_gt"]))
    np.testing.assert_allclose(sizes, golden["huber-default/limb_scale"], rtol=1e-13)


def test_centred_subtracts_the_mean_of_17_joints():
    joints = np.random.default_rng(0).normal(size=(2, 17, 3)) + 100
    result = centred(tf.constant(joints)).numpy()
    np.testing.assert_allclose(result.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(result - result[:, :1], joints - joints[:, :1])


def test_views_equal_original(golden, visibility):
    views = normalise_views(
        tf.constant(golden["poses_2d"]),
        tf.constant(np.tile(visibility, (len(golden["poses_2d"]), 1, 1))),
    )
    targets = views.targets.numpy().reshape(-1, 2, 4, 17)
    seen = visibility[0] > 0
    expected = np.swapaxes(golden["norm2d"], 1, 2)
    np.testing.assert_allclose(targets[..., seen], expected[..., seen], atol=1e-13)
    assert (targets[..., ~seen] == 0).all()


def test_heights_span_two_and_point_up(golden, visibility):
    joints = golden["poses_2d"][:1]
    views = normalise_views(tf.constant(joints), tf.constant(visibility[None]))
    up = views.targets.numpy().reshape(2, 4, 17)[1]
    np.testing.assert_allclose(np.ptp(up[:, visibility[0] > 0], axis=1), 2)
    # Head above feet, though image y points down.
    assert (up[:, 10] > up[:, 3]).all()


def test_views_with_other_masks_agree():
    """Orthographic views of one body keep one scale and centre, whatever is hidden."""
    body = np.random.default_rng(2).normal(size=(17, 3)) * [300, 300, 600]
    views = np.stack([body[:, [axis, 2]] * 0.4 + 500 * axis for axis in (0, 1, 0, 1)])
    masks = np.ones((1, 4, 17))
    masks[:, :, 9] = 0
    masks[0, 0, [3, 6]] = masks[0, 1, 10] = 0
    found = normalise_views(tf.constant(views[None]), tf.constant(masks), together=True)
    heights = found.targets.numpy().reshape(2, 4, 17)[1]
    both = (masks[0] > 0).all(axis=0)
    np.testing.assert_allclose(heights[:, both], np.tile(heights[2, both], (4, 1)))
    np.testing.assert_allclose(np.ptp(heights[0, both]), 2)
    # The centre of all 16 joints, from that of the 13 that all views show.
    moved = found.off_centre.numpy()[0] @ body
    expected = np.delete(body, 9, axis=0).mean(axis=0) - body[both].mean(axis=0)
    np.testing.assert_allclose(moved, expected, rtol=1e-12)


def test_without_common_joints_each_view_is_its_own():
    rng = np.random.default_rng(3)
    masks = np.zeros((1, 4, 17))
    masks[0, :2, :6] = masks[0, 2:, 10:] = 1
    joints = tf.constant(rng.uniform(0, 1000, (1, 4, 17, 2)))
    found = normalise_views(joints, tf.constant(masks), together=True)
    heights = found.targets.numpy()[0, 4:]
    for height, mask in zip(heights, masks[0], strict=True):
        np.testing.assert_allclose(np.ptp(height[mask > 0]), 2)


def test_all_seen_is_not_moved(golden, visibility):
    masks = tf.constant(np.tile(visibility, (len(golden["poses_2d"]), 1, 1)))
    joints = tf.constant(golden["poses_2d"])
    alone, together = (normalise_views(joints, masks, together=t) for t in (0, 1))
    assert (together.off_centre.numpy() == 0).all()
    np.testing.assert_array_equal(alone.targets, together.targets)


def test_unusable_views_get_weight_zero(visibility):
    rng = np.random.default_rng(1)
    joints = rng.uniform(0, 1000, (1, 4, 17, 2))
    masks = visibility[None].copy()
    masks[0, 0] = 0
    masks[0, 1] = 0
    masks[0, 1, 4] = 1
    joints[0, 2, :, 1] = 500  # all at one height: no size
    views = normalise_views(tf.constant(joints), tf.constant(masks))
    weights = views.visibility.numpy().reshape(2, 4, 17)
    assert (weights[:, :3] == 0).all()
    np.testing.assert_array_equal(weights[:, 3], np.tile(visibility[3], (2, 1)))
    assert np.isfinite(views.targets).all()
