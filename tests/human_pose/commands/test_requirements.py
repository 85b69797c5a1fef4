"""What the commands need, said in one line where it is not installed."""

import configparser
import re
import subprocess
import sys

import pytest

from human_pose.commands import requirements
from human_pose.files.paths import PROJECT_ROOT

COMMANDS = ("human_pose/main.py", "human_pose/Sample.py", "ransac/toy.py")


def names(text):
    """The distributions of a list of requirements."""
    return set(re.findall(r"^[\w-]+", text, re.MULTILINE))


def test_they_are_what_setup_cfg_installs():
    config = configparser.ConfigParser()
    config.read(PROJECT_ROOT / "setup.cfg")
    listed = names(config["options"]["install_requires"])
    listed |= names(config["options.extras_require"]["pose"])
    assert set(requirements.PACKAGES) == listed


def test_nothing_is_missing_here():
    requirements.insist()


def test_the_library_alone_installs_tensorflow_alone():
    config = configparser.ConfigParser()
    config.read(PROJECT_ROOT / "setup.cfg")
    assert names(config["options"]["install_requires"]) == {"tensorflow", "numpy"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("lacking", [{"absl", "h5py"}, {"PIL"}])
def test_a_command_without_them_is_one_line(command, lacking):
    # Hidden from the import system, as if they were not there.
    code = (
        "import importlib.machinery, runpy, sys\n"
        "find = importlib.machinery.PathFinder.find_spec\n"
        "def hiding(name, path=None, target=None):\n"
        f"    return None if name in {lacking} else find(name, path, target)\n"
        "importlib.machinery.PathFinder.find_spec = hiding\n"
        f"sys.argv = [{command!r}, '--help']\n"
        f"sys.path.insert(0, {str((PROJECT_ROOT / command).parent)!r})\n"
        f"runpy.run_path({str(PROJECT_ROOT / command)!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    wanted = {"absl": "absl-py", "PIL": "pillow"}
    assert all(wanted.get(name, name) in done.stderr for name in lacking)
    assert "pip install 'wiberg-tf[pose]'" in done.stderr
    assert f"{PROJECT_ROOT}/set.sh env" in done.stderr


def test_without_a_checkout_only_pip_is_named(monkeypatch):
    monkeypatch.setattr(requirements, "IN_CHECKOUT", False)
    monkeypatch.setattr(requirements, "PACKAGES", {"no-such-thing": "no_such_thing"})
    with pytest.raises(SystemExit) as leaving:
        requirements.insist()
    assert leaving.value.code == (
        "human_pose's commands need no-such-thing: pip install 'wiberg-tf[pose]'"
    )


def test_looking_for_them_loads_none():
    packages = set(requirements.PACKAGES.values())
    code = (
        f"import sys, human_pose.commands\nprint(sorted(set(sys.modules) & {packages}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
