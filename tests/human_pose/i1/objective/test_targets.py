import numpy as np
import pytest
import tensorflow as tf

from human_pose.i1.objective import targets
from human_pose.i1.readout import volume


def test_2d_labels_agree_with_the_original(golden, assert_golden):
    joints = golden("gen2dhm", "joint2d").reshape(-1, 16, 2)
    assert_golden(targets.heatmaps_2d(joints), golden.nhwc("gen2dhm", "top"))


@pytest.mark.parametrize("bins", [4, 16, 64])
def test_3d_labels_agree_with_the_original(golden, assert_golden, bins):
    case = f"gen3dhm_d{bins}"
    joints = golden(case, "joint2d").reshape(-1, 16, 2)
    label = targets.heatmaps_3d(joints, golden(case, "depth"), bins)
    assert_golden(label, golden.nhwc(case, "top"))


@pytest.mark.parametrize(
    ("bins", "half", "sigma"),
    [(2, 0, 1 / 6), (4, 0, 1 / 6), (8, 1, 0.5), (16, 2, 5 / 6), (32, 3, 7 / 6),
     (64, 6, 13 / 6)],
)  # fmt: skip
def test_depth_windows_are_the_originals(bins, half, sigma):
    assert targets.SIZES.depth_half_window(bins) == half
    assert targets.SIZES.depth_sigma(bins) == pytest.approx(sigma)


def joints_inside():
    generator = np.random.default_rng(0)
    return (
        generator.uniform(0.2, 0.8, (3, 16, 2)),
        generator.uniform(0.2, 0.8, (3, 16)),
    )


def test_unbiased_labels_are_read_back():
    joints, depth = joints_inside()
    label = targets.heatmaps_3d(joints, depth, 16, peak="unbiased")
    mass = tf.reshape(label, [3, 64, 64, 16, 16])
    mass = tf.transpose(mass, [0, 3, 4, 1, 2])
    mass /= tf.reduce_sum(mass, [2, 3, 4], keepdims=True)
    position = volume.integrate(mass)
    # The window of three standard deviations cuts differently on either side.
    np.testing.assert_allclose(position[..., :2], joints, atol=0.02 / 64)
    np.testing.assert_allclose(position[..., 2], depth, atol=0.5 / 16 + 1e-9)


def test_published_labels_are_read_back_half_a_bin_too_far():
    joints, _ = joints_inside()
    label = targets.heatmaps_2d(joints)
    bias = np.mean(volume.argmax_2d(label) - joints, axis=(0, 1))
    np.testing.assert_allclose(bias, 0.5 / 64, atol=0.1 / 64)
    unbiased = targets.heatmaps_2d(joints, peak="unbiased")
    bias = np.mean(volume.argmax_2d(unbiased) - joints, axis=(0, 1))
    np.testing.assert_allclose(bias, 0, atol=0.1 / 64)


@pytest.mark.parametrize(("peak", "bin_too_far"), [("published", 0), ("unbiased", 7)])
def test_depths_outside_the_volume(peak, bin_too_far):
    joints = np.full((1, 2, 2), 0.5)
    depth = np.array([[-0.1, 1.1]])
    label = targets.heatmaps_3d(joints, depth, 8, peak=peak)
    highest = np.argmax(np.reshape(label, (-1, 2, 8)).max(axis=0), axis=1)
    np.testing.assert_array_equal(highest, [0, bin_too_far])


def test_joints_outside_the_crop_and_nan_are_defined():
    joints = np.array([[[-5.0, 0.5], [1e30, 0.5], [0.5, -1e30]]])
    assert not np.any(targets.heatmaps_2d(joints))


@pytest.mark.parametrize(("peak", "centre"), [("published", 15.75), ("unbiased", 15.5)])
def test_smaller_maps_keep_the_place_and_the_width_in_bins(peak, centre):
    """Bin 32 of the original's 64 has its centre at 32.5 / 64 = (15.75 + 0.5) / 32."""
    label = targets.heatmaps_2d(np.full((1, 1, 2), 0.5, np.float32), 32, peak)
    expected = np.exp(-((np.array([14, 16, 19]) - centre) ** 2) / 8)
    across = expected[1] * expected
    np.testing.assert_allclose(label.numpy()[0, 16, [14, 16, 19], 0], across, rtol=1e-5)


def test_refuses_unknown_peaks():
    with pytest.raises(ValueError, match="peak must be published or unbiased"):
        targets.heatmaps_2d(np.zeros((1, 1, 2)), peak="exact")
