"""Moments of embedded people, each filmed by four cameras: joints, boxes, pictures."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from human_pose.datasets.images.crop import to_picture
from human_pose.datasets.protocol import IMAGE_ACTIONS, POSE_ACTIONS
from human_pose.datasets.rendered import hard, wardrobe
from human_pose.datasets.rendered.figure import GIRTHS, Figure, build
from human_pose.datasets.rendered.joints import to_32_joints
from human_pose.datasets.rendered.picture import render
from human_pose.datasets.synthetic import BODIES, subject_cameras
from human_pose.datasets.synthetic.motion import perform
from human_pose.datasets.synthetic.rig import CAMERAS
from human_pose.geometry.cameras import Camera

_SEATED: Final = ("Eating", "Sitting", "Smoking")
_STOOL_SHARE: Final = 0.7

# Each moment is from a take of its own, this long at `motion.RATE_HZ`.
_TAKE_FRAMES: Final = 40

# No other purpose of the seed has these numbers (see `synthetic.dataset`).
_PICTURES, _STANDING = 2, 3


@dataclass(frozen=True)
class Framing:
    """How a box is put about a person; ranges of uniform draws, by eye.

    Attributes:
      margin: side of the box over the larger extent of the joints. In the original's
        example a standing person's joints take 86 % of the box.
      shift: of the box's middle off the joints' middle, over its side.
      girth: of the person, about the subject's own.
    """

    margin: tuple[float, float] = (1.14, 1.28)
    shift: tuple[float, float] = (-0.02, 0.02)
    girth: tuple[float, float] = (0.95, 1.06)


@dataclass(frozen=True)
class Shot:
    """One picture with its truth.

    Attributes:
      camera: the camera.
      view: its number, 0 to 3.
      frame: the take's frame.
      box_px: `[4]`, x1 y1 x2 y2, whole pixels of the camera's frame.
      joints_2d_px: `[32, 2]`, px of the picture.
      joints_3d_mm: `[32, 3]`, camera frame.
      picture: uint8 `[224, 224, 3]`, RGB.
    """

    camera: Camera
    view: int
    frame: int
    box_px: np.ndarray
    joints_2d_px: np.ndarray
    joints_3d_mm: np.ndarray
    picture: np.ndarray


def moment(
    subject: int,
    action: str,
    number: int,
    views: int,
    seed: int,
    kinds: tuple[hard.Kind, ...] = (),
) -> Iterator[Shot]:
    """One moment of a subject, seen by the first cameras of its rig.

    Args:
      subject: a key of `BODIES`.
      action: one of `IMAGE_ACTIONS`.
      number: which moment; each has random numbers of its own.
      views: how many cameras, 1 to 4.
      seed: everything random follows from it.
      kinds: what makes pictures hard; without them the same pictures are easier.
    """
    key = [seed, _PICTURES, subject, IMAGE_ACTIONS.index(action), number]
    streams = np.random.SeedSequence(key)
    motion, look, *pictures = map(np.random.default_rng, streams.spawn(2 + CAMERAS))
    # Further ones, which change nothing about those.
    alike, *troubles = streams.spawn(1 + CAMERAS)
    take = perform(POSE_ACTIONS[action], BODIES[subject], motion, _TAKE_FRAMES)
    frame = int(motion.integers(_TAKE_FRAMES))
    joints = to_32_joints(take.joints_3d_mm[frame])
    clothes = replace(wardrobe.draw(look), alike=hard.is_mirrored(alike, kinds))
    girth = GIRTHS[subject] * look.uniform(*Framing().girth)
    seated = action in _SEATED and bool(look.uniform() < _STOOL_SHARE)
    person = build(joints, girth, seated=seated)
    for view, camera in enumerate(subject_cameras(subject, seed)[:views]):
        standing = np.random.default_rng([seed, _STANDING, subject, view])
        trouble = hard.trouble(troubles[view], kinds, camera, joints, standing)
        yield _shot(
            person, joints, clothes, camera, view, frame, pictures[view], trouble
        )


def _shot(
    person: Figure,
    joints_mm: np.ndarray,
    clothes: wardrobe.Wardrobe,
    camera: Camera,
    view: int,
    frame: int,
    rng: np.random.Generator,
    trouble: hard.Trouble,
) -> Shot:
    points = camera.project(joints_mm)
    box = _box(points, rng)
    picture, _ = render(
        *(person, camera, box, clothes, rng, trouble.recording),
        things=trouble.things,
        motion_px=trouble.motion_px,
    )
    return Shot(
        camera=camera,
        view=view,
        frame=frame,
        box_px=box,
        joints_2d_px=to_picture(points, box),
        joints_3d_mm=camera.to_camera(joints_mm),
        picture=picture,
    )


def _box(points_px: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    framing = Framing()
    low, high = points_px.min(axis=0), points_px.max(axis=0)
    side = np.rint((high - low).max() * rng.uniform(*framing.margin))
    middle = (low + high) / 2 + side * rng.uniform(*framing.shift, 2)
    corner = np.rint(middle - side / 2)
    return np.concatenate([corner, corner + side])
