"""The lifter as a Keras model of single moments: called, differentiated and fitted."""

import keras
import made_up_recording as made
import numpy as np
import pytest
import tensorflow as tf

from human_pose.calibrated import CalibratedConfig, CalibratedLifter, load_prior
from human_pose.calibrated.config import SolverConfig
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import COCO_17
from human_pose.geometry.skeleton import convert
from human_pose.geometry.skeletons import LIFTER_17

COUNT = 3
TRUTH = made.truth_mm(COUNT)
CAMERAS = made.cameras(lens=())


def detections(noise_px=4.0, joints_mm=TRUTH):
    exact = np.stack([camera.project(joints_mm) for camera in CAMERAS], axis=1)
    projection = np.stack([camera.projection for camera in CAMERAS])
    noise = np.random.default_rng(0).normal(0, noise_px, exact.shape)
    return {
        "points_px": exact + noise,
        "confidence": np.random.default_rng(1).uniform(0.5, 1.0, exact.shape[:3]),
        "projection": np.tile(projection, (len(exact), 1, 1, 1)),
    }


@pytest.fixture(scope="module")
def lifter():
    # Steps to the last digit, for differences.
    solver = SolverConfig(frame_iterations=200, rtol=1e-11)
    return CalibratedLifter(load_prior(), LIFTER_17, CalibratedConfig(solver=solver))


@pytest.fixture(scope="module")
def lift(lifter):
    compiled = tf.function(lifter, autograph=False)
    return lambda given: compiled(
        {name: tf.constant(values) for name, values in given.items()}
    ).numpy()


def error(joints):
    return np.linalg.norm(joints - TRUTH, axis=-1).mean()


def test_moments_are_lifted_whatever_their_batch_and_the_order_of_views(lift):
    given = detections()
    joints = lift(given)
    assert joints.dtype == np.float64
    # Whoever it is was not measured; without noise the prior alone pulls.
    assert error(joints) < 18
    assert error(lift(detections(0.0))) < 6
    turned = {name: values[:, ::-1] for name, values in given.items()}
    np.testing.assert_allclose(lift(turned), joints, atol=1e-6)
    alone = lift({name: values[:1] for name, values in given.items()})
    np.testing.assert_allclose(alone, joints[:1], atol=1e-6)


def test_what_is_not_seen_does_not_count(lift):
    given = detections()
    hidden = {name: values.copy() for name, values in given.items()}
    hidden["confidence"][:, 2] = 0
    hidden["points_px"][:, 2] = np.nan
    fewer = {name: np.delete(values, 2, axis=1) for name, values in given.items()}
    np.testing.assert_allclose(lift(hidden), lift(fewer), atol=1e-6)


@pytest.mark.parametrize("name", ["points_px", "confidence"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_seen(lift, name, value):
    """Frames with such a detection once stayed where they began, without a word."""
    given = detections()
    odd = {key: values.copy() for key, values in given.items()}
    odd[name][0, 1, 3] = value
    given["confidence"][0, 1, 3] = 0
    np.testing.assert_allclose(lift(odd), lift(given), atol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1.7, "last number 1"])
def test_multiples_of_a_cameras_matrix_are_the_same_camera(lift, scale):
    """Of 1e-3, which gives depths in metres, bodies were 127 m off."""
    given = detections()
    matrices = given["projection"]
    if isinstance(scale, str):
        scale = 1 / matrices[..., 2:, 3:]
    scaled = lift({**given, "projection": scale * matrices})
    np.testing.assert_allclose(scaled, lift(given), atol=1e-6)


def test_gradients_are_those_of_differences(lifter, lift):
    given = detections()
    tensors = {name: tf.constant(values) for name, values in given.items()}
    learned = {
        name: lifter.weight(name) for name in ("log_outlier_px", "log_frame_prior")
    }
    points = tensors["points_px"]
    with tf.GradientTape() as tape:
        tape.watch(points)
        loss = tf.reduce_mean(tf.norm(lifter(tensors) - TRUTH, axis=-1))
    by_points, *by_weights = tape.gradient(
        loss, [points, *(v.value for v in learned.values())]
    )
    place, step = (1, 2, 5, 0), 1e-3

    def moved(by):
        points = given["points_px"].copy()
        points[place] += by
        return error(lift({**given, "points_px": points}))

    slope = (moved(step) - moved(-step)) / (2 * step)
    assert abs(slope) > 1e-3
    assert by_points.numpy()[place] == pytest.approx(slope, rel=1e-6)
    for variable, found in zip(learned.values(), by_weights, strict=True):
        value, errors = variable.numpy(), []
        for by in (1e-4, -1e-4):
            variable.assign(value + by)
            errors.append(error(lift(given)))
        variable.assign(value)
        slope = (errors[0] - errors[1]) / 2e-4
        assert abs(slope) > 1e-3
        assert float(found) == pytest.approx(slope, rel=1e-5)


@pytest.mark.large
def test_fit_learns_and_what_it_learned_is_saved(tmp_path):
    lifter = CalibratedLifter(load_prior(), LIFTER_17)
    lifter.compile(keras.optimizers.Adam(0.03), loss="mean_absolute_error")
    given = detections()
    with pytest.warns(UserWarning, match="log_time"):  # a moment has none
        history = lifter.fit(given, TRUTH, batch_size=COUNT, epochs=4, verbose=0)
    losses = history.history["loss"]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.99 * losses[0]
    path = tmp_path / "lifter.keras"
    lifter.save(path)
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(
        again.predict(given, verbose=0), lifter.predict(given, verbose=0)
    )


def test_joints_come_back_in_the_detectors_order():
    shown = convert(TRUTH, LIFTER_17, COCO_17, fill=0.0)
    known = (shown != 0).all(axis=(0, 2))
    given = detections(joints_mm=shown)
    given["confidence"][:, :, ~known] = 0
    lifter = CalibratedLifter(load_prior(), COCO_17)
    joints = lifter({name: tf.constant(values) for name, values in given.items()})
    assert joints.shape == shown.shape
    assert known.sum() == 12
    off = np.linalg.norm(joints - shown, axis=-1)[:, known]
    assert off.mean() < 20


def test_the_number_of_views_must_be_known(lifter):
    spec = tf.TensorSpec([None, None, 17, 2], tf.float64)
    given = {"confidence": tf.TensorSpec([None, None, 17], tf.float64)}
    given |= {"projection": tf.TensorSpec([None, None, 3, 4], tf.float64)}
    with pytest.raises(InputError, match="known number of views"):
        tf.function(lifter.call, autograph=False).get_concrete_function(
            {"points_px": spec, **given}
        )
