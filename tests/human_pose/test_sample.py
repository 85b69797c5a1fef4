"""The sample command: one frame lifted, measured, and drawn."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from human_pose import Sample
from human_pose.datasets.pose_files import PoseSet, write_pose_file
from human_pose.files.errors import InputError
from human_pose.files.paths import PROJECT_ROOT

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def frames(tmp_path):
    """The golden frames as a pose file, and the original's three errors of each."""
    with np.load(GOLDEN / "golden_synthetic.npz") as golden:
        poses = PoseSet(
            golden["poses_2d"], golden["poses_3d_gt"], np.zeros((8, 4, 3, 3))
        )
        errors_mm = golden["huber-default/errors"]
    path = tmp_path / "frames.h5"
    write_pose_file(path, poses)
    return path, errors_mm


def run_sample(*flags, folder=PROJECT_ROOT):
    script = os.path.relpath(PROJECT_ROOT / "human_pose" / "Sample.py", folder)
    environment = {k: v for k, v in os.environ.items() if "DISPLAY" not in k}
    return subprocess.run(
        [sys.executable, script, *flags],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_prints_the_originals_errors_and_saves_a_picture(frames, tmp_path):
    path, errors_mm = frames
    done = run_sample(
        f"--input_path={path}",
        "--frame=5",
        "--check_path=none",
        f"--parameters_dir={GOLDEN}",
        f"--results_dir={tmp_path}",
        folder=PROJECT_ROOT / "human_pose",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    printed = re.findall(r"metric (\d) +([\d.]+) mm", done.stdout)
    assert [metric for metric, _ in printed] == ["0", "1", "2"]
    np.testing.assert_allclose(
        [float(error) for _, error in printed], errors_mm[5], atol=0.00501
    )
    picture = tmp_path / "sample" / "frame_5.png"
    assert str(picture) in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_missing_file_is_one_line_and_exit_code_1(tmp_path):
    done = run_sample(
        "--input_path=nowhere.h5", f"--parameters_dir={GOLDEN}", "--check_path=none"
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "nowhere.h5 not found" in done.stderr
    assert done.stdout == ""


def test_read_frame(frames):
    path, _ = frames
    one = Sample.read_frame(path, 7)
    assert len(one) == 1
    with pytest.raises(InputError, match=r"--frame must be below 8.*received 8"):
        Sample.read_frame(path, 8)


def test_a_script_does_not_shadow_other_packages(tmp_path):
    # `datasets` is also the name of a well-known package.
    code = (
        "import runpy, sys; sys.argv = ['Sample.py', '--help'];"
        "sys.path.insert(0, 'human_pose');"
        "\ntry: runpy.run_path('human_pose/Sample.py', run_name='__main__')"
        "\nexcept SystemExit: pass"
        "\nprint([p for p in sys.path if p.rstrip('/').endswith('human_pose')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
