import pytest

from human_pose.files.errors import InputError
from human_pose.runs.folder import RunFolder


def test_make_makes_the_four_parts_and_is_repeatable(tmp_path):
    folder = RunFolder(tmp_path / "results" / "run")
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


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    folder = RunFolder(tmp_path)
    folder.make()
    (folder.check / ".training_state.abc.h5").touch()
    (folder.check / "training_state.h5").touch()
    folder.remove_leftovers()
    assert [path.name for path in folder.check.iterdir()] == ["training_state.h5"]
