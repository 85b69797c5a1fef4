"""Trains and evaluates the lifting of several 2D views to one 3D pose.

Usage:
  python human_pose/main.py --train=1 --name=new_model
  python human_pose/main.py --name=new_model --check_path=<a checkpoint>
"""

import sys
from pathlib import Path

if __package__ in (None, ""):
    # Run as a script: Python put this folder first on the path, where `datasets` would
    # hide another package of that name.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from absl import flags

from human_pose import command, settings
from human_pose.config import EvaluationConfig, LifterConfig, TrainingConfig

# Modules that load TensorFlow or h5py are imported where they are needed, so that
# --help and mistakes in the flags are answered at once.


def main(flag_values: flags.FlagValues) -> None:
    """Does what the flags ask for."""
    chosen = settings.main_settings(flag_values)
    if isinstance(chosen.task, TrainingConfig):
        train(chosen.run_folder, chosen.lifter, chosen.task)
    else:
        evaluate(chosen.run_folder, chosen.lifter, chosen.task)


def train(path: Path, lifter: LifterConfig, config: TrainingConfig) -> None:
    """Trains a lifter; checkpoints and logs go to the run's folder."""
    from human_pose.run_folder import RunFolder

    folder = RunFolder(path)
    folder.check_writable()
    command.load_tensorflow()
    from human_pose import training

    training.train(lifter, config, folder)


def evaluate(path: Path, lifter: LifterConfig, config: EvaluationConfig) -> None:
    """Evaluates a lifter; errors, poses, report and pictures go to the run's folder."""
    from human_pose.run_folder import RunFolder

    folder = RunFolder(path)
    folder.check_writable()
    command.load_tensorflow()
    from human_pose import evaluation, report
    from human_pose.build import build_lifter

    model = build_lifter(lifter)
    result = evaluation.evaluate(
        model,
        config.data_dir,
        folder.path,
        metric=config.metric,
        subsample=config.subsample,
        batch_size=config.batch_size,
        description=report.describe(lifter),
    )
    folder.make()  # the other parts, as in the original
    print(result.table())
    print(f"report: {folder.path / evaluation.REPORT}")


def run() -> None:
    """Runs the command with the process's arguments."""
    command.run(main, settings.define_main_flags)


if __name__ == "__main__":
    run()
