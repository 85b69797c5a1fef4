"""The full evidence: dense covariances, quadrature, finite differences, symmetry."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from human_pose.lifting import MixtureParameters, PPCALifter
from human_pose.lifting.blocks import model_blocks
from human_pose.lifting.comparison import beside_truth, training_error
from human_pose.lifting.energy import Unknowns, energy
from human_pose.lifting.evidence import log_evidence
from human_pose.lifting.method import FORMULATIONS
from human_pose.lifting.pairs import pick
from human_pose.lifting.quantities import quantities
from human_pose.lifting.sizes import normalise_views
from human_pose.lifting.solver import minimise

# Enough reweightings to stand still, and no shift: the energy's true minimiser.
CONVERGED = dataclasses.replace(
    FORMULATIONS["huber"], reweightings=30, residual_shift=0.0
)
FREE = 4  # size and place
JOINTS = 51
# Central, of fourth order: its own error stays below the tolerances.
STENCIL = ((1, 8 / 12), (-1, -8 / 12), (2, -1 / 12), (-2, 1 / 12))


class Problem(NamedTuple):
    """Four problems of one frame, and what makes them."""

    formulation: object
    theta: object
    pairs: object
    x: Unknowns

    def evidence(self):
        shared = model_blocks(self.theta)
        return log_evidence(
            self.x, shared, self.theta, self.pairs, self.formulation
        ).numpy()

    def energy(self):
        return energy(self.x, self.theta, self.pairs, self.formulation).numpy()


@pytest.fixture(scope="module")
def problem(golden, mixture, cameras):
    """Makes minimised problems with regularisers that couple all coefficients."""

    def make(formulation, threshold=0.1):
        random = np.random.default_rng(5)
        lifter = PPCALifter(mixture, cameras, solver=formulation)
        regulariser = lifter.parameters["sigma_variance"]
        regulariser.assign_add(random.normal(0, 1, regulariser.shape))
        for name in ("joint_weights", "lambda_scale"):
            values = lifter.parameters[name]
            values.assign(values * random.uniform(0.5, 1.5, values.shape))
        parameters = {k: tf.convert_to_tensor(v) for k, v in lifter.parameters.items()}
        parameters["ir_reg"] *= threshold / 0.1
        theta = quantities(parameters, lifter._scales, cameras, formulation)
        visible = random.choice([0.0, 0.5, 1.0], (1, 4, 17))
        views = normalise_views(
            tf.constant(golden["poses_2d"][:1]), tf.constant(visible)
        )
        mask = np.zeros((3, 1, 100), bool)
        mask[[0, 1, 1, 2], 0, [3, 20, 77, 50]] = True
        pairs = pick(tf.constant(mask), views)
        x = minimise(model_blocks(theta), theta, pairs, formulation)
        return Problem(formulation, theta, pairs, x)

    return make


def prior_of(problem, p):
    """The prior energy of problem p over z = (a, q): Gram matrix, pull, constant."""
    model = int(problem.pairs.model[p])
    bases = problem.theta.bases[model].numpy()
    root = np.sqrt(problem.theta.stiffness[model].numpy())
    regulariser = root * problem.theta.regulariser[model].numpy()
    rows = np.block(
        [
            [bases.T, -np.eye(JOINTS)],
            [regulariser, np.zeros((len(regulariser), JOINTS))],
        ]
    )
    target = np.zeros(len(rows))
    target[JOINTS] = root * problem.theta.size_target
    gram = rows.T @ rows + problem.formulation.ridge * np.eye(rows.shape[1])
    return gram, rows.T @ target, target @ target / 2


def views_of(problem, p):
    """Visible rows over z, what they saw, and their weights."""
    model, rotation = (
        int(problem.pairs.model[p]),
        int(problem.pairs.rotation[p]),
    )
    projections = problem.theta.projections[rotation].numpy()
    weights = problem.theta.row_weights[model] * problem.pairs.visibility[p]
    weights = weights.numpy().ravel()
    rows = np.einsum("rc,jk->rjck", projections, np.eye(17)).reshape(-1, JOINTS)
    rows = np.hstack([np.zeros((len(rows), 29)), rows])
    seen = weights > 0
    targets = problem.pairs.targets[p].numpy().ravel()
    return rows[seen], targets[seen], weights[seen]


def dense_evidence(problem, p):
    """By the covariance of the detections, size and place integrated out.

    At the noise variance of the largest likelihood, 2 E / ν in a closed form: this is
    the restricted likelihood of a linear model with random effects.
    """
    gram, pull, constant = prior_of(problem, p)
    rows, targets, weights = views_of(problem, p)
    effects = np.r_[FREE : len(gram)]  # learned coefficients and joints
    covariance = np.linalg.inv(gram[np.ix_(effects, effects)])
    rows, targets = weights[:, None] * rows, weights * targets
    coupling = covariance @ gram[effects, :FREE]
    start = covariance @ pull[effects]
    noise = np.eye(len(rows)) + rows[:, effects] @ covariance @ rows[:, effects].T
    design = rows[:, :FREE] - rows[:, effects] @ coupling
    left = targets - rows[:, effects] @ start
    # What the prior says about size and place themselves.
    prior = gram[:FREE, :FREE] - gram[:FREE, effects] @ coupling
    wanted = pull[:FREE] - gram[:FREE, effects] @ start
    information = design.T @ np.linalg.solve(noise, design) + prior
    right = design.T @ np.linalg.solve(noise, left) + wanted
    total = (
        constant
        - pull[effects] @ start / 2
        + left @ np.linalg.solve(noise, left) / 2
        - right @ np.linalg.solve(information, right) / 2
    )
    freedom = len(rows) - FREE
    spread = np.linalg.slogdet(noise)[1] + np.linalg.slogdet(information)[1]
    best = -freedom / 2 * (1 + np.log(2 * np.pi * total / (freedom / 2)))
    return best + np.log(weights).sum() - spread / 2


@pytest.mark.parametrize(
    "formulation",
    [
        FORMULATIONS["l2"],
        # So wide a threshold leaves a Gaussian, with the ridge on all unknowns.
        dataclasses.replace(CONVERGED, reweightings=1),
    ],
    ids=["l2", "ridge"],
)
def test_equals_the_marginal_likelihood_of_a_gaussian_model(formulation, problem):
    made = problem(formulation, threshold=1e4)
    expected = [dense_evidence(made, p) for p in range(4)]
    assert np.ptp(expected) > 1
    floor = 34 * 1e-6 if formulation.robust else 0  # of the distances, in the energy
    tolerance = 1e-7 + floor * 130 / made.energy().min()
    np.testing.assert_allclose(made.evidence(), expected, rtol=0, atol=tolerance)


def log_losses_integral(variance, threshold):
    """log ∫ exp(-ρ(r)/s) dr over the plane, by quadrature."""
    distance = np.linspace(0, 40 * threshold, 40_001)
    loss = threshold**2 * (np.sqrt(1 + (distance / threshold) ** 2) - 1)
    return np.log(
        np.trapezoid(2 * np.pi * distance * np.exp(-loss / variance), distance)
    )


def dense_hessian(problem, p, threshold):
    """Of the energy of problem p over z = (a, q), at its minimiser."""
    gram, _, _ = prior_of(problem, p)
    rows, targets, weights = views_of(problem, p)
    a, q = (part[p].numpy().ravel() for part in problem.x)
    residuals = weights * (rows @ np.concatenate([a, q]) - targets)
    jacobian = weights[:, None] * rows
    squares = np.square(residuals).reshape(2, -1).sum(0) + 1e-6
    slope = 1 / np.sqrt(1 + squares / threshold**2)
    pulls = (residuals[:, None] * jacobian).reshape(2, -1, len(gram)).sum(0)
    curved = jacobian.T @ (np.tile(slope, 2)[:, None] * jacobian)
    return gram + curved - pulls.T @ ((slope**3 / threshold**2)[:, None] * pulls)


def test_is_laplaces_with_the_robust_losses_own_integral(problem):
    """The largest over s, with the dense Hessian of all 80 unknowns."""
    made = problem(CONVERGED)
    for p, found in enumerate(made.evidence()):
        weights = views_of(made, p)[2]
        gram, _, _ = prior_of(made, p)
        occam = np.linalg.slogdet(gram[FREE:, FREE:])[1]
        threshold = float(made.theta.threshold[int(made.pairs.model[p])])
        occam -= np.linalg.slogdet(dense_hessian(made, p, threshold))[1]

        def at(variance, p=p, threshold=threshold, weights=weights):
            losses = len(weights) / 2 * log_losses_integral(variance, threshold)
            rest = FREE / 2 * np.log(2 * np.pi * variance)
            return -made.energy()[p] / variance - losses + rest

        # A parabola through the best of a grid.
        grid = np.log(2 * made.energy()[p] / len(weights)) + np.linspace(-1, 0.2, 61)
        values = np.array([at(s) for s in np.exp(grid)])
        k = int(values.argmax())
        assert 0 < k < 60
        before, best, after = values[k - 1 : k + 2]
        best -= (after - before) ** 2 / (8 * (after - 2 * best + before))
        expected = best + np.log(weights).sum() + occam / 2
        assert abs(found - expected) < 1e-4


def test_robust_gradients_equal_central_differences(problem):
    """To the unknowns and to every quantity of the energy, beside the solve."""
    made = problem(FORMULATIONS["huber"])
    random = np.random.default_rng(4)
    parts = tf.nest.flatten((made.x, made.theta))

    def at(moved):
        x, theta = tf.nest.pack_sequence_as((made.x, made.theta), moved)
        shared = model_blocks(theta)
        return tf.reduce_sum(
            log_evidence(x, shared, theta, made.pairs, made.formulation)
        )

    with tf.GradientTape() as tape:
        tape.watch(parts)
        total = at(parts)
    gradients = tape.gradient(total, parts)
    for k, (part, gradient) in enumerate(zip(parts, gradients, strict=True)):
        step = 1e-4 * np.abs(part).mean() * random.standard_normal(part.shape)
        expected = 0.0
        for distance, weight in STENCIL:
            moved = [*parts[:k], part + distance * step, *parts[k + 1 :]]
            expected += weight * float(at(moved))
        # Gathered ones are slices.
        ours = float(tf.reduce_sum(tf.convert_to_tensor(gradient) * step))
        assert abs(ours - expected) <= 1e-6 * abs(expected) + 1e-9, k


def of_two(mixture, random):
    """Two models near each other's poses."""
    means = mixture.mean_poses_mm[:1] + random.normal(0, 5, (2, 3, 17))
    bases = np.repeat(mixture.bases[:1], 2, 0)
    widths = random.uniform(0.8, 1.25, (2, 26))
    return MixtureParameters(
        means, bases, widths * mixture.inverse_deviations[:1].repeat(2, 0)
    )


def loss_of(lifter, golden, rows=slice(1, 2)):
    joints_2d_px = tf.constant(golden["train_poses_2d"][0][rows])
    joints_3d_mm = tf.constant(golden["train_poses_3d_gt"][0][rows])
    out = lifter(joints_2d_px, training=True)
    errors = training_error(*beside_truth(out["pose"], joints_3d_mm), 2)
    return tf.reduce_mean(errors), out["share"]


def gradients_of(lifter, golden, rows=slice(1, 2)):
    with tf.GradientTape() as tape:
        loss, shares = loss_of(lifter, golden, rows)
    return tape.gradient(loss, lifter.trainable_variables), shares.numpy()


@pytest.mark.parametrize(
    ("solver", "derivative"),
    [
        ("l2", "trust_region"),
        pytest.param("huber", "unrolled", marks=pytest.mark.large),
        pytest.param(CONVERGED, "trust_region", marks=pytest.mark.large),
    ],
    ids=["l2", "unrolled", "converged"],
)
def test_gradients_equal_central_differences(
    solver, derivative, golden, mixture, cameras
):
    random = np.random.default_rng(3)
    lifter = PPCALifter(
        of_two(mixture, random),
        cameras,
        solver=solver,
        derivative=derivative,
        evidence="full",
    )
    regulariser = lifter.parameters["sigma_variance"]
    regulariser.assign_add(random.normal(0, 0.3, regulariser.shape))
    loss = tf.function(lambda: loss_of(lifter, golden)[0], autograph=False)
    # Both near the frame: of equal weight, but for a little.
    shares = gradients_of(lifter, golden)[1][0]
    odds = np.log(shares) + np.array([0, 0.5])
    lifter.parameters["exp_additive_model"].assign_add(odds[:, None])
    gradients, shares = gradients_of(lifter, golden)
    assert shares.min() > 0.3
    names = [variable.name for variable in lifter.trainable_variables]
    assert "exp_additive_model" in names
    assert "exp_weights_model" not in names
    for variable, gradient in zip(lifter.trainable_variables, gradients, strict=True):
        start = variable.numpy()
        direction = random.standard_normal(start.shape)
        direction /= np.linalg.norm(direction)
        step = 1e-3 * max(1.0, np.abs(start).max())
        expected = 0.0
        for distance, weight in STENCIL:
            variable.assign(start + distance * step * direction)
            expected += weight * float(loss()) / step
        variable.assign(start)
        ours = float(np.sum(gradient * direction))
        assert abs(ours - expected) <= 1e-6 * abs(expected) + 1e-8, variable.name


def norms_by_model(gradients, variables, models):
    """The norm of each model's part of all variables that have one: `[M]`."""
    squares = np.zeros(models)
    for gradient, variable in zip(gradients, variables, strict=True):
        if variable.name != "cameras" and variable.shape.rank:
            squares += np.square(gradient).reshape(models, -1).sum(1)
    return np.sqrt(squares)


def test_every_model_gets_gradient(golden, mixture, cameras):
    """By a score that is far behind a model gets none, by its evidence it does."""
    norms = {}
    for evidence in ("published", "full"):
        lifter = PPCALifter(mixture, cameras, evidence=evidence)
        # As training leaves it: weights that fit their rows worse, and say so.
        lifter.parameters["lambda_scale"].assign([[4.0], [12.0], [11.0]])
        gradients, shares = gradients_of(lifter, golden, slice(None))
        norms[evidence] = norms_by_model(gradients, lifter.trainable_variables, 3)
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-12)
    assert norms["published"].min() < 1e-12 * norms["published"].max()
    assert norms["full"].min() > 1e-3 * norms["full"].max()


def test_equal_models_share_alike_and_offsets_are_log_weights(golden, mixture, cameras):
    twins = MixtureParameters(
        *(np.repeat(part[:1], 2, 0) for part in vars(mixture).values())
    )
    lifter = PPCALifter(twins, cameras, evidence="full")
    joints_2d_px = tf.constant(golden["poses_2d"][:2])
    np.testing.assert_allclose(lifter(joints_2d_px)["share"], 0.5, rtol=1e-9)
    lifter.parameters["exp_additive_model"].assign([[0.0], [np.log(3)]])
    shares = lifter(joints_2d_px)["share"]
    np.testing.assert_allclose(shares, [[0.75, 0.25]] * 2, rtol=1e-9)


def test_one_model_is_lifted_as_published(golden, mixture, cameras):
    alone = MixtureParameters(*(part[:1] for part in vars(mixture).values()))
    joints_2d_px = tf.constant(golden["poses_2d"][:4])
    found = [
        PPCALifter(alone, cameras, evidence=evidence)(joints_2d_px)
        for evidence in ("published", "full")
    ]
    for name in ("pose", "score", "share"):
        np.testing.assert_array_equal(found[0][name], found[1][name])


def test_other_kinds_are_refused(mixture, cameras):
    with pytest.raises(ValueError, match="`evidence` must be published or full"):
        PPCALifter(mixture, cameras, evidence="half")


def test_a_config_keeps_the_choice(mixture, cameras):
    lifter = PPCALifter(mixture, cameras, evidence="full")
    config = lifter.get_config()
    names = set(config)
    assert PPCALifter.from_config(config).evidence == "full"
    assert set(config) == names  # the caller's dictionary is its own
    # Files of earlier versions do not name it.
    config = lifter.get_config()
    del config["evidence"]
    assert PPCALifter.from_config(config).evidence == "published"
