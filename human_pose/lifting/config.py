"""Frozen configurations: what a lifter, a training and an evaluation are made from.

The commands fill them from their flags (`human_pose/commands`); the modules that do the
work take them and know no flag. Importing this module loads nothing but the standard
library.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from human_pose.runs.kinds import Distribution

Solver = Literal["huber", "l2"]
Derivative = Literal["trust_region", "unrolled"]
Evidence = Literal["published", "full"]
Dtype = Literal["float64", "float32"]

# Sizes of the mixtures that `model_parameters.h5` holds.
MODEL_COUNTS: Final = (3, 6, 10)
DERIVATIVES: Final = get_args(Derivative)
EVIDENCES: Final = get_args(Evidence)
DTYPES: Final = get_args(Dtype)
# 0: Procrustes-aligned over 14 joints, 1: over 17, 2: without alignment.
METRICS: Final = (0, 1, 2)


@dataclass(frozen=True)
class LifterConfig:
    """What makes a lifter.

    Attributes:
      models: mixture components, one of `MODEL_COUNTS`.
      solver: the pseudo-Huber energy, or least squares.
      derivative: one of `DERIVATIVES`.
      damping: λ ≥ 0 of the trust-region derivative.
      dtype: one of `DTYPES`.
      mixture_path: `model_parameters.h5`.
      cameras_path: `avg_cameras.h5`.
      check_path: a checkpoint to load, or None for the default parameters.
      as_published: `hl_params` and `ir_reg` stay 1 when the checkpoint is loaded.
      evidence: one of `EVIDENCES`, by which the mixture's components weigh.
    """

    models: int
    solver: Solver
    derivative: Derivative
    damping: float
    dtype: Dtype
    mixture_path: Path
    cameras_path: Path
    check_path: Path | None
    as_published: bool
    evidence: Evidence = "published"


@dataclass(frozen=True)
class TrainingConfig:
    """What makes a training run.

    Attributes:
      input_path: pose file with the training frames, or folder of a prepared set.
      subsample: every how many frames one is used.
      metric: one of `METRICS`, the loss.
      learning_rate: Adam's, > 0.
      batch_size: frames in a batch; the last batch of an epoch may be shorter.
      epochs: in all, those before a `resume` included.
      save_every: batches between two reports, checkpoints and saved states.
      shuffle: whether each epoch draws a new order of the frames.
      seed: of that order.
      resume: go on from the state saved in the run's folder.
      overwrite: remove an earlier training run from the run's folder first.
      resume_or_start: go on where there is a state, else start.
      distribute: which devices share every batch.
    """

    input_path: Path
    subsample: int
    metric: int
    learning_rate: float
    batch_size: int
    epochs: int
    save_every: int
    shuffle: bool
    seed: int
    resume: bool
    overwrite: bool
    resume_or_start: bool = False
    distribute: Distribution = "none"


@dataclass(frozen=True)
class LiftingConfig:
    """What makes a lifting of detections without truth.

    Attributes:
      recording_path: a file or folder of detections, of any known format.
      subsample: every how many frames one is used.
      batch_size: frames lifted at once.
    """

    recording_path: Path
    subsample: int
    batch_size: int


@dataclass(frozen=True)
class EvaluationConfig:
    """What makes an evaluation.

    Attributes:
      data_dir: folder with `testing/`, or of a prepared set.
      subsample: every how many frames of each file or take one is used.
      metric: one of `METRICS`, the error stored frame by frame.
      batch_size: frames lifted at once.
      distribute: "multiworker" shares the frames among processes.
    """

    data_dir: Path
    subsample: int
    metric: int
    batch_size: int
    distribute: Distribution = "none"
