"""What a lifted recording leaves in its folder: poses, motion files, report, viewer."""

import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.baselines import Method
from human_pose.calibrated.evaluation.comparison import BASELINES
from human_pose.calibrated.evaluation.movie import write_movie
from human_pose.calibrated.evaluation.report import REPORT, Findings, write_report
from human_pose.calibrated.evaluation.viewer import VIEWER, Film, write_viewer
from human_pose.calibrated.observe import shows_body
from human_pose.calibrated.session import Lifted, Session
from human_pose.exchange import formats
from human_pose.exchange.anipose import write_anipose
from human_pose.exchange.poses import Poses, write_poses
from human_pose.exchange.recording import Motion, Recording
from human_pose.files.errors import InputError
from human_pose.files.npz import read_npz
from human_pose.files.paths import leftovers

POSES: Final = "poses.npz"
# Beside the joints: files that other programs open.
MOTION_FILES: Final = ("poses.trc", "poses.c3d", "poses.bvh")
ANIPOSE: Final = "poses.csv"
MOVIES: Final = ("poses.gif", "poses.mp4")
# Folders of people beside the one who is seen most.
PERSON: Final = "person_{}"
_OTHERS: Final = re.compile(PERSON.format("[0-9]+")).fullmatch
# What captures draw over the views' videos lies in this folder, `<view>.mp4`.
VIDEOS: Final = "videos"
# What captures refine of a calibration.
CAMERAS: Final = "cameras.toml"

_FILES: Final = (REPORT, POSES, *MOTION_FILES, ANIPOSE, VIEWER, *MOVIES, CAMERAS)
# All that may be written, from the folder of the results.
WRITTEN: Final = tuple(
    f"{place}{name}"
    for place in ("", f"{PERSON.format('*')}/")
    for name in (*_FILES, f"{VIDEOS}/*.mp4")
)

# Less is not worth a word.
_LEAST_SHIFT_PX: Final = 1.0

_LOG: Final = logging.getLogger(__name__)


class Beside(NamedTuple):
    """What is told of a recording beside its results.

    Attributes:
      made: how the recording was made, in Markdown, for the report.
      films: of the views, by their names, relative to the results' folder.
    """

    made: str = ""
    films: Mapping[str, Film] = MappingProxyType({})


def withdraw_results(folder: str | os.PathLike[str]) -> None:
    """Removes what an earlier run of this name found, before new files come.

    They may be of another recording, and not all of them are written each time. The
    report goes first and comes last: a folder without one is not done.

    Args:
      folder: of the results. Of other files in it nothing is known: they stay.
    """
    folder = Path(folder)
    people = (each for each in folder.glob(PERSON.format("*")) if _OTHERS(each.name))
    for each in (folder, *people):
        # Before the poses, which name them.
        videos = [each / VIDEOS / f"{name}.mp4" for name in _views(each / POSES)]
        half_done = [*leftovers(each), *leftovers(each / VIDEOS)]
        files = [each / name for name in _FILES]
        for path in (each / REPORT, *videos, *files, *half_done):
            path.unlink(missing_ok=True)


def _views(poses: Path) -> list[str]:
    """Names of the views of an earlier run's poses, if they can be read."""
    try:
        names = read_npz(poses, {}, {"view_names": ("V",)})["view_names"].tolist()
    except InputError:
        return []
    # None leads out of the folder.
    return [name for name in names if Path(name).name == name]


def write_results(
    folder: str | os.PathLike[str],
    lifted: Lifted,
    recording: Recording,
    session: Session,
    *,
    truth: Motion | None = None,
    people: int | None = None,
    film: str | None = None,
    beside: Beside | None = None,
) -> Path:
    """Writes all files of one person's results; `withdraw_results` before another's.

    Args:
      folder: of the results; made if need be.
      lifted: what was found.
      recording: from what: one person, with cameras.
      session: that found it, for cameras left out.
      truth: known motion, or None.
      people: how many the recording shows, or None.
      film: "gif" or "mp4", of the poses; None for none.
      beside: what is known of the recording beside it.

    Returns:
      The report's path.

    Raises:
      InputError: if a file cannot be written.
    """
    beside = beside or Beside()
    findings = Findings(
        lifted.poses,
        recording,
        method=_of_some_views(session, recording, lifted.take.sigma_px),
        truth=truth,
        people=people,
        cautions=_shifts(lifted),
        made=beside.made,
    )
    return write_findings(folder, findings, film=film, films=beside.films)


def write_findings(
    folder: str | os.PathLike[str],
    findings: Findings,
    *,
    film: str | None = None,
    films: Mapping[str, Film] = MappingProxyType({}),
    baselines: Mapping[str, Method] = BASELINES,
) -> Path:
    """Writes all files of poses, whatever found them; as `write_results`.

    Args:
      folder: of the results; made if need be.
      findings: the poses, and what the report says of them.
      film: "gif" or "mp4", of the poses; None for none.
      films: of the views, by their names, relative to the folder.
      baselines: methods to stand beside in the report.

    Returns:
      The report's path.

    Raises:
      InputError: if a file cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    poses, recording = findings.poses, findings.recording
    write_poses(folder / POSES, poses)
    for name in MOTION_FILES:
        _write(folder / name, lambda path: formats.write(path, poses.as_motion), poses)
    write_anipose(
        folder / ANIPOSE,
        poses.as_motion,
        errors_px=poses.errors_px,
        cameras_used=poses.cameras_used,
    )
    _write(
        folder / VIEWER,
        lambda path: write_viewer(path, poses, recording, films=films),
        poses,
    )
    if film is not None:
        _write(folder / f"poses.{film}", lambda path: write_movie(path, poses), poses)
    return write_report(folder, findings, baselines)


def _write(path: Path, write: Callable[[Path], object], poses: Poses) -> None:
    """Writes a file, or says why it is not there: it needs a library, or the rate."""
    try:
        write(path)
    except InputError as error:
        missing = isinstance(error.__cause__, ModuleNotFoundError)
        if not missing and poses.fps is not None:
            raise
        _LOG.warning("%s is left out: %s", path.name, error)


def _shifts(lifted: Lifted) -> list[str]:
    moved = ", ".join(
        f"{name} by ({x:+.1f}, {y:+.1f}) px"
        for name, (x, y) in zip(lifted.poses.view_names, lifted.shift_px, strict=True)
        if max(abs(x), abs(y)) >= _LEAST_SHIFT_PX
    )
    if not moved:
        return []
    return [
        f"Views show all joints beside where others expect them; moved were {moved}."
    ]


def _of_some_views(
    session: Session, recording: Recording, sigma_px: np.ndarray
) -> Method:
    """The lifter as a method that is given some of the recording's views.

    The others stay, without detections: the session is compiled for all of them. The
    deviations of detections are looked for from where they ended with all views, which
    saves most of the rounds and is gone where they end.
    """

    def method(given: Recording) -> np.ndarray:
        if not shows_body(given, session.lifter.joints):
            return np.full((len(given), len(session.lifter.joints), 3), np.nan)
        views = [recording.view_names.index(name) for name in given.view_names]

        def widened(values: np.ndarray, fill: float) -> np.ndarray:
            wide = np.full(
                (len(given), len(recording.view_names), *values.shape[2:]), fill
            )
            wide[:, views] = values
            return wide

        covariance = given.covariance_px2
        hidden = given.replace(
            joints_2d_px=widened(given.joints_2d_px, np.nan),
            confidence=widened(given.confidence, 0.0),
            covariance_px2=None if covariance is None else widened(covariance, np.nan),
            view_names=recording.view_names,
            cameras=recording.cameras,
        )
        return session.lift(hidden, sigma_px=sigma_px).poses.joints_3d_mm

    return method
