import contextlib
import json
import os
from contextlib import contextmanager

import pytest

from human_pose.files.errors import InputError
from human_pose.runs.folder import RunFolder


def test_make_makes_the_four_parts_and_is_repeatable(tmp_path):
    folder = RunFolder(str(tmp_path / "results" / "run"))  # any kind of path
    folder.make()
    folder.make()
    parts = {path.name for path in folder.path.iterdir()}
    assert parts == {"check", "logger", "images", "evaluations"}


def test_nothing_is_made_before(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.check_writable()
    folder.check_training(resume=False, overwrite=False)
    assert not folder.path.exists()


@pytest.mark.parametrize("depth", ["file", "file/run", "file/results/run"])
def test_a_file_in_the_way(tmp_path, depth):
    (tmp_path / "file").touch()
    folder = RunFolder(tmp_path / depth)
    with pytest.raises(InputError, match="file is not a folder"):
        folder.check_writable()
    with pytest.raises(InputError, match="cannot be made"):
        folder.make()


def test_a_part_that_is_a_file(tmp_path):
    (tmp_path / "logger").touch()
    with pytest.raises(InputError, match="logger: cannot be made"):
        RunFolder(tmp_path).make()


def test_no_permission(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(InputError, match="no permission"):
        RunFolder(tmp_path / "run").check_writable()


def test_an_evaluated_folder_is_free_for_training(tmp_path):
    folder = RunFolder(tmp_path)
    folder.make()
    (folder.path / "errors.npy").touch()
    (folder.path / "evaluations" / "report.md").touch()
    folder.check_training(resume=False, overwrite=False)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("check/epoch_0.h5", "already holds check/epoch_0.h5; `overwrite` removes all"),
        ("check/partial_checkpoint.h5", "holds check/partial_checkpoint.h5; `over"),
        ("check/training_state.h5", "already holds a training run; `resume` continues"),
        ("check/settings.json", "already holds check/settings.json; `overwrite`"),
        # Of a process that was killed before its first state.
        ("check/.settings.abcd1234.json", "holds check/.settings.abcd1234.json; `over"),
        ("check/.settings.abcd1234.part.json", "already holds check/.settings"),
        ("check/skipped.txt", "already holds check/skipped.txt; `overwrite"),
        ("check/d8.keras", "already holds check/d8.keras; `overwrite"),  # converted
        ("logger/events.out.tfevents.1.host", "already holds logger/events.out"),
    ],
)
def test_each_trace_of_a_training_is_noticed_and_removed(tmp_path, made, message):
    folder = RunFolder(tmp_path)
    folder.make()
    (tmp_path / made).touch()
    with pytest.raises(InputError, match=message):
        folder.check_training(resume=False, overwrite=False)
    folder.remove_training()
    folder.check_training(resume=False, overwrite=False)
    assert not (tmp_path / made).exists()


@pytest.mark.parametrize(
    ("made", "protected"),
    [
        ("check/settings.json", False),
        ("check/skipped.txt", False),
        ("check/.settings.abcd1234.part.json", False),
        ("check/d8.keras", True),
        ("check/partial_checkpoint.h5", True),
        ("logger/events.out.tfevents.1.host", True),
    ],
)
def test_a_command_that_is_repeated_goes_on_from_before_its_first_state(
    tmp_path, made, protected
):
    folder = RunFolder(tmp_path)
    folder.make()
    (tmp_path / made).touch()
    assert not folder.goes_on(resume=False, resume_or_start=True)
    refused = pytest.raises(InputError) if protected else contextlib.nullcontext()
    with refused:
        folder.check_training(resume=False, overwrite=False, retried=True)
    (tmp_path / "check" / "training_state.h5").touch()
    assert folder.goes_on(resume=False, resume_or_start=True)


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    folder = RunFolder(tmp_path)
    folder.make()
    for name in (
        ".training_state.abc.h5",
        ".settings.abcd1234.json",
        ".skipped.abcd1234.part.txt",
        ".d8.abcd1234.part.keras",
    ):
        (folder.check / name).touch()
    (folder.check / "training_state.h5").touch()
    folder.remove_leftovers()
    assert [path.name for path in folder.check.iterdir()] == ["training_state.h5"]


@pytest.mark.parametrize(
    ("name", "is_refused"),
    [
        ("run/report.md", True),
        ("run/person_3/report.md", True),
        ("run/videos/a.mp4", True),
        ("link/videos/a.mp4", True),  # to the run
        ("linked.mp4", True),  # to a video of the run
        ("run/videos/link.mp4", True),  # in the run, to a file elsewhere
        ("run/../run/videos/a.mp4", True),
        ("run", True),
        ("run/videos", True),
        (".", False),  # the run's results are those of another subfolder
        ("run/detections.npz", False),
        ("run/videos/a.avi", False),
        ("run/person/report.md", False),
        ("videos/a.mp4", False),
        ("report.md", False),
    ],
)
def test_inputs_are_not_among_the_results(tmp_path, name, is_refused):
    run = tmp_path / "run"
    for made in ("run/videos/a.mp4", "run/person_3/x", "run/person/report.md", "else"):
        (tmp_path / made).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / made).touch()
    (tmp_path / "link").symlink_to(run)
    (tmp_path / "linked.mp4").symlink_to(run / "videos" / "a.mp4")
    (run / "videos" / "link.mp4").symlink_to(tmp_path / "else")
    written = ("report.md", "videos/*.mp4", "person_*/report.md")
    path = tmp_path / name
    with (
        pytest.raises(InputError) if is_refused else contextlib.nullcontext() as caught
    ):
        RunFolder(run).check_apart([None, path], written)
    if is_refused:
        assert str(caught.value).startswith(f"{path}: ")
        assert f"`name` chooses another folder than {run}" in str(caught.value)


@pytest.mark.parametrize("name", ["d8.keras", "epoch_3.h5", "partial_checkpoint.h5"])
def test_overwriting_keeps_what_a_training_starts_from(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    folder.make()
    start = folder.check / name
    start.touch()
    how = {"resume": False, "overwrite": True}
    with (
        pytest.raises(InputError, match=f"^{start}: a result would replace it"),
        folder.training(**how, starts=(None, start)),
    ):
        raise AssertionError("started")
    with folder.training(**how, starts=(tmp_path / name,)):
        folder.prepare({}, overwrite=True)
    assert not start.exists()


def test_prepares_a_training(tmp_path):
    folder = RunFolder(tmp_path)
    folder.make()
    folder.epoch_checkpoint(3).touch()
    (folder.check / ".settings.abcd1234.json").touch()
    folder.prepare({"path": tmp_path, "seed": 3}, overwrite=False)
    assert json.loads(folder.settings.read_text()) == {"path": str(tmp_path), "seed": 3}
    assert folder.epoch_checkpoint(3).exists()
    folder.prepare({"seed": 4}, overwrite=True)
    assert [path.name for path in folder.check.iterdir()] == ["settings.json"]


def test_trainings_exclude_each_other(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.training(resume=False, overwrite=False):
        folder.make()
        folder.training_state.touch()
        for kind in ("resume", "overwrite"):
            flags = {"resume": False, "overwrite": False, kind: True}
            with pytest.raises(InputError, match=rf"process {os.getpid()} on .*traini"):
                with folder.training(**flags):
                    pass
    with folder.training(resume=True, overwrite=False):
        pass
    assert not list(folder.path.glob(".*"))


def test_a_training_that_ended_meanwhile_is_protected(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")

    @contextmanager
    def late(path, work):
        folder.make()
        folder.training_state.touch()
        yield

    monkeypatch.setattr("human_pose.runs.folder.locked", late)
    with pytest.raises(InputError, match="already holds a training run"):
        with folder.training(resume=False, overwrite=False):
            pass


def test_a_training_that_fails_at_once_leaves_no_folder(tmp_path):
    folder = RunFolder(tmp_path / "results" / "run")
    with pytest.raises(KeyError), folder.training(resume=False, overwrite=False):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
