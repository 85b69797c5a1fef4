"""Where a training run stands, and the one file that it can be continued from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from human_pose.files.arrays import Shape
from human_pose.files.errors import InputError
from human_pose.files.h5 import read_h5, write_h5
from human_pose.lifting.training.trainer import LiftingTrainer


@dataclass
class Progress:
    """Where a training run stands between two batches.

    Attributes:
      epoch: number of the running epoch, from 0.
      batch: batches of this epoch already taken.
      epoch_error_mm: sum of these batches' errors.
      recent_batches: batches since the last report.
      recent_error_mm: sum of these batches' errors.
    """

    epoch: int = 0
    batch: int = 0
    epoch_error_mm: float = 0.0
    recent_batches: int = 0
    recent_error_mm: float = 0.0

    def add_batch(self, error_mm: float) -> None:
        """Counts one more batch."""
        self.batch += 1
        self.epoch_error_mm += error_mm
        self.recent_batches += 1
        self.recent_error_mm += error_mm

    def end_epoch(self) -> None:
        """Goes to the start of the next epoch."""
        self.epoch += 1
        self.batch = 0
        self.epoch_error_mm = 0.0

    def end_report(self) -> None:
        """Starts the mean since the last report anew."""
        self.recent_batches = 0
        self.recent_error_mm = 0.0

    def is_due(self, every: int) -> bool:
        """Whether the last batch has number 0, `every`, 2 `every`, ... in its epoch."""
        return (self.batch - 1) % every == 0

    @property
    def epoch_mean_mm(self) -> float:
        """Mean error of the batches of this epoch; needs one."""
        return self.epoch_error_mm / self.batch

    @property
    def recent_mean_mm(self) -> float:
        """Mean error of the batches since the last report; needs one."""
        return self.recent_error_mm / self.recent_batches


class TrainingState:
    """Everything that decides how a training goes on, in one file, replaced atomically.

    It holds the parameters, the optimiser's slots and step count, the progress, and the
    conditions under which all this makes sense. The order of the frames needs no state:
    it follows from the seed and the epoch.

    Args:
      path: the file.
      model: compiled; its lifter and optimiser are saved and restored.
      conditions: what must be equal for a run to be continued (JSON values by name).
      progress: saved, and restored in place.
    """

    def __init__(
        self,
        path: Path,
        model: LiftingTrainer,
        conditions: dict[str, Any],
        progress: Progress,
    ) -> None:
        self._path = path
        self._model = model
        self._conditions = conditions
        self._progress = progress

    def save(self) -> None:
        """Writes the file."""
        arrays = {
            "conditions": np.frombuffer(
                json.dumps(self._conditions).encode(), dtype=np.uint8
            ),
            **{name: np.asarray(v) for name, v in vars(self._progress).items()},
            **{name: np.asarray(v) for name, v in self._variables().items()},
        }
        write_h5(self._path, arrays)

    def restore(self) -> None:
        """Reads the file.

        Raises:
          InputError: if it cannot be read or belongs to another kind of run.
        """
        self._check_conditions()
        variables = self._variables()
        shapes: dict[str, Shape] = {
            name: tuple(v.shape) for name, v in variables.items()
        }
        arrays = read_h5(self._path, shapes | dict.fromkeys(vars(self._progress), ()))
        for name, variable in variables.items():
            variable.assign(arrays[name])
        for name, start in vars(self._progress).items():
            setattr(self._progress, name, type(start)(arrays[name]))

    def _variables(self) -> dict[str, Any]:
        slots = enumerate(self._model.optimizer.variables)
        parameters = self._model.lifter.parameters.items()
        return {
            **{f"parameters/{name}": variable for name, variable in parameters},
            **{f"optimizer/{index}": variable for index, variable in slots},
        }

    def _check_conditions(self) -> None:
        text = read_h5(self._path, {"conditions": ("L",)})["conditions"]
        saved = json.loads(text.astype(np.uint8).tobytes())
        for name, value in self._conditions.items():
            if saved.get(name) != value:
                raise InputError(
                    f"{self._path}: the run to resume has {name} = {saved.get(name)}; "
                    f"received {value}"
                )
