"""Frozen configurations of the image network's commands, and what they choose from.

Importing this module loads nothing but the standard library.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from human_pose.datasets.protocol import SPLITS, Split
from human_pose.i1 import curriculum
from human_pose.runs.kinds import Distribution

__all__ = [
    "AUGMENTS",
    "CROP_SIZE_PX",
    "CURRICULA",
    "LOSSES",
    "PRESETS",
    "READOUTS",
    "SPLITS",
    "Augment",
    "ConversionConfig",
    "ImageEvaluationConfig",
    "ImageSampleConfig",
    "ImageTrainingConfig",
    "ManySamplesConfig",
    "Preset",
    "Readout",
]

# Side of what the original cuts out of every picture; inputs are means over it.
CROP_SIZE_PX: Final = 256

Preset = Literal["published", "tiny"]
Readout = Literal["integral", "argmax"]
Augment = Literal["published", "modern", "mild"]
PRESETS: Final = get_args(Preset)
READOUTS: Final = get_args(Readout)
AUGMENTS: Final = get_args(Augment)
CURRICULA: Final = tuple(curriculum.RECIPES)
LOSSES: Final = tuple(curriculum.LOSSES)


@dataclass(frozen=True)
class ImageTrainingConfig:
    """What makes a training run of the image network.

    Attributes:
      data_dir: folder in the layout of `datasets.images`, or of shards.
      split: "corrected" by subject, or the original's literal indices; without effect
        on a prepared set, which has its own.
      recipe: one of `CURRICULA`.
      preset: one of `PRESETS`.
      stage: the only stage to train, or None for all.
      loss: one of `LOSSES` in every stage, or None for each stage's own.
      max_depth_bins: later stages with more are left out; None leaves out none.
      every: only indices that are multiples of this (the original's list has 5).
      check_path: a checkpoint, or Caffe's model, to take weights from by layer name,
        or None.
      learning_rate: None for the stage's own.
      iterations: of each stage; None for its own, in a resumed run for those that it
        was started with.
      batch_size: None for the stage's own.
      augment: one of `AUGMENTS`, see `i1.input.Stream`, or None for the recipe's own.
      accumulate: batches whose gradients are averaged for one update.
      mixed_precision: layers compute in bfloat16.
      jit: compile the step with XLA.
      remat: compute activations anew in the backward pass, for less memory.
      skip_bad: leave out samples that break a rule.
      save_every: updates between two saved states.
      validation_samples: test samples measured every `validate_every` saves.
      validate_every: saves between two validations.
      seed: of weights, order and augmentation.
      resume: go on from the state in the run's folder.
      overwrite: remove an earlier training run from the run's folder first.
      resume_or_start: go on where there is a state, else start.
      distribute: which devices share every batch.
      sync_bn: normalise by the whole batch where devices share it; else by the part
        that each of them has.
      data_service: addresses of tf.data services that make the batches; see
        `i1.input.service`.
    """

    data_dir: Path
    split: Split
    recipe: str
    preset: Preset
    stage: str | None
    loss: str | None
    max_depth_bins: int | None
    every: int
    check_path: Path | None
    learning_rate: float | None
    iterations: int | None
    batch_size: int | None
    augment: Augment | None
    accumulate: int
    mixed_precision: bool
    jit: bool
    remat: bool
    skip_bad: bool
    save_every: int
    validation_samples: int
    validate_every: int
    seed: int
    resume: bool
    overwrite: bool
    resume_or_start: bool = False
    distribute: Distribution = "none"
    sync_bn: bool = True
    data_service: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageEvaluationConfig:
    """What makes an evaluation of the image network.

    Attributes:
      data_dir: see `ImageTrainingConfig`.
      split: see `ImageTrainingConfig`.
      check_path: the `.keras` checkpoint.
      readout: whose errors are stored.
      every: only indices that are multiples of this.
      batch_size: pictures at once; changes results of networks with batch statistics.
      skip_bad: leave out samples that break a rule.
      distribute: "multiworker" shares the batches among processes.
    """

    data_dir: Path
    split: Split
    check_path: Path
    readout: Readout
    every: int
    batch_size: int
    skip_bad: bool
    distribute: Distribution = "none"


@dataclass(frozen=True)
class ConversionConfig:
    """What makes a conversion of Caffe's weights.

    Attributes:
      caffemodel: the file.
      depth_bins: D of its last layer.
      preset: one of `PRESETS`.
      overwrite: replace a checkpoint of that depth in the run's folder.
    """

    caffemodel: Path
    depth_bins: int
    preset: Preset
    overwrite: bool


@dataclass(frozen=True)
class ImageSampleConfig:
    """What makes a sample: one picture of one person.

    Attributes:
      image: the picture.
      check_path: the `.keras` checkpoint.
      box: of the person, x1 y1 x2 y2 px; None takes the whole picture.
      camera: fx fy cx cy px; None takes what the box means (`i1.viewpoint`).
      root_depth_mm: of the hip from the camera; None likewise.
      readout: one of `READOUTS`.
      picture_path: where to save the drawing.
      show: whether to open a window, if there is a screen.
    """

    image: Path
    check_path: Path
    box: tuple[float, float, float, float] | None
    camera: tuple[float, float, float, float] | None
    root_depth_mm: float | None
    readout: Readout
    picture_path: Path
    show: bool

    @property
    def joints_path(self) -> Path:
        """Where to save the joints."""
        return self.picture_path.with_suffix(".csv")


@dataclass(frozen=True)
class ManySamplesConfig:
    """What makes many samples: pictures of one person each, or a video of one.

    Attributes:
      words: that name the pictures (`media.found`); none with a video.
      video: whose frames are taken instead.
      frames: the first of them, and the one after the last.
      check_path: the `.keras` checkpoint.
      box: as of `ImageSampleConfig` for all, or a table of boxes (`media.boxes`).
      camera: as of `ImageSampleConfig`, of all.
      root_depth_mm: likewise.
      readout: one of `READOUTS`.
      out: the folder of the results.
      draw: whether to draw each; None: if they are few.
    """

    words: tuple[str, ...]
    video: Path | None
    frames: slice
    check_path: Path
    box: tuple[float, float, float, float] | Path | None
    camera: tuple[float, float, float, float] | None
    root_depth_mm: float | None
    readout: Readout
    out: Path
    draw: bool | None
