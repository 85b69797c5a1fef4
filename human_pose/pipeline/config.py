"""Settings of the pipeline's training and evaluation, each number with its origin.

"Dev" are numbers chosen on rendered training subjects. Importing this module loads
nothing but the standard library.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar, get_args

from human_pose.calibrated.config import DERIVATIVES, Damping, Derivative
from human_pose.datasets.protocol import Split
from human_pose.files.errors import InputError
from human_pose.i1.config import Preset

__all__ = [
    "DERIVATIVES",
    "GRADIENTS",
    "LEARNED",
    "LossWeights",
    "Outliers",
    "PipelineEvaluationConfig",
    "PipelineTrainingConfig",
]

_T = TypeVar("_T")

# Whether the error of the 3D joints reaches the network, or its readout and the energy
# alone; then the network has its own loss only.
Gradients = Literal["joint", "apart"]
GRADIENTS: Final = get_args(Gradients)

# Weights of the energy that pictures determine, names of
# `calibrated.training.config.WEIGHTS`: those of detections and of single frames. σ and
# what lasts have their say in the readout, and the prior's bases are thousands.
LEARNED: Final = (
    "outlier_share",
    "outlier_px",
    "frame_prior",
    "prior_freedom",
    "bone_mm",
    "tilt_rad",
    "swaps",
)


@dataclass(frozen=True)
class LossWeights:
    """The loss: a sum of its parts times these.

    Attributes:
      joints_3d: of the mean distance of joints from the truth, per mm (dev; 0.02 gains
        less).
      network: of the network's own loss, `curriculum.BALANCED`: heatmaps at 0.01 and
        2D joints and depths of each view at 1.
    """

    joints_3d: float = 0.1
    network: float = 1.0


@dataclass(frozen=True)
class Outliers:
    """Detections that are put elsewhere, as real detectors do now and then.

    Attributes:
      share: of the detections.
      nearest_px: least distance from where they were, px of the camera's frame.
      farthest_px: largest distance; the range of `datasets.synthetic`'s detector,
        doubled: people fill these frames' pictures.
    """

    share: float = 0.0
    nearest_px: float = 40.0
    farthest_px: float = 160.0


@dataclass(frozen=True)
class PipelineTrainingConfig:
    """What makes a training run of the pipeline.

    Attributes:
      data_dir: folder of pictures in the layout of `datasets.images`.
      split: see `i1.config.ImageTrainingConfig`.
      views: numbers of the cameras, from 0.
      preset: of the network, where it starts anew.
      check_path: a pipeline; or an image network, and a calibrated lifter's file; or
        nothing: what is missing starts anew.
      gradients: one of `GRADIENTS`.
      derivative: of the minimiser, one of `calibrated.config.DERIVATIVES`.
      damping: λ of the trust region, 1 / mm² beside joints in mm (dev: 3e-4 to 3e-3 are
        within two seeds' difference, 1e-2 learns less); or "adaptive".
      loss: see `LossWeights`.
      learned: names of the energy's weights; None for the head's own choice, of a
        calibrated lifter `LEARNED`.
      learning_rate: AdamW's, of the network (dev).
      energy_learning_rate: Adam's, of the logarithms of the readout's and the energy's
        weights (dev).
      network_from: update with which the network begins to learn; later than the last
        one keeps it as it is. Until then its batch statistics stay, too, and serve.
      energy_from: the same of the readout and the energy.
      clip: largest norm of each moment's gradient by its detections, of the loss per
        px; None for none.
      outliers: see `Outliers`.
      iterations: updates.
      batch_size: moments in a batch.
      skip_bad: leave out samples that break a rule.
      parameters_dir: folder of the published lifter's parameters, where it is a part.
      save_every: updates between two saved states.
      validation_moments: of the test subjects, measured with every saved state.
      seed: of the order of the moments.
      resume: go on from the state in the run's folder.
      overwrite: remove an earlier training run from the run's folder first.
      resume_or_start: go on where there is a state, else start.
    """

    data_dir: Path
    split: Split = "corrected"
    views: tuple[int, ...] = (0, 1, 2, 3)
    preset: Preset = "published"
    check_path: tuple[Path, ...] = ()
    gradients: Gradients = "joint"
    derivative: Derivative = "trust_region"
    damping: Damping = 1e-3
    loss: LossWeights = LossWeights()
    learned: tuple[str, ...] | None = None
    learning_rate: float = 1e-3
    energy_learning_rate: float = 0.02
    network_from: int = 0
    energy_from: int = 0
    clip: float | None = None
    outliers: Outliers = Outliers()
    iterations: int = 2_000
    batch_size: int = 8
    skip_bad: bool = False
    parameters_dir: Path = Path("data")
    save_every: int = 200
    validation_moments: int = 64
    seed: int = 0
    resume: bool = False
    overwrite: bool = False
    resume_or_start: bool = False


@dataclass(frozen=True)
class PipelineEvaluationConfig:
    """What makes an evaluation of a pipeline.

    Attributes:
      data_dir: see `PipelineTrainingConfig`.
      split: see there.
      views: see there.
      check_path: the pipeline, or the parts of one; see there.
      batch_size: moments at once.
      outliers: see `Outliers`.
      seed: of the outliers.
      skip_bad: leave out samples that break a rule.
      parameters_dir: see there.
    """

    data_dir: Path
    check_path: tuple[Path, ...]
    split: Split = "corrected"
    views: tuple[int, ...] = (0, 1, 2, 3)
    batch_size: int = 16
    outliers: Outliers = Outliers()
    seed: int = 0
    skip_bad: bool = False
    parameters_dir: Path = Path("data")


def chosen_of(
    known: Mapping[str, _T], names: Sequence[str] | None, default: Sequence[str]
) -> list[_T]:
    """What names mean.

    Args:
      known: everything by name.
      names: those wanted; None for the default ones.
      default: names of `known`.

    Raises:
      InputError: for an unknown name, or one that is there twice.
    """
    names = default if names is None else names
    if len(set(names)) < len(names):
        # An optimiser would take two steps of it in each update.
        raise InputError("learned", "must name each weight once", ", ".join(names))
    for name in names:
        if name not in known:
            raise InputError("learned", f"must be of {', '.join(known)}", name)
    return [known[name] for name in names]
