"""Moments that nobody filmed, and a network small enough to be differenced."""

import keras
import numpy as np
import tensorflow as tf

from human_pose.calibrated.config import CalibratedConfig, SolverConfig
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.files import load_prior
from human_pose.datasets.synthetic import BODIES, subject_cameras
from human_pose.datasets.synthetic.motion import perform
from human_pose.geometry.skeleton import convert
from human_pose.geometry.skeletons import IMAGE_16, LIFTER_17
from human_pose.pipeline import CalibratedHead, Pipeline, VolumeReadout

JOINTS = 16
DEPTH_BINS = 2
CELLS = 8


@keras.saving.register_keras_serializable("tests")
class SmallNetwork(keras.Model):
    """Pictures to volumes by two layers, in float64 unless told otherwise."""

    def __init__(self, seed=0, dtype="float64", **options):
        super().__init__(dtype=dtype, **options)
        self.seed, self.depth_bins, self.joints = seed, DEPTH_BINS, JOINTS
        self.input_size = 2 * CELLS
        # Beside what is learned, so that joints are found as by a trained network.
        self.template = None
        start = keras.initializers.GlorotUniform(seed)
        self.first = keras.layers.Conv2D(
            4, 3, 2, "same", activation="tanh", kernel_initializer=start, dtype=dtype
        )
        self.last = keras.layers.Dense(
            JOINTS * DEPTH_BINS, kernel_initializer=start, dtype=dtype
        )
        self.early = keras.layers.Dense(JOINTS, kernel_initializer=start, dtype=dtype)
        self.build([None, self.input_size, self.input_size, 3])

    def build(self, shape):
        self.first.build(shape)
        inner = [None, CELLS, CELLS, 4]
        self.last.build(inner)
        self.early.build(inner)
        self.built = True

    def call(self, image, training=False):
        x = self.first(image)
        learned = 0.05 * self.last(x)
        known = 0.0 if self.template is None else self.template
        return {"heatmap": self.early(x), "heatmap2": known + learned}

    def get_config(self):
        return {"seed": self.seed, "dtype": self.dtype_policy.name, "name": self.name}


def small_network(seed=0, dtype="float64"):
    """The network, built."""
    return SmallNetwork(seed, dtype)


def bumps(joints_2d, dtype=tf.float64):
    """Volumes with Gaussians about places `[B, J, 2]`, for `SmallNetwork.template`."""
    centres = (np.arange(CELLS) + 0.5) / CELLS
    y = centres[None, :, None, None] - np.asarray(joints_2d)[:, None, None, :, 1]
    x = centres[None, None, :, None] - np.asarray(joints_2d)[:, None, None, :, 0]
    values = -0.5 * (x**2 + y**2) / 0.1**2 / 30.0
    return tf.constant(np.repeat(values, DEPTH_BINS, axis=-1), dtype)


def made_up_batch(moments, views, input_size, dtype=tf.float64, seed=0):
    """A batch as `MomentSet.batches` gives it, of noise for pictures."""
    rng = np.random.default_rng(seed)
    cameras = subject_cameras(1, 0)[:views]
    take = perform("Walking", BODIES[1], rng, 40)
    joints = convert(take.joints_3d_mm[:: 40 // moments][:moments], LIFTER_17, IMAGE_16)
    boxes, crops = [], []
    for pose in joints:
        for camera in cameras:
            points = camera.project(pose)
            middle, side = points.mean(axis=0), 1.4 * np.ptp(points, axis=0).max()
            boxes.append([*(middle - side / 2), *(middle + side / 2)])
            crops.append((points - boxes[-1][:2]) / side)
    count = moments * views
    return {
        "image": tf.constant(
            rng.normal(0, 0.3, (count, input_size, input_size, 3)), dtype
        ),
        "box": tf.constant(np.array(boxes), tf.float64),
        "joints_2d": tf.constant(np.array(crops), dtype),
        "depth": tf.constant(rng.uniform(0.3, 0.7, (count, JOINTS)), dtype),
        "projection": tf.constant(
            np.tile([c.projection for c in cameras], (moments, 1, 1, 1))
        ),
        "joints_world_mm": tf.constant(joints),
        "moment": tf.range(moments, dtype=tf.int64),
    }


def small_pipeline(batch, dtype="float64", **solver):
    """A pipeline whose network finds the joints of a batch, but for a little."""
    network = small_network(3, dtype)
    network.template = bumps(batch["joints_2d"], dtype)
    config = CalibratedConfig(temporal=False, solver=SolverConfig(**solver))
    lifter = CalibratedLifter(load_prior(), IMAGE_16, config)
    readout = VolumeReadout(network.depth_bins, network.joints)
    return Pipeline(network, readout, CalibratedHead(lifter))
