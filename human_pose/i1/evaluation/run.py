"""Evaluates the image network on test samples, by two protocols and two readouts.

In the run's folder, see `runs.results` for the files; those with the layouts of the
lifter's evaluation are of the chosen readout in the standard protocol: `errors.npy`
the root-relative MPJPE, poses and truth in the camera frame. The report has everything.
"""

import contextlib
import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from absl import logging

from human_pose.datasets.images import ACTIONS, ImageSet, Skipped
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic
from human_pose.geometry import metrics
from human_pose.i1 import readout
from human_pose.i1.config import Readout
from human_pose.i1.evaluation import pictures, report
from human_pose.i1.evaluation.measuring import Found, Network, in_order, measured
from human_pose.i1.input import Stream, batches
from human_pose.i1.input.loader import naming_damage
from human_pose.i1.network.hourglass import PoseNetwork
from human_pose.i1.readout import check_readout
from human_pose.runs import cluster, distribution, drawing, measures, results

REPORT: Final = results.REPORT
SKIPPED: Final = results.SKIPPED


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found, for F samples.

    Attributes:
      index: int `[F]`, of the data set.
      actions: int `[F]`, index into the image data's `ACTIONS`.
      truth_mm: `[F, 16, 3]`, camera frame.
      poses_mm: `[F, 16, 3]` by readout, camera frame, standard decoding.
      published_mm: `[F]` by readout, the error of the published protocol.
      standard: `[F, 5]` by readout, `measures.COMMON_MEASURES`.
      readout: the one whose results are stored.
    """

    index: np.ndarray
    actions: np.ndarray
    truth_mm: np.ndarray
    poses_mm: Mapping[str, np.ndarray]
    published_mm: Mapping[str, np.ndarray]
    standard: Mapping[str, np.ndarray]
    readout: readout.Readout

    @property
    def errors_mm(self) -> np.ndarray:
        """`[F]`, the stored errors: root-relative MPJPE."""
        return self.standard[self.readout][:, 0]

    @property
    def action_errors_mm(self) -> np.ndarray:
        """`[16]`: means of the 15 actions (NaN without any), then of all samples."""
        means = measures.action_means(self.actions, self.errors_mm, ACTIONS)
        return np.append(means, measures.mean_over_frames(self.errors_mm))

    def table(self) -> str:
        """What a command prints: every measure's mean over all samples."""
        names, values = [], []
        for name in readout.READOUTS:
            names.append(f"{name}, as published (mm)")
            values.append(self.published_mm[name][:, None])
            names += [f"{name}, {m.name} ({m.unit})" for m in measures.COMMON_MEASURES]
            values.append(self.standard[name])
        stored = f"MPJPE of the {self.readout} readout, standard protocol"
        return report.table(names, self.actions, np.concatenate(values, 1), stored)


def evaluate(
    network: Network,
    dataset: ImageSet,
    folder: str | os.PathLike[str],
    *,
    readout: Readout = "integral",
    batch_size: int = 2,
    skip_bad: bool = False,
    description: Mapping[str, str] | None = None,
    depth_bins: int | None = None,
    input_size: int | None = None,
    verbose: bool = True,
    strategy: tf.distribute.Strategy | None = None,
) -> Evaluation:
    """Evaluates a network and writes the results, together or not at all.

    Args:
      network: made by `build_network`, or anything that is called like one.
      dataset: the samples, in order.
      folder: the run's folder; made if need be.
      readout: whose results are stored.
      batch_size: pictures at once, drawn from the whole set; a network that normalises
        by the statistics of the batch gives other results for another size.
      skip_bad: leave out samples that break a rule.
      description: what was evaluated, for the report.
      depth_bins: D; a `PoseNetwork` knows its own.
      input_size: S, px, likewise.
      verbose: shows a progress bar with the running error.
      strategy: whose processes share the batches, each whole; one of them writes. None
        for this one alone.

    Raises:
      InputError: if a sample breaks a rule, there is no such readout, `folder` cannot
        be written, another evaluation is at work there, or a process has another
        network, other samples or other options than the first.
      FloatingPointError: naming the sample, if a prediction is not finite.
    """
    check_readout(readout)
    folder = Path(folder)
    if isinstance(network, PoseNetwork):
        depth_bins = depth_bins or network.depth_bins
        input_size = input_size or network.input_size
    if depth_bins is None or input_size is None:
        raise InputError(
            "`depth_bins` and `input_size` are needed beside a network that has none"
        )
    count = len(dataset.good_indices(skip_bad=skip_bad))
    # Neighbours in a data set are alike, batches in training are not: statistics of the
    # batch are those that the network learned with only if batches are mixed here too.
    strategy = strategy or tf.distribute.get_strategy()
    place = distribution.place_of(strategy)
    conditions = {
        "readout": readout,
        "batch_size": batch_size,
        "samples": dataset.identity,
        "depth_bins": depth_bins,
        "input_size": input_size,
        "checksum of the weights": cluster.checksum(getattr(network, "variables", ())),
    }
    cluster.check_alike(strategy, conditions)
    stream = batches(
        dataset,
        Stream(
            batch_size * place.processes,
            shuffle=True,
            input_size=input_size,
            skip_bad=skip_bad,
            workers=place.processes,
            worker=place.number,
        ),
    )
    description = {
        **(description or {}),
        "Samples": f"{count} of {dataset.root}, in batches of {batch_size}",
        "Stored in the `.npy` files": f"{readout} readout, standard protocol",
    }
    writes = place.number == 0
    alone = results.evaluating(folder) if writes else contextlib.nullcontext()
    with naming_damage(dataset), alone:
        own = measured(network, stream, count, depth_bins, verbose and writes)
        evaluation = _evaluation(in_order(cluster.gathered(strategy, own)), readout)
        if not writes:
            return evaluation
        with results.replaced(folder) as new:
            sizes = (depth_bins, input_size)
            captions = _write_pictures(network, dataset, evaluation, new, sizes)
            _write(evaluation, dataset.skipped, description, captions, new)
    if dataset.skipped:
        logging.warning(
            "left out %d of %d samples, listed in %s",
            len(dataset.skipped),
            len(dataset),
            folder / SKIPPED,
        )
    return evaluation


def _evaluation(found: Found, chosen: readout.Readout) -> Evaluation:
    truth_mm = found["truth_mm"].astype(np.float64)
    poses_mm = {
        name: found[f"{name}_pose_mm"].astype(np.float64) for name in readout.READOUTS
    }
    return Evaluation(
        index=found["index"],
        actions=found["actions"],
        truth_mm=truth_mm,
        poses_mm=poses_mm,
        published_mm={n: found[f"{n}_published_mm"] for n in readout.READOUTS},
        standard={n: measures.common(truth_mm, p) for n, p in poses_mm.items()},
        readout=chosen,
    )


def _tables(evaluation: Evaluation) -> dict[str, tuple[list[str], np.ndarray]]:
    both = np.stack([evaluation.published_mm[n] for n in readout.READOUTS], axis=-1)
    names = [f"{m.name} ({m.unit})" for m in measures.COMMON_MEASURES]
    return {
        **{
            f"Standard protocol, {name} readout": (names, evaluation.standard[name])
            for name in readout.READOUTS
        },
        "As published (mm)": (list(readout.READOUTS), both),
    }


def _write(
    evaluation: Evaluation,
    skipped: Sequence[Skipped],
    description: Mapping[str, str],
    captions: Mapping[str, str],
    folder: Path,
) -> None:
    results.write_arrays(
        folder,
        errors_mm=evaluation.errors_mm,
        poses_mm=evaluation.poses_mm[evaluation.readout],
        truth_mm=evaluation.truth_mm,
        action_errors_mm=evaluation.action_errors_mm,
    )
    if skipped:
        _write_skipped(skipped, folder / SKIPPED)
    text = report.markdown(
        evaluation.actions,
        _tables(evaluation),
        description=description,
        skipped=skipped,
        pictures=captions,
    )
    results.write_report(folder, text)


def _write_skipped(skipped: Sequence[Skipped], path: Path) -> None:
    """Lists every sample left out."""
    with (
        atomic(path) as temporary,
        temporary.open(
            "w", newline="", encoding="utf-8", errors="backslashreplace"
        ) as file,
    ):
        lines = csv.writer(file)
        lines.writerow(("index", "reason"))
        lines.writerows(skipped)


def _write_pictures(
    network: Network,
    dataset: ImageSet,
    evaluation: Evaluation,
    folder: Path,
    sizes: tuple[int, int],
) -> dict[str, str]:
    """Draws the samples of note; returns their captions."""
    depth_bins, input_size = sizes
    captions = {}
    for name, number in results.frames_of_note(evaluation.errors_mm).items():
        index = int(evaluation.index[number])
        batch = sample(dataset, index, input_size)
        action = ACTIONS[evaluation.actions[number]]
        captions[name] = (
            f"sample {index}, {action}, {evaluation.errors_mm[number]:.1f} mm"
        )
        figure = sample_figure(
            network, batch, depth_bins, evaluation.readout, f"{name}: {captions[name]}"
        )
        drawing.save(figure, folder / "images" / f"{name}.png")
    return captions


def sample(dataset: ImageSet, index: int, input_size: int) -> dict[str, tf.Tensor]:
    """The batch of one good sample of a data set."""
    good = dataset.good_indices(skip_bad=True)
    place = int(np.flatnonzero(good == index)[0])
    stream = batches(
        dataset, Stream(1, start_step=place, input_size=input_size, skip_bad=True)
    )
    return next(iter(stream))


def sample_figure(
    network: Network,
    batch: Mapping[str, tf.Tensor],
    depth_bins: int,
    chosen: readout.Readout,
    title: str,
) -> Any:
    """Draws a batch's first sample, as `pictures.pose_figure` does.

    A network that normalises by the statistics of the batch sees it alone here.
    """
    outputs = network(batch["image"], training=False)
    heatmap2 = outputs["heatmap2"]
    position = readout.positions(heatmap2, depth_bins, chosen)
    pose_mm = metrics.root_centred(readout.pose_mm(position, batch))
    size = heatmap2.shape[1]
    return pictures.pose_figure(
        batch["image"][0],
        position[0, :, :2],
        pose_mm[0],
        metrics.root_centred(batch["joints_3d_mm"])[0],
        heatmap=outputs["heatmap"][0],
        heatmap2=np.reshape(heatmap2[0], [size, size, -1, depth_bins]),
        title=title,
    )
