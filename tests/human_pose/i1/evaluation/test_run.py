"""Evaluation of a stand-in whose heatmaps are known: both protocols in closed form."""

import contextlib
import csv
from types import SimpleNamespace
from unittest import mock

import evaluators
import numpy as np
import pytest
import tensorflow as tf
from made_up_images import joints_3d
from made_up_shards import write_shards

from human_pose.datasets.images import Skipped, open_dataset, open_sharded
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import JOINTS_16_OF_32
from human_pose.i1 import build_network, readout
from human_pose.i1.evaluation import run as evaluation
from human_pose.i1.input import Stream, batches
from human_pose.i1.objective import targets

SIZE, DEPTH_BINS = 16, 64


class Answers:
    """Gives for every image of a set the heatmaps of its labels; notes what it saw."""

    def __init__(self, dataset, skip_bad=False):
        stream = Stream(100, input_size=4 * SIZE, skip_bad=skip_bad)
        self._all = next(iter(batches(dataset, stream)))
        self.seen = []

    def __call__(self, image, training):
        heatmaps = tf.py_function(self._answer, [image], [tf.float32, tf.float32])
        joints = tf.ensure_shape(heatmaps[0], [None, SIZE, SIZE, 16])
        volume = tf.ensure_shape(heatmaps[1], [None, SIZE, SIZE, 16 * DEPTH_BINS])
        return {"heatmap": joints, "heatmap2": volume}

    def _answer(self, image):
        known = self._all["image"].numpy()
        same = (known[None] == image.numpy()[:, None]).all((2, 3, 4))
        assert same.any(1).all(), "an image that the set does not have"
        rows = same.argmax(1)
        self.seen += self._all["index"].numpy()[rows].tolist()
        joints, depth = (
            tf.gather(self._all[name], rows) for name in ("joints_2d", "depth")
        )
        return (
            targets.heatmaps_2d(joints, SIZE, "unbiased"),
            targets.heatmaps_3d(joints, depth, DEPTH_BINS, SIZE, "unbiased"),
        )


@pytest.fixture
def dataset(root):
    return open_dataset(root, part="test")


def evaluated(dataset, tmp_path, network=None, *, drawn=False, **options):
    """Evaluates; pictures take most of the time, so that one test alone has them."""
    options |= {"depth_bins": DEPTH_BINS, "input_size": 4 * SIZE, "verbose": False}
    network = network or Answers(dataset)
    with contextlib.ExitStack() as stack:
        if not drawn:
            nothing = mock.patch.object(evaluation, "_write_pictures", return_value={})
            stack.enter_context(nothing)
        return evaluation.evaluate(network, dataset, tmp_path / "run", **options)


def published_error_mm(dataset):
    """What a perfect prediction errs by in the published protocol, joint by joint."""
    batch = next(iter(batches(dataset, Stream(3, input_size=4 * SIZE))))
    depth = batch["depth"].numpy()
    shift = 54.548589 - 142.8638 * depth
    box, camera = batch["box"].numpy(), batch["camera"].numpy()
    frame = batch["joints_2d"].numpy() * (box[:, None, 2:] - box[:, None, :2])
    rays = (frame + box[:, None, :2] - camera[:, None, 2:]) / camera[:, None, :2]
    vectors = np.concatenate([rays, np.ones_like(rays[..., :1])], -1) * shift[..., None]
    return np.linalg.norm(vectors, axis=-1).mean(-1)


def test_labels_read_back_have_their_depths(dataset, tmp_path):
    """What is left is the depth's resolution of 1 / 64 of 2 m.

    The camera of the made-up set does not belong to its joints, so that only depths can
    be compared with the truth.
    """
    found = evaluated(dataset, tmp_path)
    np.testing.assert_array_equal(found.index, [9, 10, 11])
    truth_z, z = found.truth_mm[..., 2], found.poses_mm["argmax"][..., 2]
    inside = np.abs(truth_z - truth_z[:, :1]) < 900
    assert inside.mean() > 0.9
    assert np.abs(z - truth_z)[inside].max() < 1986.05 / 64
    relative = [p - p[:, :1] for p in (found.truth_mm, found.poses_mm["integral"])]
    expected = np.linalg.norm(relative[0] - relative[1], axis=-1).mean(-1)
    np.testing.assert_allclose(found.errors_mm, expected, rtol=1e-6)
    stored = np.load(tmp_path / "run" / "errors.npy")
    np.testing.assert_array_equal(stored, found.errors_mm)


def test_batches_are_mixed_and_results_are_in_order(root, tmp_path):
    dataset = open_dataset(root, part="train")
    network = Answers(dataset)
    found = evaluated(dataset, tmp_path, network, batch_size=4)
    order = network.seen
    assert order != sorted(order)
    assert found.index.tolist() == sorted(order) == dataset.annotations.index.tolist()


def test_the_published_protocol_has_its_depth_error(dataset, tmp_path, monkeypatch):
    """Exact positions, so that only the other bounds err."""
    shown = list(batches(dataset, Stream(2, input_size=4 * SIZE)))

    def exact(heatmap2, depth_bins, name):
        joints = [b["joints_2d"] for b in shown]
        depth = [b["depth"] for b in shown]
        every = tf.concat([tf.concat(joints, 0), tf.concat(depth, 0)[..., None]], -1)
        rows = tf.cast(heatmap2[:, 0, 0, 0], tf.int32)
        return tf.gather(every, rows)

    def network(image, training):
        images = tf.concat([b["image"] for b in shown], 0)
        same = tf.reduce_all(images[None] == image[:, None], [2, 3, 4])
        row = tf.cast(tf.argmax(tf.cast(same, tf.int32), axis=1), tf.float32)
        volume = tf.tile(row[:, None, None, None], [1, SIZE, SIZE, 16 * DEPTH_BINS])
        return {"heatmap": volume[..., :16], "heatmap2": volume}

    monkeypatch.setattr(readout, "positions", exact)
    found = evaluated(dataset, tmp_path, network)
    np.testing.assert_allclose(
        found.published_mm["integral"], published_error_mm(dataset), rtol=1e-3
    )
    # The standard protocol decodes them without error.
    z_error = found.poses_mm["integral"][..., 2] - found.truth_mm[..., 2]
    np.testing.assert_allclose(z_error, 0, atol=0.1)


def test_writes_arrays_report_and_pictures(dataset, tmp_path):
    found = evaluated(
        dataset, tmp_path, readout="argmax", description={"Name": "x"}, drawn=True
    )
    folder = tmp_path / "run"
    poses, truth = (np.load(folder / f"{name}.npy") for name in ("poses", "truth"))
    assert poses.shape == truth.shape == (3, 1, 3, 16)
    joints = np.stack(
        [joints_3d(index)[list(JOINTS_16_OF_32)] for index in (9, 10, 11)]
    )
    np.testing.assert_allclose(truth[:, 0].swapaxes(1, 2), joints, rtol=1e-6)
    np.testing.assert_array_equal(poses[1, 0].T, found.poses_mm["argmax"][1])
    table = np.load(folder / "tabled_res.npy")
    assert table.shape == (16,)
    assert np.flatnonzero(np.isfinite(table)).tolist() == [2, 15]  # Eating, all
    np.testing.assert_allclose(table[[2, 15]], found.errors_mm.mean())
    text = (folder / "evaluations" / "report.md").read_text()
    for part in (
        "## Standard protocol, integral readout",
        "## Standard protocol, argmax readout",
        "## As published (mm)",
        "| Eating | 3 |",
        "- Name: x",
        "3 of",
    ):
        assert part in text
    for name in ("best", "median", "worst"):
        assert (folder / "images" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    assert "argmax, as published (mm)" in found.table()


def test_actions_are_counted_by_the_image_datas_own_labels(dataset, tmp_path):
    found = evaluated(dataset, tmp_path)
    labels = ("Directions", "Discussion", "Eating", "another")
    with mock.patch.object(evaluation, "ACTIONS", labels):
        means = found.action_errors_mm
    assert np.flatnonzero(np.isfinite(means)).tolist() == [2, 4]
    np.testing.assert_allclose(means[[2, 4]], found.errors_mm.mean())


def test_lists_what_it_left_out(root, tmp_path):
    (root / "bbx_all_new" / "10.txt").write_text("1 2 1 2")
    dataset = open_dataset(root, part="test")
    with pytest.raises(InputError, match=r"/10.txt: .*; `skip_bad` leaves it"):
        evaluated(dataset, tmp_path, network=build_network)
    found = evaluated(dataset, tmp_path, Answers(dataset, skip_bad=True), skip_bad=True)
    assert found.index.tolist() == [9, 11]
    text = (tmp_path / "run" / "evaluations" / "report.md").read_text()
    assert "## Samples left out (1)" in text
    assert "bbx_all_new/10.txt" in text


def test_lists_many_samples_left_out_in_a_file(dataset, tmp_path, monkeypatch, caplog):
    bad = tuple(Skipped(100 + i, f"a/{i}.txt: bad, as is said") for i in range(25))
    answers = Answers(dataset)
    monkeypatch.setattr(type(dataset), "skipped", bad)
    with caplog.at_level("WARNING", logger="absl"):
        evaluated(dataset, tmp_path, answers, skip_bad=True)
    folder = tmp_path / "run" / "evaluations"
    message = f"left out 25 of 3 samples, listed in {folder / 'skipped.csv'}"
    assert caplog.messages == [message]
    text = (folder / "report.md").read_text()
    assert "a/19.txt" in text and "a/20.txt" not in text
    assert "- and 5 more; all: [skipped.csv](skipped.csv)" in text
    with (folder / "skipped.csv").open(newline="") as file:
        head, *lines = csv.reader(file)
    assert head == ["index", "reason"]
    assert [(int(index), reason) for index, reason in lines] == list(bad)
    monkeypatch.undo()
    evaluated(dataset, tmp_path, answers)
    assert not (folder / "skipped.csv").exists()


def test_names_the_sample_of_a_prediction_that_is_not_finite(dataset, tmp_path):
    def network(image, training):
        nan = tf.fill([tf.shape(image)[0], SIZE, SIZE, 16 * DEPTH_BINS], float("nan"))
        return {"heatmap": nan[..., :16], "heatmap2": nan}

    with pytest.raises(FloatingPointError, match="sample 9 is not finite"):
        evaluated(dataset, tmp_path, network)


@pytest.mark.large
def test_many_evaluations_in_a_process_cause_no_warning(dataset, tmp_path, caplog):
    answers = Answers(dataset)
    for _ in range(6):  # TensorFlow complains of the fifth function traced in a row
        evaluated(dataset, tmp_path, answers)
    assert not caplog.messages


def test_refuses_another_readout(dataset, tmp_path):
    with pytest.raises(InputError, match="integral or argmax; received 'mean'"):
        evaluated(dataset, tmp_path, readout="mean")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, set()),
        ({"weights": (1, 2)}, {"checksum of the weights"}),
        ({"readout": "argmax"}, {"readout"}),
        ({"batch_size": 3}, {"batch_size"}),
        ({"every": 10}, {"samples"}),
    ],
)
def test_processes_tell_each_other_what_decides_the_results(
    root, tmp_path, changed, told
):
    def work(weights=(1, 1), every=1, **options):
        network = SimpleNamespace(variables=[weights])
        samples = open_dataset(root, part="test", every=every)
        evaluated(samples, tmp_path, network, **options)

    assert evaluators.differences(work, **changed) == told


def test_shards_are_evaluated_as_the_folder(root, dataset, tmp_path):
    shards = open_sharded(write_shards(root, tmp_path / "shards", "test"), "test")
    found = evaluated(shards, tmp_path / "one")
    expected = evaluated(dataset, tmp_path / "other")
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.errors_mm, expected.errors_mm)
    batch = evaluation.sample(shards, 10, 4 * SIZE)
    np.testing.assert_array_equal(batch["index"], [10])


def test_a_damaged_shard_is_named(root, tmp_path):
    folder = write_shards(root, tmp_path / "shards", "test")
    shards = open_sharded(folder, "test")
    network = Answers(shards)
    path = next(folder.glob("*-00001-of-00002"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"00001-of-00002: must have the checksum"):
        evaluated(shards, tmp_path, network)
