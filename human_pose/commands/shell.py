"""What every command does around its work: parse flags, report mistakes in one line."""

import contextlib
import errno
import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from absl import app, flags, logging

from human_pose.files.errors import InputError, LostWorker

_STDOUT = 1
_STDERR = 2
_INTERRUPTED = 130  # 128 + SIGINT, what shells expect
_PIPE_CLOSED = 141  # 128 + SIGPIPE
_LONGEST_NAME = 255  # bytes, on every common file system
_NARROWEST = 40  # columns: absl wraps no help that is narrower than its indents

# What Keras obeys in an inherited environment: the first two end a training early, and
# well, the third asks for another library.
_OF_KERAS: Final = (
    "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED"
)  # fmt: skip

# Arguments of the libraries whose flags have other names, the first that a command has.
_FLAGS_OF: Final = {
    "every": ("subsample",),
    "learning_rate": ("wlr", "lr"),
    "options": ("beam_pipeline_options",),
    "max_depth_bins": ("depth_limit",),
    "recipe": ("curriculum",),
    "save_every": ("save_f",),
    "streams": ("multi_seed",),
}


def run(
    work: Callable[[flags.FlagValues], None],
    define_flags: Callable[[flags.FlagValues], None],
    places: Sequence[str] = (),
) -> None:
    """Runs a command and leaves the process.

    The exit code is 0, or 1 after a mistake in the input, which is one line on the
    standard error stream.

    Args:
      work: does the work, given the parsed flags.
      define_flags: defines them.
      places: flags that the command's words without a name set, in order; each must be
        given, one way or the other.
    """
    ready_streams()
    define_flags(flags.FLAGS)
    try:
        try:
            app.run(
                lambda _: guarded(work, flags.FLAGS),
                flags_parser=lambda argv: _parse(argv, places),
            )
        finally:
            sys.stdout.flush()  # what is left, where a failure can still be told
    except BrokenPipeError:
        # Whoever read the output has seen enough, as in `main.py --help | head`.
        _drop_output()
        sys.exit(_PIPE_CLOSED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        sys.exit(f"{_program()}: the output cannot be written: {error.strerror}")


def _drop_output() -> None:
    """Lets the rest go nowhere: Python would complain once more at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)


def guarded(
    work: Callable[[flags.FlagValues], None], flag_values: flags.FlagValues
) -> int:
    """Does the work; returns the exit code, also after a mistake of the user's."""
    try:
        work(flag_values)
    except (InputError, FloatingPointError, LostWorker) as error:
        print(f"{_program()}: {said_in_flags(error, flag_values)}", file=sys.stderr)
        return error.EXIT_CODE if isinstance(error, LostWorker) else 1
    except KeyboardInterrupt:
        print(f"{_program()}: interrupted", file=sys.stderr)
        return _INTERRUPTED
    return 0


def said_in_flags(error: Exception, flag_values: flags.FlagValues) -> str:
    """What an error says, in one line, with flags for the arguments that they set.

    Args:
      error: names arguments in backquotes; an `InputError` also begins with one.
      flag_values: of the command. Words that are none of its flags stay as they are.
    """
    line = " ".join(str(error).splitlines())
    if isinstance(error, InputError) and error.argument is not None:
        argument = str(error.argument)
        if flag := _flag_of(argument, flag_values):
            line = f"--{flag}{line.removeprefix(argument)}"

    def in_flags(found: re.Match[str]) -> str:
        flag = _flag_of(found[1], flag_values)
        return f"--{flag}" if flag else found[0]

    return re.sub(r"`(\w+)`", in_flags, line)


def _flag_of(argument: str, flag_values: flags.FlagValues) -> str | None:
    names = _FLAGS_OF.get(argument, (argument,))
    return next((name for name in names if name in flag_values), None)


def ready_streams() -> None:
    """Makes output that can always be written, whatever it goes to.

    What the stream's encoding lacks, or is no text (a file's name may be any bytes), is
    written as its number; what goes to a closed stream is dropped.
    """
    for number in (0, _STDOUT, _STDERR):
        try:
            os.fstat(number)
        except OSError:
            # Else the next file that is opened would take the number, and what native
            # code prints would be written into it.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, number in (("stdout", _STDOUT), ("stderr", _STDERR)):
        stream = getattr(sys, name)
        if stream is None:  # it was closed when Python started
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def show_in_help(flag_values: flags.FlagValues, module: str) -> None:
    """Makes `--help` of the running command show the flags that `module` defines."""
    for flag in flag_values.get_flags_for_module(module):
        flag_values.register_key_flag_for_module(sys.argv[0], flag)


class FiniteParser(flags.FloatParser):
    """Reads a number, of a range or not, that is neither NaN nor infinite.

    NaN is outside of no bounds, for absl, and then of no effect where it is compared.
    """

    def is_outside_bounds(self, val: float) -> bool:
        """Whether the number is refused."""
        return not math.isfinite(val) or bool(super().is_outside_bounds(val))


def is_folder_name(name: str) -> bool:
    """Whether a run can be called so: the rule of every `--name`."""
    return (
        name not in ("", ".", "..")
        and not set(name) & set("/\\")
        and name.isprintable()
        and len(name.encode()) <= _LONGEST_NAME
    )


def refuse_empty(flag_values: flags.FlagValues, *names: str) -> None:
    """Refuses a path that is given as nothing, as `--data_dir=`: it is no folder.

    So is one of a list, as the second of `--videos=a.mp4,`: it would be taken for the
    current folder, with all that is in it.
    """

    def is_named(given: str | list[str] | None) -> bool:
        parts = given if isinstance(given, list) else [given]
        return bool(parts) and "" not in parts

    for name in names:
        flags.register_validator(
            name, is_named, "must name a file or folder", flag_values
        )


def load_tensorflow(*, start: bool = True) -> None:
    """Imports TensorFlow, Keras and Matplotlib, whatever a user's others are set to.

    A command works the same beside a notebook's `MPLBACKEND`, another backend of Keras,
    its limits of epochs and steps, and a `keras.json` with whatever stands in it.

    Args:
      start: whether TensorFlow takes its devices now; who meets other processes has to
        do so before.
    """
    load_matplotlib()  # first, because Keras imports it, and TensorFlow Keras
    for name in _OF_KERAS:
        os.environ.pop(name, None)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["KERAS_HOME"] = os.devnull  # where no keras.json is, nor can be made
    _import_tensorflow(start=start)


def load_matplotlib() -> None:
    """Imports Matplotlib, also where `MPLBACKEND` names what is not installed here.

    A notebook sets it for its own environment; importing would fail.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    import matplotlib

    if backend:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend


def _import_tensorflow(*, start: bool) -> None:
    """Imports TensorFlow without its start-up messages on the error stream.

    They are written by native code before it has read any log level, so the stream
    itself is closed meanwhile; Python's exceptions still come through. A user who sets
    TF_CPP_MIN_LOG_LEVEL or TF_XLA_FLAGS sees them.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if "TF_XLA_FLAGS" in os.environ:
        return  # one that is unknown ends the process, with a message on the stream
    stream = os.dup(_STDERR)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), _STDERR)
    try:
        import tensorflow as tf

        # Looks for GPUs, and says so.
        tf.config.list_physical_devices()
        if start:
            tf.config.list_logical_devices()
    finally:
        os.dup2(stream, _STDERR)
        os.close(stream)


@contextlib.contextmanager
def flag_errors() -> Iterator[None]:
    """Turns what absl raises over flags, or files of them, into one line.

    Raises:
      InputError: in its place.
    """
    try:
        yield
    except flags.Error as error:
        raise InputError(" ".join(str(error).split())) from None
    except UnicodeDecodeError as error:
        rule = f"--flagfile: a file cannot be read as text: {error}"
        raise InputError(rule) from None


def _parse(argv: list[str], places: Sequence[str]) -> list[str]:
    _widen_help()
    try:
        with flag_errors():
            words = flags.FLAGS(argv)[1:]
            for name, word in zip(places, words, strict=False):
                flags.FLAGS[name].present += 1
                setattr(flags.FLAGS, name, word)
    except InputError as error:
        sys.exit(f"{_program()}: {error}")
    except SystemExit:
        sys.exit(0)  # absl leaves with 1 after printing the help that was asked for
    if unknown := words[len(places) :]:
        sys.exit(
            f"{_program()}: unexpected argument {unknown[0]!r}; "
            "flags are given as --name=value"
        )
    missing = [name for name in places if flags.FLAGS[name].value is None]
    if missing:
        sys.exit(f"{_program()}: needs {' and '.join(map(str.upper, places))}")
    logging.use_absl_handler()
    return argv


def _widen_help() -> None:
    """Lets a terminal, or `COLUMNS`, of a few columns break the lines of the help."""
    if shutil.get_terminal_size().columns < _NARROWEST:
        os.environ["COLUMNS"] = str(_NARROWEST)


def _program() -> str:
    folder, name = os.path.split(sys.argv[0])
    # A package run by `python -m` is known by its own name.
    return os.path.basename(folder) if name == "__main__.py" else name
