"""An invented recording: a synthetic body walks before four cameras. And a real one."""

import numpy as np

from human_pose.datasets.synthetic.body import BODIES
from human_pose.datasets.synthetic.motion import RATE_HZ, perform
from human_pose.exchange.calibrations.qualisys import read_qualisys
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Recording
from human_pose.geometry.cameras import Camera, look_at
from human_pose.geometry.known_skeletons import by_name
from human_pose.geometry.skeletons import LIFTER_17

FPS = RATE_HZ
VIEWS = ("back", "door", "left", "window")
# A lens that bends straight lines by some pixels, in OpenCV's order.
LENS = (-0.12, 0.03, 1e-3, -5e-4, 0.0)


def truth_mm(frames=24, action="Walking"):
    """Joints `[F, 17, 3]`, world mm, z up."""
    return perform(action, BODIES[9], np.random.default_rng(3), frames).joints_3d_mm


def cameras(count=4, lens=LENS):
    """Cameras around the origin, each with its own focal length."""
    made = []
    for view in range(count):
        angle = 2 * np.pi * (view + 0.15) / count
        place = np.array([5000 * np.cos(angle), 5000 * np.sin(angle), 1500.0])
        plain = look_at(
            place,
            np.array([0.0, 0.0, 900.0]),
            focal_px=np.array([1100.0 + 20 * view, 1105.0 + 20 * view]),
            centre_px=np.array([510.0, 500.0 + view]),
        )
        name = VIEWS[view] if count == len(VIEWS) else f"view {view}"
        made.append(
            Camera(
                plain.rotation,
                plain.translation_mm,
                plain.focal_px,
                plain.centre_px,
                lens,
                (1024, 1024),
                name,
            )
        )
    return tuple(made)


def recording(joints_mm=None, noise_px=0.0, views=4, seed=0, **changes):
    """What the cameras detect, surely, with Gaussian errors."""
    joints_mm = truth_mm() if joints_mm is None else joints_mm
    rig = cameras(views)
    exact = np.stack([camera.project(joints_mm) for camera in rig], axis=1)
    rng = np.random.default_rng(seed)
    detected = exact + rng.normal(0, noise_px, exact.shape) if noise_px else exact
    return Recording(
        detected[:, :, None],
        np.ones((*exact.shape[:2], 1, exact.shape[2])),
        LIFTER_17,
        tuple(camera.name for camera in rig),
        FPS,
        cameras=rig,
        **changes,
    )


def poses(found, joints_mm, deviation_mm=5.0):
    """Results whose ellipsoids are balls; the second view swaps legs in frames 3-5."""
    views, joints = found.joints_2d_px.shape[1], len(found.skeleton)
    exact = np.stack([camera.project(joints_mm) for camera in found.cameras], axis=1)
    distances = np.linalg.norm(exact - found.joints_2d_px[:, :, 0], axis=-1)
    swapped = np.zeros((len(found), views, 2), bool)
    swapped[3:6, 1, 1] = True
    lost = np.isnan(joints_mm[..., 0])[..., None, None]
    covariance = np.broadcast_to(
        deviation_mm**2 * np.eye(3), (len(found), joints, 3, 3)
    )
    return Poses(
        joints_mm,
        np.where(lost, np.nan, covariance),
        distances,
        np.nan_to_num(distances, nan=np.inf) < 15,
        swapped,
        found.skeleton,
        found.view_names,
        ("arms", "legs"),
        found.fps,
        found.frames,
        found.sequence,
    )


# Rows of BlazePose's 33 joints in COCO's order.
_COCO_OF_BLAZEPOSE = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]


def real(folder):
    """The recording of `../shared/data/recording`, of four real cameras."""
    with np.load(folder / "blazepose33.npz") as file:
        names = tuple(map(str, file["names"]))
        joints, visible = (
            np.moveaxis(file[key][:, :, _COCO_OF_BLAZEPOSE], 0, 1)[:, :, None]
            for key in ("xy", "visibility")
        )
        fps = float(file["fps"])
    found = Recording(joints, visible, by_name("coco_17"), names, fps)
    return found.with_cameras(
        read_qualisys(folder / "single" / "calibration" / "Calib.qca.txt")
    )
