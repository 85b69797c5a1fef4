"""The flags of `--model=capture`, turned into what a capture needs.

Part of `flags.py`, for which it imports no NumPy.
"""

from pathlib import Path
from typing import Any, Final

from absl import flags

from human_pose.calibrated.config import CalibratedConfig
from human_pose.capture.config import DETECTORS, CaptureConfig, DetectorConfig
from human_pose.commands import detector_flags, places, shell
from human_pose.commands.calibrated_flags import optional_path, prior_path
from human_pose.commands.recording_flags import frame_range
from human_pose.commands.tasks import Asked
from human_pose.files.errors import InputError
from human_pose.files.paths import locate

TAKES: Final = frozenset(
    {
        "videos", "video", "recording", "cameras", "detector", "detector_files",
        "frames", "units", "up", "sync", "refine_cameras", "redo", "person", "truth",
        "prior", "check_path", "temporal", "film",
    }
)  # fmt: skip
_OFFSETS: Final = "offsets="
# What one camera alone has no use for.
_OF_SEVERAL: Final = (
    "sync", "refine_cameras", "redo", "person", "truth", "prior", "temporal",
)  # fmt: skip


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `--model=capture` that no other model has."""
    own = {"flag_values": flag_values}
    detector_flags.define_flags(
        flag_values, DETECTORS, DETECTORS[0], "What finds people in pictures."
    )
    flags.DEFINE_list(
        "videos",
        None,
        "A folder of videos, or videos, one for each camera and named as it.",
        **own,
    )
    flags.DEFINE_string(
        "video", None, "One video; --check_path names the image network.", **own
    )
    flags.DEFINE_string(
        "sync",
        "none",
        "Of clocks that differ: motion finds out, offsets=NAME:FRAMES,... says by how "
        "many of its frames each view is late, none.",
        **own,
    )
    flags.DEFINE_boolean(
        "refine_cameras", False, "Refit the cameras' poses to the motion.", **own
    )
    flags.DEFINE_boolean("redo", False, "Make detections again that are there.", **own)
    shell.refuse_empty(flag_values, "videos", "video", "sync")
    shell.show_in_help(flag_values, __name__)


def task(asked: Asked) -> CaptureConfig:
    """Turns the parsed flags into what is asked for.

    Raises:
      InputError: if no video or project is given, or both; if a flag would have no
        effect; if a file does not exist; if `--sync` is none of its words.
    """
    sources = (asked.videos, asked.video, asked.recording)
    if sum(each is not None for each in sources) != 1:
        raise InputError(
            "videos",
            "must name videos; or `recording` a project of Pose2Sim that has some, or "
            "`video` one alone",
        )
    if asked.video is not None:
        for name in filter(asked.given, _OF_SEVERAL):
            raise InputError(name, "has no effect on `video`, one camera alone")
    network = None
    if asked.check_path is not None:
        network = places.checkpoint(asked.flag_values)
    images = network is not None and network.suffix == ".keras"
    return CaptureConfig(
        videos=_videos(asked.videos or [each for each in [asked.video] if each]),
        alone=asked.video is not None,
        project=optional_path(asked.recording),
        cameras=optional_path(asked.cameras),
        detector=_detector(asked, network if images else None),
        frames=frame_range(asked.frames),
        units=asked.units,
        up=asked.up,
        **_sync(asked.sync),
        refine_cameras=asked.refine_cameras,
        redo=asked.redo,
        person=asked.person,
        truth=optional_path(asked.truth),
        prior=prior_path(asked),
        checkpoint=None if images else network,
        lifter=CalibratedConfig(temporal=asked.temporal),
        film=asked.film,
    )


def _videos(given: list[str]) -> tuple[Path, ...]:
    """The videos that are named, those of folders among them."""
    from human_pose.capture.footage import videos_in

    paths = map(locate, given)
    return tuple(
        video
        for path in paths
        for video in (videos_in(path) if path.is_dir() else [path])
    )


def _detector(asked: Asked, network: Path | None) -> DetectorConfig:
    """The detector; a checkpoint of the image network makes it that."""
    chosen = detector_flags.detector_config(asked)
    if network is not None:
        if asked.given("detector") and asked.detector != "i1":
            raise InputError(
                "check_path", f"must be a lifter's beside {asked.detector}", network
            )
        return DetectorConfig("i1", (network,))
    assert chosen is not None  # the flag has a default here
    return chosen


def _sync(word: str) -> dict[str, Any]:
    """What is done about clocks.

    Raises:
      InputError: if the word is none of those that `--help` lists.
    """
    if word in ("none", "motion"):
        return {"sync": word}
    rule = "must be none, motion or offsets=NAME:FRAMES,..."
    if not word.startswith(_OFFSETS):
        raise InputError("sync", rule, word)
    offsets = {}
    for part in word.removeprefix(_OFFSETS).split(","):
        name, _, number = part.rpartition(":")
        try:
            frames = float(number)
        except ValueError:
            raise InputError("sync", rule, word) from None
        if name in offsets:
            raise InputError("sync", "must name each view once", name)
        offsets[name] = frames
    return {"sync": "offsets", "offsets_frames": offsets}
