import re

import pytest
from absl import flags

from human_pose.commands import flags as settings
from human_pose.commands import shell
from human_pose.files.errors import InputError
from human_pose.files.paths import PROJECT_ROOT
from human_pose.lifting.config import EvaluationConfig, TrainingConfig


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder that holds `data/` with empty files of the right names."""
    (tmp_path / "data" / "testing").mkdir(parents=True)
    for name in ("train_sh.h5", "model_parameters.h5", "avg_cameras.h5"):
        (tmp_path / "data" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parse(*arguments):
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    flag_values(["main.py", *arguments])
    return flag_values


def main_settings(*arguments):
    return settings.main_settings(parse(*arguments))


def test_defaults_are_the_originals(folder):
    values = parse().flag_values_dict()
    originals = {
        "wlr": 5e-2,
        "batch_size": 4,
        "train": False,
        "epochs": 20,
        "metric": 2,
        "models": 3,
        "input_path": "data/train_sh.h5",
        "check_path": None,
        "save_f": 100,
        "name": "New_test",
        "l2_solver": False,
    }
    assert {name: values[name] for name in originals} == originals


def test_evaluates_by_default(folder):
    chosen = main_settings()
    assert chosen.run_folder == folder / "results" / "New_test"
    assert chosen.task == EvaluationConfig(
        data_dir=folder / "data", subsample=5, metric=2, batch_size=4
    )
    assert chosen.lifter.mixture_path == folder / "data" / "model_parameters.h5"
    assert chosen.lifter.check_path is None
    assert (chosen.lifter.solver, chosen.lifter.dtype) == ("huber", "float64")
    assert (chosen.lifter.derivative, chosen.lifter.damping) == ("trust_region", 0)


@pytest.mark.parametrize("spelling", ["--train", "--train=1", "--train=True"])
def test_trains_on_request(folder, spelling):
    task = main_settings(spelling, "--epochs=3", "--noshuffle").task
    assert task == TrainingConfig(
        input_path=folder / "data" / "train_sh.h5",
        subsample=5,
        metric=2,
        learning_rate=0.05,
        batch_size=4,
        epochs=3,
        save_every=100,
        shuffle=False,
        seed=0,
        resume=False,
        overwrite=False,
    )


@pytest.mark.parametrize("spelling", ["--train=False", "--train=0", "--notrain"])
def test_false_means_false(folder, spelling):
    assert isinstance(main_settings(spelling).task, EvaluationConfig)


def test_l2_solver(folder):
    assert main_settings("--l2_solver=1").lifter.solver == "l2"
    assert main_settings("--l2_solver=False").lifter.solver == "huber"


@pytest.mark.parametrize("words", [[], ["--train"], ["--lift=data/train_sh.h5"]])
def test_evidence(folder, words):
    assert main_settings(*words).lifter.evidence == "published"
    assert main_settings(*words, "--evidence=full").lifter.evidence == "full"


def test_data_dir_holds_the_training_file_and_parameters(folder):
    (folder / "data").rename(folder / "mine")
    chosen = main_settings("--train", "--data_dir=mine")
    assert chosen.task.input_path == folder / "mine" / "train_sh.h5"
    assert chosen.lifter.cameras_path == folder / "mine" / "avg_cameras.h5"


def test_input_path_outranks_data_dir(folder):
    (folder / "other.h5").touch()
    chosen = main_settings("--train", "--input_path=other.h5")
    assert chosen.task.input_path == folder / "other.h5"


@pytest.fixture
def prepared(folder):
    """Two prepared sets beside each other, in a folder without parameters."""
    for name in ("one/every5/1.0.0", "two/every5/1.0.0"):
        path = folder / "sets" / name
        path.mkdir(parents=True)
        for part in ("train", "test"):
            (path / f"x-{part}.tfrecord-00000-of-00001").touch()
    (folder / "empty").mkdir()
    return folder / "sets"


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["--dataset=one", "--data_dir=sets"], "one/every5/1.0.0"),
        (["--dataset=two/every5:1.0.0", "--data_dir=sets"], "two/every5/1.0.0"),
        (["--input_path=sets/one/every5/1.0.0"], "one/every5/1.0.0"),
        (["--input_path=sets/two"], "two/every5/1.0.0"),
    ],
)
def test_trains_and_evaluates_on_prepared_sets(folder, prepared, arguments, place):
    trained, evaluated = (
        main_settings(*words, *arguments) for words in (["--train"], [])
    )
    assert trained.task.input_path == evaluated.task.data_dir == prepared / place
    for chosen in (trained, evaluated):
        assert chosen.lifter.mixture_path == folder / "data" / "model_parameters.h5"
    for name in ("model_parameters.h5", "avg_cameras.h5"):
        (prepared / name).touch()
    parameters = main_settings(*arguments).lifter.mixture_path.parent
    beside = any(word.startswith("--data_dir") for word in arguments)
    assert parameters == (prepared if beside else folder / "data")


@pytest.mark.parametrize("words", [["--train"], []])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset=three", "--data_dir=sets"], "^--dataset must be a prepared set"),
        (["--dataset=one"], "^--dataset must be a prepared set; .*data has none of"),
        (["--input_path=empty"], "^--input_path must be a pose file or the folder of"),
        (["--input_path=sets/one/.."], "^--input_path must be a pose file or the fo"),
    ],
)
def test_prepared_sets_are_named_clearly(prepared, words, arguments, message):
    flag_values = parse(*words, *arguments)
    with pytest.raises(InputError) as error:
        settings.main_settings(flag_values)
    assert re.search(message, shell.said_in_flags(error.value, flag_values))


def test_several_sets_are_listed(prepared):
    (prepared / "one" / "every5").rename(prepared / "two" / "every64")
    with pytest.raises(InputError, match=r"one prepared set, not every5:1\.0\.0"):
        main_settings("--train", "--input_path=sets/two")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset=one", "--input_path=x.h5"], "--dataset and --input_path exclude"),
        (["--lift=x.h5", "--dataset=one"], "--dataset has no effect beside --lift"),
        (["--model=prior", "--dataset=one"], "--dataset needs --model=lifter"),
    ],
)
def test_a_prepared_set_goes_with_training_and_evaluation(folder, arguments, message):
    with pytest.raises(flags.IllegalFlagValueError, match=message):
        parse(*arguments)


def test_parameters_dir(folder):
    (folder / "parameters").mkdir()
    for name in ("model_parameters.h5", "avg_cameras.h5"):
        (folder / "data" / name).rename(folder / "parameters" / name)
    lifter = main_settings("--parameters_dir=parameters").lifter
    assert lifter.mixture_path.parent == folder / "parameters"
    assert lifter.cameras_path.parent == folder / "parameters"


@pytest.mark.parametrize("place", ["check.h5", "results/check.h5"])
def test_check_path_is_looked_for_as_given_and_under_results_dir(folder, place):
    (folder / "results").mkdir()
    (folder / place).touch()
    arguments = ["--check_path=check.h5", f"--results_dir={folder / 'results'}"]
    assert main_settings(*arguments).lifter.check_path == folder / place


def test_missing_check_path_lists_the_places(folder):
    with pytest.raises(InputError) as raised:
        main_settings("--check_path=absent.h5", f"--results_dir={folder}/out")
    for place in (folder, PROJECT_ROOT, folder / "out"):
        assert f"{place}/absent.h5" in str(raised.value)


def test_data_without_parameters_names_the_flag(folder):
    """As what human-pose-data makes elsewhere than in data."""
    (folder / "mine").mkdir()
    message = r"mine.model_parameters.h5 not found.*\(--parameters_dir names"
    with pytest.raises(InputError, match=message):
        main_settings("--data_dir=mine")


def test_check_path_none_is_no_checkpoint(folder):
    assert main_settings("--check_path=none").lifter.check_path is None


def test_resume_needs_no_checkpoint(folder):
    chosen = main_settings("--train", "--resume", "--check_path=gone.h5")
    assert chosen.lifter.check_path is None


def test_missing_data_names_file_and_remedy(folder):
    (folder / "data" / "train_sh.h5").unlink()
    with pytest.raises(InputError, match=r"train_sh\.h5 not found.*set\.sh data"):
        main_settings("--train", "--data_dir=" + str(folder / "data"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch_size=0"], "batch_size=0: 0 is not an integer in the range"),
        (["--batch_size=4.5"], "batch_size=4.5"),
        (["--subsample=0"], "subsample=0"),
        (["--epochs=0"], "epochs=0"),
        (["--save_f=0"], "save_f=0"),
        (["--seed=-1"], "seed=-1"),
        (["--models=4"], "models=4: must be 3, 6 or 10"),
        (["--metric=3"], "metric=3: must be 0, 1 or 2"),
        (["--wlr=0"], "wlr=0.0: must be positive"),
        (["--wlr=nan"], "wlr=nan: must be positive"),
        (["--damping=-1"], "damping=-1: must be 0 or more"),
        (["--derivative=implicit"], "derivative=implicit"),
        (["--dtype=float16"], "dtype=float16"),
        (["--evidence=none"], "evidence=none"),
        (["--train=maybe"], "train=maybe"),
        (["--name=../up"], "name=../up: must be a plain folder name"),
        (["--name=.."], "must be a plain folder name"),
        (["--name="], "must be a plain folder name"),
        (["--name=two\nlines"], "must be a plain folder name"),
        ([f"--name={128 * 'é'}"], "must be a plain folder name"),
        (["--results_dir="], "results_dir=: must name a file or folder"),
        (["--data_dir="], "data_dir=: must name a file or folder"),
        (["--check_path="], "check_path=: must name a file or folder"),
        (["--no_such_flag=1"], "Unknown command line flag 'no_such_flag'"),
        (["--resume"], "need --train"),
        (["--overwrite"], "need --train"),
        (["--train", "--resume", "--overwrite"], "exclude each other"),
        (["--derivative=unrolled", "--damping=1"], "belongs to --derivative"),
    ],
)
def test_bad_values_are_refused(arguments, message):
    with pytest.raises(flags.Error, match=message):
        parse(*arguments)


def test_every_flag_is_shown_by_help():
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    shown = flag_values.main_module_help()
    for name in flag_values:
        assert name in shown
