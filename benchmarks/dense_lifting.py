"""A good dense NumPy version of the original's arithmetic, to be timed against.

The forward of the original with its 80 x 80 systems, as fast as plain NumPy makes it:
A is built once per model and rotation for the whole batch, each solve is one Gram
product and one LAPACK solve, batched over frames and rotations. The tests' oracle, not
this file, says what is right; `benchmarks/lifting.py` checks that the two agree.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from human_pose.geometry.skeletons import (
    JOINTS,
    NORMALISATION_TREE,
    UNDETECTED_JOINT,
    VIEWS,
)
from human_pose.lifting.method import FORMULATIONS, METHOD

RESIDUAL_SHIFT = FORMULATIONS["huber"].residual_shift
_DATA = slice(51, 51 + 2 * VIEWS * JOINTS)
_REGULARISER = slice(_DATA.stop, _DATA.stop + METHOD.coefficients)


def normalise(joints_2d_px: np.ndarray) -> np.ndarray:
    """`[N, 4, 17, 2]` to right-hand sides of the data rows, `[N, 136]`."""
    seen = np.arange(JOINTS) != UNDETECTED_JOINT
    centred = joints_2d_px - joints_2d_px[..., seen, :].mean(-2, keepdims=True)
    heights = centred[..., seen, 1]
    scale = (heights.min(-1) - heights.max(-1)) / 2
    views = np.where(seen[:, None], centred / scale[..., None, None], 0)
    return views.reshape(len(joints_2d_px), -1)


class DenseLifter:
    """The Huber formulation at its start values.

    Args:
      mean_poses_mm: `[M, 3, 17]`.
      bases: `[M, 25, 3, 17]`.
      inverse_deviations: `[M, 26]`.
      cameras: `[4, 3, 3]`.
      threads: frames worked on at once; keep BLAS itself to one thread.
    """

    def __init__(self, mean_poses_mm, bases, inverse_deviations, cameras, *, threads):
        self._threads = ThreadPoolExecutor(threads)
        self.models = len(mean_poses_mm)
        translations = np.repeat(np.eye(3)[:, :, None], JOINTS, axis=2)
        self.bases = [
            np.concatenate([mean[None], translations, basis])
            for mean, basis in zip(mean_poses_mm, bases, strict=True)
        ]
        self.deviations = inverse_deviations
        self.cameras = cameras
        angles = 2 * np.pi * np.arange(METHOD.rotations) / METHOD.rotations
        s, c, o, e = np.sin(angles), np.cos(angles), 0 * angles, 0 * angles + 1
        self.turns = np.array([[s, c, o], [-c, s, o], [o, o, e]]).transpose(2, 0, 1)

    def systems(self, model: int) -> np.ndarray:
        """A of all rotations, `[R, 216, 80]`."""
        size = METHOD.coefficients
        a = np.zeros((METHOD.rotations, _REGULARISER.stop, size + 3 * JOINTS))
        columns = size + np.arange(3 * JOINTS)
        a[:, :51, :size] = self.bases[model].transpose(2, 1, 0).reshape(51, size)
        a[:, np.arange(51), columns] = -1
        tau = self.deviations[model, 25] * METHOD.lambda_scale
        rows = np.einsum("kac,icd->ikad", tau * self.cameras[:, :2], self.turns)
        for joint in range(JOINTS):
            if joint == UNDETECTED_JOINT:
                continue
            for view in range(VIEWS):
                first = _DATA.start + 34 * view + 2 * joint
                block = columns[3 * joint : 3 * joint + 3]
                a[:, first : first + 2, block] = rows[:, view]
        spread = [0, *3 * [METHOD.translation_deviation], *self.deviations[model, :25]]
        a[:, _REGULARISER, :size] = np.diag(spread)
        return a

    def __call__(self, joints_2d_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`[N, 4, 17, 2]` to poses `[N, 3, 17]` and scores `[N, M]`."""
        views = normalise(joints_2d_px)
        poses, scores = [], []
        for model in range(self.models):
            pose, score = self._model(model, views)
            poses.append(pose)
            scores.append(score)
        poses, scores = np.array(poses), np.array(scores)
        z = np.exp(-np.abs(METHOD.sharpness * (scores - scores.min(0)) + 1 + 1e-7))
        pose = np.einsum("mn,mncj->ncj", z / z.sum(0), poses)
        return METHOD.scaling_coefficient * _unit(pose), scores.T

    def _model(self, model: int, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a = self.systems(model)
        tau = self.deviations[model, 25] * METHOD.lambda_scale
        b = np.zeros((len(views), a.shape[1]))
        b[:, _DATA] = tau * views
        b[:, _REGULARISER.start] = METHOD.size_target
        # One frame at a time, so that its 100 systems stay in the cache, and frames
        # side by side in threads: NumPy lets go of the interpreter in its kernels.
        frames = self._threads.map(lambda row: self._frame(a, row), b)
        return tuple(np.array(part) for part in zip(*frames, strict=True))

    def _frame(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
        d, k = METHOD.huber_threshold, METHOD.huber_stiffness
        roots = np.ones(a.shape[:2])
        x = _solve(a, b, roots)
        for _ in range(3):
            t2 = _squared_distances(_apply(a, x) - b)
            roots[:, _DATA] = np.repeat((1 + t2 / d**2) ** -0.25, 2, axis=-1)
            roots[:, _REGULARISER] = np.sqrt(k)
            x = _solve(a, b, roots)
        residual = np.abs(_apply(a, x) - b)
        squares = (residual + RESIDUAL_SHIFT) ** 2
        huber = d**2 * (np.sqrt(1 + _squared_distances(residual) / d**2) - 1)
        energies = (
            squares[:, :51].sum(-1) / 2
            + huber.sum(-1)
            + k * squares[:, _REGULARISER].sum(-1) / 2
        )
        joints = x[:, METHOD.coefficients :].reshape(len(x), JOINTS, 3)
        candidates = _unit(-self.turns @ joints.transpose(0, 2, 1))
        best = energies.min()
        y = np.exp(-METHOD.sharpness * (energies - best))
        return np.tensordot(y / y.sum(), candidates, 1), best / 2


def _squared_distances(residual: np.ndarray) -> np.ndarray:
    pairs = residual[..., _DATA].reshape(*residual.shape[:-1], -1, 2)
    return ((pairs + RESIDUAL_SHIFT) ** 2).sum(-1) + METHOD.distance_floor


def _apply(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (a @ x[..., None])[..., 0]


def _solve(a: np.ndarray, b: np.ndarray, roots: np.ndarray) -> np.ndarray:
    """The ridge minimiser under row weights roots²; NumPy forms XᵀX by syrk."""
    x = a * roots[..., None]
    transposed = x.transpose(0, 2, 1)
    gram = transposed @ x
    diagonal = np.arange(a.shape[2])
    gram[:, diagonal, diagonal] += 0.001
    right = transposed @ (roots * b)[..., None]
    return np.linalg.solve(gram, right)[..., 0]


def _unit(pose: np.ndarray) -> np.ndarray:
    tails, heads = np.array(NORMALISATION_TREE).T
    edges = pose[..., tails] - pose[..., heads]
    return pose / np.sqrt((edges**2).sum((-2, -1)))[..., None, None]
