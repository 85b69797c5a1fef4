"""The sample command with names of any kind, in environments of other projects."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from absl import flags
from PIL import Image

from human_pose import Sample
from human_pose.commands import flags as settings
from human_pose.commands import shell
from human_pose.files.paths import PROJECT_ROOT
from human_pose.i1 import build_network
from human_pose.i1.network.checkpoint import save_network

GOLDEN = PROJECT_ROOT / "tests" / "golden"
# No formula, letters that the font lacks, and a byte that is no UTF-8.
ODD_NAME = "$x 中文 \udcff$\\frac$$.png"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("network") / "net.keras"
    save_network(
        build_network(4, input_size=64, preset="tiny", batch_norm="moving"), path
    )
    return path


@pytest.fixture
def picture(tmp_path):
    """The function that makes a picture of a name."""

    def make(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(path, format="PNG")
        return path

    return make


@pytest.fixture
def inherited(tmp_path):
    """What a notebook and another project's keras.json leave behind."""
    folder = tmp_path / "keras"
    folder.mkdir()
    (folder / "keras.json").write_text(
        json.dumps({"floatx": "float16", "image_data_format": "channels_first"})
    )
    kept = {k: v for k, v in os.environ.items() if "DISPLAY" not in k}
    return kept | {
        "KERAS_BACKEND": "jax",
        "KERAS_HOME": str(folder),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONIOENCODING": "ascii",
    }


def run(*arguments):
    flag_values = flags.FlagValues()
    settings.define_sample_flags(flag_values)
    flag_values(["Sample.py", *map(str, arguments)])
    return shell.guarded(Sample.main, flag_values)


def start(environment, *arguments, closed=""):
    return subprocess.run(
        ["bash", "-c", f'"$0" "$@" {closed}', sys.executable,
         PROJECT_ROOT / "human_pose" / "Sample.py", *arguments],
        cwd=PROJECT_ROOT, env=environment, capture_output=True,
    )  # fmt: skip


def results(folder):
    return sorted(path.suffix for path in (folder / "out" / "sample").iterdir())


@pytest.mark.large
def test_pictures_of_one_odd_name_have_results_of_their_own(
    checkpoint, picture, tmp_path, capsys, inherited
):
    arguments = [f"--check_path={checkpoint}", f"--results_dir={tmp_path}/out"]
    images = [picture(f"{folder}/{ODD_NAME}") for folder in ("cam1", "cam2")]
    shell.ready_streams()
    # Warnings are errors here, and another environment is there.
    assert run(*arguments, f"--image={images[0]}", "--noshow") == 0
    first = capsys.readouterr().out
    done = start(inherited, *arguments, f"--image={images[1]}")
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    second = done.stdout.decode("ascii")
    # Both are the same picture, and so the same pose.
    assert second.splitlines()[:18] == first.splitlines()[:18]
    assert "\\u4e2d" in second
    assert results(tmp_path) == [".csv", ".csv", ".png", ".png"]


def test_the_lifter_works_there_with_its_output_closed(inherited, tmp_path):
    done = start(
        inherited,
        "--check_path=none",
        "--input_path=data/sample.h5",
        f"--parameters_dir={GOLDEN}",
        f"--results_dir={tmp_path}/out",
        closed=">&- 2>&-",
    )
    assert done.returncode == 0
    assert results(tmp_path) == [".png"]
