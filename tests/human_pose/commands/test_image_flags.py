"""The flags of `--model=i1`: what they mean, and which exclude each other."""

import re

import pytest
from absl import flags

from human_pose.commands import flags as settings
from human_pose.commands import shell
from human_pose.files.errors import InputError
from human_pose.i1 import curriculum
from human_pose.i1.config import (
    LOSSES,
    ConversionConfig,
    ImageEvaluationConfig,
    ImageTrainingConfig,
)
from human_pose.i1.training.plan import plan


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A current folder with empty image data, a checkpoint and Caffe's weights."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    for name in ("net.keras", "net.caffemodel"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


CONVERSION = ("--convert_caffemodel=net.caffemodel", "--depth_bins=32")


def parse(*arguments):
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    flag_values(["main.py", "--model=i1", *arguments])
    return flag_values


def task(*arguments):
    return settings.image_settings(parse(*arguments)).task


def test_trains_with_the_stages_own_numbers_unless_told(folder):
    chosen = task("--train=1")
    assert isinstance(chosen, ImageTrainingConfig)
    assert chosen.data_dir == folder / "data" / "images"
    assert (chosen.recipe, chosen.preset, chosen.split) == (
        "published", "published", "corrected"
    )  # fmt: skip
    # The lifter's defaults of shared flags do not count.
    assert (chosen.batch_size, chosen.learning_rate, chosen.every) == (None, None, 1)
    chosen = task("--train=1", "--batch_size=4", "--wlr=0.01", "--subsample=5")
    assert (chosen.batch_size, chosen.learning_rate, chosen.every) == (4, 0.01, 5)


def test_a_resumed_run_reads_no_checkpoint(folder):
    assert task("--train=1", "--check_path=net.keras").check_path == (
        folder / "net.keras"
    )
    assert task("--train=1", "--resume", "--check_path=gone.keras").check_path is None


def test_evaluates_a_checkpoint(folder):
    chosen = task("--check_path=net.keras", "--readout=argmax")
    assert chosen == ImageEvaluationConfig(
        data_dir=folder / "data" / "images",
        split="corrected",
        check_path=folder / "net.keras",
        readout="argmax",
        every=1,
        batch_size=2,
        skip_bad=False,
    )
    with pytest.raises(InputError, match="--check_path must name the checkpoint"):
        task()


def test_converts(folder):
    chosen = task(*CONVERSION)
    path = folder / "net.caffemodel"
    assert chosen == ConversionConfig(path, 32, "published", overwrite=False)
    assert task(*CONVERSION, "--overwrite").overwrite


def test_a_conversion_refuses_every_flag_that_it_does_not_use():
    used = {
        "model", "preset", "convert_caffemodel", "depth_bins", "name", "results_dir",
        "overwrite",
    }  # fmt: skip
    known = parse()
    for name in set(known) - used:
        flag = known[name]
        value = flag.default if flag.default is not None else 1
        if getattr(flag.parser, "enum_values", None):
            value = flag.parser.enum_values[0]
        with pytest.raises(
            flags.IllegalFlagValueError, match=f"--{name} (needs|has no effect beside)"
        ):
            parse(*CONVERSION, f"--{name}={value}")


def test_says_how_to_make_the_data(folder):
    (folder / "data" / "images").rename(folder / "elsewhere")
    with pytest.raises(InputError, match=r"set.sh data --images"):
        task("--train=1", "--data_dir=gone")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metric=1"], "--metric needs --model=lifter"),
        (["--curriculum=modern"], "--curriculum needs --train=1"),
        (["--seed=1"], "--seed needs --train=1"),
        (["--preset=tiny"], "--preset needs --train=1"),
        (["--train=1", "--readout=argmax"], "--readout has no effect beside --train=1"),
        (["--convert_caffemodel=x"], "need each other"),
        (["--depth_bins=4"], "need each other"),
        (["--preset=huge"], "preset"),
        (["--train=1", "--accumulate=0"], "accumulate"),
    ],
)
def test_refuses_flags_without_effect(arguments, message):
    with pytest.raises(flags.IllegalFlagValueError, match=message):
        parse(*arguments)


def test_the_lifter_refuses_the_image_networks_flags():
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    with pytest.raises(flags.IllegalFlagValueError, match="--jit needs --model=i1"):
        flag_values(["main.py", "--jit"])


def test_names_of_losses_and_recipes_are_those_there_are():
    assert tuple(curriculum.LOSSES) == LOSSES
    for recipe in curriculum.RECIPES:
        for preset in ("published", "tiny"):
            assert (recipe, preset) in curriculum.SCALINGS


def test_the_plan_of_a_preset_keeps_losses_and_order():
    chosen = plan(
        task("--train=1", "--preset=tiny", "--depth_limit=8", "--batch_size=3")
    )
    published = curriculum.PUBLISHED.stages[:3]
    assert [s.name for s in chosen.recipe.stages] == [s.name for s in published]
    assert [s.loss for s in chosen.recipe.stages] == [s.loss for s in published]
    scaling = curriculum.SCALINGS["published", "tiny"]
    for stage, source in zip(chosen.recipe.stages, published, strict=True):
        assert stage.batch_size == 3
        assert stage.learning_rate == source.learning_rate * scaling.learning_rate
        assert stage.iterations == scaling.iterations[source.name]
    assert chosen.input_size == scaling.input_size
    assert chosen.recipe.augment == scaling.augment == "mild"


@pytest.fixture
def prepared(folder):
    """Three prepared sets, one of them alone of its name."""
    for name in ("h36m/one/1.0.0", "h36m/two/1.0.0", "drawn/1.0.0"):
        path = folder / "data" / name
        path.mkdir(parents=True)
        (path / "x-train.tfrecord-00000-of-00001").touch()
    return folder / "data"


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["--dataset=drawn"], "drawn/1.0.0"),
        (["--dataset=h36m/one"], "h36m/one/1.0.0"),
        (["--dataset=h36m/two:1.0.0", "--data_dir=data"], "h36m/two/1.0.0"),
        (["--data_dir=data/h36m/two/1.0.0"], "h36m/two/1.0.0"),
        (["--data_dir=data/drawn"], "drawn/1.0.0"),
        (["--data_dir=data/images", "--split=published"], "images"),
    ],
)
def test_finds_prepared_sets(prepared, arguments, place):
    for words in (["--train=1"], ["--check_path=net.keras"]):
        assert task(*words, *arguments).data_dir == prepared / place


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--dataset=h36m"],
            "^--dataset must be one of h36m/one:1.0.0, h36m/two:1.0.0",
        ),
        (["--dataset=other"], "^--dataset must be a prepared set; .* 'other'$"),
        (["--data_dir=data/h36m"], "^--data_dir must hold one prepared set, not one:1"),
        (["--dataset=drawn", "--split=corrected"], "^--split is for the original's la"),
    ],
)
def test_prepared_sets_are_named_clearly(prepared, arguments, message):
    flag_values = parse("--train=1", *arguments)
    with pytest.raises(InputError) as error:
        settings.image_settings(flag_values)
    assert re.search(message, shell.said_in_flags(error.value, flag_values))


def test_batches_may_come_from_services():
    assert task("--train=1").data_service == ()
    chosen = task("--train=1", "--data_service=grpc://a:1,grpc://b:2")
    assert chosen.data_service == ("grpc://a:1", "grpc://b:2")
