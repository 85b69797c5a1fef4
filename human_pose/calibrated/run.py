"""Runs on a recording: from files of detections to results, or to learned weights."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from absl import logging
from tqdm import tqdm

from human_pose.calibrated.checkpoint import NAME as CHECKPOINT
from human_pose.calibrated.checkpoint import load_lifter
from human_pose.calibrated.config import CalibratedConfig, RecordingConfig
from human_pose.calibrated.evaluation.report import REPORT as RECORDING_REPORT
from human_pose.calibrated.evaluation.truth import truth_of
from human_pose.calibrated.evaluation.whose import may_be_of, nearest, said_of_place
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.people import People, choose, tell_apart
from human_pose.calibrated.prior.files import load_prior
from human_pose.calibrated.results import (
    PERSON,
    POSES,
    WRITTEN,
    Beside,
    withdraw_results,
    write_results,
)
from human_pose.calibrated.session import Session
from human_pose.calibrated.training.config import CalibratedTrainingConfig
from human_pose.calibrated.training.run import REPORT, train
from human_pose.exchange.formats import read_motion, read_recording
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Motion, Recording
from human_pose.files.errors import InputError
from human_pose.geometry.plausibility import implausible_size
from human_pose.geometry.skeleton import Skeleton
from human_pose.runs.folder import RunFolder
from human_pose.runs.lock import locked


def lift(
    recording: RecordingConfig,
    folder: str | os.PathLike[str],
    prior: str | os.PathLike[str] | None = None,
    config: CalibratedConfig | None = None,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    film: str | None = None,
) -> str:
    """Lifts the people of a recording.

    Results lie in the folder, see `results`; of several people those of the first, who
    is seen most, and the others' in `person_1`, `person_2` and so on within it.

    Args:
      recording: what to read.
      folder: of the run.
      prior: a prior, or the folder of a run that fitted one; default: the embedded.
      config: of the lifter; of a checkpoint only `temporal` counts.
      checkpoint: a lifter with learned weights and its own prior, or the folder of
        the run that learned them.
      film: "gif" or "mp4", to have one of the poses.

    Returns:
      What was found, in lines.

    Raises:
      InputError: naming the file or the argument, the rule and what was received.
    """
    folder = Path(folder)
    place = RunFolder(folder)
    place.check_writable()
    place.check_apart((recording.path, recording.cameras, recording.truth), WRITTEN)
    detected = read(recording)
    truth = read_truth(recording.truth, recording.units, detected.fps)
    lifter = lifter_for(detected.skeleton, prior, checkpoint, config)
    with locked(folder, "lifting"):
        done = lift_people(
            detected, folder, lifter, person=recording.person, truth=truth, film=film
        )
    return "\n".join(line for each in done for line in each.lines)


# Rates that differ by no more are written otherwise: 29.97 and 30.
_SAME_RATE: Final = 0.01


class Done(NamedTuple):
    """One person's results.

    Attributes:
      folder: that has them.
      recording: of the person, with cameras.
      poses: what was found.
    """

    folder: Path
    recording: Recording
    poses: Poses

    @property
    def lines(self) -> tuple[str, str]:
        """What was written, in words."""
        return (
            f"poses: {self.folder / POSES}",
            f"report: {self.folder / RECORDING_REPORT}",
        )


def lift_people(
    detected: Recording,
    folder: str | os.PathLike[str],
    lifter: CalibratedLifter,
    *,
    person: int | None = None,
    truth: Motion | None = None,
    film: str | None = None,
    beside: Beside | None = None,
    meanwhile: Callable[[Done], object] = lambda done: None,
) -> list[Done]:
    """Tells a recording's people apart, lifts them, and writes their results.

    Args:
      detected: with cameras.
      folder: of the run, which is locked.
      lifter: for the recording's skeleton.
      person: whose results are wanted; None: all.
      truth: known motion, or None; of several people of whom it is nearest.
      film: as of `lift`.
      beside: what is known of the recording beside it.
      meanwhile: called for each person while the report is made, which takes as long
        as the lifting.

    Returns:
      The people's results, who is seen most first.

    Raises:
      InputError: naming the file or the argument, the rule and what was received.
    """
    folder = Path(folder)
    if truth is not None:
        # What does not belong together is refused before minutes of lifting.
        truth_of(truth, detected)
    people = _told_apart(detected)
    chosen = choose(people, person)
    truths = _of_whom(truth, chosen)
    if truth is not None and (wrong := said_of_place(truth, chosen)):
        logging.warning("%s: %s", truth.source, wrong)
    done: list[Done] = []
    with _Bar() as bar, ThreadPoolExecutor(1) as pool:
        session = Session(lifter, bar.show)
        for number, recording in enumerate(chosen):
            place = folder / PERSON.format(number) if number else folder
            lifted = session.lift(recording)
            bar.done()
            if not done:
                withdraw_results(folder)
            done.append(Done(place, recording, lifted.poses))
            other = pool.submit(meanwhile, done[-1])
            write_results(
                place,
                lifted,
                recording,
                session,
                truth=truths[number],
                people=len(people.recordings),
                film=film,
                beside=beside,
            )
            other.result()
    return done


def learn(
    recording: RecordingConfig,
    folder: str | os.PathLike[str],
    training: CalibratedTrainingConfig,
    *,
    prior: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> str:
    """Learns a lifter's weights from a recording whose motion is known.

    Args:
      recording: what to read; of several people whom the truth is nearest, unless it
        says whom.
      folder: of the run.
      training: how to learn.
      prior: as of `lift`.
      checkpoint: of the lifter to start from; as of `lift`.

    Returns:
      What was learned, in lines.

    Raises:
      InputError: naming the file or the argument, the rule and what was received.
    """
    folder = Path(folder)
    RunFolder(folder).check_writable()
    detected = read(recording)
    truth = read_truth(recording.truth, recording.units, detected.fps)
    if truth is None:
        raise InputError("truth", "must name the motion to learn from")
    people = _told_apart(detected)
    chosen = choose(people, recording.person)
    if wrong := said_of_place(truth, chosen):
        raise InputError(f"{truth.source}: {wrong}")
    person = nearest(truth, chosen)
    if len(chosen) > 1:
        print(f"truth: of person {person}")
    lifter = lifter_for(detected.skeleton, prior, checkpoint, None)
    table = train(lifter, chosen[person], truth, training, folder)
    lines = (f"checkpoint: {folder / CHECKPOINT}", f"report: {folder / REPORT}")
    return "\n".join((table, *lines))


def _of_whom(
    truth: Motion | None, recordings: Sequence[Recording]
) -> list[Motion | None]:
    """The truth for each person, None for whom it is not; prints whose it is."""
    if truth is None or len(recordings) == 1:
        return [truth] * len(recordings)
    mine = may_be_of(truth, recordings)
    print(f"truth: of person {', '.join(str(n) for n, may in enumerate(mine) if may)}")
    return [truth if may else None for may in mine]


def _told_apart(detected: Recording) -> People:
    """The people of a recording; prints what is known of them."""
    people = tell_apart(detected)
    for line in people.report:
        print(line)
    return people


def lifter_for(
    detector: Skeleton | None,
    prior: str | os.PathLike[str] | None,
    checkpoint: str | os.PathLike[str] | None,
    config: CalibratedConfig | None,
) -> CalibratedLifter:
    """The lifter of a run for a detector, None for one of the lifter's own joints.

    Other arguments and errors as of `lift`.
    """
    if checkpoint is None:
        found = load_prior(prior)
        return CalibratedLifter(found, detector or found.skeleton, config)
    if prior is not None:
        raise InputError("prior", "has no effect beside `checkpoint`")
    temporal = (config or CalibratedConfig()).temporal
    return load_lifter(checkpoint, detector, temporal=temporal)


def read(config: RecordingConfig) -> Recording:
    """Reads a recording with its cameras.

    Raises:
      InputError: naming the file or the argument, the rule and what was received.
    """
    return read_recording(
        config.path,
        cameras=config.cameras,
        fps=config.fps,
        units=config.units,
        frames=config.frames,
        skeleton=config.skeleton,
        up=config.up,
    )


def read_truth(
    path: str | os.PathLike[str] | None,
    units: str | None = None,
    fps: float | None = None,
) -> Motion | None:
    """Reads the known motion, if there is any.

    Args:
      path: of the motion; None for none.
      units: of its lengths; None: as it says or implies.
      fps: of the recording, if known: frames are matched by number.

    Raises:
      InputError: as of `read`; if its bodies have no size in millimetres; and if it
        says another frame rate.
    """
    if path is None:
        return None
    truth = read_motion(path, units).z_up
    if fps and truth.fps and abs(truth.fps / fps - 1) > _SAME_RATE:
        raise InputError(
            f"{path}: must have the recording's {fps:g} frames a second, since frames "
            f"are matched by number; it has {truth.fps:g}"
        )
    if wrong := implausible_size(truth.joints_3d_mm):
        raise InputError(f"{path}: joints {wrong}")
    return truth


class _Bar:
    """A bar that shows the stage of one lifted recording."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def show(self, stage: str, share: float) -> None:
        """Shows a stage and how much of it is done."""
        if self._bar is None:
            self._bar = tqdm(total=100, unit="%", leave=False, disable=None)
        self._bar.set_description(stage, refresh=False)
        self._bar.n = round(100 * share)
        self._bar.refresh()

    def done(self) -> None:
        """Takes the bar away; the next stage makes another."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self.done()
