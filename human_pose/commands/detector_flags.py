"""The flags that choose a detector of people, of `--model=capture` and `Sample.py`.

Part of `flags.py`, for which it imports no NumPy.
"""

from collections.abc import Sequence

from absl import flags

from human_pose.capture.config import DetectorConfig
from human_pose.commands import shell
from human_pose.commands.tasks import Asked
from human_pose.files.errors import InputError
from human_pose.files.paths import locate


def define_flags(
    flag_values: flags.FlagValues,
    names: Sequence[str],
    default: str | None,
    meaning: str,
) -> None:
    """Defines `--detector`, of these names and with this help, and its files."""
    own = {"flag_values": flag_values}
    flags.DEFINE_enum("detector", default, names, meaning, **own)
    flags.DEFINE_list(
        "detector_files",
        None,
        "rtmpose: its .onnx, after that of its finder of people if there is one.",
        **own,
    )
    shell.refuse_empty(flag_values, "detector_files")
    shell.show_in_help(flag_values, __name__)


def detector_config(asked: Asked, *, single: bool = False) -> DetectorConfig | None:
    """The detector that is asked for, if one is.

    Args:
      asked: with the flags that are defined here.
      single: see `DetectorConfig`.

    Raises:
      InputError: if a file does not exist, or the detector has none.
    """
    files = asked.detector_files or ()
    if files and asked.detector != "rtmpose":
        raise InputError("detector_files", "needs `detector`=rtmpose")
    if asked.detector is None:
        return None
    return DetectorConfig(asked.detector, tuple(map(locate, files)), single)
