"""The two experiments: one run with everything that shows it, or a table of many."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import numpy as np
import tensorflow as tf

from human_pose.files.errors import InputError
from human_pose.files.npz import write_npz
from ransac import pictures, table
from ransac.energy import RobustEnergy, estimate
from ransac.files import remove, write_text
from ransac.learning import FIRST_SIGMA, Learner, Outcome, Record, Result, Variant
from ransac.optimizers import OPTIMIZERS
from ransac.problems import (
    PICTURE,
    SETTINGS,
    DrawnStream,
    Problems,
    RecordedStream,
    Stream,
)
from ransac.settings import ToySettings
from ransac.summaries import Summaries, curves

STEPS: Final = 10_000
# The bound of the gradient, and the part of the learning rate, of the table's two
# further variants: other ways to keep the steps small.
CLIP: Final = 10.0
SLOWER: Final = 0.2
# What runs leave beside their settings and curves.
_RUN, _TABLE = "toy_run.npz", "table.md"
_LEARNING, _ENERGY, _LARGE = "learning.png", "energy.png", "energy_large.png"
_CURVES: Final = "logger"
_RESULTS: Final = (_RUN, _TABLE, _LEARNING, _ENERGY, _LARGE)
_SAMPLES: Final = 2000  # of a drawn energy
_MARGIN: Final = 0.05  # of the range of the points, on each side


def learn(chosen: ToySettings) -> None:
    """Learns from one stream with both variants; writes what happened.

    `toy_run.npz` holds σ (before the step), loss, grad, est and outcome, each `[T, 2]`:
    column 0 implicit, column 1 trust region; with `full` also what is learned at the
    end. Beside it go pictures, TensorBoard curves (`logger/`) and `settings.json`. What
    an earlier run left there is removed first.

    Raises:
      InputError: if the stream is no good, shorter than the steps asked for, or what
        the run would replace.
    """
    folder = chosen.run_folder
    variants = _two_variants(chosen)
    stream, steps = _stream(chosen)
    _begin(chosen, steps)
    with Summaries(folder / _CURVES, variants) as summaries:

        def report(done: int, record: Record) -> None:
            print(_progress(variants, done, record), flush=True)
            summaries.write(done, record)

        learner = _learner(chosen, variants)
        result = learner.run([stream], steps, report)
    arrays = {name: entry[:, 0] for name, entry in result.record._asdict().items()}
    further = {name: x[0] for name, x in result.learned.items() if name != "sigma"}
    write_npz(folder / _RUN, arrays | further)
    _draw(chosen, variants, result)
    _tell(variants, result.record)
    print(f"results: {folder}")


def compare(chosen: ToySettings, streams: int) -> None:
    """Learns from several streams at once; prints the table and writes `table.md`.

    What an earlier run left in the folder is removed first.
    """
    steps = chosen.steps or STEPS
    implicit, trust_region = _two_variants(chosen)
    slower = SLOWER * chosen.learning_rate
    variants = [
        variant._replace(name=f"{variant.name}, lr {variant.learning_rate:g}{note}")
        for variant, note in (
            (implicit, ""),
            (trust_region, ""),
            (implicit._replace(clip=CLIP), f", gradient clipped at {CLIP:g}"),
            (trust_region._replace(learning_rate=slower), ""),
        )
    ]
    _begin(chosen, steps)
    learner = _learner(chosen, variants)
    setting = SETTINGS[chosen.setting]
    result = learner.run(
        [DrawnStream(setting, chosen.seed, index) for index in range(streams)],
        steps,
        lambda done, record: print(_progress(variants[:2], done, record), flush=True),
    )
    text = table.compare(variants, result.record)
    write_text(chosen.run_folder / _TABLE, text + "\n")
    _tell(variants, result.record)
    print(text)


def _learner(chosen: ToySettings, variants: Sequence[Variant]) -> Learner:
    optimizer = OPTIMIZERS[chosen.optimizer]
    return Learner(variants, optimizer, full=chosen.full, search=chosen.lbfgs)


def _two_variants(chosen: ToySettings) -> list[Variant]:
    return [
        Variant("implicit", 0.0, chosen.learning_rate),
        Variant("trust region", chosen.damping, chosen.learning_rate),
    ]


def _stream(chosen: ToySettings) -> tuple[Stream, int]:
    """The problems to learn from, and how many."""
    if chosen.stream is None:
        return DrawnStream(SETTINGS[chosen.setting], chosen.seed), chosen.steps or STEPS
    stream = RecordedStream(chosen.stream)
    steps = chosen.steps or stream.length
    if steps > stream.length:
        raise InputError(
            f"{chosen.stream}: holds {stream.length} problems; `steps`={steps} needs "
            f"as many"
        )
    return stream, steps


def _begin(chosen: ToySettings, steps: int) -> None:
    """Writes the settings; results of others, which they do not tell of, go first.

    Raises:
      InputError: if one of these is what is to be replayed, or a file cannot be
        removed or written.
    """
    folder = chosen.run_folder
    for path in (*(folder / name for name in _RESULTS), *curves(folder / _CURVES)):
        if not path.exists():
            continue
        if chosen.stream and path.samefile(chosen.stream):
            rule = f"must be another file than {path}, which the run would replace"
            raise InputError("stream", rule)
        remove(path)
    values = asdict(chosen) | {"steps": steps}
    text = json.dumps(values, indent=2, default=str)
    write_text(folder / "settings.json", text + "\n")


def _progress(variants: Sequence[Variant], done: int, record: Record) -> str:
    parts = [f"step {done:6d}"]
    for column, variant in enumerate(variants):
        sigma = np.abs(record.sigma[-1, :, column]).mean()
        loss = record.loss[..., column].mean()
        gradient = np.abs(record.grad[..., column]).max()
        parts.append(
            f"{variant.name}: |sigma| {sigma:7.3f}, mean loss {loss:7.1f}, "
            f"largest |gradient| {gradient:7.1f}"
        )
    return "; ".join(parts)


def _tell(variants: Sequence[Variant], record: Record) -> None:
    """Says which variants met degenerate problems."""
    for column, variant in enumerate(variants):
        outcome = record.outcome[..., column]
        for kind in list(Outcome)[1:]:
            count = np.sum(outcome == kind)
            if count:
                print(
                    f"{variant.name}: {count} of {outcome.size} problems were "
                    f"{kind.name}: {kind.message}"
                )


def _draw(chosen: ToySettings, variants: Sequence[Variant], result: Result) -> None:
    folder = chosen.run_folder
    pictures.draw_learning(folder / _LEARNING, variants, result.record)
    learned = {name: value[0] for name, value in result.learned.items()}
    stream, _ = _stream(chosen)  # afresh, from its first problem
    large = DrawnStream(PICTURE, chosen.seed)
    for name, problems, end in (
        (_ENERGY, stream.take(1), learned),
        # Weights and shifts belong to the places of the problems they were learned on.
        (_LARGE, large.take(1), {"sigma": learned["sigma"]}),
    ):
        problem = Problems(*(points[0] for points in problems))
        start = {"sigma": np.full(len(variants), FIRST_SIGMA)}
        columns = [
            _views("start", variants, problem, start, chosen.lbfgs),
            _views("end", variants, problem, end, chosen.lbfgs),
        ]
        rows = list(zip(*columns, strict=True))
        pictures.draw_energies(folder / name, problem, variants, rows)


def _views(
    time: str,
    variants: Sequence[Variant],
    problem: Problems,
    learned: dict[str, np.ndarray],
    search: bool,
) -> list[pictures.View]:
    """The energy of each variant with its parameters, `[V, ...]`."""
    points = np.concatenate(problem)
    margin = _MARGIN * np.ptp(points)
    x = np.linspace(points.min() - margin, points.max() + margin, _SAMPLES)
    energy = RobustEnergy(tf.constant(points))
    parameters = {name: tf.constant(value) for name, value in learned.items()}
    damping = tf.constant([variant.damping for variant in variants], tf.float64)
    found = estimate(energy, parameters, damping, search).value.numpy()
    # A further axis in front, for the samples.
    curves = energy(tf.constant(x)[:, None], **parameters).numpy()
    return [
        pictures.View(time, abs(sigma), x, curves[:, column], found[column])
        for column, sigma in enumerate(learned["sigma"])
    ]
