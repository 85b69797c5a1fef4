"""Lifts the test frames of every action, measures the errors, and writes the results.

In the run's folder, see `runs.results` for the files; `errors.npy` holds the chosen
metric, `truth.npy` the truth centred at the mean joint, and the report all measures and
the protocol.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from human_pose.datasets.pose_files import PoseSet
from human_pose.datasets.protocol import ACTIONS
from human_pose.geometry.metrics import mpjpe
from human_pose.geometry.skeletons import JOINTS, VIEWS
from human_pose.lifting.comparison import beside_truth
from human_pose.lifting.evaluation import report
from human_pose.lifting.evaluation.frames import ActionFrames, read_test_frames
from human_pose.lifting.evaluation.pictures import frame_figure
from human_pose.lifting.evaluation.scores import Scores, score
from human_pose.lifting.lifter import PPCALifter
from human_pose.runs import cluster, distribution, drawing, results
from human_pose.runs.measures import action_means, mean_over_frames

# From {"joints_2d_px": [N, 4, 17, 2]} to {"pose": [N, 17, 3], ...}, poses of any size.
Lifter = Callable[[dict[str, Any]], dict[str, Any]]

REPORT: Final = results.REPORT


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
      frames: the frames evaluated.
      scores: of each.
      reconstruction_mm: `[F, 17, 3]`, given the truth's size, not centred.
      truth_mm: `[F, 17, 3]`, centred at the mean joint.
      metric: 0, 1 or 2, the one whose errors were stored.
    """

    frames: ActionFrames
    scores: Scores
    reconstruction_mm: np.ndarray
    truth_mm: np.ndarray
    metric: int

    @property
    def errors_mm(self) -> np.ndarray:
        """`[F]`, the stored errors."""
        return self.scores.training_errors_mm[:, self.metric]

    @property
    def action_errors_mm(self) -> np.ndarray:
        """`[16]`: means of the 15 actions (NaN without frames), then of all frames."""
        means = action_means(self.frames.actions, self.errors_mm, ACTIONS)
        return np.append(means, mean_over_frames(self.errors_mm))

    def table(self) -> str:
        """What a command prints: errors by action, and what was missing."""
        return "\n".join(
            [
                report.table(self.scores, self.metric),
                f"* stored. {report.missing_files(self.frames)}",
            ]
        )


def evaluate(
    lifter: Lifter,
    data_dir: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    metric: int = 2,
    subsample: int = 5,
    batch_size: int = 4,
    description: Mapping[str, str] | None = None,
    verbose: bool = True,
    strategy: tf.distribute.Strategy | None = None,
) -> Evaluation:
    """Evaluates a lifter and writes the results, together or not at all.

    An earlier evaluation in `folder` is replaced (see `runs.results`), and nothing else
    there is touched.

    Args:
      lifter: a `PPCALifter`, or anything that is called like one.
      data_dir: the folder that holds `testing/`, or one of shards.
      folder: the run's folder; made if need be.
      metric: 0, 1 or 2, the error to store (see `comparison.training_error`).
      subsample: every how many frames of each file, or take, one is used.
      batch_size: frames lifted at once; changes no result.
      description: what the lifter was made from, for the report.
      verbose: shows a progress bar with the running error.
      strategy: whose processes each lift a part of the frames; one of them writes. None
        for this one alone.

    Raises:
      InputError: if no test file is there, one is no pose file, a set is not as it was
        prepared, `folder` cannot be written, another evaluation is at work there, or a
        process has another lifter, other frames or other options than the first.
      FloatingPointError: naming the frame, if a reconstruction is not finite.
    """
    frames = read_test_frames(data_dir, subsample)
    strategy = strategy or tf.distribute.get_strategy()
    writes = distribution.is_chief(strategy)
    options = {"metric": metric, "subsample": subsample, "batch_size": batch_size}
    cluster.check_alike(strategy, options | _identity(lifter, frames))
    with results.evaluating(folder) if writes else contextlib.nullcontext():
        own = _own_frames(strategy, len(frames), batch_size)
        truth, reconstruction = reconstruct(
            lifter,
            frames.poses[own],
            batch_size=batch_size,
            verbose=verbose and writes,
        )
        both = {"truth": truth, "reconstruction": reconstruction}
        truth, reconstruction = cluster.gathered(strategy, both).values()
        _check_finite(frames, reconstruction)
        evaluation = Evaluation(
            frames=frames,
            scores=score(frames.actions, truth, reconstruction),
            reconstruction_mm=reconstruction,
            truth_mm=truth,
            metric=metric,
        )
        if writes:
            with results.replaced(folder) as new:
                _write(evaluation, new, subsample, description or {})
    return evaluation


def _identity(lifter: Lifter, frames: ActionFrames) -> dict[str, str]:
    """What tells lifters and frames apart, by name."""
    poses = (frames.poses.joints_2d_px, frames.poses.joints_3d_mm, frames.actions)
    found = {"frames": f"{len(frames)} (checksum {cluster.checksum(poses)})"}
    if isinstance(lifter, PPCALifter):
        found["solver"] = str(lifter.formulation)
        found["checksum of the weights"] = cluster.checksum(lifter.variables)
        found["checksum of the cameras"] = cluster.checksum([lifter.cameras])
    return found


def _own_frames(
    strategy: tf.distribute.Strategy, frames: int, batch_size: int
) -> slice:
    """The frames that this process lifts: whole batches, one behind the other."""
    place = distribution.place_of(strategy)
    batches = -(-frames // batch_size)
    size = -(-batches // place.processes) * batch_size
    return slice(place.number * size, (place.number + 1) * size)


def reconstruct(
    lifter: Lifter, poses: PoseSet, *, batch_size: int = 4, verbose: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Lifts every frame and gives it the size of its truth.

    Args:
      lifter: see `evaluate`.
      poses: F frames.
      batch_size: frames lifted at once; the last batch may be shorter.
      verbose: shows a progress bar with the running error without alignment.

    Returns:
      The truth, centred at its mean joint, and the reconstruction, not centred: both
      float64 `[F, 17, 3]`, mm.
    """
    truth, reconstruction = np.empty((2, *poses.joints_3d_mm.shape))
    lift = _compiled(lifter)
    # In a log file a bar that redraws itself makes no sense: one line at the end.
    shown = 1 if sys.stdout.isatty() else 2
    progress = keras.utils.Progbar(
        len(poses),
        verbose=shown if verbose else 0,
        unit_name="frame",
        stateful_metrics=["mpjpe_mm"],  # or the bar would end with the last batch's
    )
    total_mm = 0.0
    for start in range(0, len(poses), batch_size):
        batch = slice(start, start + batch_size)
        pose = lift(tf.constant(poses.joints_2d_px[batch]))
        truth[batch], reconstruction[batch] = beside_truth(
            pose, poses.joints_3d_mm[batch]
        )
        done = min(batch.stop, len(poses))
        total_mm += mpjpe(truth[batch], reconstruction[batch]).numpy().sum()
        progress.update(done, [("mpjpe_mm", total_mm / done)])
    return truth, reconstruction


def _compiled(lifter: Lifter) -> Callable[[tf.Tensor], tf.Tensor]:
    """The lifter's poses as one graph for batches of every size."""
    joints_2d_px = tf.TensorSpec([None, VIEWS, JOINTS, 2], tf.float64)

    # Nothing here needs autograph, and it takes longer than the rest of the tracing.
    @tf.function(input_signature=[joints_2d_px], autograph=False)
    def lift(joints_2d_px: tf.Tensor) -> tf.Tensor:
        return lifter({"joints_2d_px": joints_2d_px})["pose"]

    return lift


def _check_finite(frames: ActionFrames, reconstruction_mm: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(reconstruction_mm).all(axis=(1, 2)))
    if len(bad):
        raise FloatingPointError(
            f"{len(bad)} reconstructions are not finite; the first is of "
            f"{frames.source(int(bad[0]))}"
        )


def _write(
    evaluation: Evaluation, folder: Path, subsample: int, lifter: Mapping[str, str]
) -> None:
    results.write_arrays(
        folder,
        errors_mm=evaluation.errors_mm,
        poses_mm=evaluation.reconstruction_mm,
        truth_mm=evaluation.truth_mm,
        action_errors_mm=evaluation.action_errors_mm,
    )
    pictures = results.frames_of_note(evaluation.errors_mm)
    _write_pictures(evaluation, folder, pictures)
    text = report.markdown(
        evaluation.frames,
        evaluation.scores,
        metric=evaluation.metric,
        subsample=subsample,
        lifter=lifter,
        pictures=pictures,
    )
    results.write_report(folder, text)


def _write_pictures(
    evaluation: Evaluation, folder: Path, pictures: Mapping[str, int]
) -> None:
    for name, frame in pictures.items():
        error_mm = evaluation.errors_mm[frame]
        figure = frame_figure(
            evaluation.frames.poses.joints_2d_px[frame],
            evaluation.reconstruction_mm[frame],
            evaluation.truth_mm[frame],
            title=f"{name}: {error_mm:.1f} mm (metric {evaluation.metric})\n"
            f"{evaluation.frames.source(frame)}",
        )
        drawing.save(figure, folder / "images" / f"{name}.png")
