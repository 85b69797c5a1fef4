"""What surrounds every command: errors in flags, output of any kind, environments."""

import json
import os
import subprocess
import sys

import pytest
from absl import flags

from human_pose.commands import shell
from human_pose.files.errors import InputError
from human_pose.files.paths import PROJECT_ROOT

MAIN = PROJECT_ROOT / "human_pose" / "main.py"
SAMPLE = PROJECT_ROOT / "human_pose" / "Sample.py"
# What a notebook's environment and another project's keras.json leave behind.
NOTEBOOK = {
    "KERAS_BACKEND": "jax",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONIOENCODING": "ascii",
}
KERAS_JSON = {
    "backend": "torch",
    "floatx": "float16",
    "image_data_format": "channels_first",
}


@pytest.fixture
def flag_values():
    values = flags.FlagValues()
    for name in ("wlr", "subsample", "depth_limit", "save_f", "resume", "box", "name"):
        flags.DEFINE_string(name, None, "", flag_values=values)
    return values


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("box", "must be a box", 3), "--box must be a box; received 3"),
        (InputError("learning_rate", "must be positive"), "--wlr must be positive"),
        (InputError("every", "must divide"), "--subsample must divide"),
        (InputError("max_depth_bins", "leaves none"), "--depth_limit leaves none"),
        (InputError("/a/box", "must be a file"), "/a/box must be a file"),
        (InputError("camera", "must be given"), "camera must be given"),
        (InputError("box must be a box"), "box must be a box"),
        (
            InputError("a/name: is there; `resume` goes on, `name` chooses another"),
            "a/name: is there; --resume goes on, --name chooses another",
        ),
        (InputError("`R:` and `joint_2d`"), "`R:` and `joint_2d`"),
        (InputError("`save_every`=3 of 2"), "--save_f=3 of 2"),
        (
            FloatingPointError("step 3:\na smaller `learning_rate` may help"),
            "step 3: a smaller --wlr may help",
        ),
    ],
)
def test_errors_are_said_in_flags(flag_values, error, line):
    assert shell.said_in_flags(error, flag_values) == line


def test_the_toy_calls_its_rate_otherwise():
    values = flags.FlagValues()
    flags.DEFINE_float("lr", 1, "", flag_values=values)
    error = InputError("learning_rate", "must be positive")
    assert shell.said_in_flags(error, values) == "--lr must be positive"


def test_a_command_prints_them(flag_values, capsys):
    def work(_):
        raise InputError("box", "must be four numbers", "1,2")

    assert shell.guarded(work, flag_values) == 1
    printed = capsys.readouterr().err
    assert printed.endswith(": --box must be four numbers; received '1,2'\n")
    assert printed.count("\n") == 1


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_help_goes_to_any_encoding(encoding):
    done = subprocess.run(
        [sys.executable, MAIN, "--help"],
        env=os.environ | {"PYTHONIOENCODING": encoding, "LC_ALL": "C"},
        capture_output=True,
        check=True,
    )
    assert rb"\u03bb of the trust-region derivative" in done.stdout
    assert done.stderr == b""


def test_an_end_that_tensorflow_brings_is_not_silent():
    script = (
        "from human_pose.commands import shell; shell.load_tensorflow();"
        "import tensorflow as tf; tf.config.list_logical_devices()"
    )
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=inherited | {"TF_XLA_FLAGS": "--no_such_flag=1"},
        cwd=PROJECT_ROOT,
        capture_output=True,
    )
    assert done.returncode != 0
    assert b"TF_XLA_FLAGS: --no_such_flag=1" in done.stderr


@pytest.mark.parametrize("columns", ["1", "6", "x", "-3"])
def test_help_is_shown_however_narrow_a_terminal_is(columns):
    done = subprocess.run(
        [sys.executable, MAIN, "--help"],
        env=os.environ | {"COLUMNS": columns},
        capture_output=True,
        check=True,
    )
    assert b"--results_dir" in done.stdout
    assert done.stderr == b""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize(("flag", "code"), [("--help", 0), ("--no_such_flag", 1)])
def test_closed_streams_are_no_error(closed, flag, code):
    done = subprocess.run(
        ["bash", "-c", f'"$0" "$1" {flag} {closed}', sys.executable, MAIN],
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line(unbuffered):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, MAIN, "--help"],
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("main.py: the output cannot be written: ")
    assert done.stderr.count("\n") == 1


def test_what_is_printed_never_ends_in_a_file(tmp_path):
    """A file would take the number of a closed stream, to which native code prints."""
    code = (
        "import os, sys\n"
        "from human_pose.commands import shell\n"
        "def work(_):\n"
        f"    with open({str(tmp_path / 'file')!r}, 'w') as file:\n"
        "        os.write(2, b'native'), os.write(1, b'native'), print('Python')\n"
        "        print('Python', file=sys.stderr), file.write('mine')\n"
        "        import absl.logging; absl.logging.error('logged')\n"
        "shell.run(work, lambda flag_values: None)\n"
    )
    done = subprocess.run(
        ["bash", "-c", '"$0" -c "$1" >&- 2>&-', sys.executable, code],
        cwd=PROJECT_ROOT,
    )
    assert done.returncode == 0
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def inherited(tmp_path):
    """Another project's environment, in which neither Keras nor Matplotlib imports."""
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "keras.json").write_text(json.dumps(KERAS_JSON))
    return os.environ | NOTEBOOK | {"KERAS_HOME": str(tmp_path / "keras")}


def test_commands_work_in_any_environment(inherited, tmp_path):
    others = KERAS_JSON | {"nnx_enabled": True, "epsilon": 0.1}
    (tmp_path / "keras" / "keras.json").write_text(json.dumps(others))
    inherited |= {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "many"}
    code = (
        "from human_pose.commands import shell\n"
        "shell.load_tensorflow()\n"
        "import keras\n"
        "from matplotlib import pyplot\n"
        "pyplot.figure()\n"
        "config = keras.config\n"
        "print(config.backend(), config.image_data_format(), config.floatx())\n"
        "print(config.epsilon(), config.max_epochs(), config.max_steps_per_epoch())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={k: v for k, v in inherited.items() if "DISPLAY" not in k},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "tensorflow", "channels_last", "float32", "1e-07", "None", "None"
    ]  # fmt: skip
    assert done.stderr == ""


def test_the_library_says_what_to_unset(inherited):
    done = subprocess.run(
        [sys.executable, "-c", "from human_pose.lifting import PPCALifter"],
        env={k: v for k, v in inherited.items() if k != "MPLBACKEND"},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: Keras must run on TensorFlow, not on jax: ")
    assert "unset KERAS_BACKEND" in last
