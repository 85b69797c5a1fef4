"""What every command does around its work: parse flags, report mistakes in one line."""

import os
import sys
from collections.abc import Callable

from absl import app, flags, logging

_STDERR = 2
_INTERRUPTED = 130  # 128 + SIGINT, what shells expect
_PIPE_CLOSED = 141  # 128 + SIGPIPE
_LONGEST_NAME = 255  # bytes, on every common file system


def run(
    work: Callable[[flags.FlagValues], None],
    define_flags: Callable[[flags.FlagValues], None],
) -> None:
    """Runs a command and leaves the process.

    The exit code is 0, or 1 after a mistake in the input, which is one line on the
    standard error stream.

    Args:
      work: does the work, given the parsed flags.
      define_flags: defines them.
    """
    define_flags(flags.FLAGS)
    try:
        app.run(lambda _: guarded(work, flags.FLAGS), flags_parser=_parse)
    except BrokenPipeError:
        # Whoever read the output has seen enough, as in `main.py --help | head`. Python
        # would complain once more when it closes the stream at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_PIPE_CLOSED)


def guarded(
    work: Callable[[flags.FlagValues], None], flag_values: flags.FlagValues
) -> int:
    """Does the work; returns the exit code, also after a mistake of the user's."""
    from human_pose.files.errors import InputError

    try:
        work(flag_values)
    except (InputError, FloatingPointError) as error:
        print(f"{_program()}: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{_program()}: interrupted", file=sys.stderr)
        return _INTERRUPTED
    return 0


def show_in_help(flag_values: flags.FlagValues, module: str) -> None:
    """Makes `--help` of the running command show the flags that `module` defines."""
    for flag in flag_values.get_flags_for_module(module):
        flag_values.register_key_flag_for_module(sys.argv[0], flag)


def is_folder_name(name: str) -> bool:
    """Whether a run can be called so: the rule of every `--name`."""
    return (
        name not in ("", ".", "..")
        and not set(name) & set("/\\")
        and name.isprintable()
        and len(name.encode()) <= _LONGEST_NAME
    )


def refuse_empty(flag_values: flags.FlagValues, *names: str) -> None:
    """Refuses a path that is given as nothing, as `--data_dir=`: it is no folder."""
    for name in names:
        flags.register_validator(
            name, lambda path: path != "", "must name a file or folder", flag_values
        )


def load_tensorflow() -> None:
    """Imports TensorFlow without its start-up messages on the error stream.

    They are written by native code before it has read any log level, so the stream
    itself is closed meanwhile; Python's exceptions still come through. A user who sets
    TF_CPP_MIN_LOG_LEVEL sees them.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    stream = os.dup(_STDERR)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), _STDERR)
    try:
        import tensorflow as tf

        tf.config.list_logical_devices()  # looks for GPUs, and says so
    finally:
        os.dup2(stream, _STDERR)
        os.close(stream)


def _parse(argv: list[str]) -> list[str]:
    try:
        unknown = flags.FLAGS(argv)[1:]
    except flags.Error as error:
        sys.exit(f"{_program()}: {' '.join(str(error).split())}")
    except SystemExit:
        sys.exit(0)  # absl leaves with 1 after printing the help that was asked for
    if unknown:
        sys.exit(
            f"{_program()}: unexpected argument {unknown[0]!r}; "
            "flags are given as --name=value"
        )
    logging.use_absl_handler()
    return argv


def _program() -> str:
    folder, name = os.path.split(sys.argv[0])
    # A package run by `python -m` is known by its own name.
    return os.path.basename(folder) if name == "__main__.py" else name
