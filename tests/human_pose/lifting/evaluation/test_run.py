"""Evaluation with a lifter that moves the truth in a known way."""

from pathlib import Path

import evaluators
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

from human_pose.datasets.lifting_sets.pose_tree import tree_source
from human_pose.datasets.pose_files import PoseSet, action_file_names, write_pose_file
from human_pose.datasets.protocol import ACTIONS
from human_pose.datasets.shards.preparation import prepare
from human_pose.files.errors import InputError
from human_pose.geometry import metrics
from human_pose.lifting import PPCALifter, read_cameras, read_mixture
from human_pose.lifting.evaluation import run as evaluation
from human_pose.lifting.evaluation.frames import read_action_frames
from human_pose.lifting.sizes import centred, pose_size
from human_pose.runs import distribution

GOLDEN = Path(__file__).parents[3] / "golden"

OUTPUTS = {
    "errors.npy",
    "poses.npy",
    "truth.npy",
    "tabled_res.npy",
    "evaluations/report.md",
    "images/best.png",
    "images/median.png",
    "images/worst.png",
}


def pose_set(frames, shift_mm, seed=0):
    """Frames whose 2D joints tell `MovedTruth` the truth, and how far to move it."""
    joints = np.random.default_rng(seed).normal(0, 300, (frames, 17, 3))
    views = np.zeros((frames, 4, 17, 2))
    views[:, 0] = joints[..., :2]
    views[:, 1, :, 0] = joints[..., 2]
    views[:, 1, :, 1] = np.broadcast_to(shift_mm, frames)[:, None]
    return PoseSet(views, joints, np.tile(np.eye(3), (frames, 4, 1, 1)))


class MovedTruth:
    """Called like the lifter; the result is the centred truth, scaled and shifted."""

    def __init__(self, scale=1.0):
        self.scale = scale
        self.traces = 0
        self.batches = []

    def __call__(self, inputs):
        self.traces += 1
        views = inputs["joints_2d_px"]
        tf.py_function(lambda v: self.batches.append(len(v)), [views], [])
        joints = tf.concat([views[:, 0], views[:, 1, :, :1]], axis=-1)
        shift = views[:, 1, :, 1:] * tf.constant([2 / 3, -2 / 3, 1 / 3], views.dtype)
        moved = self.scale * centred(joints) + shift
        return {"pose": moved / pose_size(joints)[:, None, None]}


@pytest.fixture(autouse=True)
def soon_drawn(monkeypatch, request):
    """Pictures take as long as all the rest, and one test looks at them."""
    if request.function is not test_results_have_the_original_names_layouts_and_values:
        small = Figure(figsize=(2, 1), dpi=100)
        monkeypatch.setattr(evaluation, "frame_figure", lambda *_, **__: small)


@pytest.fixture
def data(tmp_path):
    """Directions 7 + 4 frames moved 10 mm, Eating 3 frames (one take) moved 40 mm."""
    files = {
        "Directions_sh": (7, 10),
        "Directions_1_sh": (4, 10),
        "Eating_1_sh": (3, 40),
    }
    for seed, (name, (frames, shift_mm)) in enumerate(files.items()):
        write_pose_file(
            tmp_path / "data" / "testing" / f"{name}.h5",
            pose_set(frames, shift_mm, seed),
        )
    return tmp_path / "data"


def run(data, folder, *, lifter=None, **options):
    options = {"subsample": 1, "verbose": False, **options}
    return evaluation.evaluate(lifter or MovedTruth(), data, folder, **options)


def files_in(folder):
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    }


def test_results_have_the_original_names_layouts_and_values(data, tmp_path):
    result = run(data, tmp_path / "run")
    assert files_in(tmp_path / "run") == OUTPUTS
    errors, poses, truth, tabled = (
        np.load(tmp_path / "run" / f"{name}.npy")
        for name in ("errors", "poses", "truth", "tabled_res")
    )
    np.testing.assert_allclose(errors, [10] * 11 + [40] * 3, rtol=1e-12)
    assert poses.shape == truth.shape == (14, 1, 3, 17)
    np.testing.assert_allclose(truth.mean(axis=-1), 0, atol=1e-9)
    np.testing.assert_allclose(
        (poses - truth)[0, 0], np.outer([20 / 3, -20 / 3, 10 / 3], np.ones(17))
    )
    assert tabled.shape == (16,)
    assert tabled[0] == pytest.approx(10)
    assert tabled[2] == pytest.approx(40)
    assert tabled[15] == pytest.approx((11 * 10 + 3 * 40) / 14)  # weighted by frames
    assert np.flatnonzero(np.isnan(tabled)).tolist() == [1, *range(3, 15)]
    np.testing.assert_array_equal(result.errors_mm, errors)
    np.testing.assert_array_equal(result.action_errors_mm, tabled)
    # Files that are not there are named, and only they.
    assert len(result.frames.missing) == 27
    for text in (
        (tmp_path / "run" / "evaluations" / "report.md").read_text(),
        result.table(),
    ):
        assert "other take evaluated alone: Eating_sh.h5." in text
        absent = [
            action for action in ACTIONS if action not in ("Directions", "Eating")
        ]
        assert f"No files, left out of every mean: {', '.join(absent)}." in text


def test_a_prepared_set_gives_the_results_of_its_files(data, tmp_path):
    write_pose_file(data / "training" / "Eating_sh.h5", pose_set(1, 0))
    plan = tree_source(data, partial_set=True).plan(5)
    result = run(prepare(plan, tmp_path / "prepared"), tmp_path / "shards")
    files = run(data, tmp_path / "files")
    for name in ("errors", "poses", "truth", "tabled_res"):
        one, other = (
            np.load(tmp_path / folder / f"{name}.npy") for folder in ("shards", "files")
        )
        np.testing.assert_array_equal(one, other)
    report = (tmp_path / "shards" / "evaluations" / "report.md").read_text()
    said = "all frames of each take in the test part of h36m_lifting/every_frame/1.0.0."
    absent = [action for action in ACTIONS if action not in ("Directions", "Eating")]
    lacks = f"No samples, left out of every mean: {', '.join(absent)}."
    assert f"14, {said} {lacks}" in report
    assert lacks in result.table()
    assert ": h36m_lifting/every_frame/1.0.0, sample " in report
    assert files.frames.source(11) == "Eating_1_sh.h5, frame 0"


def test_every_measure_of_a_shift_and_a_scale(data, tmp_path):
    result = run(data, tmp_path / "run", lifter=MovedTruth(0.5), metric=1)
    # A shift and a scale vanish under Procrustes.
    np.testing.assert_allclose(np.load(tmp_path / "run" / "errors.npy"), 0, atol=1e-9)
    np.testing.assert_allclose(result.scores.training_errors_mm[:, :2], 0, atol=1e-9)
    np.testing.assert_allclose(
        result.scores.training_errors_mm[:, 2],
        metrics.mpjpe(result.truth_mm, result.reconstruction_mm),
    )
    for common, joints in (
        (result.scores.common_16, np.delete(np.arange(17), 9)),
        (result.scores.common_17, np.arange(17)),
    ):
        # The shift goes with the hip, the scale halves every distance to it.
        truth = result.truth_mm[:, joints] - result.truth_mm[:, :1]
        distances = 0.5 * np.linalg.norm(truth, axis=-1)
        expected = {
            "MPJPE": distances.mean(axis=1),
            "PA-MPJPE": 0,
            "N-MPJPE": 0,
            "PCK@150": 100 * (distances < 150).mean(axis=1),
            "AUC": 100
            * np.mean(
                [(distances < mm).mean(axis=1) for mm in metrics.AUC_THRESHOLDS_MM],
                axis=0,
            ),
        }
        for column, values in enumerate(expected.values()):
            np.testing.assert_allclose(common[:, column], values, atol=1e-9)


def test_subsampling_is_per_file(data):
    frames = read_action_frames(data / "testing", 3)
    assert frames.frame_numbers.tolist() == [0, 3, 6, 0, 3, 0]
    assert frames.actions.tolist() == [0, 0, 0, 0, 0, 2]
    assert frames.source(4) == "Directions_1_sh.h5, frame 3"


def test_all_files_are_read_in_the_original_order(tmp_path):
    for number, action in enumerate(ACTIONS):
        for take, name in enumerate(action_file_names(action)):
            write_pose_file(tmp_path / name, pose_set(1, 2 * number + take))
    frames = read_action_frames(tmp_path, 5)
    assert frames.missing == ()
    assert frames.actions.tolist() == [k for k in range(15) for _ in range(2)]
    shifts = frames.poses.joints_2d_px[:, 1, 0, 1]
    np.testing.assert_array_equal(shifts, np.arange(30))


def test_no_file_at_all_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "data" / "testing").mkdir(parents=True)
    with pytest.raises(InputError, match=r"testing: must hold .*Directions_sh.h5"):
        run(tmp_path / "data", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_damaged_file_is_an_error_and_leaves_nothing(data, tmp_path):
    path = data / "testing" / "Eating_1_sh.h5"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"Eating_1_sh.h5"):
        run(data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_reconstruction_that_is_not_finite_is_named(data, tmp_path):
    with pytest.raises(FloatingPointError, match=r"14 .* Directions_sh.h5, frame 0"):
        run(data, tmp_path / "run", lifter=MovedTruth(np.nan))
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written(data, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be"):
        run(data, tmp_path / "file" / "run")


@pytest.mark.parametrize("batch_size", [1, 4, 5, 14, 100])
def test_the_batch_size_changes_nothing_and_costs_one_trace(data, tmp_path, batch_size):
    lifter = MovedTruth()
    frames = read_action_frames(data / "testing", 1)
    truth, poses = evaluation.reconstruct(lifter, frames.poses, batch_size=batch_size)
    assert lifter.traces == 1
    assert sum(lifter.batches) == 14
    assert max(lifter.batches) == min(batch_size, 14)
    np.testing.assert_allclose(
        metrics.mpjpe(truth, poses), [10] * 11 + [40] * 3, rtol=1e-12
    )


def test_evaluating_again_replaces_only_its_own(data, tmp_path):
    folder = tmp_path / "run"
    (folder / "check").mkdir(parents=True)
    (folder / "images").mkdir()
    (folder / "check" / "epoch_0.h5").write_text("weights")
    (folder / "images" / "mine.png").write_text("picture")
    (folder / "errors.npy").write_text("of an earlier evaluation")
    run(data, folder, subsample=3)
    assert files_in(folder) == OUTPUTS | {"check/epoch_0.h5", "images/mine.png"}
    assert (folder / "check" / "epoch_0.h5").read_text() == "weights"
    assert (folder / "images" / "mine.png").read_text() == "picture"
    assert len(np.load(folder / "errors.npy")) == 6


def test_two_evaluations_exclude_each_other(data, tmp_path, monkeypatch):
    monkeypatch.setattr("human_pose.runs.lock._WAIT_S", 0.1)

    class Meanwhile(MovedTruth):
        def __call__(self, inputs):
            with pytest.raises(
                InputError, match=r"run: process \d+ on .*at evaluation"
            ):
                run(data, tmp_path / "run")
            return super().__call__(inputs)

    run(data, tmp_path / "run", lifter=Meanwhile())
    assert files_in(tmp_path / "run") == OUTPUTS


def test_an_evaluation_that_fails_late_keeps_the_one_before(
    data, tmp_path, monkeypatch
):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    run(data, tmp_path / "run")
    before = {name: (tmp_path / "run" / name).read_bytes() for name in OUTPUTS}
    monkeypatch.setattr(evaluation, "frame_figure", fail)
    with pytest.raises(InputError, match="No space left"):
        run(data, tmp_path / "run", lifter=MovedTruth(0.5))
    assert files_in(tmp_path / "run") == OUTPUTS
    for name, content in before.items():
        assert (tmp_path / "run" / name).read_bytes() == content


@pytest.mark.parametrize("solver", ["huber", "l2"])
def test_the_lifter_gives_the_originals_results(tmp_path, solver):
    with np.load(GOLDEN / "golden_synthetic.npz") as golden:
        poses = PoseSet(
            golden["poses_2d"], golden["poses_3d_gt"], np.zeros((8, 4, 3, 3))
        )
        expected = {
            name: golden[f"{solver}-default/{name}"]
            for name in ("reconstruction", "truth", "errors")
        }
    for name, part in (("Directions_sh", poses[:3]), ("Directions_1_sh", poses[3:])):
        write_pose_file(tmp_path / "testing" / f"{name}.h5", part)
    lifter = PPCALifter(
        read_mixture(GOLDEN / "model_parameters.h5", 3),
        read_cameras(GOLDEN / "avg_cameras.h5"),
        solver=solver,
    )
    result = run(tmp_path, tmp_path / "run", lifter=lifter, batch_size=3, metric=0)
    stored = {
        name: np.load(tmp_path / "run" / f"{name}.npy")
        for name in ("poses", "truth", "errors", "tabled_res")
    }
    for name, wanted in (
        ("poses", expected["reconstruction"][:, None]),
        ("truth", expected["truth"][:, None]),
        ("errors", expected["errors"][:, 0]),
        ("tabled_res", [expected["errors"][:, 0].mean(), *14 * [np.nan]]),
    ):
        np.testing.assert_allclose(
            stored[name][:15] if name == "tabled_res" else stored[name],
            wanted,
            rtol=0,
            atol=1e-5,
        )
    np.testing.assert_allclose(
        result.scores.training_errors_mm, expected["errors"], rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, set()),
        ({"weight": 0.5}, {"checksum of the weights"}),
        ({"turned": 2}, {"checksum of the cameras"}),
        # Another order of the weights, too.
        ({"solver": "l2"}, {"solver", "checksum of the weights"}),
        ({"metric": 0}, {"metric"}),
        ({"batch_size": 3}, {"batch_size"}),
        ({"subsample": 2}, {"subsample", "frames"}),
    ],
)
def test_processes_tell_each_other_what_decides_the_results(
    data, tmp_path, changed, told
):
    def work(solver="huber", weight=1.0, turned=1, **options):
        lifter = PPCALifter(
            read_mixture(GOLDEN / "model_parameters.h5", 3),
            turned * read_cameras(GOLDEN / "avg_cameras.h5"),
            solver=solver,
        )
        lifter.parameters["exp_weights"].assign([[weight]] * 3)
        run(data, tmp_path / "run", lifter=lifter, **options)

    assert evaluators.differences(work, **changed) == told


def test_a_last_worker_may_have_no_frames(monkeypatch, data):
    """Three batches of 14 frames, by five workers."""
    poses = read_action_frames(data / "testing", 1).poses
    shares = []
    for number in range(5):
        place = distribution.Place(5, number)
        monkeypatch.setattr(distribution, "place_of", lambda _, place=place: place)
        shares.append(evaluation._own_frames(tf.distribute.get_strategy(), 14, 5))
    parts = [poses[own].joints_3d_mm for own in shares]
    assert [len(part) for part in parts] == [5, 5, 4, 0, 0]
    np.testing.assert_array_equal(np.concatenate(parts), poses.joints_3d_mm)
    found = evaluation.reconstruct(MovedTruth(), poses[shares[-1]], batch_size=5)
    assert [part.shape for part in found] == [(0, 17, 3)] * 2


def test_a_progress_bar_is_shown_on_request(data, capsys):
    poses = read_action_frames(data / "testing", 1).poses
    evaluation.reconstruct(MovedTruth(), poses)
    assert capsys.readouterr().out == ""
    evaluation.reconstruct(MovedTruth(), poses, verbose=True)
    shown = capsys.readouterr().out
    assert "14/14" in shown
    # It ends with the mean of all frames, not with the last batch's.
    assert f"mpjpe_mm: {(11 * 10 + 3 * 40) / 14:.4f}" in shown
