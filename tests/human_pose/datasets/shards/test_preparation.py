"""Preparations: resumed, repeated, killed, short of disk; read by TFDS."""

import dataclasses
import os
import random
import shutil
import signal
import time
import warnings
from itertools import pairwise

import made_up_source as made_up
import numpy as np
import pytest
import tensorflow_datasets as tfds

from human_pose.datasets.shards import preparation
from human_pose.datasets.shards.beam import Beam
from human_pose.datasets.shards.plan import Piece
from human_pose.datasets.shards.preparation import prepare, write_task
from human_pose.datasets.shards.reading import open_shards
from human_pose.datasets.shards.sidecar import check_content, sidecar_path
from human_pose.datasets.shards.tfds_folder import features_of
from human_pose.files.errors import InputError

SHARD = 5
# Two of 27 samples.
BAD = {
    "train": (Piece(3, range(0, 13)), Piece(22, range(20, 30))),
    "test": (Piece(None, range(100, 104)),),
}


class Counting:
    """This process, which says what it wrote."""

    def __init__(self):
        self.written = []

    def write(self, plan, folder, tasks):
        for task in tasks:
            self.written.append(task.name)
            write_task(plan, folder, task)


class AllAtOnce:
    """As Beam: asks for all tasks before it writes the first."""

    def write(self, plan, folder, tasks):
        for task in [*tasks]:
            write_task(plan, folder, task)


def test_tfds_reads_every_number_exactly(tmp_path):
    folder = prepare(made_up.source(BAD).plan(SHARD), tmp_path, max_bad_share=0.1)
    builder = tfds.builder_from_directory(folder)
    assert builder.info.full_name == "made_up/all/1.0.0"
    assert builder.info.features["exact"].doc.desc == "mm, world frame"
    rows = [*builder.as_dataset(split="train").as_numpy_iterator()]
    wanted = [*range(3), *range(4, 13), 20, 21, *range(23, 30)]
    assert [row["index"] for row in rows] == wanted
    for row in rows:
        for name, value in made_up.sample(int(row["index"])).items():
            expected = value.encode() if name == "name" else value
            np.testing.assert_array_equal(row[name], expected)
        assert row["exact"].dtype == np.float64
    assert builder.info.splits["test"].num_examples == 4


def test_a_shard_without_a_good_sample_is_empty(tmp_path):
    parts = {"train": tuple(Piece(index, range(index, index + 1)) for index in (0, 1))}
    parts["train"] += (Piece(None, range(2, 4)),)
    folder = prepare(made_up.source(parts).plan(2), tmp_path, max_bad_share=0.5)
    rows = tfds.builder_from_directory(folder).as_dataset(split="train")
    assert [int(row["index"]) for row in rows] == [2, 3]
    assert open_shards(folder, "train").indices.tolist() == [2, 3]


def test_twice_is_once(tmp_path):
    counting, again = Counting(), Counting()
    folder = prepare(made_up.source().plan(SHARD), tmp_path, counting)
    before = made_up.files(folder)
    assert prepare(made_up.source().plan(SHARD), tmp_path, again) == folder
    assert (len(counting.written), again.written) == (6, [])
    assert made_up.files(folder) == before


def test_equal_plans_make_equal_files(tmp_path):
    first, second = (
        prepare(made_up.source().plan(SHARD), tmp_path / name) for name in "ab"
    )
    assert made_up.files(first) == made_up.files(second)


@pytest.mark.parametrize(
    "damage", ["sidecar", "shard", "cut", "flipped", "copied", "info", "leftover"]
)
def test_what_is_missing_is_made_again(tmp_path, damage):
    folder = prepare(made_up.source().plan(SHARD), tmp_path)
    before = made_up.files(folder)
    shard = folder / "made_up-train.tfrecord-00002-of-00005"
    if damage == "sidecar":
        sidecar_path(shard).unlink()
    if damage == "shard":
        shard.unlink()
    if damage == "cut":
        os.truncate(shard, 100)
    if damage == "flipped":
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
    if damage == "copied":
        # Of the same size: all that a sidecar says of its shard is true.
        other = folder / "made_up-train.tfrecord-00003-of-00005"
        shutil.copy(other, shard)
        shutil.copy(sidecar_path(other), sidecar_path(shard))
        with pytest.raises(InputError, match="holds the sample 22 twice"):
            open_shards(folder, "train")
    if damage == "info":
        (folder / "dataset_info.json").unlink()
    if damage == "leftover":
        (folder / ".made_up-train.abcdefgh.part").write_bytes(b"half")
    counting = Counting()
    prepare(made_up.source().plan(SHARD), tmp_path, counting)
    made = [] if damage in ("info", "leftover") else [shard.name]
    assert counting.written == made
    assert made_up.files(folder) == before


def test_an_unfinished_folder_is_no_data_set(tmp_path):
    plan = made_up.source().plan(SHARD)
    folder = prepare(plan, tmp_path)
    sidecar_path(folder / plan.tasks[0].name).unlink()

    class Lazy:
        def write(self, plan, folder, tasks):
            pass

    with pytest.raises(InputError, match="no such file"):
        prepare(plan, tmp_path, Lazy())
    assert not (folder / "dataset_info.json").exists()


def test_parts_of_before_and_after_are_no_set(tmp_path):
    """As of a preparation of changed files that was killed between the parts."""
    plan = made_up.source().plan(SHARD)
    first = dataclasses.replace(plan, source="mine 0123abcd, png")
    folder = prepare(first, tmp_path)
    train = [task for task in plan.tasks if task.part == "train"]
    plan = dataclasses.replace(plan, source="mine 89efabcd, png")
    for done, task in enumerate(train):
        assert len(open_shards(folder, "test"))
        write_task(plan, folder, task)
        if done < len(train) - 1:
            with pytest.raises(InputError, match="of another preparation"):
                open_shards(folder, "train")
    for part in ("train", "test"):
        with pytest.raises(InputError, match="of another preparation than made_up-"):
            open_shards(folder, part)
    prepare(plan, tmp_path)
    assert len(open_shards(folder, "test")) and len(open_shards(folder, "train"))


def test_another_size_is_refused(tmp_path):
    prepare(made_up.source().plan(SHARD), tmp_path)
    with pytest.raises(InputError, match=r"of another size.*`samples_per_shard`"):
        prepare(made_up.source().plan(SHARD + 1), tmp_path)


def test_a_finished_set_of_other_settings_is_not_thrown_away(tmp_path):
    """But files of the source that changed, which their checksums tell, count."""
    plan = made_up.source().plan(SHARD)
    first = dataclasses.replace(plan, source="mine 0123abcd, png")
    folder = prepare(first, tmp_path)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=r"other settings \(mine 0123abcd, png\)"):
        prepare(dataclasses.replace(plan, source="mine 0123abcd, jpeg"), tmp_path)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    prepare(dataclasses.replace(plan, source="mine 89efabcd, png"), tmp_path)


@pytest.mark.parametrize(
    ("told", "other"),
    [
        (
            "invented, Recipe(count=9, seed=20240131, test_share=0.12345678)",
            "invented, Recipe(count=9, seed=20240201, test_share=0.12345678)",
        ),
        (
            "recording ('54138969', '55011271') 0123abcd in shards of 5",
            "recording ('54138969', '58860488') 0123abcd in shards of 5",
        ),
        ("mine 0123abcd in shards of 10000000", "mine 0123abcd in shards of 20000000"),
    ],
)
def test_numbers_of_settings_are_no_checksums(tmp_path, told, other):
    plan = made_up.source().plan(SHARD)
    folder = prepare(dataclasses.replace(plan, source=told), tmp_path)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match="finished set of other settings"):
        prepare(dataclasses.replace(plan, source=other), tmp_path)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("swept", [True, False])
def test_an_orphan_at_work_is_in_nobodys_way(tmp_path, monkeypatch, swept):
    """Of a killed run: another one makes its shard, and ends, while it is at it."""
    plan = made_up.source().plan(SHARD)
    folder = plan.folder(tmp_path)
    if not swept:  # it began just after the other had looked
        monkeypatch.setattr(preparation, "leftovers", lambda folder: ())

    def late(piece):
        for item in made_up.make(piece):
            if not (folder / "dataset_info.json").exists():
                prepare(plan, tmp_path)
            yield item

    orphan = made_up.source(make=late).plan(SHARD)
    try:
        write_task(orphan, folder, plan.tasks[1])
    except InputError as error:
        assert swept and "cannot be written: No such file" in str(error)
    else:
        assert not swept
    assert made_up.files(folder) == made_up.files(prepare(plan, tmp_path / "whole"))


def test_bad_samples_are_listed(tmp_path):
    folder = prepare(made_up.source(BAD).plan(SHARD), tmp_path, max_bad_share=2 / 27)
    assert (folder / "skipped.tsv").read_text() == (
        "part\tindex\treason\ntrain\t3\t3 is broken\ntrain\t22\t22 is broken\n"
    )


def test_too_many_bad_samples_are_refused_and_may_be_mended(tmp_path):
    plan = made_up.source(BAD).plan(SHARD)
    with pytest.raises(InputError, match=r"lists 2 of 27 .*`max_bad_share`.*3 is brok"):
        prepare(plan, tmp_path, AllAtOnce(), max_bad_share=1.9 / 27)
    folder = plan.folder(tmp_path)
    assert not (folder / "dataset_info.json").exists()
    counting = Counting()
    mended = made_up.source().plan(SHARD)  # the same source, as the plan tells
    prepare(mended, tmp_path, counting, retry_bad=True)
    assert [name[-14:] for name in counting.written] == [
        "00000-of-00005",
        "00003-of-00005",
    ]
    whole = prepare(mended, tmp_path / "whole")
    assert made_up.files(folder) == made_up.files(whole)


def test_a_part_is_not_left_empty_however_small_it_is(tmp_path):
    parts = {
        "train": (Piece(None, range(0, 12)),),
        "test": (Piece(12, range(12, 13)),),
    }
    plan = made_up.source(parts).plan(SHARD)
    with pytest.raises(InputError, match="all samples of the test part"):
        prepare(plan, tmp_path, max_bad_share=0.1)
    assert not (plan.folder(tmp_path) / "dataset_info.json").exists()


def test_a_wrong_source_is_found_out_early(tmp_path):
    counting = Counting()
    with pytest.raises(InputError, match="lists 1 of 27 samples"):
        prepare(made_up.source(BAD).plan(SHARD), tmp_path, counting)
    assert len(counting.written) == 1
    folder = made_up.source(BAD).plan(SHARD).folder(tmp_path)
    assert (folder / "skipped.tsv").read_text().endswith("train\t3\t3 is broken\n")


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_a_share(tmp_path, share):
    with pytest.raises(InputError, match="max_bad_share must be from 0 to 1"):
        prepare(made_up.source().plan(SHARD), tmp_path, max_bad_share=share)


def test_a_full_disk_is_one_line_and_no_loss(tmp_path):
    parts = {"train": (Piece(None, range(0, 13)), Piece(22, range(20, 30)))}
    full = made_up.source(parts, made_up.make_on_a_full_disk).plan(SHARD)
    with pytest.raises(InputError, match="00003-of-00005: cannot be written: No space"):
        prepare(full, tmp_path)
    assert not [*full.folder(tmp_path).glob(".*")]
    counting = Counting()
    whole = made_up.source(
        {"train": (Piece(None, range(0, 13)), Piece(None, range(20, 30)))}
    )
    prepare(whole.plan(SHARD), tmp_path, counting)
    assert [name[-14:-9] for name in counting.written] == ["00003", "00004"]


def test_progress_ends_with_all_samples(tmp_path):
    told = []
    prepare(
        made_up.source().plan(SHARD), tmp_path, progress=lambda *pair: told.append(pair)
    )
    assert told[0] == (0, 27)
    assert told[-1] == (27, 27)
    assert all(one[0] <= other[0] for one, other in pairwise(told))


def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path):
    """Three processes are killed; the fourth finds what is left, and no more."""
    plan = made_up.source(make=made_up.make_slowly).plan(1)  # half a second in all
    wanted = prepare(plan, tmp_path / "whole")
    rng = random.Random(7)
    folder = plan.folder(tmp_path / "killed")
    written = [0]
    for _ in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()  # other processes would load TensorFlow for seconds
        if not child:
            try:
                prepare(plan, tmp_path / "killed")
            finally:
                os._exit(0)
        while len([*folder.glob("*.tfrecord*.json")]) <= written[-1]:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        written.append(len([*folder.glob("*.tfrecord*.json")]))
    assert written[-1] < len(plan.tasks)  # else nothing was interrupted
    found = prepare(plan, tmp_path / "killed")
    assert made_up.files(found) == made_up.files(wanted)


@pytest.mark.parametrize(
    "engine",
    [
        Beam(0, ("runner=FnApiRunner",)),
        pytest.param(Beam(2), marks=pytest.mark.large),
    ],
)
def test_beam_makes_the_same_bytes(tmp_path, monkeypatch, engine):
    # Where its workers find the source; pytest's path is not theirs.
    helpers = os.path.dirname(made_up.__file__)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([helpers, os.getcwd()]))
    plan = made_up.source(BAD).plan(SHARD)
    alone, by_beam = (
        prepare(plan, tmp_path / name, made, max_bad_share=0.1)
        for name, made in (("alone", None), ("beam", engine))
    )
    assert made_up.files(alone) == made_up.files(by_beam)
    for part in plan.parts:
        for path in open_shards(by_beam, part).paths:
            check_content(path)


def test_what_fails_in_beam_is_one_line(tmp_path):
    parts = {"train": (Piece(None, range(0, 13)), Piece(22, range(20, 30)))}
    full = made_up.source(parts, made_up.make_on_a_full_disk).plan(SHARD)
    with pytest.raises(InputError, match="00003-of-00005: cannot be written: No space"):
        prepare(full, tmp_path, Beam(0, ("runner=FnApiRunner",)))
    # The others are there.
    assert len([*full.folder(tmp_path).glob("*.json")]) == 4


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("runner=NoRunner", "options must be Beam's: Unexpected pipeline runner"),
        ("direct_num_workers=x", "options must be Beam's: .*invalid int value"),
    ],
)
def test_options_that_beam_refuses_are_one_line(tmp_path, capfd, option, message):
    with pytest.raises(InputError, match=message):
        prepare(made_up.source().plan(SHARD), tmp_path, Beam(0, (option,)))
    assert "usage" not in capfd.readouterr().err


def test_options_that_beam_does_not_know_are_told(caplog):
    beam = pytest.importorskip("apache_beam")
    assert Beam(1, ("flink_mastr=here",))._options(beam)
    assert "does not know the option flink_mastr=here" in caplog.text


def test_features_bear_units():
    features = features_of(made_up.SCHEMA)
    assert features["exact"].np_dtype == np.float64
    assert features["rough"].shape == (4,)
