"""Makes the embedded data: poses, or pictures, or a recording.

    python -m human_pose.commands.make_data --data_dir=data
    python -m human_pose.commands.make_data --images --data_dir=data
    python -m human_pose.commands.make_data --recording --data_dir=data

What `./set.sh data` and the console script `human-pose-data` run; make_poses,
make_pictures and make_recording tell what is made.
"""

import sys
from types import ModuleType
from typing import Final

from absl import flags

from human_pose.commands import shell
from human_pose.files.errors import InputError

# What is made instead of poses, by its flag.
_KINDS: Final = {"images": "Render pictures", "recording": "Make a recording"}


def run() -> None:
    """Runs the command with the process's arguments."""
    kind = _kind(sys.argv)

    def define_flags(flag_values: flags.FlagValues) -> None:
        kind.define_flags(flag_values)
        _define_kinds(flag_values)
        shell.show_in_help(flag_values, __name__)

    shell.run(kind.work, define_flags)


def _kind(arguments: list[str]) -> ModuleType:
    """The command for these arguments; the other is not loaded."""
    wanted = _wanted(arguments)
    if wanted == "images":
        from human_pose.commands import make_pictures

        return make_pictures
    if wanted == "recording":
        from human_pose.commands import make_recording

        return make_recording
    from human_pose.commands import make_poses

    return make_poses


def _define_kinds(flag_values: flags.FlagValues) -> None:
    for name, what in _KINDS.items():
        flags.DEFINE_boolean(
            name,
            False,
            f"{what}; --{name} --help lists the flags.",
            flag_values=flag_values,
        )
    flags.mark_bool_flags_as_mutual_exclusive(list(_KINDS), flag_values=flag_values)


def _wanted(arguments: list[str]) -> str | None:
    """The kind among the arguments, which decides what others mean; None for poses."""
    chooser = flags.FlagValues()
    _define_kinds(chooser)
    try:
        with shell.flag_errors():
            chooser(arguments, known_only=True)
    except InputError:
        return None  # the command itself says what is wrong
    return next((name for name in _KINDS if chooser[name].value), None)


if __name__ == "__main__":
    run()
