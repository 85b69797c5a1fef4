"""A detector's noise learned through the minimiser that lifts its detections to 3D.

The embedded synthetic people are seen from two cameras by a detector whose errors last
(what is off in one frame is nearly as far off in the next) and which is often quite
wrong, five times as often as the lifter expects. The calibrated lifter's energy says
how much detections, poses and time are believed beside each other. Those weights were
set by hand for other detectors and other people; here they are learned for these, from
takes whose motion is known. Each step minimises the energy of clips again, and
differentiates the error of the joints at the minimum by the weights, through the
minimum. Nothing else is learned: there is no network.

Errors are of other people, whom the weights have not seen; and of the same people by a
detector whose errors do not last, which tells what learning for one detector costs with
another.

    python examples/learn_noise_model.py
"""

import dataclasses
import tempfile

import numpy as np

from human_pose.calibrated import CalibratedLifter, Session, load_prior
from human_pose.calibrated.training.config import CalibratedTrainingConfig
from human_pose.calibrated.training.run import train_on
from human_pose.datasets.protocol import TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.datasets.synthetic.body import BODIES
from human_pose.datasets.synthetic.detector import EXTREMITIES
from human_pose.datasets.synthetic.motion import RATE_HZ, perform
from human_pose.datasets.synthetic.rig import cameras
from human_pose.exchange.recording import Motion, Recording
from human_pose.geometry.skeletons import LIFTER_17, UNDETECTED_JOINT

ACTIONS = ("Walking", "Discussion", "Sitting")
VIEWS = (0, 1)
# Of the detector: deviations, px; which share of their squares lasts, and how much of
# it is left after a frame; and detections that are elsewhere, how many and how far.
SIGMA_PX, EXTREMITIES_PX = 4.0, 7.0
LASTING, CORRELATION = 0.6, 0.9
OUTLIERS, OUTLIERS_PX = 0.15, (20.0, 60.0)
# The noise model, by the names of `training.config.WEIGHTS`. The prior's strength is
# part of it: how much a frame's detections say depends on whether their errors last.
LEARNED = (
    "outlier_share",
    "outlier_px",
    "time",
    "time_freedom",
    "lasting",
    "frame_prior",
    "sequence_prior",
)


def detector_noise(rng, shape, lasting):
    """Errors `[F, V, J, 2]`, px: white ones, an autoregressive process, outliers."""
    slow = rng.normal(size=shape)
    for frame in range(1, len(slow)):
        fresh = np.sqrt(1 - CORRELATION**2) * slow[frame]
        slow[frame] = CORRELATION * slow[frame - 1] + fresh
    sigma = np.full(shape[2], SIGMA_PX)
    sigma[list(EXTREMITIES)] = EXTREMITIES_PX
    noise = np.sqrt(1 - lasting) * rng.normal(size=shape) + np.sqrt(lasting) * slow
    angle = rng.uniform(0, 2 * np.pi, shape[:3])
    far = rng.uniform(*OUTLIERS_PX, shape[:3]) * (rng.random(shape[:3]) < OUTLIERS)
    away = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return sigma[:, None] * noise + far[..., None] * away


def record(subject, frames, lasting, seed):
    """One person's actions as detected, and as they were."""
    rng = np.random.default_rng([seed, subject])
    rig = [
        dataclasses.replace(camera, name=f"camera {view}")
        for view, camera in enumerate(cameras(rng))
        if view in VIEWS
    ]
    takes = [perform(action, BODIES[subject], rng, frames) for action in ACTIONS]
    joints = np.concatenate([take.joints_3d_mm for take in takes])
    detected = np.stack([camera.project(joints) for camera in rig], axis=1)
    for part in np.split(detected, len(ACTIONS)):  # Views into it.
        part += detector_noise(rng, part.shape, lasting)
    detected[:, :, UNDETECTED_JOINT] = np.nan
    recording = Recording(
        detected[:, :, None],
        np.isfinite(detected[:, :, None]).all(axis=-1),
        LIFTER_17,
        tuple(camera.name for camera in rig),
        RATE_HZ,
        sequence=np.repeat(np.arange(len(ACTIONS)), frames),
        cameras=tuple(rig),
        source=f"person {subject}",
    )
    truth = Motion(
        joints, LIFTER_17, RATE_HZ, frames=recording.frames, sequence=recording.sequence
    )
    return recording, truth


def error_mm(session, subjects, frames, lasting):
    """Mean distance of lifted joints from the true ones, the undetected left out."""
    errors = []
    for subject in subjects:
        recording, truth = record(subject, frames, lasting, seed=1)
        lifted = session.lift(recording).poses.joints_3d_mm
        off = np.linalg.norm(lifted - truth.joints_3d_mm, axis=-1)
        errors.append(np.delete(off, UNDETECTED_JOINT, axis=1).mean())
    return float(np.mean(errors))


def main(learn_from=TRAIN_SUBJECTS[:2], test_on=TEST_SUBJECTS, frames=96, epochs=4):
    """Errors on other people, (before, after), by the kind of noise."""
    lifter = CalibratedLifter(load_prior(), LIFTER_17)
    session = Session(lifter)  # It lifts by the weights that the lifter has now.
    kinds = {"noise that lasts": LASTING, "noise that does not": 0.0}
    before = [error_mm(session, test_on, frames, kind) for kind in kinds.values()]
    takes = [record(subject, frames, LASTING, seed=0) for subject in learn_from]
    config = CalibratedTrainingConfig(
        learned=LEARNED,
        epochs=epochs,
        learning_rate=0.3,
        stay_mm=0.05,
        batch_frames=2 * frames,
    )
    with tempfile.TemporaryDirectory() as folder:
        print(train_on(lifter, takes, config, folder))
    after = [error_mm(session, test_on, frames, kind) for kind in kinds.values()]
    return dict(zip(kinds, zip(before, after, strict=True), strict=True))


if __name__ == "__main__":
    errors = main()
    print("\nmean joint error on other people, mm:")
    for kind, (before, after) in errors.items():
        change = f"{100 * (after / before - 1):+.0f} %"
        print(f"{kind:>20}: {before:.1f} before, {after:.1f} after ({change})")
