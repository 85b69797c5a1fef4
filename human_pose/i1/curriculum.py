"""The stages of a training as data: what each optimises, how long, and how fast.

The published curriculum (int-3dhuman-I1, solver and training files) trains eight stages
in turn, each from the weights of the one before; with the depth only the last layer
changes, and starts anew.
"""

from dataclasses import dataclass
from typing import Final, Literal

from human_pose.files import InputError

# What a loss can compare, by the names of the logs.
HEATMAP_2D: Final = "heatmap_2d"
HEATMAP_3D: Final = "heatmap_3d"
JOINTS_2D: Final = "joints_2d"
DEPTH: Final = "depth"
STAGE_1_JOINTS_2D: Final = "stage_1_joints_2d"
TERMS: Final = (HEATMAP_2D, HEATMAP_3D, JOINTS_2D, DEPTH, STAGE_1_JOINTS_2D)

_HEATMAPS: Final = (HEATMAP_2D, HEATMAP_3D)
_ALL: Final = (HEATMAP_2D, HEATMAP_3D, JOINTS_2D, DEPTH)


@dataclass(frozen=True)
class LossTerms:
    """A weighted sum of terms; one term may stand in both parts.

    Attributes:
      adaptive: terms of the adaptive-weight loss, each divided by its mean error.
      euclidean: weights of the terms of the Euclidean loss, by name.
    """

    adaptive: tuple[str, ...] = ()
    euclidean: tuple[tuple[str, float], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The terms needed, in the order of `TERMS`."""
        used = {*self.adaptive, *dict(self.euclidean)}
        return tuple(name for name in TERMS if name in used)


ADAPTIVE_H1: Final = LossTerms(adaptive=_HEATMAPS)
ADAPTIVE_I1: Final = LossTerms(adaptive=_ALL)


def manual(heatmap_3d: float) -> LossTerms:
    """The regime "Manual": every term has weight 1 but the volumetric heatmap."""
    weights = ((HEATMAP_2D, 1.0), (HEATMAP_3D, heatmap_3d))
    return LossTerms(euclidean=(*weights, (JOINTS_2D, 1.0), (DEPTH, 1.0)))


@dataclass(frozen=True)
class Stage:
    """One stage of a curriculum.

    Attributes:
      name: as users give it.
      depth_bins: D of the volumetric heatmap.
      loss: what is minimised.
      learning_rate: at its start.
      iterations: steps of the optimiser.
      batch_size: images in a step.
    """

    name: str
    depth_bins: int
    loss: LossTerms
    learning_rate: float
    iterations: int
    batch_size: int


@dataclass(frozen=True)
class Recipe:
    """A curriculum and everything else that its stages share.

    Attributes:
      name: as users give it.
      stages: in order.
      optimizer: "rmsprop" as Caffe's (`CaffeRMSProp`), or AdamW.
      schedule: of the learning rate within a stage.
      gradient: of the softmax, see `volume.softmax`.
      batch_norm: what normalises at test time, see `build_network`.
      peak: where heatmap labels peak, see `targets`.
      augment: see `datasets.images`.
      weight_decay: AdamW's.
    """

    name: str
    stages: tuple[Stage, ...]
    optimizer: Literal["rmsprop", "adamw"]
    schedule: Literal["constant", "cosine"]
    gradient: Literal["published", "true"]
    batch_norm: Literal["batch", "moving"]
    peak: Literal["published", "unbiased"]
    augment: Literal["published", "modern"]
    weight_decay: float = 0.0

    def stage(self, name: str) -> Stage:
        """The stage of that name.

        Raises:
          InputError: listing the stages, if there is none.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = ", ".join(stage.name for stage in self.stages)
        raise InputError(
            f"--stage must be one of {names} ({self.name} curriculum); received {name}"
        )


# Iterations are the differences of the published counters (0, 160,533, 265,747, ...);
# the rates are those in force, after the steps that two solver files place before the
# stage's own start. d8_ada alone has a fifth pair, and a Euclidean term left over.
PUBLISHED: Final = Recipe(
    name="published",
    stages=(
        Stage("d4_ada", 4, ADAPTIVE_H1, 2.5e-5, 160_533, 3),
        Stage(
            "d8_ada",
            8,
            LossTerms((*_ALL, STAGE_1_JOINTS_2D), ((HEATMAP_3D, 0.1),)),
            2.5e-5,
            105_214,
            2,
        ),
        Stage("d8_manual", 8, manual(0.1), 5e-6, 84_686, 2),
        Stage("d16_ada", 16, ADAPTIVE_I1, 2.5e-5, 84_224, 2),
        Stage("d16_manual", 16, manual(0.3), 5e-6, 91_665, 2),
        Stage("d32_ada", 32, ADAPTIVE_I1, 2.5e-5, 41_624, 2),
        Stage("d64_ada", 64, ADAPTIVE_I1, 2.5e-5, 32_944, 2),
        Stage("d64_manual", 64, manual(0.08), 5e-6, 70_892, 2),
    ),
    optimizer="rmsprop",
    schedule="constant",
    gradient="published",
    batch_norm="batch",
    peak="published",
    augment="published",
)
