"""Somebody who stirs all joints, seen by cameras with clocks of their own."""

import numpy as np
from made_up_recording import cameras

from human_pose.capture.views import View
from human_pose.geometry.known_skeletons import COCO_17

JOINTS = len(COCO_17)


def joints_mm(times_s, still=False):
    """`[F, 17, 3]`, a closed form of time: rhythms that never repeat together."""
    rng = np.random.default_rng(5)
    rest = rng.uniform([-300, -200, 200], [300, 200, 1700], (JOINTS, 3))
    rates = 2 * np.pi * rng.uniform(0.3, 1.6, (3, JOINTS, 3))
    phases, far = rng.uniform(0, 6, (2, 3, JOINTS, 3))
    waves = np.sin(rates * np.asarray(times_s)[:, None, None, None] + phases)
    return rest + (not still) * (25 * far * waves).sum(axis=1)


def views(offsets_s, rates=None, duration_s=4.0, noise_px=0.0, still=False):
    """What each camera's detector gives, and the cameras."""
    rig = cameras(len(offsets_s))
    rng = np.random.default_rng(6)
    made = []
    rates = rates or (50.0,) * len(rig)
    for camera, offset, rate in zip(rig, offsets_s, rates, strict=True):
        times = np.arange(int(duration_s * rate)) / rate
        points = camera.project(joints_mm(times - offset, still))
        points += rng.normal(0, noise_px, points.shape) if noise_px else 0.0
        made.append(
            View(camera.name, points, np.ones(points.shape[:2]), times, COCO_17)
        )
    return tuple(made), rig
