"""Projection in TensorFlow: as the cameras' own, and differentiable everywhere."""

import numpy as np
import pytest
import tensorflow as tf

from human_pose.geometry import projection
from human_pose.geometry.cameras import Camera, look_at

LENSES = (
    {},
    {"distortion": (-0.2, 0.25, -0.001, 0.0005, -0.007)},
    {"distortion": (0.3, -0.1, 0.002, -0.003, 0.05, 0.1, -0.02, 0.01)},
    {"distortion": (-0.4, 0.0, 0.001, 0.002)},
    {"distortion": (0.02, -0.01, 0.003, -0.001), "lens": "fisheye"},
    {"distortion": (-0.4, 0.0, 0.0, 0.0), "lens": "fisheye"},
)
RANDOM = np.random.default_rng(0)


def camera(angle, options):
    place = np.array([4000 * np.cos(angle), 4000 * np.sin(angle), 1500.0])
    plain = look_at(
        place, np.array([0, 0, 900.0]), focal_px=[900, 910], centre_px=[500, 510]
    )
    fields = ("rotation", "translation_mm", "focal_px", "centre_px")
    return Camera(*(getattr(plain, field) for field in fields), **options)


CAMERAS = [camera(1.1 * number, lens) for number, lens in enumerate(LENSES)]
SEEN = RANDOM.normal((0, 0, 900), 500, (20, 17, 3))
# On all sides of the cameras, and far aside.
ANYWHERE = RANDOM.normal(0, 1, (400, 1, 3)) * [6000, 6000, 3000]


@pytest.mark.parametrize(
    ("dtype", "accuracy_px"), [("float64", 1e-9), ("float32", 2e-3)]
)
def test_images_are_the_cameras_own(dtype, accuracy_px):
    stacked = projection.stack(CAMERAS, dtype)
    shown = projection.project(stacked, tf.constant(SEEN, dtype))
    expected = np.stack([c.project(SEEN) for c in CAMERAS], axis=1)
    np.testing.assert_allclose(shown.pixels, expected, rtol=0, atol=accuracy_px)
    depth = np.stack([c.to_camera(SEEN)[..., 2] for c in CAMERAS], axis=1)
    np.testing.assert_allclose(shown.depth_mm, depth, rtol=1e-6)
    assert shown.valid.numpy().all()
    assert shown.pixels.dtype == dtype


def test_validity_is_the_cameras_own():
    shown = projection.project(projection.stack(CAMERAS), ANYWHERE)
    for v, each in enumerate(CAMERAS):
        each.project(ANYWHERE[shown.valid[:, v, 0]])  # raises where it must not be
    assert 0.2 < shown.valid.numpy().mean() < 0.8
    lost = projection.project(projection.stack(CAMERAS), np.full((1, 3), np.nan))
    assert not lost.valid.numpy().any()


def test_the_jacobian_is_the_differences_everywhere():
    stacked = projection.stack(CAMERAS)
    shown, jacobian = projection.project_with_jacobian(stacked, ANYWHERE)
    assert np.isfinite(shown.pixels).all()
    assert not shown.valid.numpy().all()
    step = 1e-3
    for axis, shift in enumerate(step * np.eye(3)):
        ahead = projection.project(stacked, ANYWHERE + shift).pixels
        behind = projection.project(stacked, ANYWHERE - shift).pixels
        slope = (ahead - behind) / (2 * step)
        error = np.abs(jacobian[..., axis] - slope) / (1 + np.abs(slope))
        # Only a point within a step of an edge, where the second derivative jumps.
        assert np.quantile(error, 0.995) < 2e-6
        assert error.max() < 1e-3


def test_derivatives_by_everything_are_finite_and_autodiffs():
    stacked = projection.stack(CAMERAS)
    points = tf.constant(np.concatenate([SEEN[:5, 0], ANYWHERE[:50, 0]]))
    # On the axis, at the very centre, and just beyond it.
    places = np.stack([c.position_mm + c.rotation.T @ [0, 0, d] for c in CAMERAS
                       for d in (2000.0, 0.0, -2000.0)])  # fmt: skip
    points = tf.concat([points, places], 0)
    values = stacked[:5]
    with tf.GradientTape() as tape:
        tape.watch([points, *values])
        cameras = projection.Cameras(*values, *stacked[5:])
        shown, jacobian = projection.project_with_jacobian(cameras, points)
        total = tf.reduce_sum(shown.pixels[..., 0])
    by_points, *by_cameras = tape.gradient(total, [points, *values])
    np.testing.assert_allclose(
        by_points, tf.reduce_sum(jacobian[..., 0, :], axis=0), rtol=1e-9, atol=1e-9
    )
    assert all(np.isfinite(gradient).all() for gradient in by_cameras)


def test_it_compiles_and_takes_any_batch():
    stacked = projection.stack(CAMERAS, tf.float32)
    points = tf.constant(SEEN[:2], tf.float32)
    compiled = tf.function(lambda p: projection.project(stacked, p), jit_compile=True)
    shown = compiled(points)
    for batch in ((), (3, 2)):
        several = tf.broadcast_to(points[0], (*batch, 17, 3))
        plain, slopes = projection.project_with_jacobian(stacked, several)
        assert plain.pixels.shape == (*batch, 6, 17, 2)
        assert slopes.shape == (*batch, 6, 17, 2, 3)
        first = plain.pixels[(0,) * len(batch)]
        np.testing.assert_allclose(shown.pixels[0], first, rtol=1e-5, atol=1e-3)


def test_no_cameras_are_an_error():
    with pytest.raises(ValueError, match="must be one or more"):
        projection.stack([])
