"""Learns the width of a robust energy by the implicit and the trust-region derivative.

Usage:
  python ransac/toy.py
  python ransac/toy.py --multi_seed=10
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if __package__ in (None, ""):
    # Run as a script: Python put this folder, not the project's, first on the path.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from human_pose.commands import shell
from ransac import settings

if TYPE_CHECKING:
    from absl import flags

# Modules that load TensorFlow are imported where they are needed, so that --help and
# mistakes in the flags are answered at once.


def main(flag_values: "flags.FlagValues") -> None:
    """Does what the flags ask for."""
    chosen = settings.toy_settings(flag_values)
    shell.load_tensorflow()
    from ransac import experiment

    if chosen.streams is None:
        experiment.learn(chosen)
    else:
        experiment.compare(chosen, chosen.streams)


def run() -> None:
    """Runs the command with the process's arguments."""
    shell.run(main, settings.define_flags)


if __name__ == "__main__":
    run()
