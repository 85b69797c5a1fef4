"""An invented problem of the calibrated energy: frames, four views, a small mixture."""

from typing import NamedTuple

import made_up_recording as made
import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation

from human_pose.calibrated.energy import Body, Layout, Observed, Unknowns, Weights
from human_pose.calibrated.joints import ModelJoints
from human_pose.geometry.skeletons import LIFTER_17

MODEL = ModelJoints.of(LIFTER_17, LIFTER_17)
LAYOUT = Layout(MODEL.counterpart, MODEL.exchanges, MODEL.bones)
SIZE = 3 * len(MODEL)
SIGMA_PX = 3.0


class Problem(NamedTuple):
    """Arguments of `energy.frame_energy`, but for the layout."""

    x: Unknowns
    start: tf.Tensor
    observed: Observed
    body: Body
    weights: Weights


def weights(**changes):
    """Weights of the terms, as tensors."""
    values = {
        "outlier_share": 0.03,
        "swaps": [0.98, 0.008, 0.008, 0.004],
        "prior": 0.5,
        "prior_freedom": 10.0,
        "bone_mm": 3.0,
        "tilt_rad": 0.1,
        "time": 0.35,
        "time_freedom": 15.0,
    } | changes
    return Weights(**{n: tf.constant(v, tf.float64) for n, v in values.items()})


def precision(rng, spread_mm=40.0):
    """A random one of poses, blind to where they are, `[3J, 3J]`."""
    root = rng.normal(size=(SIZE, SIZE)) / np.sqrt(SIZE) + np.eye(SIZE)
    centre = np.kron(np.eye(len(MODEL)) - 1 / len(MODEL), np.eye(3))
    return centre @ root @ root.T @ centre / spread_mm**2


def problem(frames=3, components=2, at_rest=False, seed=0, turn=True, **changes):
    """Frames near their minimisers, or, `at_rest`, where no term pulls.

    There the poses are the only component's mean, with its bones, upright, and seen
    where they are.
    """
    rng = np.random.default_rng(seed)
    joints = made.truth_mm(frames)
    if at_rest:
        components = 1
        joints = np.repeat(joints[:1], frames, axis=0)
    heading = np.linspace(0.3, 2.0, frames) if turn else np.zeros(frames)
    start = Rotation.from_rotvec(heading[:, None] * [0, 0, 1]).as_matrix()
    centred = joints - joints.mean(axis=1, keepdims=True)
    if at_rest:
        joints = centred @ start.transpose(0, 2, 1) + [0, 0, 900.0]
        means = centred[:1]
    else:
        means = (centred @ start)[[0, -1]][:components]
        means = means + rng.normal(0, 20, means.shape)
        means -= means.mean(axis=1, keepdims=True)
    rig = np.stack([c.projection for c in made.cameras()])
    images = np.einsum("vdc,fjc->fvjd", rig[..., :3], joints) + rig[:, None, :, 3]
    points = images[..., :2] / images[..., 2:]
    off = 0.0 if at_rest else 1.0
    points = points + off * rng.normal(0, SIGMA_PX, points.shape)
    seen = (rng.uniform(size=points.shape[:-1]) > 0.1).astype(float)
    parents, children = np.array(MODEL.bones).T
    lengths = np.linalg.norm(joints[0, children] - joints[0, parents], axis=-1)
    x = Unknowns(
        joints + off * rng.normal(0, 10, joints.shape),
        off * rng.normal(0, 0.1, (frames, 3)),
    )
    observed = Observed(
        points, seen, SIGMA_PX * rng.uniform(0.7, 1.5, seen.shape), [30.0] * 4, rig
    )
    body = Body(
        means,
        np.stack([precision(rng) for _ in means]),
        np.log(np.full(len(means), 1 / len(means))),
        lengths,
        rng.uniform(1, 4, len(lengths)),
        precision(rng, 5.0) + np.eye(SIZE) / 50.0**2,
    )

    def tensors(part):
        # What is not there is ().
        there = [v if isinstance(v, tuple) else np.asarray(v) for v in part]
        return tf.nest.map_structure(
            lambda v: tf.constant(v, tf.float64), type(part)(*there)
        )

    return Problem(
        tensors(x),
        tf.constant(start),
        tensors(observed),
        tensors(body),
        weights(**changes),
    )
