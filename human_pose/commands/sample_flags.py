"""The flags of `Sample.py` for views, turned into a configuration.

Part of `flags.py`, for which it imports no TensorFlow either.
"""

from dataclasses import dataclass
from pathlib import Path

from absl import flags

from human_pose.commands import lifter_flags, places, shell
from human_pose.commands.tasks import Asked
from human_pose.lifting.config import LifterConfig


@dataclass(frozen=True)
class FrameConfig:
    """What makes a sample: one frame of a pose file.

    Attributes:
      lifter: the model.
      input_path: pose file with the frame.
      frame: its number in the file, from 0.
      picture_path: where to save the picture.
      show: whether to open a window, if there is a screen.
    """

    lifter: LifterConfig
    input_path: Path
    frame: int
    picture_path: Path
    show: bool


def define_frame_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `Sample.py` for a frame of a pose file."""
    own = {"flag_values": flag_values}
    flags.DEFINE_string(
        "input_path", places.SAMPLE_FILE, "Pose file with the frame to lift.", **own
    )
    shell.refuse_empty(flag_values, "input_path")
    flags.DEFINE_integer(
        "frame", 0, "Number of the frame in that file, from 0.", lower_bound=0, **own
    )
    shell.show_in_help(flag_values, __name__)


def frame_config(asked: Asked) -> FrameConfig:
    """Turns the parsed flags of `Sample.py` into a configuration.

    Raises:
      InputError: if a file that the flags name does not exist.
    """
    folder = places.results_dir(asked.flag_values)
    return FrameConfig(
        lifter=lifter_flags.lifter_config(asked),
        input_path=places.pose_file(asked.input_path),
        frame=asked.frame,
        picture_path=folder / "sample" / f"frame_{asked.frame}.png",
        show=asked.show,
    )
