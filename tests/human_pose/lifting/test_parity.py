"""The lifter against the original's own numbers and the dense oracle."""

import numpy as np
import oracle
import pytest
import tensorflow as tf

from human_pose.geometry import metrics
from human_pose.lifting import PPCALifter, comparison
from human_pose.lifting.sizes import centred, pose_size

# The original's own sensitivity to input noise of 1e-9 is 8e-6 mm.
POSE_TOLERANCE_MM = 1e-5
SCORE_TOLERANCE = 1e-10

CONFIGURATIONS = {
    "huber-default-3models": {},
    "huber-trained": {"checkpoint": True, "as_published": True},
    "huber-trained-hlloaded": {"checkpoint": True},
    "l2-default-3models": {"solver": "l2"},
    "l2-trained": {"solver": "l2", "checkpoint": True},
    "huber-default-6models": {"models": 6},
    "huber-default-10models": {"models": 10},
}


def assert_equals_original(lifter, golden, configuration):
    truth = golden["poses_3d_gt"]
    out = lifter(golden["poses_2d"])
    reconstruction = pose_size(tf.constant(truth))[:, None, None] * out["pose"]
    truth = centred(tf.constant(truth))
    truth_key = f"{configuration}/truth"
    for key, value in (
        (f"{configuration}/reconstruction", reconstruction),
        (truth_key if truth_key in golden else "truth", truth),
    ):
        expected = np.swapaxes(golden[key], -1, -2)
        np.testing.assert_allclose(value, expected, rtol=0, atol=POSE_TOLERANCE_MM)
    expected = golden[f"{configuration}/score"].T
    np.testing.assert_allclose(out["score"], expected, rtol=SCORE_TOLERANCE)
    for metric in range(3):
        errors = comparison.training_error(truth, reconstruction, metric)
        expected = golden[f"{configuration}/errors"][:, metric]
        np.testing.assert_allclose(errors, expected, rtol=0, atol=POSE_TOLERANCE_MM)


@pytest.mark.parametrize("configuration", ["huber-default", "l2-default"])
def test_equals_original_with_invented_parameters(
    configuration, golden, mixture, cameras
):
    lifter = PPCALifter(mixture, cameras, solver=configuration.split("-")[0])
    assert_equals_original(lifter, golden, configuration)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_equals_original_with_its_parameters(configuration, shared, published):
    golden = np.load(shared / "reference" / "lift_dev.npz")
    lifter = published(**CONFIGURATIONS[configuration])
    assert_equals_original(lifter, golden, configuration)


@pytest.mark.parametrize("configuration", ["huber-default-3models", "huber-trained"])
def test_equals_original_on_real_motion(configuration, shared, published):
    golden = np.load(shared / "data" / "real" / "real_dev.npz")
    lifter = published(**CONFIGURATIONS[configuration])
    assert_equals_original(lifter, golden, configuration)
    mean = golden[f"{configuration}/errors"][:, 2].mean()
    assert (
        round(mean, 2)
        == {"huber-default-3models": 47.37, "huber-trained": 49.07}[configuration]
    )


def test_float32_stays_within_a_twentieth_of_a_millimetre(shared, published):
    golden = np.load(shared / "data" / "real" / "real_dev.npz")
    truth = tf.constant(golden["poses_3d_gt"])
    means = []
    for dtype in ("float64", "float32"):
        pose = published(dtype=dtype)(golden["poses_2d"])["pose"]
        assert pose.dtype == dtype
        pose = pose_size(truth)[:, None, None] * tf.cast(pose, tf.float64)
        means.append(np.mean(metrics.mpjpe(centred(truth), pose)))
    assert abs(means[0] - means[1]) < 0.05


def _random_masks(frames):
    rng = np.random.default_rng(5)
    masks = (rng.random((frames, 4, 17)) < 0.75).astype(float)
    masks[:, :, 9] = 0
    masks[0] = 1
    masks[1, 2] = 0  # a view that sees nothing
    masks[2, 1] = 0
    masks[2, 1, 5] = 1  # a view with a single joint
    return masks


@pytest.mark.parametrize(
    "models", [3, *(pytest.param(n, marks=pytest.mark.large) for n in (6, 10))]
)
@pytest.mark.parametrize(
    "solver", ["huber", pytest.param("l2", marks=pytest.mark.large)]
)
def test_equals_dense_oracle_with_masks(
    models, solver, golden, mixture, cameras, larger_mixture
):
    if models != 3:
        mixture = larger_mixture(models)
    frames = 4 if models == 3 else 2
    joints = golden["poses_2d"][:frames]
    masks = _random_masks(4)[:frames] if models == 3 else _random_masks(4)[2:]
    lifter = PPCALifter(mixture, cameras, solver=solver)
    # Off the start values, so that every parameter matters.
    rng = np.random.default_rng(1)
    for variable in lifter.trainable_variables:
        variable.assign(variable * rng.uniform(0.9, 1.1, variable.shape))
    lifter.parameters["sigma_variance"].assign_add(
        rng.normal(0, 0.2, lifter.parameters["sigma_variance"].shape)
    )
    values = {name: variable.numpy() for name, variable in lifter.parameters.items()}
    # A masked coordinate must not matter, whatever it is.
    dirty = np.where(masks[..., None] > 0, joints, np.nan)
    out = lifter({"joints_2d_px": dirty, "visibility": masks})
    for n in range(frames):
        pose, scores = oracle.lift_frame(
            joints[n],
            masks[n],
            values,
            mixture.mean_poses_mm,
            mixture.bases,
            mixture.inverse_deviations,
            cameras,
            robust=solver == "huber",
        )
        # Poses have size 0.97 here, a person about 1500 mm.
        np.testing.assert_allclose(out["pose"][n], pose.T, rtol=0, atol=1e-8)
        np.testing.assert_allclose(out["score"][n], scores, rtol=SCORE_TOLERANCE)
