"""People who walk through each other's ways, as cameras around them show them."""

import dataclasses

import numpy as np

from human_pose.exchange.recording import Recording
from human_pose.geometry.cameras import look_at
from human_pose.geometry.known_skeletons import COCO_17

FPS = 25.0
# COCO's joints of somebody who looks along x, mm.
_BODY = np.array(
    [
        *(
            [60, 0, 1600],
            [40, 30, 1650],
            [40, -30, 1650],
            [0, 80, 1640],
            [0, -80, 1640],
        ),
        *([0, 180, 1430], [0, -180, 1430], [0, 250, 1150], [0, -250, 1150]),
        *([50, 260, 900], [50, -260, 900], [0, 110, 930], [0, -110, 930]),
        *([20, 120, 500], [20, -120, 500], [0, 120, 80], [0, -120, 80]),
    ],
    float,
)
_SWINGS = {9: 1, 10: -1, 13: -1, 14: 1, 15: -1, 16: 1, 7: 0.5, 8: -0.5}


def cameras(count):
    """Cameras around the middle, all at one height: the hardest case."""
    made = []
    for number in range(count):
        angle = 2 * np.pi * number / count + 0.4
        position = np.array([5500 * np.cos(angle), 5500 * np.sin(angle), 1500.0])
        camera = look_at(
            position,
            np.array([0.0, 0, 900]),
            focal_px=np.full(2, 1000.0),
            centre_px=np.array([960.0, 540]),
        )
        made.append(dataclasses.replace(camera, name=f"c{number}"))
    return tuple(made)


def walkers(frames, people, fps=FPS):
    """Joints `[F, P, 17, 3]` of people who walk to and fro through the middle, mm."""
    time = np.arange(frames) / fps
    bodies = []
    for who in range(people):
        heading = 2 * np.pi * who / people + 0.2
        body = np.repeat((1 + 0.06 * (who - 1)) * _BODY[None], frames, axis=0)
        for joint, share in _SWINGS.items():
            body[:, joint, 0] += 250 * share * np.sin(7.5 * time + who)
        cosine, sine = np.cos(heading), np.sin(heading)
        turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        along = 1800 * np.sin(np.pi * time / 3 + 0.3 * who)
        place = along[:, None] * turn[:, 0] + [200 * who, 0, 0]
        bodies.append(body @ turn.T + place[:, None])
    return np.stack(bodies, axis=1)


def crowd(frames=100, people=3, views=4, *, tracks=False, fps=FPS, seed=0):
    """A recording, and who is who in it.

    Places are permuted at random in each frame and view, one of them is a false alarm,
    and the first person is hidden from the second view for a third of the time.

    Returns:
      The recording, and numbers of persons `[F, V, P]`, -1 for none.
    """
    random = np.random.default_rng(seed)
    rig, joints = cameras(views), walkers(frames, people, fps)
    shown = np.stack([camera.project(joints) for camera in rig], axis=1)
    shown += 3 * random.normal(size=shown.shape)
    alarm = shown[random.permutation(frames)][:, :, :1]
    alarm -= alarm.mean(axis=3, keepdims=True)
    alarm += random.uniform([0, 0], [1920, 1080], (frames, views, 1, 1, 2))
    shown = np.concatenate([shown, alarm], axis=2)
    who = np.broadcast_to([*range(people), -1], shown.shape[:3]).copy()
    hidden = slice(frames // 3, 2 * frames // 3)
    if views > 1:
        shown[hidden, 1, 0], who[hidden, 1, 0] = np.nan, -1
    order = np.argsort(random.random(who.shape), axis=2)
    shown = np.take_along_axis(shown, order[..., None, None], axis=2)
    who = np.take_along_axis(who, order, axis=2)
    sure = np.where(who < 0, 0.5, 0.9)[..., None]
    confidence = np.where(np.isfinite(shown[..., 0]), sure, 0.0)
    names = tuple(camera.name for camera in rig)
    recording = Recording(
        shown,
        confidence,
        COCO_17,
        names,
        fps=fps,
        tracks=who if tracks else None,
        cameras=rig,
    )
    return recording, who
