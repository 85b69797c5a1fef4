"""The command: what it makes, refuses, and says; killed and started again."""

import os
import random
import signal
import subprocess
import sys
import time

import made_up_images
import made_up_source
import pytest
from absl import flags

from human_pose.commands import prepare
from human_pose.datasets.builders import sources
from human_pose.datasets.images import encoding
from human_pose.datasets.shards import plan, preparation
from human_pose.files.errors import InputError
from human_pose.runs.lock import locked

MODULE = "human_pose.commands.prepare"


def parse(*arguments):
    flag_values = flags.FlagValues()
    prepare.define_flags(flag_values)
    flag_values(["prepare", *map(str, arguments)])
    return flag_values


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    made_up_images.write_set(folder)
    return folder


@pytest.fixture(autouse=True)
def _signals():
    """The command answers SIGTERM as it likes; the tests' process does not."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_its_defaults_are_the_libraries():
    assert prepare.DATA_SETS == tuple(sources.DATA_SETS)
    assert prepare.ENCODINGS == encoding.ENCODINGS
    assert prepare.SAMPLES_PER_SHARD == plan.SAMPLES_PER_SHARD
    assert prepare.MAX_BAD_SHARE == preparation.MAX_BAD_SHARE


def test_it_prepares_and_says_what(pictures, tmp_path, capsys):
    words = [
        *("--dataset=synthetic_images", f"--source={pictures}", "--partial"),
        *(f"--out={tmp_path / 'out'}", "--samples_per_shard=5", "--encoding=png"),
    ]
    prepare.work(parse(*words))
    folder = tmp_path / "out" / "synthetic_images" / "corrected" / plan.VERSION
    said = capsys.readouterr()
    assert said.out == f"{folder}: train 9, test 3 samples in 3 shards\n"
    assert "12/12" in said.err
    before = made_up_source.files(folder)
    assert not [name for name in before if name.startswith(".")]  # nor a lock
    prepare.work(parse(*words))
    assert made_up_source.files(folder) == before


def test_only_one_at_a_time(pictures, tmp_path):
    words = [
        *("--dataset=synthetic_images", f"--source={pictures}", "--partial"),
        f"--out={tmp_path / 'out'}",
    ]
    folder = tmp_path / "out" / "synthetic_images" / "corrected" / plan.VERSION
    with locked(folder, "preparation"):
        with pytest.raises(InputError, match=r"is at preparation there; .* `out`"):
            prepare.work(parse(*words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "dataset must be one of h36m_images"),
        (
            ["--dataset=h36m_lifting", "--count=3"],
            "count has no effect",
        ),
        (["--dataset=h36m_images", "--hard=dark"], "hard has no effect on h36m_images"),
        (["--dataset=synthetic_lifting", "--hard=dark"], "hard has no effect"),
        (["--dataset=synthetic_images", "--hard=fog"], "hard must be of occluders, b"),
        (["--dataset=h36m_images", "--fps=3"], "fps has no effect on h36m_images"),
        (["--dataset=recordings", "--encoding=png"], "encoding has no effect"),
        (
            ["--dataset=synthetic_images", "--source=x", "--seed=3"],
            "seed has no effect on synthetic_images with a source",
        ),
        (["--dataset=recordings"], "recordings: needs a `source`"),
        (["--dataset=h36m_lifting", "--source=nowhere"], "nowhere not found"),
        (["--dataset=synthetic_images", "--count=3"], "count must be at least 105"),
        (["--dataset=synthetic_lifting", "--config=best"], "config must be every_fr"),
    ],
)
def test_what_it_refuses(words, message):
    with pytest.raises(InputError, match=message):
        prepare.work(parse(*words))


def test_a_share_is_a_number():
    """No number of bad samples would be more than NaN."""
    with pytest.raises(flags.Error, match="nan is not a number in the range"):
        parse("--max_bad_share=nan")


@pytest.mark.parametrize(
    ("words", "workers", "options"),
    [
        (["--workers=3"], 3, ()),
        (["--beam_pipeline_options=--runner=X --y=2"], 0, ("runner=X", "y=2")),
        (["--workers=2", "--beam_pipeline_options=--y=2"], 2, ("y=2",)),
    ],
)
def test_beam_is_told(words, workers, options):
    beam = prepare._engine(parse(*words))
    assert (beam.workers, beam.options) == (workers, options)
    assert prepare._engine(parse()) is None


def test_mistakes_are_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "--dataset=h36m_images", f"--source={tmp_path}"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "metadata.xml" in done.stderr


def count(folder):
    """How many shards are written."""
    return len([*folder.glob("*.tfrecord*.json")])


@pytest.mark.large
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_three_times_it_ends_with_the_same_bytes(tmp_path, workers):
    def start(out):
        words = ["--dataset=synthetic_images", "--count=210", "--samples_per_shard=6"]
        words += [f"--out={tmp_path / out}", f"--workers={workers}"]
        return subprocess.Popen(
            [sys.executable, "-m", MODULE, *words], stderr=subprocess.DEVNULL
        )

    assert start("whole").wait() == 0
    place = f"synthetic_images/corrected/{plan.VERSION}"
    cut, rng, written = tmp_path / "cut" / place, random.Random(workers), 0
    for _ in range(3):
        process = start("cut")
        while (
            process.poll() is None and len([*cut.glob("*.tfrecord*.json")]) <= written
        ):
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        process.wait()
        written = count(cut)
    assert start("cut").wait() == 0
    whole = made_up_source.files(tmp_path / "whole" / place)
    assert made_up_source.files(cut) == whole
    assert os.path.exists(cut / "dataset_info.json")
