"""Renders the embedded people: pictures with 2D and 3D joints.

    python -m human_pose.commands.make_pictures --data_dir=data
    python -m human_pose.commands.make_pictures --data_dir=data --hard=occluders,dark

Writes images/ in the data folder, by default 12,000 pictures of 224 x 224 px, in a few
minutes; equal seeds give equal pictures on any number of processes.
"""

import signal
import sys
from types import FrameType
from typing import NoReturn

from absl import flags, logging

from human_pose.commands import shell
from human_pose.commands.places import DATA_DIR
from human_pose.datasets.rendered.dataset import RECIPE_FILE, Recipe, generate, made_by
from human_pose.datasets.rendered.hard import KINDS
from human_pose.files.paths import output_path

_BAR = 40  # characters
_REPORTS = 10  # lines where there is no terminal


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    own = {"flag_values": flag_values}
    default = Recipe()
    flags.DEFINE_string(
        "data_dir", DATA_DIR, "Where to: images/ in this folder.", **own
    )
    shell.refuse_empty(flag_values, "data_dir")
    flags.DEFINE_integer(
        "count",
        default.count,
        "How many pictures; one in ten is of a test subject.",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_integer(
        "seed", default.seed, "Other seeds make other pictures.", lower_bound=0, **own
    )
    flags.DEFINE_integer(
        "processes", 0, "How many work at once; 0: all cores.", lower_bound=0, **own
    )
    flags.DEFINE_list(
        "hard",
        [],
        "Make some pictures hard, the others stay as they are: a list of "
        f"{', '.join(KINDS)}.",
        **own,
    )
    flags.DEFINE_boolean("overwrite", False, "Replace pictures made before.", **own)
    shell.show_in_help(flag_values, __name__)


def work(flag_values: flags.FlagValues) -> None:
    """Renders the pictures that the flags ask for, unless some are there."""
    logging.set_verbosity(logging.INFO)
    signal.signal(signal.SIGTERM, _interrupt)  # cleans up as after Ctrl-C
    folder = output_path(flag_values.data_dir) / "images"
    recipe = Recipe(flag_values.count, flag_values.seed, hard=tuple(flag_values.hard))
    if (folder / RECIPE_FILE).is_file() and not flag_values.overwrite:
        print(f"Pictures are in {folder} already; --overwrite makes them anew.")
        if not made_by(folder, recipe):
            logging.warning("%s: is of other settings than these", folder)
        return
    generate(
        folder,
        recipe,
        overwrite=flag_values.overwrite,
        processes=flag_values.processes or None,
        progress=_Report(),
    )
    print(f"{flag_values.count} pictures are in {folder}.")


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


class _Report:
    """Progress: a bar on a terminal, else ten lines."""

    _reported = 0

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            bar = "#" * (_BAR * done // total)
            end = "\n" if done == total else ""
            print(f"\r[{bar:<{_BAR}}] {done}/{total}", end=end, file=sys.stderr)
            sys.stderr.flush()
        elif _REPORTS * done // total > self._reported:
            self._reported = _REPORTS * done // total
            logging.info("%s of %s pictures", done, total)


if __name__ == "__main__":
    shell.run(work, define_flags)
