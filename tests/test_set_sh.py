"""The set-up script, with a stand-in for Python that only notes what it is asked."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

WORDS = ("demo", "recording", "test", "data", "h36m")

# `-c` succeeds, `-m venv --clear DIR` copies the stand-in there, and all but these are
# noted beside set.sh.
STAND_IN = """#!/bin/sh
case "$1 $2" in
    "-c "*) exit 0 ;;
    "-m venv") mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    *) echo "$PWD: $*" >>"$NOTES" ;;
esac
"""


class Project:
    """A copy of the script beside its recipe, run with the stand-in."""

    def __init__(self, folder):
        self.folder = folder / "a project"  # a space, as in "My Documents"
        self.folder.mkdir()
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self.notes = folder / "notes"
        shutil.copy(ROOT / "set.sh", self.folder)
        (self.folder / "setup.cfg").write_text("[metadata]\n")
        (self.folder / "setup.py").write_text("setup()\n")
        stand_in = folder / "python"
        stand_in.write_text(STAND_IN)
        stand_in.chmod(0o755)
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHON": str(stand_in),
            "NOTES": str(self.notes),
        }

    def run(self, *arguments, **environment):
        """Runs the script from another folder; returns it and what it asked for."""
        self.notes.write_text("")
        done = subprocess.run(
            [self.folder / "set.sh", *arguments],
            cwd=self.elsewhere,
            env=self.environment | environment,
            capture_output=True,
            text=True,
        )
        return done, self.notes.read_text().splitlines()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def _install(project, extras):
    return f"{project.elsewhere}: -m pip install --quiet --editable " + (
        f"{project.folder}[pose,{extras}]"
    )


def test_the_environment_is_made_once(project):
    done, asked = project.run("env")
    assert done.returncode == 0, done.stderr
    assert asked == [_install(project, "test")]
    assert project.run("env")[1] == []


@pytest.mark.parametrize("recipe", ["setup.cfg", "setup.py"])
def test_it_is_refreshed_when_its_recipe_changes(project, recipe):
    project.run("env")
    (project.folder / recipe).write_text("# other\n")
    assert project.run("env")[1] == [_install(project, "test")]
    assert project.run("env")[1] == []


def test_other_extras_are_installed_beside(project):
    project.run("env")
    assert project.run("env", EXTRAS="dev")[1] == [_install(project, "dev")]
    assert project.run("env")[1] == []


def test_a_broken_environment_is_made_again(project):
    project.run("env")
    (project.folder / ".venv/bin/python").write_text("#!/bin/sh\nexit 1\n")
    (project.folder / ".venv/installed-test.cfg").unlink()  # as `venv --clear` does
    assert project.run("env")[1] == [_install(project, "test")]


def test_arguments_are_passed_on_whole(project):
    project.run("env")
    _, asked = project.run("h36m", "--archive=my archive.zip")
    # In the caller's folder: a relative path is the caller's.
    assert asked == [
        f"{project.elsewhere}: -m human_pose.commands.prepare_h36m "
        f"--data_dir={project.folder}/data/h36m --archive=my archive.zip"
    ]
    _, asked = project.run("test", "-k", "a or b")
    assert asked[0].startswith(f"{project.folder}: -m pytest")
    assert asked[0].endswith("-k a or b")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--images", "--count=200", "--overwrite"),
        ("--seed=3", "--images"),
        ("--data_dir=mine",),  # outranks the first, and is the caller's
    ],
)
def test_data_goes_to_the_project_unless_told(project, arguments):
    project.run("env")
    _, asked = project.run("data", *arguments)
    start = f"{project.elsewhere}: -m human_pose.commands.make_data"
    own = f"--data_dir={project.folder}/data"
    assert asked == [" ".join((start, own, *arguments))]


def test_the_demo_stops_at_the_first_failure(project):
    project.run("env")
    python = project.folder / ".venv/bin/python"
    python.write_text(STAND_IN.replace("    *)", "    *Sample.py*) exit 3 ;;\n    *)"))
    done, asked = project.run("demo")
    assert done.returncode == 3
    assert "Done" not in done.stdout
    assert len(asked) == 1  # the data


def test_the_recording_is_made_and_lifted(project):
    project.run("env")
    done, (made, lifted) = project.run("recording")
    assert "viewer.html" in done.stdout
    assert made.endswith("--recording")
    assert "--model=calibrated" in lifted and "data/recording/detections.npz" in lifted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Usage"),
        (("nonsense",), "unknown command: nonsense"),
        (("demo", "extra"), "demo takes no arguments; received: extra"),
        (("recording", "mine"), "recording takes no arguments; received: mine"),
    ],
)
def test_mistakes_are_named(project, arguments, message):
    done, asked = project.run(*arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert done.stdout == ""
    assert not asked


def test_help(project):
    done, asked = project.run("--help")
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name in WORDS)
    assert not asked


def test_a_missing_python_is_named(project):
    done, _ = project.run("env", PYTHON="no-such-python")
    assert done.returncode == 1
    assert done.stderr.startswith("set.sh: no-such-python not found; install Python")
    assert not (project.folder / ".venv").exists()


@pytest.mark.parametrize(
    ("lacking", "message"),
    [("version_info", "must be Python 3.10 or newer"), ("venv", "lacks the venv")],
)
def test_an_unfit_python_is_refused(project, tmp_path, lacking, message):
    stand_in = tmp_path / "python"
    case = f'"-c "*{lacking}*) exit 1 ;;\n    "-c "*)'
    stand_in.write_text(STAND_IN.replace('"-c "*)', case))
    done, _ = project.run("env")
    assert done.returncode == 1
    assert message in done.stderr
    assert not (project.folder / ".venv").exists()
