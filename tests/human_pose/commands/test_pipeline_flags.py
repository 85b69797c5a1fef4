import pytest
from absl import flags

from human_pose.commands import flags as settings
from human_pose.files.errors import InputError
from human_pose.pipeline.config import (
    LossWeights,
    Outliers,
    PipelineEvaluationConfig,
    PipelineTrainingConfig,
)


def parse(*arguments):
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    flag_values(["main.py", "--model=pipeline", *arguments])
    return flag_values


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with pictures, a network and a lifter, by their names alone."""
    (tmp_path / "pictures" / "index_range").mkdir(parents=True)
    for name in ("i1.keras", "lifter.npz"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_training_by_its_defaults(folder):
    chosen = settings.pipeline_settings(
        parse("--train=1", "--data_dir=pictures", "--name=joint")
    )
    assert chosen.run_folder.name == "joint"
    assert chosen.task == PipelineTrainingConfig(folder / "pictures")


def test_a_training_by_its_flags(folder):
    chosen = settings.pipeline_settings(
        parse(
            "--train=1", "--data_dir=pictures", "--check_path=i1.keras,lifter.npz",
            "--views=2,0", "--preset=tiny", "--gradients=apart", "--damping=adaptive",
            "--wlr=0.1", "--energy_wlr=0.2", "--network_from=3", "--energy_from=4",
            "--clip=0.5", "--outliers=0.1", "--iterations=7", "--batch_size=6",
            "--save_f=5", "--seed=8", "--loss_3d=0.3", "--loss_network=0.7",
            "--validation_moments=9", "--learned=outlier_px,swaps",
        )
    )  # fmt: skip
    assert chosen.task == PipelineTrainingConfig(
        folder / "pictures",
        check_path=(folder / "i1.keras", folder / "lifter.npz"),
        views=(2, 0),
        preset="tiny",
        gradients="apart",
        damping="adaptive",
        learning_rate=0.1,
        energy_learning_rate=0.2,
        network_from=3,
        energy_from=4,
        clip=0.5,
        outliers=Outliers(0.1),
        iterations=7,
        batch_size=6,
        save_every=5,
        seed=8,
        loss=LossWeights(0.3, 0.7),
        validation_moments=9,
        learned=("outlier_px", "swaps"),
    )


@pytest.mark.parametrize("derivative", ["implicit", "unrolled"])
def test_other_derivatives_have_no_damping(folder, derivative):
    chosen = settings.pipeline_settings(
        parse("--train=1", "--data_dir=pictures", f"--derivative={derivative}")
    )
    assert (chosen.task.derivative, chosen.task.damping) == (derivative, 0.0)


def test_an_evaluation(folder):
    chosen = settings.pipeline_settings(
        parse("--data_dir=pictures", "--check_path=i1.keras", "--views=0,1")
    )
    assert chosen.task == PipelineEvaluationConfig(
        folder / "pictures", (folder / "i1.keras",), views=(0, 1)
    )


def test_an_evaluation_needs_a_checkpoint(folder):
    with pytest.raises(InputError, match="check_path"):
        settings.pipeline_settings(parse("--data_dir=pictures"))


@pytest.mark.parametrize("views", ["a", "0,0", "-1,2"])
def test_views_are_different_cameras(folder, views):
    flag_values = parse("--train=1", "--data_dir=pictures", f"--views={views}")
    with pytest.raises(InputError, match="views must be"):
        settings.pipeline_settings(flag_values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--train=1", "--damping=-1"], "must be 0 or more, or adaptive"),
        (["--train=1", "--damping=some"], "must be 0 or more, or adaptive"),
        (["--train=1", "--damping=nan"], "must be 0 or more, or adaptive"),
        (["--train=1", "--derivative=implicit", "--damping=1"], "belongs to"),
        (["--train=1", "--outliers=2"], "outliers"),
        (["--train=1", "--outliers=nan"], "nan is not a number in the range"),
        (["--train=1", "--clip=nan"], "nan is not a non-negative number"),
        (["--train=1", "--loss_3d=inf"], "inf is not a non-negative number"),
        (["--train=1", "--energy_wlr=nan"], "nan is not a non-negative number"),
        (["--clip=1"], "needs --train=1"),
        (["--model=lifter", "--views=0"], "needs --model=pipeline"),
        (
            ["--model=lifter", "--train=1", "--damping=adaptive"],
            "need --model=pipeline",
        ),
        (["--model=lifter", "--derivative=implicit"], "need --model=pipeline"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(flags.Error, match=message):
        parse(*arguments)
