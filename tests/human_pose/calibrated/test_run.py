"""A recording from its files to its results, as the command does it."""

import contextlib
import dataclasses
import types

import made_up_people
import made_up_recording
import numpy as np
import pytest

from human_pose.calibrated import run
from human_pose.calibrated.config import RecordingConfig
from human_pose.calibrated.results import MOTION_FILES, MOVIES, withdraw_results
from human_pose.calibrated.run import lift, lift_people, read_truth
from human_pose.calibrated.training.config import CalibratedTrainingConfig
from human_pose.commands import make_recording
from human_pose.exchange import formats
from human_pose.exchange.poses import read_poses
from human_pose.exchange.recording import Motion
from human_pose.files.errors import InputError
from human_pose.geometry.skeleton import convert

FRAMES = slice(70, 102)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The folder of results, and the true motion."""
    folder = tmp_path_factory.mktemp("recording")
    recording, truth = make_recording.made(seed=0)
    formats.write(folder / "detections.npz", recording)
    formats.write(folder / "calibration.toml", recording.cameras)
    formats.write(folder / "truth.npz", truth)
    said = lift(
        RecordingConfig(
            folder / "detections.npz",
            cameras=folder / "calibration.toml",
            frames=FRAMES,
            truth=folder / "truth.npz",
        ),
        folder / "results",
        film="gif",
    )
    return folder / "results", truth, said


def test_joints_and_their_errors(results):
    folder, truth, said = results
    poses = read_poses(folder / "poses.npz")
    assert str(folder / "poses.npz") in said and str(folder / "report.md") in said
    assert poses.frames.tolist() == list(range(FRAMES.start, FRAMES.stop))
    assert poses.fps == 25
    wanted = convert(truth.joints_3d_mm[FRAMES], truth.skeleton, poses.skeleton)
    errors = np.linalg.norm(poses.joints_3d_mm - wanted, axis=-1)
    assert errors.mean() < 20  # 44 of a weighted DLT
    # The view that takes left for right is found out, in its frames alone.
    view = poses.view_names.index("right")
    found = poses.swapped[:, view].all(axis=-1)
    assert found[10:30].all() and found.sum() <= 22


def test_what_an_earlier_run_left_is_withdrawn(tmp_path):
    """All that is of its recording; what training left, and others' files, stay."""
    gone = [*MOTION_FILES, *MOVIES, "poses.npz", "report.md", "person_1/poses.npz"]
    gone.append("cameras.toml")
    kept = ["lifter.npz", "notes.txt", "videos/mine.mp4", "person_1/notes.txt"]
    kept.append("person_1_kept/poses.npz")  # a copy of somebody's
    for name in gone + kept:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    # Another run's videos and the leftovers of one that was killed go, too.
    views = np.array(["left", "right", "../videos/mine"])
    np.savez(tmp_path / "poses.npz", view_names=views)
    for name in ("right.mp4", ".left.abcd1234.part.mp4"):
        gone.append(f"videos/{name}")
        (tmp_path / gone[-1]).touch()
    withdraw_results(tmp_path)
    assert not any((tmp_path / name).exists() for name in gone)
    assert all((tmp_path / name).exists() for name in kept)


@pytest.mark.parametrize("changed", ["path", "cameras", "truth"])
def test_inputs_are_not_replaced_by_results(tmp_path, changed):
    """Nor looked at: they need not even be what they should be."""
    own = tmp_path / "results" / "poses.npz"
    own.parent.mkdir()
    own.write_bytes(b"mine")
    config = RecordingConfig(tmp_path / "2d.npz", cameras=tmp_path / "rig.toml")
    with pytest.raises(InputError, match=f"^{own}: a result would replace it"):
        lift(dataclasses.replace(config, **{changed: own}), own.parent)
    with pytest.raises(InputError, match=f"^{own.parent}: results would lie among"):
        lift(dataclasses.replace(config, path=own.parent), own.parent)
    assert own.read_bytes() == b"mine"


@pytest.mark.parametrize(("fps", "wrong"), [(25, False), (24.9, False), (100, True)])
def test_the_truths_rate_is_the_recordings(fps, wrong, tmp_path):
    _, truth = make_recording.made(seed=0)
    formats.write(tmp_path / "truth.npz", dataclasses.replace(truth, fps=fps))
    with (
        pytest.raises(InputError, match="25 frames a second")
        if wrong
        else (contextlib.nullcontext())
    ):
        read_truth(tmp_path / "truth.npz", fps=25.0)


@pytest.mark.parametrize("name", ["poses.trc", "poses.c3d", "poses.csv"])
def test_motion_files_hold_the_same_joints(results, name):
    folder, _, _ = results
    poses = read_poses(folder / "poses.npz")
    motion = formats.read_motion(folder / name, "mm" if name.endswith("csv") else None)
    motion = motion.z_up
    joints = convert(motion.joints_3d_mm, motion.skeleton, poses.skeleton)
    np.testing.assert_allclose(joints, poses.joints_3d_mm, atol=0.1)


def test_what_people_look_at_is_there(results):
    folder, _, _ = results
    report = (folder / "report.md").read_text("utf-8")
    assert "right, arms: frames 80-99" in report
    assert "## Errors to the truth" in report
    viewer = (folder / "viewer.html").read_text("utf-8")
    assert "plotly" in viewer and "detections.npz" in viewer
    assert (folder / "poses.bvh").is_file() and (folder / "images").is_dir()
    assert (folder / "poses.gif").read_bytes().startswith(b"GIF8")
    assert not [path for path in folder.iterdir() if path.name.startswith(".tmp")]


def test_a_truth_of_other_frames_is_refused_before_anything_else(tmp_path):
    """What an earlier run found stays, and no minute goes into lifting."""
    recording, truth = make_recording.made(seed=0)
    (tmp_path / "report.md").write_text("earlier")
    later = dataclasses.replace(truth, frames=truth.frames + 1000)
    with pytest.raises(InputError, match="0 to 199; it has 1000 to 1199"):
        lift_people(recording, tmp_path, None, truth=later)
    assert (tmp_path / "report.md").read_text() == "earlier"


def test_the_truth_is_of_the_person_who_is_nearest(tmp_path, monkeypatch, capsys):
    """Another's report would have errors of metres; asked for by number he has it."""
    recording, _ = made_up_people.crowd(people=2, frames=60)
    truth = Motion(made_up_people.walkers(60, 2)[:, 1], recording.skeleton)
    given = {}

    class Lifts:
        def __init__(self, *_):
            pass

        def lift(self, _):
            return types.SimpleNamespace(poses=None)

    def write(place, *_, truth, **more):
        given[place.name] = truth

    monkeypatch.setattr(run, "Session", Lifts)
    monkeypatch.setattr(run, "write_results", write)
    lift_people(recording, tmp_path / "all", None, truth=truth)
    assert sorted(map(bool, given.values())) == [False, True]
    theirs = next(name for name, motion in given.items() if motion is not None)
    number = {"all": 0, "person_1": 1}[theirs]
    assert f"truth: of person {number}" in capsys.readouterr().out
    for asked in (0, 1):
        lift_people(recording, tmp_path / "one", None, truth=truth, person=asked)
        assert given["one"] is truth


def test_nothing_is_learned_from_a_truth_of_another_world(tmp_path, monkeypatch):
    """Weights would be such that bodies lie somewhere else."""
    recording, truth = make_recording.made(seed=0)
    elsewhere = dataclasses.replace(truth, joints_3d_mm=truth.joints_3d_mm + 3000)
    monkeypatch.setattr(run, "read", lambda config: recording)
    monkeypatch.setattr(run, "read_truth", lambda *_: elsewhere)
    with pytest.raises(InputError, match=r"in the calibration's world .* lie 5\.2 m"):
        run.learn(RecordingConfig(tmp_path), tmp_path, CalibratedTrainingConfig())


def test_what_is_learned_from_is_whom_the_truth_is_nearest(tmp_path, monkeypatch):
    """Not whoever is near, as somebody who is embraced."""
    joints = made_up_recording.truth_mm(8)
    people = [made_up_recording.recording(joints + off) for off in (200.0, 0.0)]
    truth = Motion(joints, people[0].skeleton)
    monkeypatch.setattr(run, "read", lambda config: people[0])
    monkeypatch.setattr(run, "read_truth", lambda *_: truth)
    monkeypatch.setattr(run, "_told_apart", lambda detected: None)
    monkeypatch.setattr(run, "choose", lambda *_: people)
    monkeypatch.setattr(run, "lifter_for", lambda *_: None)
    monkeypatch.setattr(run, "train", lambda lifter, seen, *_: f"{seen is people[1]}")
    said = run.learn(RecordingConfig(tmp_path), tmp_path, CalibratedTrainingConfig())
    assert said.startswith("True")
