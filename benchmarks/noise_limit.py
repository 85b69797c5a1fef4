"""What a better noise model could gain in the calibrated lifter, at the most.

On the test subjects' motion of `../shared/data/real` (README there) the lifter is made
linear about the truth, where its estimate is one solve: noise of known deviations of
which 60 % lasts, no outliers, true bones and headings, a Gaussian prior of the training
subjects at strength α, accelerations. Then what no lifter has can be given to it:

* "as white": detections of different frames count as independent, as the lifter has it;
* "exact": with the noise's true covariance over time, which no noise model can better;
* "own prior": the prior of the test subjects' poses themselves;
* of white and of lasting noise alone, and none: what each contributes.

Prints Markdown; errors in mm over the joints but the neck.

  python benchmarks/noise_limit.py
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
from pathlib import Path

import numpy as np
from real_motion import (
    CORRELATION,
    LASTING,
    NECK,
    REAL,
    RealMotion,
    noise_px,
    off_mm,
    read,
    sigma_px,
)
from scipy.linalg import cho_factor, cho_solve

from human_pose.calibrated.prior.config import PriorConfig
from human_pose.calibrated.prior.fitting import fit_prior
from human_pose.calibrated.prior.pose_prior import PosePrior, headings
from human_pose.geometry.cameras import Camera
from human_pose.geometry.skeletons import LIFTER_17

RIGS = ((0, 1, 2, 3), (1, 3))
# Frames of each take's system, which is dense.
FRAMES = 48
# α as white and as exact; the lifter's is 0.2 where 60 % lasts.
WHITE, EXACT = (0.03, 0.08, 0.2, 0.5), (0.003, 0.01, 0.03, 0.08)
# As of `EnergyConfig`.
FLAT_MM, BONE_MM, TIME, TIME_FREEDOM = 3.0, 3.0, 0.35, 15.0
JOINTS = len(LIFTER_17)
SIZE = 3 * JOINTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=REAL)
    parser.add_argument("--every", type=int, default=4, help="of the takes")
    arguments = parser.parse_args()
    train, test = (read(arguments.data, part) for part in ("train", "test"))
    long = np.flatnonzero(np.bincount(test.sequence) >= FRAMES)[:: arguments.every]
    priors = {"": _prior(train), ", own prior": _prior(test)}
    apart = np.abs(np.subtract.outer(np.arange(FRAMES), np.arange(FRAMES)))
    exact = LASTING * CORRELATION**apart + (1 - LASTING) * (apart == 0)
    print("| views | noise model | error (strength) |\n|---|---|---|")
    for views in RIGS:
        takes = [_Take(test.of_takes([n]), views) for n in long]
        both = [take.noise(LASTING) for take in takes]
        for prior_name, prior in priors.items():
            for name, covariance, strengths in (
                ("as white", np.eye(FRAMES), WHITE),
                ("exact", exact, EXACT),
            ):
                cells = [
                    f"{_mean(takes, both, covariance, prior, alpha):.2f} ({alpha})"
                    for alpha in strengths
                ]
                print(f"| {len(views)} | {name}{prior_name} | {', '.join(cells)} |")
        for name, lasting, scale in (
            ("white part alone", 0.0, 1 - LASTING),
            ("lasting part alone", 1.0, LASTING),
            ("no noise", 0.0, 0.0),
        ):
            part = [np.sqrt(scale) * take.noise(lasting) for take in takes]
            found = _mean(takes, part, np.eye(FRAMES), priors[""], 0.2)
            print(
                f"| {len(views)} | as white, {name} | {found:.2f} (0.2) |", flush=True
            )


def _prior(motion: RealMotion) -> PosePrior:
    return fit_prior(motion.motions(), PriorConfig(components=1), hold_out=False).prior


class _Take:
    """The first frames of a take, linear about the truth.

    Args:
      motion: of one take.
      views: of the rig.
    """

    def __init__(self, motion: RealMotion, views: tuple[int, ...]) -> None:
        self.joints = motion.joints_mm[:FRAMES]
        self._cameras = [motion.cameras[view] for view in views]
        self._seed = int(motion.sequence[0])
        # Body from world, for all joints of a frame.
        turns = np.swapaxes(headings(self.joints, LIFTER_17), -1, -2)
        self.turns = np.stack([np.kron(np.eye(JOINTS), turn) for turn in turns])
        self.slopes = np.stack([self._slopes(c) for c in self._cameras], axis=1)

    def noise(self, lasting: float) -> np.ndarray:
        """`[F, V, J, 2]`, px, without outliers; its share `lasting` lasts."""
        shape = (FRAMES, len(self._cameras), JOINTS, 2)
        rng = np.random.default_rng(self._seed)
        return noise_px(shape, np.zeros(FRAMES), rng, lasting, outliers=0.0)

    def _slopes(self, camera: Camera) -> np.ndarray:
        """Of images by joints, `[F, J, 2, 3]`, px / mm, by differences of 1 mm."""
        steps = 0.5 * np.eye(3)
        ends = [
            camera.project(self.joints + step) - camera.project(self.joints - step)
            for step in steps
        ]
        return np.stack(ends, axis=-1)

    def off_mm(
        self, noise: np.ndarray, covariance: np.ndarray, prior: PosePrior, alpha: float
    ) -> float:
        """The mean error of the estimate.

        Args:
          noise: of the detections, `[F, V, J, 2]`, px.
          covariance: of it over frames as the estimate takes it, `[F, F]`, in units of
            σ².
          prior: of poses, of one component.
          alpha: its strength.
        """
        matrix, right = self._detections(noise, np.linalg.inv(covariance))
        self._poses(matrix, right, prior, alpha)
        self._bones(matrix)
        self._accelerations(matrix, right, prior)
        count = FRAMES * SIZE
        # Keeps the neck, which nothing but the prior sees, regular.
        factor = cho_factor(matrix.reshape(count, count) + 1e-9 * np.eye(count))
        off = cho_solve(factor, right.reshape(-1)).reshape(FRAMES, JOINTS, 3)
        return float(off_mm(off, np.zeros_like(off)).mean())

    def _detections(
        self, noise: np.ndarray, precision: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        matrix = np.zeros((FRAMES, JOINTS, 3, FRAMES, JOINTS, 3))
        right = np.zeros((FRAMES, JOINTS, 3))
        for joint in set(range(JOINTS)) - {NECK}:
            slope = self.slopes[:, :, joint] / sigma_px()[joint]
            seen = noise[:, :, joint] / sigma_px()[joint]
            gram = np.einsum("fvra,gvrb->fagb", slope, slope)
            matrix[:, joint, :, :, joint] = gram * precision[:, None, :, None]
            pulled = np.einsum("fg,gvr->fvr", precision, seen)
            right[:, joint] = np.einsum("fvra,fvr->fa", slope, pulled)
        return matrix.reshape(FRAMES, SIZE, FRAMES, SIZE), right.reshape(FRAMES, SIZE)

    def _poses(
        self, matrix: np.ndarray, right: np.ndarray, prior: PosePrior, alpha: float
    ) -> None:
        centre = np.eye(SIZE) - np.kron(np.ones((JOINTS, JOINTS)) / JOINTS, np.eye(3))
        spread = centre @ (prior.covariances_mm2[0] + FLAT_MM**2 * np.eye(SIZE))
        precision = alpha * np.linalg.pinv(spread @ centre, hermitian=True)
        for frame, (joints, turn) in enumerate(
            zip(self.joints, self.turns, strict=True)
        ):
            pose = turn @ (joints - joints.mean(axis=0)).ravel()
            pull = turn.T @ precision
            matrix[frame, :, frame] += pull @ turn
            right[frame] -= pull @ (pose - prior.means_mm[0].ravel())

    def _bones(self, matrix: np.ndarray) -> None:
        for frame, joints in enumerate(self.joints):
            for child, parent in enumerate(LIFTER_17.parents):
                if parent >= 0:
                    bone = joints[child] - joints[parent]
                    along = np.zeros((JOINTS, 3))
                    along[child] = bone / np.linalg.norm(bone)
                    along[parent] = -along[child]
                    row = along.ravel() / BONE_MM
                    matrix[frame, :, frame] += np.outer(row, row)

    def _accelerations(
        self, matrix: np.ndarray, right: np.ndarray, prior: PosePrior
    ) -> None:
        precision = np.linalg.inv(prior.acceleration_mm2)
        changes = (1.0, -2.0, 1.0)
        for middle in range(1, FRAMES - 1):
            near = range(middle - 1, middle + 2)
            turn = self.turns[middle]
            true = turn @ np.dot(changes, self.joints[list(near)].reshape(3, SIZE))
            tail = (TIME_FREEDOM + SIZE) / (TIME_FREEDOM + true @ precision @ true)
            pull = TIME * tail * turn.T @ precision
            for one, share in zip(near, changes, strict=True):
                right[one] -= share * pull @ true
                for other, also in zip(near, changes, strict=True):
                    matrix[one, :, other] += share * also * pull @ turn


def _mean(
    takes: list[_Take],
    noises: list[np.ndarray],
    covariance: np.ndarray,
    prior: PosePrior,
    alpha: float,
) -> float:
    errors = [
        take.off_mm(noise, covariance, prior, alpha)
        for take, noise in zip(takes, noises, strict=True)
    ]
    return float(np.mean(errors))


if __name__ == "__main__":
    main()
