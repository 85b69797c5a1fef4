"""The flags of `Sample.py`, of views and of a picture, turned into configurations.

Part of `flags.py`, for which it imports no TensorFlow either.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from absl import flags

from human_pose.commands import lifter_flags, places, shell
from human_pose.commands.tasks import Asked
from human_pose.files.errors import InputError
from human_pose.files.paths import locate
from human_pose.geometry.limits import (
    FOCAL_LENGTHS_PX,
    MAX_COORDINATE_PX,
    ROOT_DEPTHS_MM,
)
from human_pose.i1.config import READOUTS, ImageSampleConfig
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


def define_picture_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `Sample.py --image`."""
    own = {"flag_values": flag_values}
    flags.DEFINE_string(
        "image", None, "A picture of one person; needs --check_path=<.keras>.", **own
    )
    shell.refuse_empty(flag_values, "image")
    flags.DEFINE_list(
        "box", None, "x1,y1,x2,y2: the person in the picture, px (default: all).", **own
    )
    flags.DEFINE_list(
        "camera", None, "fx,fy,cx,cy: the camera, px (default: from the box).", **own
    )
    flags.DEFINE_float(
        "root_depth_mm",
        None,
        "Depth of the hip (default: from the box and --camera, or 5000).",
        **own,
    )
    flags.DEFINE_enum(
        "readout", READOUTS[0], READOUTS, "How joints are read from heatmaps.", **own
    )
    nearest, farthest = ROOT_DEPTHS_MM
    flags.register_validator(
        "root_depth_mm",
        lambda depth: depth is None or nearest <= depth <= farthest,
        f"must be from {nearest:.0f} to {farthest:.0f} mm",
        flag_values,
    )
    for name in ("box", "camera"):
        flags.register_validator(
            name, _are_four_numbers, "must be four numbers, as 1,2,3,4", flag_values
        )
    shortest, longest = FOCAL_LENGTHS_PX
    flags.register_validator(
        "camera",
        _is_camera,
        f"must be focal lengths from {shortest:.0f} to {longest:.0f} px and a centre "
        f"at most {MAX_COORDINATE_PX:.0f} px from the corner",
        flag_values,
    )
    shell.show_in_help(flag_values, __name__)


def _four_numbers(
    texts: list[str] | None,
) -> tuple[float, float, float, float] | None:
    if texts is None:
        return None
    a, b, c, d = map(float, texts)
    return a, b, c, d


def _are_four_numbers(texts: list[str] | None) -> bool:
    try:
        return texts is None or (
            len(texts) == 4 and all(math.isfinite(float(text)) for text in texts)
        )
    except ValueError:
        return False


def _is_camera(texts: list[str] | None) -> bool:
    camera = _four_numbers(texts)
    shortest, longest = FOCAL_LENGTHS_PX
    return camera is None or (
        all(shortest <= focal_px <= longest for focal_px in camera[:2])
        and all(abs(centre_px) <= MAX_COORDINATE_PX for centre_px in camera[2:])
    )


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


def picture_config(asked: Asked) -> ImageSampleConfig:
    """Turns the parsed flags of `Sample.py --image` into a configuration.

    Raises:
      InputError: if a file that the flags name does not exist, or the picture is where
        a result goes.
    """
    if asked.check_path is None:
        raise InputError("--image needs --check_path, a .keras checkpoint")
    results_dir = places.results_dir(asked.flag_values)
    image = locate(asked.image)
    chosen = ImageSampleConfig(
        image=image,
        check_path=places.checkpoint(asked.flag_values),
        box=_four_numbers(asked.box),
        camera=_four_numbers(asked.camera),
        root_depth_mm=asked.root_depth_mm,
        readout=asked.readout,
        picture_path=results_dir / "sample" / f"{image.stem}.png",
        show=asked.show,
    )
    for result in (chosen.picture_path, chosen.joints_path):
        if result.exists() and result.samefile(image):
            raise InputError(
                f"--image={asked.image}: {result}, a result, would replace it; "
                "--results_dir must name another folder"
            )
    return chosen
