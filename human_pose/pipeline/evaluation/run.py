"""Evaluates a pipeline on test moments, and leaves the results in the run's folder.

See `runs.results` for the files; errors are the root-relative MPJPE, poses and truth of
the world.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from human_pose.datasets.images import ACTIONS
from human_pose.geometry.projection import by_matrices
from human_pose.geometry.skeletons import IMAGE_16
from human_pose.i1 import codec
from human_pose.i1.input import Stream
from human_pose.i1.input.loader import naming_damage
from human_pose.pipeline.batches import MomentSet, open_moments
from human_pose.pipeline.checkpoint import open_pipeline
from human_pose.pipeline.config import Outliers, PipelineEvaluationConfig
from human_pose.pipeline.evaluation import pictures
from human_pose.pipeline.evaluation.measuring import (
    GAUSSIAN_WITHIN,
    Measured,
    measured,
)
from human_pose.pipeline.model import Pipeline
from human_pose.runs import drawing, measures, results, tables

REPORT: Final = results.REPORT


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an evaluation found.

    Attributes:
      actions: int `[N]`, index into the image data's `ACTIONS`.
      found: of all moments.
    """

    actions: np.ndarray
    found: Measured

    def table(self) -> str:
        """What a command prints: every measure's mean over all moments."""
        means = measures.mean_over_frames(self.found.standard)
        lines = [
            (f"{m.name} ({m.unit})", mean)
            for m, mean in zip(measures.COMMON_MEASURES, means, strict=True)
        ]
        lines.append(("MPJPE in the world (mm)", self.found.absolute_mm.mean()))
        errors = self.found.detection_errors_px
        lines.append(("detections' mean error (px)", errors.mean()))
        lines.append(("detections' median error (px)", np.median(errors)))
        width = max(len(name) for name, _ in lines)
        body = [f"{name:{width}}  {mean:9.2f}" for name, mean in lines]
        return "\n".join([f"{len(self.actions)} moments", *body])


def evaluate_files(
    config: PipelineEvaluationConfig, folder: str | os.PathLike[str]
) -> Evaluation:
    """Evaluates the pipeline that a configuration names; see `evaluate`.

    Raises:
      InputError: as of `open_pipeline`, `open_moments` and `evaluate`.
    """
    pipeline = open_pipeline(config.check_path, parameters_dir=config.parameters_dir)
    pipeline.head.check_views(len(config.views))
    data = open_moments(
        config.data_dir, config.split, "test", config.views, skip_bad=config.skip_bad
    )
    listed = ", ".join(tables.short(path) for path in config.check_path)
    return evaluate(
        pipeline,
        data,
        folder,
        batch_size=config.batch_size,
        outliers=config.outliers,
        seed=config.seed,
        description={"Checkpoint": listed},
    )


def evaluate(
    pipeline: Pipeline,
    data: MomentSet,
    folder: str | os.PathLike[str],
    *,
    batch_size: int = 16,
    outliers: Outliers | None = None,
    seed: int = 0,
    description: Mapping[str, str] | None = None,
    verbose: bool = True,
) -> Evaluation:
    """Evaluates a pipeline and writes the results, together or not at all.

    Args:
      pipeline: the model.
      data: the moments.
      folder: the run's folder; made if need be.
      batch_size: moments at once, drawn from the whole set; a network that normalises
        by the statistics of the batch gives other results for another size.
      outliers: detections that are put elsewhere; None for none.
      seed: of these.
      description: what was evaluated, for the report.
      verbose: shows a progress bar with the running error.

    Raises:
      InputError: if `folder` cannot be written, or another evaluation is at work there.
      FloatingPointError: naming the moment, if a pose is not finite.
    """
    folder, outliers = Path(folder), outliers or Outliers()
    # Statistics of the network, where they are those of the batch, are such as
    # it learned with only if batches are mixed, as in the evaluation of pictures.
    stream = Stream(batch_size, shuffle=True, input_size=pipeline.network.input_size)
    with naming_damage(data.pictures), results.evaluating(folder):
        found = measured(
            pipeline, data.batches(stream), len(data), outliers, seed, verbose
        )
        evaluation = Evaluation(data.moments.action, found)
        description = {
            **(description or {}),
            "Moments": f"{len(data)} of {data.pictures.root}",
            "Views": ", ".join(map(str, data.moments.views)),
            "Outliers": f"{outliers.share:.0%} of the detections",
        }
        with results.replaced(folder) as new:
            captions = _draw(pipeline, data, evaluation, new)
            _write(evaluation, description, captions, new)
    return evaluation


def moment_picture(pipeline: Pipeline, data: MomentSet, number: int, title: str) -> Any:
    """Draws one moment of a set by a pipeline as it is."""
    batch = _moment(pipeline, data, number)
    heatmap2 = pipeline.network(batch["image"], training=False)["heatmap2"]
    detections = pipeline.read(heatmap2, batch)
    pose = pipeline.lift(detections, batch)
    return _figure(
        batch,
        pose[0].numpy(),
        detections.points_px[0].numpy(),
        detections.covariance_px2[0].numpy(),
        title,
    )


def _moment(pipeline: Pipeline, data: MomentSet, number: int) -> dict[str, Any]:
    """The batch of one moment."""
    size = pipeline.network.input_size
    return next(iter(data.some_of([number]).batches(Stream(1, input_size=size))))


def _figure(
    batch: Mapping[str, Any],
    pose_mm: np.ndarray,
    points_px: np.ndarray,
    covariance_px2: np.ndarray,
    title: str,
) -> Any:
    """Draws what was found of the moment of a batch."""
    homogeneous = by_matrices(tf.constant(pose_mm[None]), batch["projection"])
    images = homogeneous[0, ..., :2] / homogeneous[0, ..., 2:]
    sides = codec.frame_px_per_crop(batch["box"]).numpy()[:, None]
    return pictures.moment_figure(
        batch["image"].numpy(),
        codec.to_crop(points_px, batch["box"]).numpy(),
        covariance_px2 / (sides[..., None] * sides[..., None, :]),
        codec.to_crop(images, batch["box"]).numpy(),
        pose_mm,
        batch["joints_world_mm"][0].numpy(),
        title,
    )


def _draw(
    pipeline: Pipeline, data: MomentSet, evaluation: Evaluation, folder: Path
) -> dict[str, str]:
    """Draws the moments of note; returns their captions."""
    captions, found = {}, evaluation.found
    errors = found.standard[:, 0]
    for name, number in results.frames_of_note(errors).items():
        action = ACTIONS[evaluation.actions[number]]
        captions[name] = f"moment {number}, {action}, {errors[number]:.1f} mm"
        # As measured: outliers are not in the pictures, and not found again there.
        figure = _figure(
            _moment(pipeline, data, number),
            found.poses_mm[number],
            found.points_px[number],
            found.covariance_px2[number],
            f"{name}: {captions[name]}",
        )
        drawing.save(figure, folder / "images" / f"{name}.png")
    return captions


def _write(
    evaluation: Evaluation,
    description: Mapping[str, str],
    captions: Mapping[str, str],
    folder: Path,
) -> None:
    found, actions = evaluation.found, evaluation.actions
    errors = found.standard[:, 0]
    means = measures.action_means(actions, errors, ACTIONS)
    results.write_arrays(
        folder,
        errors_mm=errors,
        poses_mm=found.poses_mm,
        truth_mm=found.truth_mm,
        action_errors_mm=np.append(means, errors.mean()),
    )
    results.write_report(folder, _report(evaluation, description, captions))


def _report(
    evaluation: Evaluation,
    description: Mapping[str, str],
    captions: Mapping[str, str],
) -> str:
    found, px = evaluation.found, evaluation.found.detection_errors_px
    table = tables.markdown_table(
        evaluation.actions, found.standard, tables.COMMON_NAMES, ACTIONS
    )
    joints = [
        [name, f"{error:.1f}", f"{off:.1f}"]
        for name, error, off in zip(
            IMAGE_16.names,
            found.joint_errors_mm,
            px.mean(axis=(0, 1)),
            strict=True,
        )
    ]
    within = [
        [f"{n} sigma", f"{found.share_within(n):.1%}", f"{share:.1%}"]
        for n, share in GAUSSIAN_WITHIN.items()
    ]
    sections = {
        "About the hip": table,
        "Joints": tables.markdown(["joint", "error (mm)", "detections (px)"], joints),
        "Detections": f"Error in the frames: {px.mean():.2f} px in the mean, "
        f"{np.median(px):.2f} px in the median.\n\n"
        + tables.markdown(["within", "detections", "of a Gaussian"], within),
        "Protocol": "\n".join(f"- {word}: {text}" for word, text in description.items())
        + f"\n- MPJPE in the world, not aligned: {found.absolute_mm.mean():.2f} mm",
        "Moments of note": "\n\n".join(
            f"{name.capitalize()}: {caption}\n\n![{name}](../images/{name}.png)"
            for name, caption in captions.items()
        ),
    }
    return "# Evaluation\n" + "".join(
        f"\n## {title}\n\n{text}\n" for title, text in sections.items()
    )
