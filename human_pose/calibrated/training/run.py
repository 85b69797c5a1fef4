"""The run that learns a calibrated lifter's weights from recordings and truth."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from tqdm import tqdm

from human_pose.calibrated.checkpoint import NAME, save_lifter
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.session import Session
from human_pose.calibrated.training.clips import Batch, solve, split
from human_pose.calibrated.training.config import WEIGHTS, CalibratedTrainingConfig
from human_pose.calibrated.training.settings import with_settings
from human_pose.calibrated.training.trainer import Best, CalibratedTrainer
from human_pose.exchange.recording import Motion, Recording
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic
from human_pose.runs.divergence import told_in_one_line
from human_pose.runs.folder import RunFolder
from human_pose.runs.lock import locked
from human_pose.runs.tables import markdown
from human_pose.runs.tensorboard import Events

REPORT: Final = "training.md"


def train(
    lifter: CalibratedLifter,
    recording: Recording,
    truth: Motion,
    config: CalibratedTrainingConfig,
    folder: str | os.PathLike[str],
) -> str:
    """Learns from one recording in the config's settings; see `train_on`."""
    pairs = [(changed, truth) for changed in with_settings(recording, config)]
    return train_on(lifter, pairs, config, folder)


def train_on(
    lifter: CalibratedLifter,
    recordings: Sequence[tuple[Recording, Motion]],
    config: CalibratedTrainingConfig,
    folder: str | os.PathLike[str],
) -> str:
    """Learns the lifter's weights, and writes it with `training.md` and curves.

    Each recording, of one person, is measured and lifted once; then the weights are
    learned through the minimisers from there. Nothing is written before all is learned,
    but the curves.

    Args:
      lifter: whose weights are learned; it has them afterwards.
      recordings: with cameras, and their known motion.
      config: which weights, and how.
      folder: of the run.

    Returns:
      The table of errors on held-out clips, before and after.

    Raises:
      InputError: if there is a trained lifter already, the folder cannot be written, a
        weight is unknown, or as of `clips.solve` and `clips.split`.
      FloatingPointError: if the training diverges.
    """
    folder = Path(folder)
    _check(config)
    run = RunFolder(folder)
    run.check_writable()
    run.check_result(NAME, overwrite=config.overwrite)
    with locked(folder, "training"):
        # Another one may have ended in between.
        run.check_result(NAME, overwrite=config.overwrite)
        learned, held = _prepare(lifter, recordings, config)
        result = _fit(lifter, learned, held, config, folder)
        text = _report(result, config, len(learned), len(held))
        # An earlier lifter's report must not stand beside this one.
        (folder / REPORT).unlink(missing_ok=True)
        save_lifter(folder / NAME, lifter)
        with atomic(folder / REPORT) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return "\n".join(_errors_table(result))


@dataclass(frozen=True, eq=False)
class _Result:
    """What a training has done.

    Attributes:
      epoch: the chosen one; 0 is before training.
      epochs: that were trained.
      before: by recording, errors as of `CalibratedTrainer.mean_errors`.
      after: the same by the weights that were chosen.
      old: values of the weights by name.
      new: the same afterwards.
    """

    epoch: int
    epochs: int
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    old: dict[str, np.ndarray]
    new: dict[str, np.ndarray]


def _check(config: CalibratedTrainingConfig) -> None:
    unknown = [name for name in config.learned if name not in WEIGHTS]
    if unknown or not config.learned:
        raise InputError("learned", f"must be of {', '.join(WEIGHTS)}", unknown)


def _prepare(
    lifter: CalibratedLifter,
    recordings: Sequence[tuple[Recording, Motion]],
    config: CalibratedTrainingConfig,
) -> tuple[list[Batch], list[Batch]]:
    session = Session(lifter)
    bar = tqdm(recordings, "lifting", unit="recording", leave=False, disable=None)
    return split([solve(session, *pair) for pair in bar], config)


def _fit(
    lifter: CalibratedLifter,
    learned: list[Batch],
    held: list[Batch],
    config: CalibratedTrainingConfig,
    folder: Path,
) -> _Result:
    trainer = CalibratedTrainer(lifter, learned, config)
    before, old = _by_recording(trainer, held), _values(lifter, config)
    steps = config.epochs * len(learned)
    with (
        Events(folder / "logger") as events,
        tqdm(total=steps, unit="step", leave=False, disable=None) as bar,
    ):

        def tell(epoch: int, errors: np.ndarray) -> None:
            events.write(
                epoch * len(learned),
                {"held_out/sequence_mm": errors[0], "held_out/frame_mm": errors[1]},
                {f"weights/{name}": v for name, v in _values(lifter, config).items()},
            )

        best = Best(held, config.patience, tell)
        try:
            with told_in_one_line(
                lambda: f"after step {int(trainer.optimizer.iterations)}"
            ):
                history = trainer.fit(
                    _Numbers(len(learned), config.seed),
                    epochs=config.epochs,
                    # Keras would do it again, by Python's own generator.
                    shuffle=False,
                    callbacks=[best, _Shown(bar, events)],
                    verbose=0,
                )
        finally:
            best.restore()
    after = _by_recording(trainer, held)
    new = _values(lifter, config)
    return _Result(best.epoch, len(history.epoch), before, after, old, new)


class _Numbers(keras.utils.PyDataset):
    """Numbers of batches, in an order of each epoch's own."""

    def __init__(self, count: int, seed: int) -> None:
        super().__init__()
        self._count, self._rng = count, np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        return (self._order[index : index + 1],)

    def on_epoch_end(self) -> None:
        """Shuffles."""
        self._order = self._rng.permutation(self._count)


class _Shown(keras.callbacks.Callback):
    """Moves the bar, and writes what each step has measured."""

    def __init__(self, bar: tqdm, events: Events) -> None:
        super().__init__()
        self._bar, self._events = bar, events

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Shows and writes."""
        values = {name: float(value) for name, value in logs.items()}
        self._events.write(int(self.model.optimizer.iterations), values)
        self._bar.set_description(f"error {values['loss']:.2f} mm", refresh=False)
        self._bar.update()


def _by_recording(
    trainer: CalibratedTrainer, held: list[Batch]
) -> dict[str, np.ndarray]:
    sources = dict.fromkeys(batch.source for batch in held)
    return {
        f"{number}: {source.name}" if len(sources) > 1 else source.name: (
            trainer.mean_errors([batch for batch in held if batch.source is source])
        )
        for number, source in enumerate(sources)
    }


def _values(
    lifter: CalibratedLifter, config: CalibratedTrainingConfig
) -> dict[str, np.ndarray]:
    return {name: lifter.weight(WEIGHTS[name]).numpy() for name in config.learned}


def _errors_table(result: _Result) -> list[str]:
    head = ["held-out clips of", "sequence before", "after", "frame before", "after"]
    lines = []
    for name, before in result.before.items():
        after = result.after[name]
        values = before[0], after[0], before[1], after[1]
        lines.append([name, *(f"{value:.2f}" for value in values)])
    return [markdown(head, lines)]


def _report(
    result: _Result, config: CalibratedTrainingConfig, learned: int, held: int
) -> str:
    """The report, in Markdown."""
    lines = []
    for name, old in result.old.items():
        if old.size < 50:  # of bases nobody reads the numbers
            new = result.new[name]
            lines.append([name, *(_shown(WEIGHTS[name], v) for v in (old, new))])
    return "\n".join(
        [
            "# Training of a calibrated lifter",
            "",
            f"Mean joint errors, mm. Epoch {result.epoch} of {result.epochs} errs "
            f"least on held-out clips; 0 is before training. {learned} batches were "
            f"learned from, {held} held out.",
            "",
            *_errors_table(result),
            "",
            markdown(["weight", "before", "after"], lines),
            "",
            "```json",
            json.dumps(asdict(config), indent=2),
            "```",
            "",
        ]
    )


def _shown(variable: str, value: np.ndarray) -> str:
    """A weight as it acts, and as it stands in `EnergyConfig` if that has it."""
    if variable == "log_outlier_share":
        value = 1 / (1 + np.exp(-value))
    elif variable == "log_sigma":  # of joints beside each other
        value = np.exp(value - np.mean(value))
    elif variable.startswith("log_"):
        value = np.exp(value)
    if variable in ("log_swaps", "log_shares"):
        value = value / np.sum(value)
    elif variable == "log_lasting":
        value = np.mean(value)
    return " ".join(f"{number:.4g}" for number in np.ravel(value))
