"""A detector's noise learned through the minimiser that lifts its detections to 3D.

The embedded synthetic people are seen by four cameras of a detector whose errors last:
what is off in one frame is nearly as far off in the next. The calibrated lifter's
energy says how much detections, poses and time are believed beside each other. Those
weights were set by hand for other detectors; here they are learned for this one, on
people whose motion is known. Each step minimises the energy of two-second clips again,
and differentiates the error of the joints at the minimum by the weights, through the
minimum. Nothing else is learned: there is no network.

Errors are of other people, whom the weights have not seen, by four cameras and by two;
and of the same by a detector whose errors do not last, which tells what learning for
one detector costs with another.

    python examples/learn_noise_model.py
"""

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

ACTIONS = ("Walking", "Discussion", "Sitting", "Posing")
RIGS = (("four views", (0, 1, 2, 3)), ("two views", (0, 1)))
# Of the detector: deviations, px; which share of their squares lasts, and how much of
# it is left after a frame.
SIGMA_PX, EXTREMITIES_PX = 4.0, 7.0
LASTING, CORRELATION = 0.8, 0.9
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
    """Errors `[F, V, J, 2]`, px: white ones and an autoregressive process."""
    slow = rng.normal(size=shape)
    for frame in range(1, len(slow)):
        fresh = np.sqrt(1 - CORRELATION**2) * slow[frame]
        slow[frame] = CORRELATION * slow[frame - 1] + fresh
    sigma = np.full(shape[2], SIGMA_PX)
    sigma[list(EXTREMITIES)] = EXTREMITIES_PX
    noise = np.sqrt(1 - lasting) * rng.normal(size=shape) + np.sqrt(lasting) * slow
    return sigma[:, None] * noise


def record(subject, views, frames, lasting, seed=0):
    """One person's actions as detected, and as they were."""
    rng = np.random.default_rng([seed, subject])
    rig = cameras(rng)
    joints, detected = [], []
    for action in ACTIONS:
        joints.append(perform(action, BODIES[subject], rng, frames).joints_3d_mm)
        exact = np.stack([camera.project(joints[-1]) for camera in rig], axis=1)
        detected.append(exact + detector_noise(rng, exact.shape, lasting))
    joints, detected = np.concatenate(joints), np.concatenate(detected)[:, views]
    detected[:, :, UNDETECTED_JOINT] = np.nan
    recording = Recording(
        detected[:, :, None],
        np.isfinite(detected[:, :, None]).all(axis=-1),
        LIFTER_17,
        tuple(f"camera {view}" for view in views),
        RATE_HZ,
        sequence=np.repeat(np.arange(len(ACTIONS)), frames),
        cameras=tuple(rig[view] for view in views),
        source=f"person {subject}",
    )
    truth = Motion(
        joints, LIFTER_17, RATE_HZ, frames=recording.frames, sequence=recording.sequence
    )
    return recording, truth


def error_mm(session, subjects, views, frames, lasting):
    """Mean distance of lifted joints from the true ones, the undetected left out."""
    errors = []
    for subject in subjects:
        recording, truth = record(subject, views, frames, lasting, seed=1)
        lifted = session.lift(recording).poses.joints_3d_mm
        off = np.linalg.norm(lifted - truth.joints_3d_mm, axis=-1)
        errors.append(np.delete(off, UNDETECTED_JOINT, axis=1).mean())
    return float(np.mean(errors))


def errors_mm(lifter, subjects, frames):
    """The errors by rig, of noise that lasts and of noise that does not."""
    session = Session(lifter)  # Compiles once for each number of views.
    return {
        f"{name}, noise that {'lasts' if lasting else 'does not last'}": error_mm(
            session, subjects, list(views), frames, lasting
        )
        for name, views in RIGS
        for lasting in (LASTING, 0.0)
    }


def main(learn_from=TRAIN_SUBJECTS[:2], test_on=TEST_SUBJECTS, frames=100, epochs=6):
    """Errors on other people before and after, and the weights' logarithms' moves."""
    lifter = CalibratedLifter(load_prior(), LIFTER_17)
    before = errors_mm(lifter, test_on, frames)
    takes = [
        record(subject, list(views), frames, LASTING)
        for subject in learn_from
        for _, views in RIGS
    ]
    config = CalibratedTrainingConfig(
        learned=LEARNED, epochs=epochs, learning_rate=0.15, stay_mm=0.05
    )
    with tempfile.TemporaryDirectory() as folder:
        print(train_on(lifter, takes, config, folder))
    return before, errors_mm(lifter, test_on, frames)


if __name__ == "__main__":
    before, after = main()
    print("\nmean joint error on other people, mm:")
    for name, error in before.items():
        change = f"{100 * (after[name] / error - 1):+.0f} %"
        print(f"{name:>35}: {error:.1f} before, {after[name]:.1f} after ({change})")
