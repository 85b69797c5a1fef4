"""The command that converts files, from one line to another."""

import dataclasses
import subprocess
import sys

import made_up_detections as made_up
import made_up_motion
import numpy as np
import pytest
from absl import flags

from human_pose.commands import convert
from human_pose.commands.shell import said_in_flags
from human_pose.exchange import formats, table
from human_pose.files.errors import InputError


def run(*words):
    """Does the work of a command line, in this process."""
    values = flags.FlagValues()
    convert.define_flags(values)
    places = zip(("input", "output"), words, strict=False)
    words = [*(f"--{n}={w}" for n, w in places), *words[2:]]
    values(["convert", *map(str, words)])
    try:
        convert.work(values)
    except InputError as error:
        raise InputError(said_in_flags(error, values)) from error


@pytest.fixture
def npz(tmp_path):
    formats.write(tmp_path / "a.npz", made_up.recording(fps=50))
    return tmp_path / "a.npz"


def test_the_command(npz, tmp_path):
    """Flags may stand behind the files; what is there is kept."""
    command = [sys.executable, "-m", "human_pose.commands.convert"]
    words = [npz, tmp_path / "out", "--to=openpose"]
    done = subprocess.run([*command, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{tmp_path / 'out'}: 3 frames, 50 frames/s, 2 views (cam_2, cam_10), "
        "1 people at most, 17 joints\n"
    )
    assert table.recognise(tmp_path / "out").name == "openpose"
    for words, said in (([npz], "needs INPUT and OUTPUT"), ([*"abc"], "unexpected")):
        done = subprocess.run([*command, *words], capture_output=True, text=True)
        assert done.returncode == 1 and said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_back_and_forth(npz, tmp_path, capsys):
    run(npz, tmp_path / "a.csv", "--frames=1:")
    run(tmp_path / "a.csv", tmp_path / "b.npz", "--fps=50")
    run(npz, tmp_path / "c.npz", "--frames=1:3")
    assert (tmp_path / "b.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()
    assert "c.npz: 2 frames, 50 frames/s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.npz"], "must be another file than the input"),
        (["b.csv"], "is there already; --overwrite replaces it"),
        (["b.csv", "--overwrite", "--units=m"], "--units are a calibration's"),
        (["c.csv", "--frames=1-2"], "--frames must be A:B"),
        (["c.csv", "--frames=7:"], "--frames must be of those of"),
        (["c.csv", "--skeleton=coco_17"], "--skeleton has no effect"),
        (["c.csv", "--up=z"], "--up has no effect on recording"),
        (["c.trc"], "--model=calibrated lifts them"),
        (["c.toml"], "holds no cameras"),
        (["c.xyz"], "--to must be"),
        (["c.csv", "--to=csvv"], "--to must be"),
    ],
)
def test_mistakes_change_nothing(words, message, npz, tmp_path):
    (tmp_path / "b.csv").write_text("mine")
    if words[0] == "a.npz":
        words = [*words, "--overwrite"]
    with pytest.raises(InputError, match=message):
        run(npz, tmp_path / words[0], *words[1:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.csv"]
    assert (tmp_path / "b.csv").read_text() == "mine"


def test_the_axis_that_points_upwards(tmp_path):
    """A TRC with z up is motion again."""
    motion = made_up_motion.motion()
    turned = motion.joints_3d_mm[..., [2, 0, 1]]  # what stands there as y is z
    formats.write(tmp_path / "a.trc", dataclasses.replace(motion, joints_3d_mm=turned))
    run(tmp_path / "a.trc", tmp_path / "b.npz", "--up=z")
    found = formats.read_motion(tmp_path / "b.npz").joints_3d_mm
    np.testing.assert_allclose(found, motion.joints_3d_mm, atol=1e-4)
    rig = made_up_motion.rig()
    formats.write(tmp_path / "rig.toml", rig)
    run(tmp_path / "rig.toml", tmp_path / "up.toml", "--up=-y")
    upright = formats.read_cameras(tmp_path / "up.toml")
    for found, camera in zip(upright, rig, strict=True):
        np.testing.assert_allclose(
            found.rotation[:, 2], -camera.rotation[:, 1], atol=1e-12
        )
    with pytest.raises(InputError, match=r"--up has no effect: in .*b\.npz"):
        run(tmp_path / "b.npz", tmp_path / "c.npz", "--up=z")
