"""Prepares Human3.6M as the original project's set-up script did.

Fetches the archive and the original's parameter files, unpacks the archive under
uniform names and builds the pose files. Every step can be interrupted and is resumed by
running the same command again.

    python -m human_pose.commands.prepare_h36m --archive=h36m.zip
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from absl import flags, logging

from human_pose.commands import shell
from human_pose.datasets.download import download
from human_pose.datasets.h36m.archive import check_archive, unpack
from human_pose.datasets.h36m.build import build_pose_files
from human_pose.datasets.h36m.names import recordings
from human_pose.datasets.protocol import TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.files.errors import InputError
from human_pose.files.paths import locate, output_path
from human_pose.lifting.config import MODEL_COUNTS

_ARCHIVE_NAME: Final = "h36m.zip"
_RAW_FOLDER: Final = "raw"
# Exists once everything was unpacked: from then on the archive may be deleted.
_UNPACKED_MARK: Final = ".unpacked"

# Where each of the original's parameter files is under `parameters_url`.
_PARAMETER_FILES: Final = {
    "model_parameters.h5": "data/model_parameters.h5",
    "avg_cameras.h5": "data/avg_cameras.h5",
    "trained_model.h5": "results/trained_model.h5",
}

_ARCHIVE_HINT: Final = (
    "Human3.6M is given to registered users at http://vision.imar.ro/human3.6m; with a "
    "zip of h36m/cameras.h5, h36m/S*/MyPoses/3D_positions and h36m/S*/StackedHourglass "
    "(the layout of github.com/una-dinosauria/3d-pose-baseline) pass --archive=FILE"
)
_PARAMETERS_HINT: Final = (
    "the files are in HumanPose/data and HumanPose/results of "
    "github.com/MatteoT90/WibergianLearning; copy them into {folder}, pass "
    "--parameters_url=ADDRESS, or --parameters_url= to do without them"
)


@dataclass(frozen=True)
class H36MConfig:
    """What to prepare, and from where.

    Attributes:
      folder: where everything goes.
      archive: a local archive, or None to download it.
      archive_url: the archive's address.
      parameters_url: the address that holds data/ and results/ of the original's
        parameter files, or "" to do without them.
      partial: build from the recordings that are whole when files are missing.
    """

    folder: Path
    archive: Path | None
    archive_url: str
    parameters_url: str
    partial: bool


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    own = {"flag_values": flag_values}
    flags.DEFINE_string("data_dir", "data/h36m", "Where to.", **own)
    flags.DEFINE_string(
        "archive", None, "A local h36m.zip, instead of downloading it.", **own
    )
    flags.DEFINE_string(
        "archive_url",
        "https://www.dropbox.com/s/e35qv3n6zlkouki/h36m.zip?dl=1",
        "Address of h36m.zip.",
        **own,
    )
    flags.DEFINE_string(
        "parameters_url",
        "https://raw.githubusercontent.com/MatteoT90/WibergianLearning/HEAD/HumanPose",
        "Address of the original's parameter files; empty: do without them.",
        **own,
    )
    flags.DEFINE_boolean(
        "partial", False, "Leave out recordings that lack a file.", **own
    )
    shell.refuse_empty(flag_values, "data_dir", "archive")
    shell.show_in_help(flag_values, __name__)


def prepare(config: H36MConfig, report: Callable[[str], None]) -> None:
    """Does all steps.

    Raises:
      InputError: saying what failed and what the user can do. The parameter files and
        the pose files do not need each other: either is made if the other fails.
    """
    problems = []
    for step in (_fetch_parameters, _make_pose_files):
        try:
            step(config, report)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("; and ".join(problems))


def _fetch_parameters(config: H36MConfig, report: Callable[[str], None]) -> None:
    if not config.parameters_url:
        return
    shell.load_tensorflow()
    from human_pose.lifting import read_cameras, read_checkpoint, read_mixture

    def verify_mixtures(path: Path) -> None:
        for models in MODEL_COUNTS:
            read_mixture(path, models)

    verifiers: dict[str, Callable[[Path], object]] = {
        "model_parameters.h5": verify_mixtures,
        "avg_cameras.h5": read_cameras,
        "trained_model.h5": lambda path: read_checkpoint(path, models=3),
    }
    for name, place in _PARAMETER_FILES.items():
        path = config.folder / name
        if path.exists():
            verifiers[name](path)
            continue
        report(f"fetching {name}")
        address = f"{config.parameters_url.rstrip('/')}/{place}"
        try:
            download(address, path, verify=verifiers[name], report=report)
        except InputError as error:
            hint = _PARAMETERS_HINT.format(folder=config.folder)
            raise InputError(f"{error}; {hint}") from error


def _make_pose_files(config: H36MConfig, report: Callable[[str], None]) -> None:
    raw = config.folder / _RAW_FOLDER
    mark = raw / _UNPACKED_MARK
    if config.archive or not mark.exists():
        archive = config.archive or _fetch_archive(config, report)
        wanted = recordings(TRAIN_SUBJECTS + TEST_SUBJECTS)
        files = [file for recording in wanted for file in recording.files]
        try:
            unpack(archive, raw, files, report=report)
        except InputError as error:
            if config.archive:
                raise
            raise InputError(
                f"{error}; delete {archive} to download it again"
            ) from error
        mark.touch()
    build_pose_files(raw, config.folder, partial=config.partial, report=report)


def _fetch_archive(config: H36MConfig, report: Callable[[str], None]) -> Path:
    archive = config.folder / _ARCHIVE_NAME
    if not archive.exists():
        report(f"fetching {config.archive_url}")
        try:
            download(config.archive_url, archive, verify=check_archive, report=report)
        except InputError as error:
            raise InputError(f"{error}; {_ARCHIVE_HINT}") from error
    return archive


def _config(flag_values: flags.FlagValues) -> H36MConfig:
    return H36MConfig(
        folder=output_path(flag_values.data_dir),
        archive=locate(flag_values.archive) if flag_values.archive else None,
        archive_url=flag_values.archive_url,
        parameters_url=flag_values.parameters_url,
        partial=flag_values.partial,
    )


def _work(flag_values: flags.FlagValues) -> None:
    logging.set_verbosity(logging.INFO)
    config = _config(flag_values)
    prepare(config, lambda line: logging.info("%s", line))
    print(
        f"Human3.6M is ready: use it with --data_dir={config.folder}. "
        f"Its {_RAW_FOLDER}/ and {_ARCHIVE_NAME} are no longer needed."
    )


def run() -> None:
    """Runs the command with the process's arguments."""
    shell.run(_work, define_flags)


if __name__ == "__main__":
    run()
