"""Leaving rotations out must not change the result."""

import numpy as np
import pytest
import tensorflow as tf

from human_pose.lifting import PPCALifter

# Of a person whose tree norm is 1500 mm; poses come with norm 0.97.
TOLERANCE = 1e-6 * 0.97 / 1500


def assert_same(lifters, inputs):
    quick, full = (lifter(inputs) for lifter in lifters)
    training = lifters[0](inputs, training=True)
    np.testing.assert_allclose(quick["pose"], full["pose"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(training["pose"], full["pose"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(quick["score"], full["score"], rtol=1e-12)


def perturb(regime, lifters, rng):
    values = {name: v.numpy() for name, v in lifters[0].parameters.items()}
    if regime == "clipped":
        values["sigma_variance"] = np.clip(values["sigma_variance"], -5, 5)
    if regime == "stiff":
        values["hl_params"] = np.array([5, 0.1, 2])
        values["ir_reg"] = np.array([0.3, 2, 1])
    if regime == "perturbed":
        for name in ("mean_pose", "base_vectors", "cameras", "lambda_scale"):
            values[name] *= 1 + 0.05 * rng.standard_normal(values[name].shape)
        values["sigma_variance"] += 0.3 * rng.standard_normal((3, 29, 29))
        values["exp_weights"] = np.array([[0.2], [0.5], [0.05]])
        values["exp_weights_model"] = np.array([[0.02], [1], [0.5]])
        values["exp_additive_model"] = np.array([[-3.0], [2], [1]])
    for lifter in lifters:
        for name, variable in lifter.parameters.items():
            variable.assign(values[name])


@pytest.mark.parametrize(
    "regime", ["default", "clipped", "stiff", "perturbed", "outliers", "masks"]
)
def test_same_as_exhaustive(regime, golden, mixture, cameras, visibility):
    rng = np.random.default_rng(7)
    lifters = [PPCALifter(mixture, cameras, exhaustive=e) for e in (False, True)]
    perturb(regime, lifters, rng)
    joints = golden["poses_2d"].copy()
    masks = np.tile(visibility, (len(joints), 1, 1))
    if regime == "outliers":
        hit = rng.random(joints.shape[:3]) < 0.1
        joints[hit] += rng.normal(0, 80, (hit.sum(), 2))
    if regime == "masks":
        masks *= rng.random(masks.shape) < 0.7
    assert_same(
        lifters,
        {"joints_2d_px": tf.constant(joints), "visibility": tf.constant(masks)},
    )


@pytest.mark.parametrize("options", [{}, {"checkpoint": True}, {"models": 10}], ids=str)
def test_same_as_exhaustive_on_real_motion(options, shared, published):
    real = np.load(shared / "data" / "real" / "real_dev.npz")
    lifters = [published(exhaustive=e, **options) for e in (False, True)]
    assert_same(lifters, tf.constant(real["poses_2d"][::3]))
