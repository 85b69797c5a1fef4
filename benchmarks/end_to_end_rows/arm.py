"""One way to train, from one start, over several seeds."""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from end_to_end_rows.moments import Moments
from human_pose.pipeline.config import PipelineTrainingConfig
from human_pose.pipeline.training.run import make_trainer
from human_pose.pipeline.training.trainer import PipelineTrainer

_TEST_BATCH = 16
# A person that is so far off was lost.
_LOST_MM = 1000.0


@dataclass
class Outcome:
    """What one seed of an arm has come to.

    Attributes:
      arm: its name.
      seed: of the order of the moments.
      before_mm: MPJPE of the test moments, about the hip, before.
      after_mm: the same afterwards; NaN if it diverged.
      absolute_mm: afterwards, without alignment.
      diverged: whether a loss was not finite, or the test's people were lost.
      largest_gradient: of a moment's loss by its detections, 1 / px.
      gradient: its mean over moments.
      step_ms: median time of an update.
      settings: of the training.
    """

    arm: str
    seed: int
    before_mm: float
    after_mm: float
    absolute_mm: float
    diverged: bool
    largest_gradient: float
    gradient: float
    step_ms: float
    settings: dict[str, Any]


class Arm:
    """A trainer that starts anew for every seed; its graphs are traced once."""

    def __init__(
        self, name: str, config: PipelineTrainingConfig, train: Moments, test: Moments
    ) -> None:
        self.name, self.config = name, config
        self._train, self._test = train, test
        self.trainer: PipelineTrainer = make_trainer(config)
        self._start = [np.array(v) for v in self.trainer.state_variables]
        self._step = tf.function(self.trainer.train_step, autograph=False)
        self._measure = tf.function(self.trainer.test_step, autograph=False)
        self._before: tuple[float, float] | None = None

    def run(self, seed: int) -> Outcome:
        """Trains once from the start."""
        config, trainer = self.config, self.trainer
        for variable, value in zip(trainer.state_variables, self._start, strict=True):
            variable.assign(value)
        if self._before is None:
            self._before = self.test()
        trainer.take_largest_gradient()
        batches = self._train.shuffled(config.batch_size, config.views, seed)
        times, gradients, lost = [], [], False
        for _, batch in zip(range(config.iterations), batches, strict=False):
            started = time.perf_counter()
            logs = self._logged(self._step, [batch])
            times.append(time.perf_counter() - started)
            gradients.append(logs["gradient_detections"])
            if not np.isfinite(logs["loss"]):
                lost = True
                break
        after, absolute = self.test()
        lost = lost or not after < _LOST_MM
        return Outcome(
            self.name,
            seed,
            self._before[0],
            float("nan") if lost else after,
            absolute,
            lost,
            trainer.take_largest_gradient(),
            float(np.mean(gradients)),
            1e3 * float(np.median(times)),
            {k: str(v) for k, v in asdict(config).items()},
        )

    def test(self) -> tuple[float, float]:
        """Errors of the test moments, about the hip and absolute."""
        logs = self._logged(
            self._measure, self._test.in_order(_TEST_BATCH, self.config.views)
        )
        return logs["mpjpe_mm"], logs["joints_3d_mm"]

    def _logged(self, step: Any, batches: Iterable[Any]) -> dict[str, float]:
        """Means over batches."""
        found: dict[str, Any] = {}
        for metric in self.trainer.metrics:
            metric.reset_state()
        for batch in batches:
            found = step(batch)
        return {name: float(value) for name, value in found.items()}
