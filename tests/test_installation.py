"""What is installed without a checkout: the library alone, and with the commands."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = (
    "data/avg_cameras.h5",
    "data/model_parameters.h5",
    "data/pose_prior.npz",
    "data/sample.h5",
    "results/trained_model.h5",
)
FILES = (
    "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "set.sh", "setup.cfg",
    "setup.py", *COMMITTED,
)  # fmt: skip
PACKAGES = ("human_pose", "ransac", "wiberg_tf")


def build(folder, kind, target):
    """What the build backend makes of a folder, as `pip wheel` and `build` ask it."""
    code = f"import setuptools.build_meta as b; b.build_{kind}({str(target)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (made,) = target.iterdir()
    return made


def names(wheel):
    with zipfile.ZipFile(wheel) as file:
        return sorted(file.namelist())


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """A copy of what distributions are made of; builds leave files beside it."""
    if find_spec("setuptools") is None:
        pytest.skip("needs setuptools, of the extra [test]")
    folder = tmp_path_factory.mktemp("source")
    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for name in PACKAGES:
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    (folder / "data" / "train_sh.h5").touch()  # as after `./set.sh data`
    return folder


@pytest.fixture(scope="session")
def wheel(source, tmp_path_factory):
    return build(source, "wheel", tmp_path_factory.mktemp("wheel"))


def test_a_wheel_has_the_committed_files(wheel):
    embedded = [name for name in names(wheel) if name.startswith("human_pose/embedded")]
    assert embedded == [f"human_pose/embedded/{name}" for name in COMMITTED]
    with zipfile.ZipFile(wheel) as file:
        for name in COMMITTED:
            content = file.read(f"human_pose/embedded/{name}")
            assert content == (ROOT / name).read_bytes()


def test_a_wheel_has_every_module(wheel):
    modules = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    ]
    assert sorted(name for name in names(wheel) if name.endswith(".py")) == sorted(
        modules
    )
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names(wheel))


def test_a_wheel_has_what_tfds_reads_beside_a_builder(wheel):
    folder = "human_pose/datasets/builders"
    for builder in (ROOT / folder).glob("*/*_dataset_builder.py"):
        for name in ("README.md", "CITATIONS.bib", "TAGS.txt"):
            assert f"{folder}/{builder.parent.name}/{name}" in names(wheel)


def test_a_wheel_alone_needs_tensorflow_alone(wheel):
    with zipfile.ZipFile(wheel) as file:
        (name,) = (n for n in file.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(file.read(name).decode())
    needed = metadata.get_all("Requires-Dist")
    always = {re.match(r"[\w-]+", line)[0] for line in needed if "extra ==" not in line}
    assert always == {"tensorflow", "numpy"}
    assert "pose" in metadata.get_all("Provides-Extra")


def test_a_source_distribution_makes_the_same_wheel(source, wheel, tmp_path):
    for folder in ("sdist", "unpacked", "wheel"):
        (tmp_path / folder).mkdir()
    with tarfile.open(build(source, "sdist", tmp_path / "sdist")) as file:
        file.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert (unpacked / "set.sh").exists()  # so that it counts as a checkout
    assert not (unpacked / "data" / "train_sh.h5").exists()
    again = build(unpacked, "wheel", tmp_path / "wheel")
    assert names(again) == names(wheel)


def test_an_editable_installation_reads_the_checkout(source, tmp_path):
    copied = names(build(source, "editable", tmp_path))
    assert not [name for name in copied if "embedded" in name]
    assert [name for name in copied if name.endswith(".pth")]


@pytest.mark.large
def test_a_fresh_environment(wheel, tmp_path):
    """From the network: TensorFlow alone for the library, `[pose]` for the commands."""
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    }
    here = tmp_path / "empty"
    here.mkdir()

    def run(*command):
        return subprocess.run(
            [tmp_path / "venv" / "bin" / command[0], *command[1:]],
            cwd=here,
            env=environment,
            capture_output=True,
            text=True,
        )

    def runs(*command):
        done = run(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    runs("pip", "install", "--quiet", str(wheel))
    readme = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    mean, gradient = map(float, runs("python", "-c", example).split())
    assert 2.125 < mean < 2.6
    assert gradient > 0
    for command in ("human-pose", "human-pose-sample", "human-pose-data", "ransac-toy"):
        done = run(command)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "pip install 'wiberg-tf[pose]'" in done.stderr

    runs("pip", "install", "--quiet", f"{wheel}[pose]")
    (package,) = (tmp_path / "venv").rglob("human_pose/embedded")
    installed = _files(package.parent)
    assert str(here / "results/sample/frame_0.png") in runs("human-pose-sample")
    training = ("--train=1", "--name=x", "--epochs=1", "--subsample=50")
    assert f"embedded data in {here / 'data'}" in runs("human-pose", *training)
    for checkpoint in ("x/check/epoch_0.h5", "results/x/check/epoch_0.h5"):
        report = runs(
            "human-pose", "--name=x", f"--check_path={checkpoint}", "--subsample=100"
        )
        assert f"report: {here / 'results/x/evaluations/report.md'}" in report
    assert "already" in runs("human-pose-data")
    runs("ransac-toy", "--steps=2")
    assert sorted(path.name for path in here.iterdir()) == ["data", "results"]
    assert _files(package.parent) == installed


def _files(folder):
    """The files of a folder and when they were written, but for Python's caches."""
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
