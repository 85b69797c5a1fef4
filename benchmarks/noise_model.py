"""A detector's noise model learned through the calibrated lifter, on real motion.

The weights of the noise model (`LEARNED`) are learned on takes of `../shared/data/real`
(README there) whose detections have noise that lasts, by four views and by two, and
measured on five other people: with noise that lasts, with noise that does not, and with
the detections as they are; beside the weights that were set by hand. So that the prior
is no better on the motion that is learned from than on others, it is then fitted to
three of the four training subjects, and the weights are learned on the fourth; tests
have the prior of all four. What any noise model could gain is said by `noise_limit.py`.
Prints Markdown; errors in mm over the joints but the neck.

  python benchmarks/noise_model.py
  python benchmarks/noise_model.py --takes 9 10 13 15 16 --seeds 0 --every=3
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import tempfile
from pathlib import Path

import numpy as np
from real_motion import NECK, REAL, TRAIN_SUBJECTS, RealMotion, noise_px, off_mm, read

from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.fitting import fit_prior
from human_pose.calibrated.prior.pose_prior import PosePrior
from human_pose.calibrated.session import Session
from human_pose.calibrated.training.config import WEIGHTS, CalibratedTrainingConfig
from human_pose.calibrated.training.run import train_on
from human_pose.geometry.skeletons import LIFTER_17

RIGS = ((0, 1, 2, 3), (1, 3))
KINDS = ("noise that lasts", "noise that does not", "as is")
# How much detections are believed, of what kind their errors are, and beside what.
LEARNED = (
    "sigma",
    "lasting",
    "outlier_share",
    "outlier_px",
    "frame_prior",
    "sequence_prior",
    "time",
    "time_freedom",
)
# Who has most takes is learned from, with a prior that has seen none of them.
LEARNED_FROM = 13


def main() -> None:
    arguments = _arguments()
    train, test = (read(arguments.data, part) for part in ("train", "test"))
    test = test.of_takes(np.unique(test.sequence)[:: arguments.every])
    by_hand = CalibratedLifter(_prior(train, TRAIN_SUBJECTS), LIFTER_17)
    learned = CalibratedLifter(by_hand.prior, LIFTER_17)
    for name, value in _learned(arguments, train).items():
        learned.weight(WEIGHTS[name]).assign(value)
    print(f"\n{len(test.joints_mm)} frames of other people, seeds {arguments.seeds}:\n")
    print("| views | detections | by hand | learned | change by seed, % |")
    print("|---|---|---|---|---|")
    sessions = [Session(lifter) for lifter in (by_hand, learned)]
    for views in RIGS:
        for kind in arguments.kinds:
            errors = np.array([
                [_error(session, test, kind, views, seed) for session in sessions]
                for seed in arguments.seeds
            ])  # fmt: skip
            changes = 100 * (errors[:, 1] / errors[:, 0] - 1)
            before, after = errors.mean(axis=0)
            each = ", ".join(f"{change:+.1f}" for change in changes)
            print(f"| {len(views)} | {kind} | {before:.2f} | {after:.2f} | {each} |",
                  flush=True)  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=REAL)
    own = [n for n, who in enumerate(TRAIN_SUBJECTS) if who == LEARNED_FROM]
    parser.add_argument("--takes", nargs="+", type=int, choices=own, default=own)
    parser.add_argument("--learned", nargs="+", choices=WEIGHTS, default=LEARNED)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning_rate", type=float, default=0.15)
    parser.add_argument("--stay_mm", type=float, default=0.02)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--every", type=int, default=1, help="of the takes of tests")
    return parser.parse_args()


def _prior(train: RealMotion, subjects: tuple[int, ...]) -> PosePrior:
    takes = [n for n, who in enumerate(TRAIN_SUBJECTS) if who in subjects]
    return fit_prior(train.of_takes(takes).motions(), hold_out=False).prior


def _learned(arguments: argparse.Namespace, train: RealMotion) -> dict[str, np.ndarray]:
    """The weights by name, learned where nothing was fitted."""
    others = tuple(who for who in set(TRAIN_SUBJECTS) if who != LEARNED_FROM)
    lifter = CalibratedLifter(_prior(train, others), LIFTER_17)
    some = train.of_takes(arguments.takes)
    # Seeds that no test has.
    pairs = [
        some.recording(_detected(some, "noise that lasts", 100 + number), views)
        for number, views in enumerate(RIGS)
    ]
    config = CalibratedTrainingConfig(
        learned=tuple(arguments.learned),
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        stay_mm=arguments.stay_mm,
    )
    with tempfile.TemporaryDirectory() as folder:
        train_on(lifter, pairs, config, folder)
        print((Path(folder) / "training.md").read_text().split("```")[0], flush=True)
    return {name: lifter.weight(WEIGHTS[name]).numpy() for name in arguments.learned}


def _detected(motion: RealMotion, kind: str, seed: int) -> np.ndarray:
    """Detections `[F, V, J, 2]`; `seed` says nothing of those as they are."""
    joints = np.array(motion.detected)
    if kind != "as is":
        rng = np.random.default_rng(seed)
        share = {} if kind == "noise that lasts" else {"lasting": 0.0}
        joints = motion.exact() + noise_px(joints.shape, motion.sequence, rng, **share)
    joints[:, :, NECK] = np.nan
    return joints


def _error(
    session: Session, test: RealMotion, kind: str, views: tuple[int, ...], seed: int
) -> float:
    given, _ = test.recording(_detected(test, kind, seed), views)
    lifted = session.lift(given).poses.joints_3d_mm
    return float(off_mm(lifted, test.joints_mm).mean())


if __name__ == "__main__":
    main()
