"""The stages of a training as data: what each optimises, how long, and how fast.

The published curriculum (int-3dhuman-I1, solver and training files) trains eight stages
in turn, each from the weights of the one before; with the depth only the last layer
changes, and starts anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from human_pose.files.errors import InputError

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
    """A weighted sum of terms; one term may stand in several parts.

    Attributes:
      adaptive: terms of the adaptive-weight loss, each divided by its mean error.
      euclidean: weights of the terms of the Euclidean loss, by name.
      absolute: weights of the terms of the sum of absolute errors, by name.
    """

    adaptive: tuple[str, ...] = ()
    euclidean: tuple[tuple[str, float], ...] = ()
    absolute: tuple[tuple[str, float], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The terms needed, in the order of `TERMS`."""
        used = {*self.adaptive, *dict(self.euclidean), *dict(self.absolute)}
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
      last_layer_std: of the new last layer's weights, N(0, std²).
    """

    name: str
    depth_bins: int
    loss: LossTerms
    learning_rate: float
    iterations: int
    batch_size: int
    last_layer_std: float


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
      initializer: of the first stage's weights, see `build_network`.
      peak: where heatmap labels peak, see `targets`.
      augment: see `datasets.images`.
      sampling: see `datasets.images`.
      weight_decay: AdamW's.
      warmup: part of a stage in which the rate of a cosine rises from 0.
    """

    name: str
    stages: tuple[Stage, ...]
    optimizer: Literal["rmsprop", "adamw"]
    schedule: Literal["constant", "cosine"]
    gradient: Literal["published", "true"]
    batch_norm: Literal["batch", "moving"]
    initializer: Literal["published", "scaled"]
    peak: Literal["published", "unbiased"]
    augment: Literal["published", "modern", "mild"]
    sampling: Literal["replacement", "epochs"]
    weight_decay: float = 0.0
    warmup: float = 0.0

    def stage(self, name: str) -> Stage:
        """The stage of that name.

        Raises:
          InputError: listing the stages, if there is none.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = ", ".join(stage.name for stage in self.stages)
        rule = f"must be one of {names} ({self.name} curriculum)"
        raise InputError("stage", rule, name)


# Iterations are the differences of the published counters (0, 160,533, 265,747, ...);
# the rates are those in force, after the steps that two solver files place before the
# stage's own start. d8_ada alone has a fifth pair, and a Euclidean term left over. The
# last layer of a manual stage is loaded, whatever its filler (d64_manual's is 0.001).
PUBLISHED: Final = Recipe(
    name="published",
    stages=(
        Stage("d4_ada", 4, ADAPTIVE_H1, 2.5e-5, 160_533, 3, 0.01),
        Stage(
            "d8_ada",
            8,
            LossTerms((*_ALL, STAGE_1_JOINTS_2D), ((HEATMAP_3D, 0.1),)),
            2.5e-5,
            105_214,
            2,
            0.01,
        ),
        Stage("d8_manual", 8, manual(0.1), 5e-6, 84_686, 2, 0.01),
        Stage("d16_ada", 16, ADAPTIVE_I1, 2.5e-5, 84_224, 2, 0.002),
        Stage("d16_manual", 16, manual(0.3), 5e-6, 91_665, 2, 0.002),
        Stage("d32_ada", 32, ADAPTIVE_I1, 2.5e-5, 41_624, 2, 0.002),
        Stage("d64_ada", 64, ADAPTIVE_I1, 2.5e-5, 32_944, 2, 0.002),
        Stage("d64_manual", 64, manual(0.08), 5e-6, 70_892, 2, 0.002),
    ),
    optimizer="rmsprop",
    schedule="constant",
    gradient="published",
    batch_norm="batch",
    initializer="published",
    peak="published",
    augment="published",
    sampling="replacement",
)

# With the true gradient of the softmax the readout's terms are lost beside heatmaps of
# weight 1, whose sums run over all voxels; at 0.01 both have a few parts of the loss.
_READOUT: Final = ((JOINTS_2D, 1.0), (DEPTH, 1.0))
BALANCED: Final = LossTerms(
    euclidean=((HEATMAP_2D, 0.01), (HEATMAP_3D, 0.01)), absolute=_READOUT
)

# For today's user (docs/i1.md): no stage of few depth bins, whose readout says little
# about depth, and every stage ends with a small learning rate.
MODERN: Final = Recipe(
    name="modern",
    stages=(
        Stage("d16", 16, BALANCED, 5e-4, 100_000, 8, 0.002),
        Stage("d64", 64, BALANCED, 5e-4, 100_000, 8, 0.002),
    ),
    optimizer="adamw",
    schedule="cosine",
    gradient="true",
    batch_norm="moving",
    initializer="scaled",
    peak="unbiased",
    augment="modern",
    sampling="epochs",
    weight_decay=1e-2,
    warmup=0.05,
)

RECIPES: Final[Mapping[str, Recipe]] = {
    recipe.name: recipe for recipe in (PUBLISHED, MODERN)
}

# Losses by name, to put in the place of every stage's own.
LOSSES: Final[Mapping[str, LossTerms]] = {
    "adaptive_h1": ADAPTIVE_H1,
    "adaptive_i1": ADAPTIVE_I1,
    "manual": manual(0.1),
    "heatmap": LossTerms(euclidean=((HEATMAP_2D, 1.0), (HEATMAP_3D, 1.0))),
    "integral": LossTerms(absolute=_READOUT),
    "balanced": BALANCED,
}


@dataclass(frozen=True)
class Scaling:
    """What a preset makes of a recipe's stages.

    Attributes:
      input_size: of the network, px.
      learning_rate: factor.
      iterations: of stages by name; the others keep their own.
      batch_size: of every stage, or None for its own.
      initializer: in the place of the recipe's, or None.
      augment: in the place of the recipe's, or None.
      schedule: in the place of the recipe's, or None.
      warmup: in the place of the recipe's, or None.
      max_depth_bins: stages with more are left out, or None.
      steps_per_execution: the most that Keras runs in one call; more spare a small
        network's time between steps, and none of a large one's.
    """

    input_size: int
    learning_rate: float = 1.0
    iterations: Mapping[str, int] = field(default_factory=dict)
    batch_size: int | None = None
    max_depth_bins: int | None = None
    initializer: Literal["published", "scaled"] | None = None
    augment: Literal["published", "modern", "mild"] | None = None
    schedule: Literal["constant", "cosine"] | None = None
    warmup: float | None = None
    steps_per_execution: int = 1


SCALINGS: Final[Mapping[tuple[str, str], Scaling]] = {
    ("published", "published"): Scaling(256),
    ("modern", "published"): Scaling(256),
    # Found by a few trials: what two CPU cores do in less than 20 minutes. The original
    # starts from a network trained on MPII, which the tiny one has not; its mirrored
    # people, whose left and right depths are exchanged, would leave an error of 88 mm
    # to the best network on the embedded pictures; their depths want 16 bins; and its
    # rates, constant for 10^5 updates, must fall within 10^4.
    ("published", "tiny"): Scaling(
        64,
        learning_rate=80.0,
        iterations={
            "d4_ada": 500,
            "d8_ada": 500,
            "d8_manual": 100,
            "d16_ada": 10_000,
            "d16_manual": 800,
        },
        batch_size=32,
        max_depth_bins=16,
        initializer="scaled",
        augment="mild",
        schedule="cosine",
        warmup=0.05,
        steps_per_execution=10,
    ),
    ("modern", "tiny"): Scaling(
        64, 6.0, {"d16": 10_000}, 32, 16, steps_per_execution=10
    ),
}


def scaled(recipe: Recipe, scaling: Scaling) -> Recipe:
    """A recipe whose stages are as a preset needs them."""
    stages = (
        replace(
            stage,
            learning_rate=stage.learning_rate * scaling.learning_rate,
            iterations=scaling.iterations.get(stage.name, stage.iterations),
            batch_size=scaling.batch_size or stage.batch_size,
        )
        for stage in recipe.stages
        if stage.depth_bins <= (scaling.max_depth_bins or stage.depth_bins)
    )
    return replace(
        recipe,
        stages=tuple(stages),
        **{
            name: getattr(scaling, name)
            for name in ("initializer", "augment", "schedule", "warmup")
            if getattr(scaling, name) is not None
        },
    )
