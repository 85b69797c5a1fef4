"""The lifter's derivatives: the original's, finite differences, closed forms."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt
from human_pose.lifting import PPCALifter, comparison
from human_pose.lifting.blocks import model_blocks
from human_pose.lifting.energy import Unknowns, energy
from human_pose.lifting.method import FORMULATIONS
from human_pose.lifting.pairs import pick
from human_pose.lifting.quantities import quantities
from human_pose.lifting.sizes import centred, normalise_views, pose_size
from human_pose.lifting.solver import minimise, solve_hessian

# Enough reweightings to stand still, and no shift: the energy's true minimiser.
CONVERGED = dataclasses.replace(
    FORMULATIONS["huber"], reweightings=30, residual_shift=0.0
)


def tf1_name(variable):
    return "hl_param" if variable.name == "hl_params" else variable.name


def make_loss(lifter):
    """The default training loss of a lifter, and its gradients."""

    def loss(joints_2d_px, joints_3d_mm):
        out = lifter(joints_2d_px, training=True)
        pose = pose_size(joints_3d_mm)[:, None, None] * out["pose"]
        truth = centred(joints_3d_mm)
        return tf.reduce_mean(comparison.training_error(truth, pose, 2))

    # Eager: a single call costs less than a trace. Training tests the graph.
    def loss_and_gradients(joints_2d_px, joints_3d_mm):
        with tf.GradientTape() as tape:
            value = loss(joints_2d_px, joints_3d_mm)
        return value, tape.gradient(value, lifter.trainable_variables)

    return tf.function(loss, autograph=False), loss_and_gradients


def assert_equals_original(lifter, golden, tag, batch, joints_2d_px, joints_3d_mm):
    for variable in lifter.trainable_variables:
        variable.assign(golden[f"{tag}/start/{tf1_name(variable)}"])
    _, loss_and_gradients = make_loss(lifter)
    loss, gradients = loss_and_gradients(
        tf.constant(joints_2d_px), tf.constant(joints_3d_mm)
    )
    np.testing.assert_allclose(loss, golden[f"{tag}/batch{batch}/loss"], rtol=1e-11)
    for variable, ours in zip(lifter.trainable_variables, gradients, strict=True):
        theirs = golden[f"{tag}/batch{batch}/grad/{tf1_name(variable)}"]
        difference = np.linalg.norm(ours - theirs)
        assert difference <= 1e-6 * np.linalg.norm(theirs) + 1e-12, variable.name


@pytest.mark.parametrize("solver", ["huber", "l2"])
def test_unrolled_equals_original_with_invented_parameters(
    solver, golden, mixture, cameras
):
    lifter = PPCALifter(mixture, cameras, solver=solver, derivative="unrolled")
    assert_equals_original(
        lifter,
        golden,
        f"{solver}-default",
        0,
        golden["train_poses_2d"][0],
        golden["train_poses_3d_gt"][0],
    )


@pytest.mark.parametrize("batch", [0, 1])
@pytest.mark.parametrize("tag", ["huber-default", "huber-trained", "l2-default"])
def test_unrolled_equals_original_with_its_parameters(tag, batch, shared, published):
    golden = np.load(shared / "reference" / "train_dev.npz")
    lifter = published(solver=tag.split("-")[0], derivative="unrolled")
    assert_equals_original(
        lifter,
        golden,
        tag,
        batch,
        golden["poses_2d"][batch],
        golden["poses_3d_gt"][batch],
    )


# A central difference of fourth order: its own error is far below 1e-8 of a gradient,
# at steps large enough to keep the loss's round-off away.
STENCIL = ((1, 8 / 12), (2, -1 / 12))


def directional_difference(loss, variable, direction, step):
    start = variable.numpy()
    total = 0.0
    for distance, weight in STENCIL:
        for sign in (1, -1):
            variable.assign(start + sign * distance * step * direction)
            total += sign * weight * float(loss())
    variable.assign(start)
    return total / step


@pytest.mark.parametrize(
    ("formulation", "tolerance"),
    [
        pytest.param(CONVERGED, 1e-6, marks=pytest.mark.large),
        # The published shift moves the fixed point off the energy's minimiser.
        (dataclasses.replace(FORMULATIONS["huber"], reweightings=30), 5e-5),
    ],
    ids=["without-shift", "with-shift"],
)
def test_implicit_equals_finite_differences(
    formulation, tolerance, golden, mixture, cameras
):
    lifter = PPCALifter(mixture, cameras, solver=formulation)
    rng = np.random.default_rng(3)
    # Off the start, where `scale_regularizer` has no effect, and with soft averages
    # in which more than one rotation and model take part.
    lifter.parameters["sigma_variance"].assign_add(
        rng.normal(0, 0.3, lifter.parameters["sigma_variance"].shape)
    )
    lifter.parameters["exp_weights_model"].assign(np.full((3, 1), 0.05))
    lifter.parameters["exp_weights"].assign(np.full((3, 1), 0.5))
    joints_2d_px = tf.constant(golden["train_poses_2d"][0][1:2])
    joints_3d_mm = tf.constant(golden["train_poses_3d_gt"][0][1:2])
    loss, loss_and_gradients = make_loss(lifter)
    _, gradients = loss_and_gradients(joints_2d_px, joints_3d_mm)
    for variable, gradient in zip(lifter.trainable_variables, gradients, strict=True):
        direction = rng.standard_normal(variable.shape)
        direction /= np.linalg.norm(direction)
        size = max(1.0, float(np.abs(variable.numpy()).max()))
        expected = directional_difference(
            lambda: loss(joints_2d_px, joints_3d_mm),
            variable,
            direction,
            step=1e-3 * size if variable.shape.rank else 1e-3,
        )
        ours = float(np.sum(gradient * direction))
        assert abs(ours - expected) <= tolerance * abs(expected) + 1e-8, (
            variable.name,
            ours,
            expected,
        )


def test_implicit_at_three_reweightings_is_close_to_converged(shared, published):
    real = np.load(shared / "data" / "real" / "real_dev.npz")
    joints_2d_px = tf.constant(real["poses_2d"][::10])
    joints_3d_mm = tf.constant(real["poses_3d_gt"][::10])
    gradients = []
    for formulation in ("huber", CONVERGED):
        lifter = published(solver=formulation)
        _, loss_and_gradients = make_loss(lifter)
        gradients.append(loss_and_gradients(joints_2d_px, joints_3d_mm)[1])
    for variable, ours, exact in zip(
        lifter.trainable_variables, *gradients, strict=True
    ):
        ours, exact = np.ravel(ours), np.ravel(exact)
        norms = np.linalg.norm(ours), np.linalg.norm(exact)
        if norms[1] > 1e-12:
            assert ours @ exact / (norms[0] * norms[1]) >= 0.9999, variable.name
            assert abs(norms[0] / norms[1] - 1) < 0.02, variable.name


@pytest.fixture
def problem(golden, mixture, cameras, visibility):
    """One frame's problems at a few rotations, converged, and their matrices."""

    def make(solver):
        formulation = CONVERGED if solver == "huber" else FORMULATIONS["l2"]
        lifter = PPCALifter(mixture, cameras, solver=formulation)
        parameters = {k: tf.convert_to_tensor(v) for k, v in lifter.parameters.items()}
        theta = quantities(parameters, lifter._scales, cameras, formulation)
        views = normalise_views(
            tf.constant(golden["poses_2d"][:1]), tf.constant(visibility[None])
        )
        mask = np.zeros((3, 1, 100), bool)
        mask[[0, 1, 1, 2], 0, [3, 20, 77, 50]] = True
        pairs = pick(tf.constant(mask), views)
        x = minimise(model_blocks(theta), theta, pairs, formulation)
        return formulation, theta, pairs, x

    return make


def flat_energy(x, theta, pairs, formulation):
    """The energy over `[P, 80]` vectors."""
    unknowns = Unknowns(x[:, :29], tf.reshape(x[:, 29:], [-1, 3, 17]))
    return energy(unknowns, theta, pairs, formulation)


def derivatives(x, theta, pairs, formulation):
    """Gradient, Hessian, and d(gradient)/d(bases), by automatic differentiation."""
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([x, theta.bases])
        with tf.GradientTape() as inner:
            inner.watch(x)
            total = flat_energy(x, theta, pairs, formulation)
        gradient = inner.gradient(total, x)
    hessian = outer.batch_jacobian(gradient, x)
    return gradient, hessian, outer.jacobian(gradient, theta.bases)


@pytest.mark.parametrize("solver", ["huber", "l2"])
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_trust_region_equals_closed_form(solver, damping, problem):
    """−(H + λI)⁻¹ ∂²E/∂x∂θ with explicit matrices, against the structured solve."""
    formulation, theta, pairs, x = problem(solver)
    flat = tf.concat([x.coefficients, tf.reshape(x.joints, [-1, 51])], 1)
    gradient, hessian, mixed = derivatives(flat, theta, pairs, formulation)
    assert np.abs(gradient).max() < 1e-10  # at the minimiser
    rng = np.random.default_rng(0)
    incoming = rng.standard_normal(flat.shape)
    expected = -np.einsum(
        "px,pxmkc->mkc",
        np.linalg.solve(hessian.numpy() + damping * np.eye(80), incoming[..., None])[
            ..., 0
        ],
        mixed.numpy(),
    )

    def linear_solve(x, inputs, damping, right):
        shared = model_blocks(inputs[0])
        return solve_hessian(x, shared, inputs[0], pairs, formulation, damping, right)

    with tf.GradientTape() as tape:
        tape.watch(theta.bases)
        solution = wt.argmin(
            lambda x, theta: energy(x, theta, pairs, formulation),
            x,
            (theta,),
            solver=wt.given,
            derivative=wt.TrustRegion(damping, linear_solve),
            batch_dims=1,
        )
        value = tf.concat(
            [solution.value.coefficients, tf.reshape(solution.value.joints, [-1, 51])],
            1,
        )
        product = tf.reduce_sum(value * incoming)
    np.testing.assert_allclose(
        tape.gradient(product, theta.bases),
        expected,
        rtol=0,
        atol=1e-9 * np.abs(expected).max(),
    )


def test_damping_shrinks_gradients_and_vanishes_smoothly(golden, mixture, cameras):
    joints_2d_px = tf.constant(golden["train_poses_2d"][0])
    joints_3d_mm = tf.constant(golden["train_poses_3d_gt"][0])

    def bases_gradient(damping):
        lifter = PPCALifter(mixture, cameras, damping=damping)
        _, loss_and_gradients = make_loss(lifter)
        _, gradients = loss_and_gradients(joints_2d_px, joints_3d_mm)
        return np.ravel(gradients[1])

    exact = bases_gradient(0.0)
    gaps = [
        np.linalg.norm(bases_gradient(damping) - exact) / np.linalg.norm(exact)
        for damping in (1e-2, 1e-4, 1e-6)
    ]
    assert gaps[0] > 10 * gaps[1] > 0
    # Linear in λ once it is small.
    np.testing.assert_allclose(gaps[1] / gaps[2], 100, rtol=0.15)
    assert gaps[2] < 1e-3
