"""The table of tasks: what it refuses, and that it says what the commands read."""

import pytest
from absl import flags

from human_pose.commands import (
    calibrated_flags,
    capture_flags,
    image_flags,
    lifter_flags,
    picture_flags,
    pipeline_flags,
    prior_flags,
    sample_flags,
)
from human_pose.commands import flags as settings
from human_pose.commands.tasks import Asked, Default, Table, Task

TABLE = Table(
    Task("kept", frozenset({"model", "keep"}), word="--keep", model="a"),
    Task(
        "drawn",
        frozenset({"model", "draw", "size"}),
        word="--draw=1",
        model="a",
        defaults={"size": Default(7, "seven")},
    ),
    Task("looked at", frozenset({"model"}), model="a"),
    Task("cut", frozenset({"model", "size", "edge"}), model="b"),
)


def parse(*arguments):
    flag_values = flags.FlagValues()
    flags.DEFINE_enum("model", "a", TABLE.models, "", flag_values=flag_values)
    flags.DEFINE_boolean("draw", False, "", flag_values=flag_values)
    flags.DEFINE_string("keep", None, "", flag_values=flag_values)
    flags.DEFINE_integer("size", 5, "How large.", flag_values=flag_values)
    flags.DEFINE_integer("edge", 1, "How sharp.", flag_values=flag_values)
    TABLE.rule(flag_values)
    flag_values(["command", *arguments])
    return flag_values


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "looked at"),
        (["--draw"], "drawn"),
        (["--keep=x"], "kept"),
        (["--model=b", "--size=3"], "cut"),
    ],
)
def test_a_task_is_asked_for_by_its_word_and_model(arguments, name):
    assert TABLE.asked(parse(*arguments)).task.name == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size=3"], "--size needs --draw=1"),
        (["--edge=3"], "--edge needs --model=b"),
        (["--keep=x", "--size=3"], "--size has no effect beside --keep"),
        (["--keep=x", "--draw"], "--draw has no effect beside --keep"),
        (["--keep=x", "--edge=1"], "--edge needs --model=b"),
        (["--model=b", "--draw"], "--draw needs --model=a"),
    ],
)
def test_flags_without_effect_are_refused(arguments, message):
    with pytest.raises(flags.IllegalFlagValueError, match=message):
        parse(*arguments)


def test_defaults_are_the_tasks_own():
    assert TABLE.asked(parse("--draw")).size == 7
    assert TABLE.asked(parse("--draw", "--size=5")).size == 5
    assert TABLE.asked(parse("--model=b")).size == 5


def test_help_tells_them():
    flag_values = parse()
    assert flag_values["size"].help == "How large (a: seven)."
    assert flag_values["edge"].help == "b: How sharp."


def test_a_flag_that_does_not_count_cannot_be_read():
    with pytest.raises(AttributeError, match="cut has no flag draw"):
        _ = TABLE.asked(parse("--model=b")).draw


def defined(define):
    flag_values = flags.FlagValues()
    define(flag_values)
    return flag_values


@pytest.mark.parametrize(
    ("table", "define"),
    [
        (settings.MAIN, settings.define_main_flags),
        (settings.SAMPLE, settings.define_sample_flags),
    ],
)
def test_the_table_has_every_flag(table, define):
    assert table.flags == sorted(defined(define))


class Noting(Asked):
    """Notes which flags are read."""

    def __init__(self, task, flag_values):
        super().__init__(task, flag_values)
        self.read = set()

    def __getattr__(self, name):
        value = super().__getattr__(name)
        self.read.add(name)
        return value


# What is not read by a configuration: the places, and what the table decides by.
ELSEWHERE = {
    "input_path",
    "model",
    "name",
    "results_dir",
    "train",
    "convert_caffemodel",
    "image",
    "lift",
}


@pytest.mark.parametrize("name", [task.name for task in settings.MAIN.tasks])
def test_every_flag_of_main_that_counts_is_read(name, tmp_path, monkeypatch):
    assert_read(name, settings.MAIN, settings.define_main_flags, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", [task.name for task in settings.SAMPLE.tasks])
def test_every_flag_of_sample_that_counts_is_read(name, tmp_path, monkeypatch):
    assert_read(
        name, settings.SAMPLE, settings.define_sample_flags, tmp_path, monkeypatch
    )


def assert_read(name, table, define, folder, monkeypatch):
    (folder / "data" / "testing").mkdir(parents=True)
    for file in ("train_sh.h5", "model_parameters.h5", "avg_cameras.h5", "sample.h5"):
        (folder / "data" / file).touch()
    (folder / "data" / "images").mkdir()
    (folder / "net").touch()
    monkeypatch.chdir(folder)
    task = next(task for task in table.tasks if task.name == name)
    arguments = [f"--model={task.model}"] if task.model else []
    if "check_path" in task.takes:
        arguments.append("--check_path=net")
    if task.word:
        arguments.append(task.word if "=" in task.word else f"{task.word}=net")
    if "depth_bins" in task.takes:
        arguments.append("--depth_bins=4")
    if "motion" in task.takes:
        arguments += ["--motion=net", "--covariance=ppca", "--rank=2"]
    if "recording" in task.takes:
        arguments += ["--recording=net", "--truth=net"]
    if "detector_files" in task.takes:
        arguments += ["--detector=rtmpose", "--detector_files=net"]
    flag_values = defined(define)
    flag_values(["command", *arguments])
    asked = Noting(table.asked(flag_values).task, flag_values)
    assert asked.task == task
    configure = {
        "calibrated": calibrated_flags.task,
        "capture": capture_flags.task,
        "i1": image_flags.task,
        "pipeline": pipeline_flags.task,
        "prior": prior_flags.task,
        "lifter": lambda asked: (
            settings.lifter_config(asked),
            lifter_flags.task(asked),
        ),
        "": {
            "picture": picture_flags.picture_settings,
            "video": picture_flags.video_settings,
            "views": sample_flags.frame_config,
        }.get(name),
    }[task.model]
    configure(asked)
    unread = set(task.takes) - asked.read - ELSEWHERE
    if name == "lifter evaluation":  # takes the training's, as in the original
        unread -= {"input_path", "wlr", "epochs", "save_f", "shuffle", "seed"}
    if "evaluation" in name or "lifting" in name:  # refused by their values
        unread -= {"resume", "overwrite"}
    assert unread == set()
