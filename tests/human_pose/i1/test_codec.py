import numpy as np
import pytest
import tensorflow as tf

from human_pose.geometry import metrics
from human_pose.i1 import codec


def test_depth_is_encoded_as_in_the_original(golden, assert_golden):
    truth = golden("convertdepth_enc", "bottom1").reshape(2, 16, 3)
    moved = golden("convertdepth_enc", "bottom0").reshape(2, 16, 3)
    np.testing.assert_array_equal(truth[..., 2], moved[..., 2])
    encoded = codec.encode_depth(truth[..., 2])
    assert_golden(encoded, golden("convertdepth_enc", "top"))


@pytest.mark.parametrize(
    ("case", "bounds"),
    [
        ("convertdepth_dec", codec.PUBLISHED_DECODING),
        ("convertdepth_dec_samebounds", codec.ENCODING),
    ],
)
def test_depth_is_decoded_as_in_the_original(golden, assert_golden, case, bounds):
    root_z_mm = golden(case, "bottom1")[:, 2]
    z_mm = codec.decode_depth(golden(case, "bottom0"), root_z_mm, bounds)
    assert_golden(z_mm, golden(case, "top"))


def test_labels_are_projected_back_as_in_the_original(golden, assert_golden):
    joints_2d = golden("genaug3d", "aug2d_px256").reshape(2, 16, 2) / 256
    z_mm = golden("genaug3d", "gt3d_mono").reshape(2, 16, 3)[..., 2]
    pose = codec.back_project(
        joints_2d,
        z_mm,
        golden("genaug3d", "bbx"),
        golden("genaug3d", "cam_fxfycxcy"),
        "published",
    )
    assert_golden(pose, golden("genaug3d", "top").reshape(2, 16, 3))


def test_predictions_are_projected_back_as_in_the_original(golden, assert_golden):
    pose = codec.back_project(
        golden("genpredmono3d", "pred2d_01").reshape(2, 16, 2),
        golden("genpredmono3d", "pred_depth_mm"),
        golden("genpredmono3d", "bbx"),
        golden("genpredmono3d", "cam_fxfycxcy"),
        "published",
    )
    assert_golden(pose, golden("genpredmono3d", "top").reshape(2, 16, 3))


@pytest.mark.parametrize("case", ["mpjpe", "mpjpe_oracle"])
def test_error_is_the_originals(golden, assert_golden, case):
    first = golden(case, "bottom0").reshape(2, 16, 3)
    second = golden(case, "bottom1").reshape(2, 16, 3)
    error_mm = np.mean(metrics.mpjpe(first, second))
    assert_golden(error_mm, golden(case, "top"))


def test_the_errors_gradient_can_be_the_originals(golden, assert_golden):
    truth = golden("mpjpe", "bottom1").reshape(2, 16, 3)
    pose = tf.constant(golden("mpjpe", "bottom0").reshape(2, 16, 3))
    with tf.GradientTape() as tape:
        tape.watch(pose)
        error_mm = tf.reduce_mean(metrics.mpjpe(truth, pose, gradient="published"))
    assert_golden(error_mm, golden("mpjpe", "top"))
    expected = golden("mpjpe", "grad0_as_published").reshape(2, 16, 3)
    upstream = tf.cast(golden("mpjpe", "top_diff"), tf.float32)
    assert_golden(tape.gradient(error_mm, pose, upstream), expected)


def test_the_errors_true_gradient_points_from_the_truth():
    truth = np.zeros((1, 2, 3))
    pose = tf.constant([[[3.0, 0, 4.0], [0, -2.0, 0]]], "float64")
    with tf.GradientTape() as tape:
        tape.watch(pose)
        error_mm = metrics.mpjpe(truth, pose)
    expected = [[[0.3, 0, 0.4], [0, -0.5, 0]]]
    np.testing.assert_allclose(tape.gradient(error_mm, pose), expected)


def test_refuses_unknown_gradients():
    with pytest.raises(ValueError, match="gradient must be true or published"):
        metrics.mpjpe(np.zeros((1, 1, 3)), np.zeros((1, 1, 3)), gradient="exact")


def test_depth_goes_there_and_back():
    z_mm = np.random.default_rng(0).normal(5000, 300, (4, 16))
    depth = codec.encode_depth(z_mm)
    np.testing.assert_allclose(depth[:, 0], 1005.185902 / (980.8599 + 1005.185902))
    np.testing.assert_allclose(codec.decode_depth(depth, z_mm[:, 0]), z_mm)


def test_published_bounds_move_the_root_by_18_mm():
    depth = codec.encode_depth(np.array([5000.0]))
    back = codec.decode_depth(depth, 5000.0, codec.PUBLISHED_DECODING)
    assert float(back[0]) - 5000 == pytest.approx(-17.758, abs=1e-3)


def test_corrected_mapping_inverts_the_crop():
    generator = np.random.default_rng(0)
    frame_px = generator.uniform(300, 600, (2, 16, 2))
    box = np.array([[265.0, 264, 658, 657], [200, 210, 700, 710]])
    side = (box[:, 2:] - box[:, :2])[:, None]
    picture_px = (frame_px - box[:, None, :2]) / side * 224
    crop = (picture_px / 1.12 + 28.5) / 256
    np.testing.assert_allclose(codec.to_frame_px(crop, box), frame_px)
    shrunk = codec.to_frame_px(crop, box, "published")
    sizes = np.ptp(shrunk, axis=1) / np.ptp(frame_px, axis=1)
    np.testing.assert_allclose(sizes, 200 / 256)


def test_back_projection_inverts_the_pinhole_camera():
    generator = np.random.default_rng(0)
    pose = generator.normal([0, 0, 5000], 300, (2, 16, 3))
    camera = np.array([[1145.0, 1143, 512, 515], [1149, 1147, 508, 508]])
    pixels = pose[..., :2] / pose[..., 2:] * camera[:, None, :2] + camera[:, None, 2:]
    box = np.array([[0.0, 0, 1, 1]] * 2)
    back = codec.back_project(pixels, pose[..., 2], box, camera, "published")
    np.testing.assert_allclose(back, pose)


def test_refuses_unknown_mappings():
    with pytest.raises(ValueError, match="mapping must be published or corrected"):
        codec.to_frame_px(np.zeros((1, 2)), np.zeros(4), "exact")
