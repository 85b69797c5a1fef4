"""A slow, dense NumPy lifter, written row by row from the specification.

It shares nothing with the package but the tables of the skeleton: no structure is
used, every 80 x 80 system is built and solved whole. `robust=True` is the Huber
solver (four solves a rotation), `robust=False` the L2 one (a single solve). Every pose
keeps its own mask, in A and in b (the original gives all frames the first one's mask).
"""

import numpy as np

from human_pose.geometry.skeletons import NORMALISATION_TREE

ROTATIONS = 100


def tree_norm(pose):
    """Norm over the normalisation tree of `[3, 17]`."""
    a, b = np.array(NORMALISATION_TREE).T
    return np.sqrt(np.sum((pose[:, a] - pose[:, b]) ** 2))


def normalise_view(joints, visible):
    """`[17, 2]` pixels to `[2, 17]`: centred, height 2, both axes flipped."""
    visible = visible.astype(bool)
    if visible.sum() < 2:
        return np.zeros((2, 17))
    w = (joints - joints[visible].mean(axis=0)).T
    h = (w[1, visible].min() - w[1, visible].max()) / 2
    return w / h


def start_values(mu, e, sigma):
    """The original's start values, under the checkpoint's names."""
    models = len(mu)
    spread = np.zeros((models, 29, 29))
    for m in range(models):
        spread[m] = np.diag([0, 1e-5, 1e-5, 1e-5, *sigma[m, :25]])
    ones = np.ones((models, 1))
    return {
        "mean_pose": mu / np.mean(np.abs(mu)),
        "base_vectors": e / np.mean(np.abs(e)),
        "joint_weights": np.ones((models, 34)),
        "exp_weights": ones,
        "exp_weights_model": ones,
        "exp_additive_model": ones + 1e-7,
        "scaling_coefficient": np.float64(np.float32(0.97)),
        "lambda_0": ones,
        "lambda_scale": 10 * ones,
        "scale_regularizer": np.float64(1),
        "sigma_variance": spread / np.mean(np.abs(spread)),
        "cameras": np.ones((4, 3, 3)),
        "hl_params": np.ones(models),
        "ir_reg": np.ones(models),
    }


def ridge_solve(a, b, ridge):
    return np.linalg.solve(a.T @ a + ridge * np.eye(a.shape[1]), a.T @ b)


def rotation(i):
    t = 2 * np.pi * 0.01 * i
    s, c = np.sin(t), np.cos(t)
    return np.array([[s, c, 0], [-c, s, 0], [0, 0, 1]])


def linear_problem(i, m, views, visible, values, mu, e, sigma, cams):
    """A `[216, 80]` and b `[216]` of one frame, model and rotation, row weights in."""
    p = values
    spread = np.zeros((len(mu), 29, 29))
    for k in range(len(mu)):
        spread[k] = np.diag([0, 1e-5, 1e-5, 1e-5, *sigma[k, :25]])
    basis = np.zeros((29, 3, 17))
    basis[0] = np.mean(np.abs(mu)) * p["mean_pose"][m]
    for axis in range(3):
        basis[1 + axis, axis] = 1
    basis[4:] = np.mean(np.abs(e)) * p["base_vectors"][m]
    d = p["lambda_0"][m] * np.mean(np.abs(spread)) * p["sigma_variance"][m]
    tau = sigma[m, 25] * p["lambda_scale"][m, 0]
    a = np.zeros((216, 80))
    b = np.zeros(216)
    for j in range(17):
        for axis in range(3):
            a[3 * j + axis, :29] = basis[:, axis, j]
            a[3 * j + axis, 29 + 3 * j + axis] = -1
    for k in range(4):
        projection = (cams[k] * p["cameras"][k]) @ rotation(i)
        for j in range(17):
            for axis in range(2):
                row = 51 + 34 * k + 2 * j + axis
                weight = p["joint_weights"][m, 2 * j + axis] * visible[k, j]
                a[row, 29 + 3 * j : 32 + 3 * j] = weight * tau * projection[axis]
                b[row] = weight * tau * views[k][axis, j]
    a[187:, :29] = d
    b[187] = -0.003 * p["scale_regularizer"]
    return a, b


def reprojection_distance(residual):
    squares = (residual[51:187].reshape(68, 2) + 1e-7) ** 2
    return np.sqrt(squares.sum(axis=1) + 1e-6)


def solve_rotation(a, b, k_reg, d, robust, steps=3):
    """The minimiser `[80]` and its score."""
    if not robust:
        x = ridge_solve(a, b, 0)
        return x, np.sum((a @ x - b) ** 2)
    x = ridge_solve(a, b, 0.001)
    for _ in range(steps):
        t = reprojection_distance(a @ x - b)
        u = 1 / np.sqrt(1 + (t / d) ** 2)
        o = np.concatenate([np.ones(51), np.repeat(u, 2), np.full(29, k_reg)])
        x = ridge_solve(np.sqrt(o)[:, None] * a, np.sqrt(o) * b, 0.001)
    r = np.abs(a @ x - b)
    t = reprojection_distance(r)
    squares = (r + 1e-7) ** 2
    score = (
        squares[:51].sum() / 2
        + np.sum(d**2 * (np.sqrt(1 + (t / d) ** 2) - 1))
        + k_reg * squares[187:].sum() / 2
    )
    return x, score


def lift_frame(joints_2d, visible, values, mu, e, sigma, cams, robust=True):
    """One frame: `[4, 17, 2]` px, `[4, 17]` 0/1 -> pose `[3, 17]`, scores `[M]`."""
    visible = visible * (visible.sum(axis=1, keepdims=True) >= 2)
    joints_2d = np.where(visible[..., None] > 0, joints_2d, 0)
    views = [normalise_view(joints_2d[k], visible[k]) for k in range(4)]
    poses, scores = [], []
    for m in range(len(mu)):
        k_reg = 0.75 * values["hl_params"][m]
        d = 0.1 * values["ir_reg"][m]
        candidates, energies = [], []
        for i in range(ROTATIONS):
            a, b = linear_problem(i, m, views, visible, values, mu, e, sigma, cams)
            x, energy = solve_rotation(a, b, k_reg, d, robust)
            pose = -rotation(i) @ x[29:].reshape(17, 3).T
            candidates.append(pose / tree_norm(pose))
            energies.append(energy)
        energies = np.array(energies)
        y = np.exp(
            -5000 * np.abs(values["exp_weights"][m]) * (energies - energies.min())
        )
        poses.append(np.tensordot(y / y.sum(), np.array(candidates), 1))
        scores.append(energies.min() / 2)
    scores = np.array(scores)
    z = np.exp(
        -np.abs(
            5000 * values["exp_weights_model"][:, 0] * (scores - scores.min())
            + values["exp_additive_model"][:, 0]
        )
    )
    pose = np.tensordot(z / z.sum(), np.array(poses), 1)
    return values["scaling_coefficient"] * pose / tree_norm(pose), scores
