"""Makes the embedded data: poses, or with `--images` pictures.

    python -m human_pose.commands.make_data --data_dir=data
    python -m human_pose.commands.make_data --images --data_dir=data

What `./set.sh data` and the console script `human-pose-data` run; make_poses and
make_pictures tell what is made.
"""

import sys
from types import ModuleType

from absl import flags

from human_pose.commands import shell


def run() -> None:
    """Runs the command with the process's arguments."""
    kind = _kind(sys.argv)

    def define_flags(flag_values: flags.FlagValues) -> None:
        kind.define_flags(flag_values)
        _define_images(flag_values)
        shell.show_in_help(flag_values, __name__)

    shell.run(kind.work, define_flags)


def _kind(arguments: list[str]) -> ModuleType:
    """The command for these arguments; the other is not loaded."""
    if _wants_pictures(arguments):
        from human_pose.commands import make_pictures

        return make_pictures
    from human_pose.commands import make_poses

    return make_poses


def _define_images(flag_values: flags.FlagValues) -> None:
    flags.DEFINE_boolean(
        "images",
        False,
        "Render pictures; --images --help lists their flags.",
        flag_values=flag_values,
    )


def _wants_pictures(arguments: list[str]) -> bool:
    """Whether `--images` is among the arguments, which decides what others mean."""
    chooser = flags.FlagValues()
    _define_images(chooser)
    try:
        chooser(arguments, known_only=True)
    except flags.Error:
        return False  # the command itself says what is wrong
    return bool(chooser.images)


if __name__ == "__main__":
    run()
