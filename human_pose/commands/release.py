"""Makes the files that are committed beside the code, anew; nothing else writes them.

    python -m human_pose.commands.release    # in the project's root

data/model_parameters.h5 and data/avg_cameras.h5 are fitted to the embedded data's
training subjects, data/pose_prior.npz to longer motion of theirs, data/sample.h5 holds
frames of its test subjects, and results/trained_model.h5 is what `main.py --train=1`
makes of all that with the default flags. Takes some minutes, nearly all of them
training.

Equal seeds give equal files on one machine; elsewhere the last digits may differ, as
linear algebra rounds differently.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from absl import flags, logging

from human_pose.calibrated.prior.embedded import embedded_prior
from human_pose.calibrated.prior.files import EMBEDDED, write_prior
from human_pose.commands import places, shell
from human_pose.datasets.pose_files import (
    action_file_names,
    concatenate,
    read_pose_file,
    write_pose_file,
)
from human_pose.datasets.protocol import ACTIONS, TRAIN_SUBJECTS
from human_pose.datasets.synthetic import Recipe, generate, subject_cameras
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, output_path
from human_pose.lifting.config import MODEL_COUNTS
from human_pose.runs.folder import RunFolder

if TYPE_CHECKING:
    from human_pose.lifting.parameters import MixtureParameters

# Modules of human_pose.lifting load TensorFlow, so they are imported where they are
# needed, and --help is answered at once.

_EM_STARTS: Final = 4

# As `main.py` has them by default; written out so that the file tells how it was made.
_TRAINING_EPOCHS: Final = 20
_MODELS: Final = 3


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    own = {"flag_values": flag_values}
    flags.DEFINE_string("data_dir", places.DATA_DIR, "Where to.", **own)
    flags.DEFINE_string(
        "results_dir", places.RESULTS_DIR, "Where the trained model goes.", **own
    )
    shell.refuse_empty(flag_values, "data_dir", "results_dir")
    flags.DEFINE_boolean("train", True, "Also train trained_model.h5.", **own)


def release(data_dir: Path, results_dir: Path, *, train: bool) -> None:
    """Makes the committed files, replacing them.

    Args:
      data_dir: gets model_parameters.h5, avg_cameras.h5, pose_prior.npz and sample.h5.
      results_dir: gets trained_model.h5.
      train: whether to make trained_model.h5.

    Raises:
      InputError: if a folder cannot be written to, or the training fails.
    """
    recipe = Recipe()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        generate(made, recipe)
        write_parameters(made / "train_sh.h5", data_dir / "model_parameters.h5")
        write_average_cameras(data_dir / "avg_cameras.h5", recipe)
        write_prior(data_dir / Path(EMBEDDED).name, embedded_prior())
        write_sample(made / "testing", data_dir / "sample.h5", recipe)
        if train:
            write_trained_model(made, data_dir, results_dir / "trained_model.h5")


def write_parameters(training_file: Path, path: Path) -> None:
    """Fits the mixtures of all sizes to a pose file's 3D poses."""
    from human_pose.lifting.parameters import write_mixtures

    poses_mm = read_pose_file(training_file).joints_3d_mm
    write_mixtures(path, {n: _best_mixture(poses_mm, n) for n in MODEL_COUNTS})


def _best_mixture(poses_mm: np.ndarray, models: int) -> "MixtureParameters":
    """The most likely of some fits: EM ends in a local optimum."""
    from human_pose.lifting.prior.pose_mixture import fit_pose_mixture

    fits = []
    for seed in range(_EM_STARTS):
        mixture, fit = fit_pose_mixture(poses_mm, models, seed=seed)
        likelihood = float(fit.log_likelihoods[-1])
        fits.append((likelihood, mixture))
        logging.info(
            "%s models, start %s of %s: %s EM steps, log-likelihood %.4f a frame",
            models,
            seed + 1,
            _EM_STARTS,
            len(fit.log_likelihoods) - 1,
            likelihood,
        )
    return max(fits, key=lambda pair: pair[0])[1]


def write_average_cameras(path: Path, recipe: Recipe) -> None:
    """Averages the training subjects' world-to-camera rotations, entry by entry."""
    from human_pose.lifting.parameters import write_cameras

    rotations = [
        [camera.rotation for camera in subject_cameras(subject, recipe.seed)]
        for subject in TRAIN_SUBJECTS
    ]
    write_cameras(path, np.mean(rotations, axis=0))


def write_sample(testing: Path, path: Path, recipe: Recipe) -> None:
    """Takes the middle frame of the first subject's first take of every action."""
    middle = recipe.test_frames // 2
    files = [testing / action_file_names(action)[0] for action in ACTIONS]
    frames = [read_pose_file(file)[middle : middle + 1] for file in files]
    write_pose_file(path, concatenate(frames))


def write_trained_model(made: Path, parameters_dir: Path, path: Path) -> None:
    """Trains from the parameters with the command line's defaults."""
    run = RunFolder(made / "results" / "release")
    arguments = [
        "--train=1",
        f"--models={_MODELS}",
        f"--epochs={_TRAINING_EPOCHS}",
        f"--data_dir={made}",
        f"--parameters_dir={parameters_dir}",
        f"--results_dir={run.path.parent}",
        f"--name={run.path.name}",
    ]
    logging.info("main.py %s", " ".join(arguments))
    command = [sys.executable, "-m", "human_pose.main", *arguments]
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise InputError(f"the training failed with exit code {done.returncode}")
    with atomic(path) as temporary:
        last = run.epoch_checkpoint(_TRAINING_EPOCHS - 1)
        temporary.write_bytes(last.read_bytes())


def _work(flag_values: flags.FlagValues) -> None:
    logging.set_verbosity(logging.INFO)
    shell.load_tensorflow()  # by way of human_pose.lifting
    data_dir = output_path(flag_values.data_dir)
    results_dir = places.results_dir(flag_values)
    release(data_dir, results_dir, train=flag_values.train)
    print(f"The files to commit are in {data_dir} and {results_dir}.")


if __name__ == "__main__":
    shell.run(_work, define_flags)
