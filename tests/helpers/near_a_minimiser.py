"""Frames of an invented recording near their minimisers: what the energies take."""

import made_up_recording as made
import numpy as np
import tensorflow as tf

from human_pose.calibrated import chains, energy
from human_pose.calibrated.energy import Unknowns
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.observe import observe
from human_pose.calibrated.prior.files import load_prior
from human_pose.calibrated.take import Take
from human_pose.geometry.skeletons import LIFTER_17

COUNT = 5


class Problem:
    """Frames near their minimiser: what the energies take.

    Args:
      directed: whether detections are more exact in some directions.
    """

    def __init__(self, directed=False):
        truth = made.truth_mm(COUNT)
        recording = made.recording(truth, noise_px=6.0)
        prior = load_prior()
        lifter = CalibratedLifter(prior, LIFTER_17)
        joints = len(lifter.joints)
        take = Take(
            1.03 * prior.lengths_mm,
            np.full(len(prior.skeleton), 5.0),
            np.tile(4.0 * lifter.profile_px(), (4, 1)),
            0.0,
            24.0,
        )
        sight = observe(recording, lifter.joints)
        self.sight, self.layout = sight, lifter.layout
        self.body, self.weights = lifter.body(take), lifter.terms(take, False)
        self.observed = lifter.observed(
            *map(tf.constant, (sight.points_px, sight.confidence, sight.projection)),
            take,
            tf.constant(whitenings(sight.confidence.shape)) if directed else (),
        )
        rng = np.random.default_rng(2)
        there = lifter.joints.from_detector(truth, 0.0)
        self.x = Unknowns(
            tf.constant(there + rng.normal(0, 15, (COUNT, joints, 3))),
            tf.constant(rng.normal(0, 0.1, (COUNT, 3))),
        )
        self.start = energy.rotation(tf.constant([[0.1, -0.05, 2.0]] * COUNT, "double"))
        inside = tf.constant([0.0, 1, 1, 1, 0], tf.float64)
        self.chain = chains.Chain(inside, self.start)
        self.joints = joints

    def alone(self):
        return self.start, self.observed, self.body, self.weights, self.layout

    def together(self):
        return self.start, self.chain, *self.alone()[1:]


def whitenings(shape, seed=3):
    """Matrices of determinant 1, `[*shape, 2, 2]`."""
    found = np.random.default_rng(seed).normal(0, 0.6, (*shape, 2, 2)) + 1.5 * np.eye(2)
    return found / np.sqrt(np.abs(np.linalg.det(found)))[..., None, None]
