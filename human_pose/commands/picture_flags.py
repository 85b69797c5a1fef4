"""The flags of `Sample.py` for pictures and videos, turned into configurations.

Part of `flags.py`, for which it imports no TensorFlow either.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from absl import flags

from human_pose.capture.config import FINDERS, DetectorConfig
from human_pose.commands import detector_flags, places, shell
from human_pose.commands.tasks import Asked
from human_pose.files.errors import InputError
from human_pose.files.paths import expanded, is_there, locate, output_path
from human_pose.geometry.limits import (
    FOCAL_LENGTHS_PX,
    MAX_COORDINATE_PX,
    ROOT_DEPTHS_MM,
)
from human_pose.i1.config import READOUTS, ImageSampleConfig, ManySamplesConfig

# Drawing takes a hundred times as long as finding.
FEW: Final = 10


@dataclass(frozen=True)
class PictureSettings:
    """What makes samples of pictures, and what finds people in them first.

    Attributes:
      samples: the pictures, and what is done with them.
      finder: the detector that the boxes are by; None: they are given, or everything.
    """

    samples: ImageSampleConfig | ManySamplesConfig
    finder: DetectorConfig | None


def define_picture_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `Sample.py --image` and `--video`."""
    own = {"flag_values": flag_values}
    flags.DEFINE_multi_string(
        "image",
        None,
        "Pictures of one person each: files, folders with all below them, and patterns "
        "(*.jpg), with commas in between or by several flags; need --check_path.",
        **own,
    )
    flags.DEFINE_string(
        "video", None, "A video of one person; needs --check_path=<.keras>.", **own
    )
    flags.DEFINE_string(
        "frames", ":", "A:B: frames of the video, from 0 and without B.", **own
    )
    flags.DEFINE_string(
        "out", None, "Folder of the results (default: sample in results_dir).", **own
    )
    shell.refuse_empty(flag_values, "video", "out")
    flags.DEFINE_boolean(
        "draw", None, f"Draw every pose (default: of at most {FEW}).", **own
    )
    flags.DEFINE_list(
        "box",
        None,
        "x1,y1,x2,y2: the person in every picture, px (default: all of it); or a table "
        "of boxes, .csv (picture,x1,y1,x2,y2) or .json.",
        **own,
    )
    detector_flags.define_flags(
        flag_values,
        FINDERS,
        None,
        "What finds the person in every picture, in the place of --box; blazepose is "
        "made by ./set.sh detector.",
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
    flags.register_validator(
        "image",
        lambda words: words is None or all(word.strip(", ") for word in words),
        "must name a file or folder",
        flag_values,
    )
    flags.register_validator(
        "frames",
        lambda frames: re.fullmatch("[0-9]*:[0-9]*", frames) is not None,
        "must be two numbers of frames, as 100:200, 100: or :200",
        flag_values,
    )
    flags.register_validator(
        "box",
        lambda texts: not _is_box(texts) or _are_four_numbers(texts),
        "must be four numbers, as 1,2,3,4, or a table",
        flag_values,
    )
    flags.register_validator(
        "camera", _are_four_numbers, "must be four numbers, as 1,2,3,4", flag_values
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


def _is_box(texts: list[str] | None) -> bool:
    """Whether a box is given, and no table of boxes."""
    return texts is not None and all(map(_is_number, texts))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_camera(texts: list[str] | None) -> bool:
    camera = _four_numbers(texts)
    shortest, longest = FOCAL_LENGTHS_PX
    return camera is None or (
        all(shortest <= focal_px <= longest for focal_px in camera[:2])
        and all(abs(centre_px) <= MAX_COORDINATE_PX for centre_px in camera[2:])
    )


def picture_settings(asked: Asked) -> PictureSettings:
    """Turns the parsed flags of `Sample.py --image` into its settings.

    Raises:
      InputError: if the one file that the flags name does not exist, or the picture is
        where a result goes.
    """
    _check_network(asked)
    return PictureSettings(_pictures(asked), _finder(asked, single=True))


def _pictures(asked: Asked) -> ImageSampleConfig | ManySamplesConfig:
    image = _one_file(asked.image)
    if image is None or asked.draw is False or _table(asked) is not None:
        return _many(asked, tuple(asked.image), None, slice(None))
    chosen = ImageSampleConfig(
        image=image,
        check_path=_checkpoint(asked),
        box=_four_numbers(asked.box),
        camera=_four_numbers(asked.camera),
        root_depth_mm=asked.root_depth_mm,
        readout=asked.readout,
        picture_path=_out(asked) / f"{image.stem}.png",
        show=asked.show,
    )
    for result in (chosen.picture_path, chosen.joints_path):
        if result.exists() and result.samefile(image):
            raise InputError(
                f"--image={asked.image[0]}: {result}, a result, would replace it; "
                f"{'--results_dir' if asked.out is None else '--out'} must name "
                "another folder"
            )
    return chosen


def video_settings(asked: Asked) -> PictureSettings:
    """Turns the parsed flags of `Sample.py --video` into its settings.

    Raises:
      InputError: if a file that the flags name does not exist.
    """
    if _table(asked) is not None:
        raise InputError("--box must be four numbers with --video, one box for all")
    first, end = (int(text) if text else None for text in asked.frames.split(":"))
    samples = _many(asked, (), locate(asked.video), slice(first, end))
    return PictureSettings(samples, _finder(asked, single=False))


def _finder(asked: Asked, *, single: bool) -> DetectorConfig | None:
    finder = detector_flags.detector_config(asked, single=single)
    if finder is not None and asked.box is not None:
        raise InputError("--box and --detector exclude each other")
    return finder


def _many(
    asked: Asked, words: tuple[str, ...], video: Path | None, frames: slice
) -> ManySamplesConfig:
    if asked.show and asked.given("show"):
        raise InputError("--show needs --image with one file, whose pose is drawn")
    table = _table(asked)
    return ManySamplesConfig(
        words=words,
        video=video,
        frames=frames,
        check_path=_checkpoint(asked),
        box=_four_numbers(asked.box) if table is None else locate(table),
        camera=_four_numbers(asked.camera),
        root_depth_mm=asked.root_depth_mm,
        readout=asked.readout,
        out=_out(asked),
        draw=asked.draw,
    )


def _one_file(words: list[str]) -> Path | None:
    """The file, if that is all that `--image` names.

    Raises:
      InputError: if it can be nothing else, and is not there.
    """
    (word, *others) = words
    listed = set(word) & set(",*?[") and not is_there(expanded(word))
    if others or listed:
        return None
    path = locate(word)
    return None if path.is_dir() else path


def _table(asked: Asked) -> str | None:
    """The table of boxes that `--box` names, if it is no box."""
    texts = asked.box
    return None if texts is None or _is_box(texts) else ",".join(texts)


def _out(asked: Asked) -> Path:
    if asked.out is not None:
        return output_path(asked.out)
    return places.results_dir(asked.flag_values) / "sample"


def _checkpoint(asked: Asked) -> Path:
    _check_network(asked)
    return places.checkpoint(asked.flag_values)


def _check_network(asked: Asked) -> None:
    """Refuses pictures without a network, before they are looked for."""
    if asked.check_path is None:
        raise InputError(f"{asked.task.word} needs --check_path, a .keras checkpoint")
