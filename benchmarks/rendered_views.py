"""The image network on one view, and as the detector of four views that are lifted.

    python benchmarks/rendered_views.py --check_path=results/tiny/check/d16.keras

Embedded test subjects are rendered in four views. Errors are distances from the truth
of 16 joints about the hip, mm, over the same pictures: of the network's own 3D pose in
each view, and of the calibrated lifter on its 2D joints, frames by themselves, with the
deviation of each detection as the volumes say, with those that the take shows of each
view's joints, and with one for all of these.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np

from human_pose.calibrated.config import CalibratedConfig
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.files import load_prior
from human_pose.calibrated.session import Session
from human_pose.capture.detectors.image_network import found_in
from human_pose.datasets.protocol import IMAGE_ACTIONS, TEST_SUBJECTS
from human_pose.datasets.rendered.picture import SIZE_PX
from human_pose.datasets.rendered.shots import moment
from human_pose.exchange.recording import Recording
from human_pose.geometry.skeleton import convert
from human_pose.geometry.skeletons import IMAGE_16, JOINTS_16_OF_32
from human_pose.i1.network.checkpoint import load_network
from human_pose.i1.sample import find_poses

VIEWS = 4


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check_path", type=Path, required=True)
    options.add_argument("--moments", type=int, default=5, help="of each action")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    network = load_network(chosen.check_path)
    started = time.perf_counter()
    rows = [
        of_subject(network, subject, chosen.moments, chosen.seed)
        for subject in TEST_SUBJECTS
    ]
    names = (
        "network alone, one view",
        "lifted, deviations of the volumes",
        "lifted, deviations of joints",
        "lifted, one deviation",
    )
    means = np.mean(rows, axis=0)
    for name, mean in zip(names, means, strict=True):
        print(f"{name:34s} {mean:7.1f} mm")
    print(
        f"lifted / alone {means[1] / means[0]:.2f}; own / of joints "
        f"{means[1] / means[2]:.2f}, own / one {means[1] / means[3]:.2f}"
    )
    print(f"{time.perf_counter() - started:.0f} s")


def of_subject(network, subject: int, count: int, seed: int) -> list[float]:
    """Mean errors of each way on one subject."""
    moments = [
        list(moment(subject, action, number, VIEWS, seed))
        for action in IMAGE_ACTIONS
        for number in range(count)
    ]
    shots = [shot for views in moments for shot in views]
    scale = np.array([(s.box_px[2:] - s.box_px[:2]) / SIZE_PX for s in shots])
    corner = np.array([s.box_px[:2] for s in shots])
    # The network alone is told the true camera, and how far the hip is.
    lenses = [
        (*(s.camera.focal_px / part), *((s.camera.centre_px - off) / part))
        for s, part, off in zip(shots, scale, corner, strict=True)
    ]
    depths = [float(s.joints_3d_mm[0, 2]) for s in shots]
    pictures = [s.picture for s in shots]
    options = {"cameras": lenses, "root_depths_mm": depths}
    samples = list(find_poses(network, pictures, **options))
    found = [found_in(sample) for sample in samples]
    shape = (len(moments), VIEWS, 1, len(IMAGE_16))
    joints = np.stack([f.joints_2d_px[0] for f in found]) * scale[:, None]
    joints = joints + corner[:, None]
    covariance = np.stack([f.covariance_px2[0] for f in found])
    covariance = covariance * (scale[:, None, :, None] * scale[:, None, None, :])
    recording = Recording(
        joints.reshape(*shape, 2),
        np.ones(shape),
        IMAGE_16,
        tuple(f"cam{v}" for v in range(VIEWS)),
        sequence=np.arange(len(moments)),
        covariance_px2=covariance.reshape(*shape, 2, 2),
        cameras=tuple(
            camera_named(shot.camera, f"cam{v}") for v, shot in enumerate(moments[0])
        ),
    )
    truth = np.stack([about_hip(in_16(views[0])) for views in moments])
    alone = [
        np.linalg.norm(
            sample.relative_mm - about_hip(shot.joints_3d_mm[list(JOINTS_16_OF_32)]),
            axis=-1,
        )
        for sample, shot in zip(samples, shots, strict=True)
    ]
    plain = recording.replace(covariance_px2=None)
    lifted = [
        np.linalg.norm(about_hip(lift(*each)) - truth, axis=-1).mean()
        for each in ((recording,), (plain,), (plain, True))
    ]
    return [float(np.mean(alone)), *map(float, lifted)]


def lift(recording: Recording, one_deviation: bool = False) -> np.ndarray:
    """Joints `[F, 16, 3]` of frames by themselves, mm, world."""
    config = CalibratedConfig(temporal=False)
    lifter = CalibratedLifter(load_prior(None), recording.skeleton, config)
    session = Session(lifter)
    work = session.measured(recording)
    if one_deviation:
        # As large as all are together, whatever the view and the joint.
        measured = work.take.sigma_px
        one = np.full_like(measured, np.sqrt(np.mean(measured**2)))
        work.take = work.take._replace(sigma_px=one)
    joints = session.solve(work).joints_mm
    return convert(joints, lifter.joints.skeleton, IMAGE_16, fill=np.nan)


def in_16(shot) -> np.ndarray:
    """A shot's true joints in the world."""
    joints = shot.joints_3d_mm[list(JOINTS_16_OF_32)]
    return (joints - shot.camera.translation_mm) @ shot.camera.rotation


def about_hip(joints_mm: np.ndarray) -> np.ndarray:
    """Joints from the hip."""
    return joints_mm - joints_mm[..., :1, :]


def camera_named(camera, name: str):
    """A camera by another name."""
    return dataclasses.replace(camera, name=name)


if __name__ == "__main__":
    main()
