import itertools

import pytest

from human_pose.files.errors import InputError
from human_pose.i1 import curriculum


def test_stages_are_the_published_ones():
    stages = curriculum.PUBLISHED.stages
    assert [stage.name for stage in stages] == [
        "d4_ada", "d8_ada", "d8_manual", "d16_ada", "d16_manual", "d32_ada", "d64_ada",
        "d64_manual",
    ]  # fmt: skip
    counters = itertools.accumulate(stage.iterations for stage in stages)
    assert list(counters) == [
        160_533, 265_747, 350_433, 434_657, 526_322, 567_946, 600_890, 671_782,
    ]  # fmt: skip
    assert [stage.batch_size for stage in stages] == [3, 2, 2, 2, 2, 2, 2, 2]
    for stage in stages:
        slow = stage.name.endswith("manual")
        assert stage.learning_rate == (5e-6 if slow else 2.5e-5)
        assert stage.name.startswith(f"d{stage.depth_bins}_")
        assert stage.last_layer_std == (0.01 if stage.depth_bins <= 8 else 0.002)


def test_losses_are_the_published_ones():
    losses = {stage.name: stage.loss for stage in curriculum.PUBLISHED.stages}
    assert losses["d4_ada"].names == ("heatmap_2d", "heatmap_3d")
    assert losses["d8_ada"].adaptive == curriculum.TERMS
    assert losses["d8_ada"].euclidean == (("heatmap_3d", 0.1),)
    for name in ("d16_ada", "d32_ada", "d64_ada"):
        assert losses[name] == curriculum.ADAPTIVE_I1
    for name, weight in (("d8_manual", 0.1), ("d16_manual", 0.3), ("d64_manual", 0.08)):
        assert dict(losses[name].euclidean) == {
            "heatmap_2d": 1.0,
            "heatmap_3d": weight,
            "joints_2d": 1.0,
            "depth": 1.0,
        }


def test_an_unknown_stage_is_named_beside_those_there_are():
    with pytest.raises(InputError, match="stage must be one of d4_ada, "):
        curriculum.PUBLISHED.stage("d5")


def test_a_preset_scales_what_the_recipe_says():
    scaling = curriculum.Scaling(
        64,
        2.0,
        {"d4_ada": 9, "d8_ada": 7},
        16,
        max_depth_bins=8,
        initializer="scaled",
        augment="mild",
        schedule="cosine",
        warmup=0.1,
    )
    recipe = curriculum.scaled(curriculum.PUBLISHED, scaling)
    assert [stage.name for stage in recipe.stages] == ["d4_ada", "d8_ada", "d8_manual"]
    assert [stage.iterations for stage in recipe.stages] == [9, 7, 84_686]
    assert [stage.learning_rate for stage in recipe.stages] == [5e-5, 5e-5, 1e-5]
    assert {stage.batch_size for stage in recipe.stages} == {16}
    assert (recipe.initializer, recipe.augment) == ("scaled", "mild")
    assert (recipe.schedule, recipe.warmup) == ("cosine", 0.1)
    assert recipe.stages[1].loss == curriculum.PUBLISHED.stage("d8_ada").loss


def test_without_a_scaling_a_recipe_stays():
    plain = curriculum.Scaling(256)
    for recipe in curriculum.RECIPES.values():
        assert curriculum.scaled(recipe, plain) == recipe
