"""Results that replace each other together, however the process ends."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.runs import results
from human_pose.runs.folder import RunFolder

# Puts `new` results in the place of old ones in folders 0, 1, 2, ..., and is killed in
# folder N before the N-th change of anything; the last number has no change.
KILLED = """
import os, signal, sys
from pathlib import Path
from human_pose.runs import results
def work(folder, n):
    with results.evaluating(folder), results.replaced(folder) as new:
        for name in results.NAMES:
            if name != results.SKIPPED:
                (new / name).parent.mkdir(exist_ok=True)
                (new / name).write_text("new")
        seen = []
        def hook(event, arguments):
            if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir"):
                if len(seen) == n:
                    os.kill(os.getpid(), signal.SIGKILL)
                seen.append(event)
        sys.addaudithook(hook)
folders = sorted(Path(sys.argv[1]).iterdir(), key=lambda path: int(path.name))
for n, folder in enumerate(folders):
    child = os.fork()
    if not child:
        work(folder, n)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def write(folder, text):
    for name in results.NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def found(folder):
    """Contents of the results that are there, by name."""
    return {
        name: (folder / name).read_text()
        for name in results.NAMES
        if (folder / name).exists()
    }


OLD = dict.fromkeys(results.NAMES, "old")
NEW = {name: "new" for name in results.NAMES if name != results.SKIPPED}


def test_a_kill_at_any_moment_leaves_results_of_one_evaluation(tmp_path):
    for n in range(60):
        write(tmp_path / f"{n}", "old")
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True
    )
    codes = [int(code) for code in ran.stdout.split()]
    changes = codes.index(0)
    assert set(codes[:changes]) == {-9}
    ends = []
    for n in range(changes + 1):
        folder = tmp_path / f"{n}"
        left = found(folder)
        assert len(set(left.values())) <= 1, left
        if len(left) < len(NEW):
            assert list(folder.glob(".evaluation.[cm]*"))  # the rest
        results.finish_if_free(folder)
        ended = found(folder)
        assert ended in (OLD, NEW)
        ends.append(ended == NEW)
        hidden = {path.name for path in folder.glob(".*")}
        assert hidden <= {".evaluation.lock", ".evaluation.holder.json"}
    # First all are old, and from one moment on all are new.
    assert ends == sorted(ends)
    assert {True, False} == set(ends)
    assert len(ends) > 2 * len(NEW)


def test_a_training_ends_what_an_evaluation_began(tmp_path):
    write(tmp_path / ".evaluation.moving", "new")
    RunFolder(tmp_path).prepare({}, overwrite=False)
    assert set(found(tmp_path).values()) == {"new"}
    assert not (tmp_path / ".evaluation.moving").exists()


def test_an_error_keeps_the_old_results(tmp_path):
    write(tmp_path, "old")
    for error in (KeyError, OSError(28, "No space left on device"), KeyboardInterrupt):
        with results.evaluating(tmp_path):
            with pytest.raises((KeyError, InputError, KeyboardInterrupt)):
                with results.replaced(tmp_path) as new:
                    write(new, "new")
                    raise error
        assert found(tmp_path) == OLD
        assert not list(tmp_path.glob(".*"))


def test_a_folder_in_the_way_is_found_before_the_swap(tmp_path):
    write(tmp_path, "old")
    (tmp_path / "errors.npy").unlink()
    (tmp_path / "errors.npy").mkdir()
    with pytest.raises(InputError, match=r"errors\.npy: must be a file"):
        with results.evaluating(tmp_path), results.replaced(tmp_path) as new:
            write(new, "new")
    assert (tmp_path / "poses.npy").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_pictures_may_lie_elsewhere(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "images").symlink_to(tmp_path / "elsewhere")
    with results.evaluating(tmp_path / "run"), results.replaced(tmp_path / "run") as f:
        write(f, "new")
    assert (tmp_path / "elsewhere" / "best.png").read_text() == "new"


def test_one_evaluation_at_a_time_beside_a_training(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.training(resume=False, overwrite=False):
        with results.evaluating(folder.path):
            with pytest.raises(InputError, match=rf"process {os.getpid()} on .*evalua"):
                with results.evaluating(folder.path):
                    pass
            with results.replaced(folder.path) as new:
                write(new, "new")
                # It finds one at work, and leaves that alone.
                finishing = threading.Thread(
                    target=results.finish_if_free, args=[folder.path]
                )
                finishing.start()
                finishing.join()
                assert new.exists()
    assert set(found(folder.path).values()) == {"new"}


def test_leftovers_of_killed_evaluations_are_removed(tmp_path):
    """Of version 0.1 in their own folders; nothing of the user's."""
    write(tmp_path, "old")
    left = [".errors.abcd_123.npy", "images/.best.abcd1234.png",
            "evaluations/.report.abcd1234.md", ".poses.abcd1234.part.npy"]  # fmt: skip
    mine = [".mine.npy", "images/.best.png", ".training.lock", ".errors.npy"]
    for name in left + mine:
        (tmp_path / name).touch()
    with results.evaluating(tmp_path):
        pass
    assert not [name for name in left if (tmp_path / name).exists()]
    assert all((tmp_path / name).exists() for name in mine)


def test_arrays_have_the_originals_layout(tmp_path):
    poses = np.arange(2 * 5 * 3.0).reshape(2, 5, 3)
    results.write_arrays(
        tmp_path,
        errors_mm=np.array([1.0, 2]),
        poses_mm=poses,
        truth_mm=-poses,
        action_errors_mm=np.array([np.nan, 1.5]),
    )
    stored = np.load(tmp_path / "poses.npy")
    assert stored.shape == (2, 1, 3, 5)
    assert stored[1, 0, 2, 4] == poses[1, 4, 2]
    np.testing.assert_array_equal(np.load(tmp_path / "truth.npy"), -stored)
    assert np.load(tmp_path / "errors.npy").tolist() == [1, 2]
    assert len(np.load(tmp_path / "tabled_res.npy")) == 2


def test_frames_of_note():
    errors = np.array([3.0, 1, 4, 1, 5, 9])
    assert results.frames_of_note(errors) == {"best": 1, "median": 0, "worst": 5}
    assert results.frames_of_note(errors[:1]) == {"best": 0, "median": 0, "worst": 0}
