"""Outliers, clipped gradients, rates, and detections in pixels."""

import numpy as np
import pytest
import tensorflow as tf
from made_up_moments import bumps, made_up_batch

from human_pose.files.errors import InputError
from human_pose.i1.readout.plane import in_picture
from human_pose.pipeline.config import LEARNED, Outliers, chosen_of
from human_pose.pipeline.detections import Detections, VolumeReadout
from human_pose.pipeline.outliers import displaced
from human_pose.pipeline.training.schedule import Later
from human_pose.pipeline.training.trainer import clip_gradient

SHAPE = (6, 4, 16)


@pytest.fixture
def detections():
    ones = tf.ones(SHAPE, tf.float64)
    round_ = tf.eye(2, batch_shape=SHAPE, dtype=tf.float64)
    return Detections(tf.zeros([*SHAPE, 2], tf.float64), ones, ones, round_)


def seeds(step=0):
    moments = np.arange(SHAPE[0])
    return tf.constant(np.stack([moments, np.full_like(moments, step)], -1), tf.int64)


def test_some_detections_are_put_elsewhere(detections):
    outliers = Outliers(0.3)
    moved = displaced(detections, outliers, seeds()).points_px.numpy()
    far = np.linalg.norm(moved, axis=-1)
    share = (far > 0).mean()
    assert 0.2 < share < 0.4
    assert far[far > 0].min() >= outliers.nearest_px
    assert far.max() <= outliers.farthest_px
    again = displaced(detections, outliers, seeds()).points_px.numpy()
    other = displaced(detections, outliers, seeds(step=1)).points_px.numpy()
    np.testing.assert_array_equal(moved, again)
    assert not np.array_equal(moved, other)
    assert displaced(detections, Outliers(), seeds()) is detections


@pytest.mark.parametrize(("size", "kept"), [(0.1, 0.1), (5.0, 1.0)])
def test_a_gradient_is_clipped_for_each_moment(size, kept):
    rng = np.random.default_rng(0)
    upstream = rng.normal(size=(3, 4, 2))
    upstream *= size / np.linalg.norm(upstream, axis=(1, 2), keepdims=True)
    x = tf.Variable(np.zeros((3, 4, 2)))
    with tf.GradientTape() as tape:
        # The mean over moments, of which each has its own gradient.
        total = tf.reduce_sum(tf.constant(upstream) * clip_gradient(x, 1.0)) / 3
    found = 3 * tape.gradient(total, x).numpy()
    np.testing.assert_allclose(np.linalg.norm(found, axis=(1, 2)), kept, rtol=1e-9)
    np.testing.assert_allclose(found / kept, upstream / size, rtol=1e-9)


def test_a_gradient_that_is_not_finite_is_dropped():
    x = tf.Variable(np.ones((2, 3)))
    scale = tf.constant([[np.inf], [0.5]], tf.float64)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(scale * clip_gradient(x, 100.0))
    found = tape.gradient(total, x).numpy()
    np.testing.assert_array_equal(found, [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_a_rate_is_nothing_before_its_start():
    rate = Later(0.1, start=10, end=30)
    found = [float(rate(step)) for step in (0, 9, 10, 20, 30)]
    assert found[:2] == [0.0, 0.0]
    assert found[2] == pytest.approx(0.1)
    assert found[3] == pytest.approx(0.1 * (0.01 + 0.99 * 0.5))
    assert found[4] == pytest.approx(0.001)


def test_detections_lie_in_the_cameras_frame():
    batch = made_up_batch(moments=2, views=3, input_size=16)
    readout = VolumeReadout(depth_bins=2, joints=16)
    volumes = bumps(batch["joints_2d"])
    found = readout(volumes, batch["box"], views=3)
    assert found.points_px.shape == (2, 3, 16, 2)
    # Frame by frame and view by view, as pictures are.
    alone = readout(volumes[4:5], batch["box"][4:5], views=1)
    np.testing.assert_allclose(alone.points_px[0, 0], found.points_px[1, 1])
    np.testing.assert_allclose(alone.sigma_px[0, 0], found.sigma_px[1, 1])
    wide = readout(0 * volumes, batch["box"], views=3)
    assert (wide.sigma_px.numpy() > found.sigma_px.numpy()).all()


@pytest.mark.parametrize("height", [1.0, 2.5])
def test_detections_have_the_volumes_covariances(height):
    """(floor² I + spread² Σ) over confidence^power, in the frame's pixels."""
    batch = made_up_batch(moments=2, views=3, input_size=16)
    x1, y1, x2, y2 = tf.unstack(batch["box"], axis=-1)
    batch["box"] = tf.stack([x1, y1, x2, y1 + height * (y2 - y1)], -1)
    readout = VolumeReadout(depth_bins=2, joints=16)
    readout.log_floor.assign(np.log(np.linspace(0.01, 0.03, 16)))
    readout.log_spread.assign(np.log(0.8))
    readout.log_power.assign(np.log(0.4))
    rng = np.random.default_rng(8)
    volumes = bumps(batch["joints_2d"])
    volumes += tf.constant(rng.normal(0, 0.3, volumes.shape), volumes.dtype)
    found = readout(volumes, batch["box"], views=3)
    seen = in_picture(volumes, 2)
    expected = 0.64 * seen.covariance.numpy().astype(float)
    expected += (np.linspace(0.01, 0.03, 16) ** 2)[:, None, None] * np.eye(2)
    expected /= seen.confidence.numpy()[..., None, None] ** 0.4
    # Of the crop's 256 px the box has 224 / 1.12 = 200.
    sides = np.array(256 / 200 * (batch["box"][:, 2:] - batch["box"][:, :2]))
    scale = sides[:, None, :, None] * sides[:, None, None, :]
    expected = (scale * expected).reshape(found.covariance_px2.shape)
    assert np.abs(expected[..., 0, 1]).max() > 0.1 * expected[..., 0, 0].max()
    np.testing.assert_allclose(found.covariance_px2, expected, rtol=1e-6)
    variance = np.sqrt(np.linalg.det(expected))
    np.testing.assert_allclose(found.sigma_px**2, variance, rtol=1e-6)
    inverse = np.einsum("fvjca,fvjcb->fvjab", *[found.whitening] * 2)
    product = inverse @ expected / variance[..., None, None]
    unit = np.broadcast_to(np.eye(2), product.shape)
    np.testing.assert_allclose(product, unit, atol=1e-6)


def test_what_is_lost_is_no_error_of_its_own(detections):
    """Whoever evaluates says which moment a network has lost."""
    lost = detections._replace(whitening=np.nan * detections.whitening)
    assert np.isnan(lost.covariance_px2).all()
    volumes = tf.fill([1, 16, 16, 32], tf.constant(np.nan, tf.float32))
    box = tf.constant([[0.0, 0, 64, 64]], tf.float64)
    found = VolumeReadout(depth_bins=2, joints=16)(volumes, box, views=1)
    assert np.isnan(found.covariance_px2).all()


def test_weights_are_known_by_name():
    known = {"a": 1, "b": 2}
    assert chosen_of(known, None, ("b",)) == [2]
    assert chosen_of(known, ("a", "b"), ()) == [1, 2]
    with pytest.raises(InputError, match=r"learned must be of a, b; received 'c'"):
        chosen_of(known, ("c",), ())
    with pytest.raises(InputError, match=r"must name each weight once; .*a, b, a"):
        chosen_of(known, ("a", "b", "a"), ())
    assert len(set(LEARNED)) == len(LEARNED)
