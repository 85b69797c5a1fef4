"""What a capture is made from, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from human_pose.calibrated.config import CalibratedConfig

Sync = Literal["none", "motion", "offsets"]
# Those that find people by themselves, and with the image network all there are.
FINDERS: Final = ("blazepose", "rtmpose")
DETECTORS: Final = (*FINDERS, "i1")


@dataclass(frozen=True)
class DetectorConfig:
    """Which detector finds people in pictures.

    Attributes:
      name: of `DETECTORS`.
      files: of `rtmpose` its network, after the one that finds people if there is one;
        of `i1` its checkpoint.
      single: whether it will be asked for single pictures alone, each as a video of its
        own. Answers are the same; `blazepose` gives them in an eighth of the time.
    """

    name: str = "blazepose"
    files: tuple[Path, ...] = ()
    single: bool = False


@dataclass(frozen=True)
class CaptureConfig:
    """Videos, their cameras, and what is done with them.

    Attributes:
      videos: one for each camera, each file named as its camera; or none, of a project.
      alone: whether the one video there is shows one camera's view and no more; the
        image network then finds poses, and no lifter.
      project: a Pose2Sim project, whose detections count where it has some; or None.
      cameras: the calibration; None: the project's.
      detector: that finds people in the videos.
      frames: numbers of the first and of the one after the last in each video; None:
        all.
      units: of the calibration's lengths; None: as it says or implies.
      up: the axis of its world that points upwards, as "-y"; None: z.
      sync: what is done about clocks that do not agree: nothing, the motion is asked,
        or `offsets` are known.
      offsets_frames: by the views' names, by how many of its frames each is late.
      refine_cameras: whether camera poses are refitted to the motion.
      redo: whether detections that are there are made again.
      person: whose results are wanted, 0 is who is seen most; None: all.
      truth: known motion, or None.
      prior: of the lifter, as of `calibrated.run.lift`.
      checkpoint: of a lifter with learned weights, as there; or None.
      lifter: the lifter's settings.
      film: "gif" or "mp4", to have one of the poses.
    """

    videos: tuple[Path, ...] = ()
    alone: bool = False
    project: Path | None = None
    cameras: Path | None = None
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    frames: slice | None = None
    units: str | None = None
    up: str | None = None
    sync: Sync = "none"
    offsets_frames: Mapping[str, float] = field(default_factory=dict)
    refine_cameras: bool = False
    redo: bool = False
    person: int | None = None
    truth: Path | None = None
    prior: Path | None = None
    checkpoint: Path | None = None
    lifter: CalibratedConfig = field(default_factory=CalibratedConfig)
    film: str | None = None
