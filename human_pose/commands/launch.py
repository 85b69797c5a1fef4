"""Trains with several processes of this machine, and starts them again if one is lost.

    python -m human_pose.commands.launch --workers=2 -- --train=1 --name=joint

What stands behind `--` are the flags of `main.py`; `--distribute=multiworker` is added.
When a worker is killed, or loses another, all are started again with
`--resume_or_start`. SIGTERM, to this process or to one worker, saves the run and ends
all with exit code 143; SIGKILL to this process kills the workers. Several machines:
docs/scale.md.
"""

import re
import sys
from collections.abc import Sequence
from typing import Final

from absl import flags

from human_pose.commands import shell
from human_pose.files.errors import InputError
from human_pose.runs.supervision import Supervisor

_DISTRIBUTE: Final = "--distribute=multiworker"
_AGAIN: Final = "--resume_or_start"
# Of a first start; a second one must not do so again.
_ONCE: Final = ("overwrite", "resume", "resume_or_start")
# How absl takes flags, and their being on.
_FLAG: Final = re.compile(r"--?(?P<name>\w+)(?:=(?P<value>.*))?", re.DOTALL)
_ON: Final = ("1", "t", "true")


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    own = {"flag_values": flag_values}
    flags.DEFINE_integer("workers", 2, "Processes to train with.", lower_bound=1, **own)
    flags.DEFINE_integer(
        "max_restarts",
        3,
        "How often in a row all are started again after a loss.",
        lower_bound=0,
        **own,
    )
    shell.show_in_help(flag_values, __name__)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The command's own arguments, and those behind `--`.

    Raises:
      InputError: if there is no `--`, another distribution is asked for, or a file of
        flags cannot be read.
    """
    words = [*arguments]
    if "--" not in words:
        raise InputError("the flags of main.py must stand behind `--`")
    place = words.index("--")
    own, passed = words[:place], words[place + 1 :]
    # What stands in the files of `--flagfile` counts as well.
    with shell.flag_errors():
        passed = flags.FlagValues().read_flags_from_files(passed)
    for word in passed:
        if _flag(word)[0] == "distribute" and word != _DISTRIBUTE:
            raise InputError("distribute", "must be multiworker, or left out", word)
    return own, passed


def _flag(word: str) -> tuple[str, str | None]:
    """The name that a word sets, empty if none, and the value behind its `=`."""
    found = _FLAG.fullmatch(word)
    return (found["name"], found["value"]) if found else ("", None)


def commands(passed: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is run at first, and after a loss."""
    start = [sys.executable, "-m", "human_pose.main"]
    rest = [word for word in passed if word != _DISTRIBUTE]
    kept = [word for word in rest if _flag(word)[0] not in _ONCE]
    asked = [value for name, value in map(_flag, rest) if name == "train"]
    # An evaluation starts anew: it has written nothing.
    trains = bool(asked) and (asked[-1] or "1").lower() in _ON
    goes_on = [_AGAIN] if trains else []
    return [*start, *rest, _DISTRIBUTE], [*start, *kept, _DISTRIBUTE, *goes_on]


def run() -> None:
    """Runs the command with the process's arguments."""
    try:
        own, passed = (
            (sys.argv, [])
            if {"--help", "-h", "--helpfull", "-help"} & {*sys.argv[1:2]}
            else split(sys.argv)
        )
    except InputError as error:
        sys.exit(f"launch: {error}")
    sys.argv = own

    def work(flag_values: flags.FlagValues) -> None:
        first, again = commands(passed)
        supervisor = Supervisor(
            first,
            again,
            flag_values.workers,
            flag_values.max_restarts,
            lambda line: print(f"launch: {line}", file=sys.stderr, flush=True),
        )
        if code := supervisor.run():
            sys.exit(code)

    shell.run(work, define_flags)


if __name__ == "__main__":
    run()
