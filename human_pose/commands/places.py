"""Where the commands read and write, and which command makes what is missing.

Relative paths are the current folder's. What is read may also lie under the project's
root, or come with the installed package (`human_pose.files.paths.locate`).
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from human_pose.datasets.shards.folders import find_prepared, names_in, prepared_in
from human_pose.files.errors import InputError
from human_pose.files.paths import IN_CHECKOUT, PROJECT_ROOT, locate, output_path

if TYPE_CHECKING:
    from absl import flags

DATA_DIR: Final = "data"
PICTURES_DIR: Final = "data/images"
RESULTS_DIR: Final = "results"
SAMPLE_FILE: Final = "data/sample.h5"
TRAINED_MODEL: Final = "results/trained_model.h5"
TRAINING_FILE: Final = "train_sh.h5"
_TESTING: Final = "testing"


def results_dir(flag_values: "flags.FlagValues") -> Path:
    """The folder of all results, absolute; it may not exist yet."""
    return output_path(flag_values.results_dir)


def checkpoint(flag_values: "flags.FlagValues") -> Path:
    """The file that `--check_path` names, as given or under `--results_dir`.

    Raises:
      InputError: if there is none.
    """
    return locate(flag_values.check_path, also_under=[flag_values.results_dir])


def training_frames(flag_values: "flags.FlagValues") -> Path:
    """The training frames; made if they are nowhere and no flag names any.

    Returns:
      A pose file, or the folder of a prepared set.

    Raises:
      InputError: if there are none, or a folder holds no prepared set, or several.
    """
    if not flag_values["input_path"].using_default_value:
        path = pose_file(flag_values.input_path)
        return _input_set(path, flag_values) if path.is_dir() else path
    return _embedded(Path(flag_values.data_dir) / TRAINING_FILE, flag_values)


def evaluation_dir(flag_values: "flags.FlagValues") -> Path:
    """The folder that holds `testing/`; made if it is nowhere and no flag names any.

    A prepared set holds both parts: if `--input_path` names one, it is meant.

    Raises:
      InputError: if there is none, or as `training_frames`.
    """
    folder = None
    if not flag_values["input_path"].using_default_value:
        # A pose file has no effect, nor one that is not there.
        with suppress(InputError):
            folder = locate(flag_values.input_path)
        if folder is not None and folder.is_dir():
            return _input_set(folder, flag_values)
    return _embedded(Path(flag_values.data_dir) / _TESTING, flag_values).parent


def pose_file(path: str) -> Path:
    """A pose file that a flag names.

    Raises:
      InputError: if it does not exist, saying how to make the embedded ones.
    """
    return _locate(path, f"{data_command()} makes the embedded data")


def parameters(folder: str | Path, name: str) -> Path:
    """A file of the lifter's parameters, in the folder that holds them.

    Raises:
      InputError: if it does not exist, saying which flag names another folder.
    """
    remedy = f"--parameters_dir names its folder; {DATA_DIR} has the embedded ones"
    return _locate(Path(folder) / name, remedy)


def pictures_dir(path: str) -> Path:
    """A folder of pictures with annotations, or of the shards of a prepared set.

    Raises:
      InputError: if it does not exist, saying how to make the embedded pictures, or it
        holds several prepared sets.
    """
    folder = _locate(path, f"{data_command()} --images makes the embedded pictures")
    if (folder / "index_range").exists():  # beside millions of files
        return folder
    return _only_set(folder, "data_dir", path) or folder


def prepared_set(data_dir: str, name: str) -> Path:
    """The folder of the shards of a prepared set.

    Args:
      data_dir: holds prepared sets, as TFDS lays them out.
      name: of the set, as TFDS names it.

    Raises:
      InputError: if it is not there, or more than one set is meant.
    """
    return find_prepared(locate(data_dir), name)


def data_command() -> str:
    """What to type for the embedded data, here."""
    if not IN_CHECKOUT:
        return "human-pose-data"
    script = "./set.sh" if Path.cwd() == PROJECT_ROOT else f"{PROJECT_ROOT}/set.sh"
    return f"{script} data"


def _only_set(folder: Path, argument: str, path: str) -> Path | None:
    """The prepared set in a folder that a flag names; None if there is none."""
    found = prepared_in(folder)
    if len(found) > 1:
        rule = f"must hold one prepared set, not {names_in(folder, found)}"
        raise InputError(argument, rule, path)
    return found[0] if found else None


def _input_set(folder: Path, flag_values: "flags.FlagValues") -> Path:
    """The prepared set in the folder that `--input_path` names."""
    path = flag_values.input_path
    if found := _only_set(folder, "input_path", path):
        return found
    rule = "must be a pose file or the folder of a prepared set"
    raise InputError("input_path", rule, path)


def _locate(path: str | Path, remedy: str) -> Path:
    try:
        return locate(path)
    except InputError as error:
        raise InputError(f"{error} ({remedy})") from None


def _embedded(path: Path, flag_values: "flags.FlagValues") -> Path:
    """What is in the data folder; made there if the folder is everybody's own."""
    try:
        return locate(path)
    except InputError:
        if flag_values["data_dir"].using_default_value:
            make_embedded_data(output_path(DATA_DIR))
        return pose_file(str(path))


def make_embedded_data(folder: Path) -> None:
    """Makes the embedded data, unless some of it is there; says so.

    Raises:
      InputError: if the folder cannot be written to.
    """
    from human_pose.datasets.synthetic import data_files, generate

    if any(path.exists() for path in data_files(folder)):
        return  # somebody's own, or unfinished: not ours to complete
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Half of the files would pass for all of them, so they come at once.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".making.") as made:
            print(f"No data found: making the embedded data in {folder}", flush=True)
            generate(made)
            for name in sorted(os.listdir(made)):
                os.rename(Path(made, name), folder / name)
    except OSError as error:
        if all(path.exists() for path in data_files(folder)):
            return  # another process was faster
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from error
