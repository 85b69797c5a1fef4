"""Writes the shards of a plan, whoever was killed before at whatever point.

Finished shards are found and left alone, what a killed writer left is swept away, and
the rest is made. At the end stand the metadata by which TFDS reads the folder
(`tfds_folder`), and `skipped.tsv`, a line for each sample that could not be used.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Final, Protocol

from absl import logging

from human_pose.datasets.shards import tfds_folder
from human_pose.datasets.shards.plan import Plan, Task
from human_pose.datasets.shards.sidecar import (
    Sidecar,
    crc32_of,
    read_sidecar,
    sidecar_path,
)
from human_pose.datasets.shards.writing import FORMAT, write_shard, written
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, leftovers

# Human3.6M's known damage is left out by its name; more than this is a wrong source.
MAX_BAD_SHARE: Final = 0.01
REPORT: Final = "skipped.tsv"
# What tells a source's files, of the line that tells what a shard is made of: a word
# of its own (`plan.summary_of`). Seeds and cameras' names may have eight digits, too.
_CHECKSUM: Final = re.compile(r"(?<= )[0-9a-f]{8}(?=,| in shards of )")
# Between two looks at what other processes have finished.
_LOOK_S: Final = 0.5

# Called with the samples done, of all, as shards are finished.
Progress = Callable[[int, int], None]


class Engine(Protocol):
    """Whatever writes shards: `InThisProcess`, or Beam."""

    def write(
        self, plan: Plan, folder: str | os.PathLike[str], tasks: Iterable[Task]
    ) -> None:
        """Writes the shards of tasks; see `write_task`.

        The tasks may raise when one is asked for after others have been written.
        """


class InThisProcess:
    """Writes one shard after the other."""

    def write(
        self, plan: Plan, folder: str | os.PathLike[str], tasks: Iterable[Task]
    ) -> None:
        """Writes the shards of tasks."""
        for task in tasks:
            write_task(plan, folder, task)


def write_task(plan: Plan, folder: str | os.PathLike[str], task: Task) -> None:
    """Writes one shard of a plan, unless it is there."""
    path = Path(folder) / task.name
    write_shard(path, plan.samples(task), plan.schema, plan.source, task.indices)


def prepare(
    plan: Plan,
    out: str | os.PathLike[str],
    engine: Engine | None = None,
    *,
    max_bad_share: float = MAX_BAD_SHARE,
    retry_bad: bool = False,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Makes what of a plan is not there; only one at a time in a folder.

    The shards of a finished folder are compared with their checksums, which reads all
    of them, and those that were damaged are made anew.

    Args:
      plan: what is made.
      out: the folder of all data sets; see `Plan.folder`.
      engine: who writes the shards; default: this process.
      max_bad_share: of all samples, how many may be unusable.
      retry_bad: make those shards again that lack samples, because the source has been
        mended.
      progress: called as shards are finished.

    Returns:
      The folder; `tfds.builder_from_directory` reads it.

    Raises:
      InputError: if a shard cannot be written (a full disk), too many samples are
        unusable or all of a part, or the folder holds shards of other sizes, or a
        finished set of other settings. Finished shards stay, and the same call goes on
        from there.
    """
    folder = plan.folder(out)
    _check_share(max_bad_share)
    _make_ready(plan, folder)
    if tfds_folder.is_finished(folder):
        _refuse_other_settings(plan, folder)
        # Whoever prepares it again wants to know that it is whole, or mended. What was
        # killed on its way goes on at once, and is read by nobody before its end.
        _forget_damaged_shards(plan, folder)
    _forget_shards_of_changed_files(plan, folder)
    if retry_bad:
        _forget_shards_with_bad(plan, folder)
    pending = [task for task in plan.tasks if _done(plan, folder, task) is None]
    if pending:
        tfds_folder.remove_metadata(folder)  # it would say that all is there
    with _Watch(folder, plan, pending, progress):
        tasks = _while_usable(plan, folder, pending, max_bad_share)
        (engine or InThisProcess()).write(plan, folder, tasks)
    sidecars = {task.name: read_sidecar(folder / task.name) for task in plan.tasks}
    _report(plan, folder, sidecars, max_bad_share)
    _check_parts(plan, folder, sidecars)
    tfds_folder.write_metadata(plan, folder, sidecars)
    return folder


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise InputError("max_bad_share", "must be from 0 to 1", share)


def _make_ready(plan: Plan, folder: Path) -> None:
    """Makes the folder, and removes what killed writers left in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in leftovers(folder):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from error
    known = {task.name for task in plan.tasks}
    # Not temporary ones: an orphan of a killed run may just be at work.
    shards = folder.glob(f"[!.]*.{FORMAT}-*-of-*[0-9]")
    others = sorted(path.name for path in shards if path.name not in known)
    if others:
        raise InputError(
            f"{folder}: holds {others[0]} of a preparation of another size; prepare "
            "with the same `samples_per_shard` and source as then, or into another "
            "folder"
        )


def _refuse_other_settings(plan: Plan, folder: Path) -> None:
    """Refuses to make a finished set anew for a word of a command.

    Only files that changed do so; a source tells them by their checksums.

    Raises:
      InputError: if the set was prepared with other settings.
    """
    for task in plan.tasks:
        try:
            held = read_sidecar(folder / task.name).source
        except InputError:
            continue  # damaged, and to be mended
        if _CHECKSUM.sub("", held) != _CHECKSUM.sub("", plan.source):
            raise InputError(
                f"{folder}: holds a finished set of other settings ({held}), and would "
                f"be made anew ({plan.source}); prepare into another folder"
            )


def _forget_shards_of_changed_files(plan: Plan, folder: Path) -> None:
    """Has shards made anew whose files were changed behind them.

    A set that was killed on its way would else hold some samples as they were, and
    others as they are.
    """
    if plan.files is None:
        return
    changed = []
    for task in plan.tasks:
        if _done(plan, folder, task) is None:
            continue
        made_ns = sidecar_path(folder / task.name).stat().st_mtime_ns
        files = (file for piece in task.pieces for file in plan.files(piece))
        if later := next((file for file in files if _is_later(file, made_ns)), None):
            changed.append(later)
            sidecar_path(folder / task.name).unlink()
    if changed:
        logging.warning(
            "%s: makes %d of %d shards anew, for files of theirs were changed since, "
            "such as %s",
            *(folder, len(changed), len(plan.tasks), changed[0]),
        )


def _is_later(file: Path, made_ns: int) -> bool:
    """Whether a file is of a later time; one of the future tells nothing."""
    try:
        return made_ns < file.stat().st_mtime_ns <= time.time_ns()
    except OSError:
        return False  # what is missing is told where the sample is made


def _forget_shards_with_bad(plan: Plan, folder: Path) -> None:
    for task in plan.tasks:
        sidecar = _done(plan, folder, task)
        if sidecar is not None and sidecar.skipped:
            sidecar_path(folder / task.name).unlink()


def _done(plan: Plan, folder: Path, task: Task) -> Sidecar | None:
    return written(folder / task.name, plan.source, plan.schema, task.indices)


def _forget_damaged_shards(plan: Plan, folder: Path) -> None:
    for task in plan.tasks:
        path = folder / task.name
        sidecar = _done(plan, folder, task)
        if sidecar is not None and crc32_of(path) != sidecar.crc32:
            sidecar_path(path).unlink()


class _Watch:
    """Tells of shards as their sidecars appear, whichever process writes them."""

    def __init__(
        self, folder: Path, plan: Plan, pending: Sequence[Task], progress: Progress
    ):
        self._folder, self._pending = folder, {task.name: task for task in pending}
        self._plan, self._progress, self._ended = plan, progress, Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._look()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self._look()

    def _look(self) -> None:
        for name, task in [*self._pending.items()]:
            if _done(self._plan, self._folder, task) is not None:
                del self._pending[name]
        left = sum(map(len, self._pending.values()))
        self._progress(len(self._plan) - left, len(self._plan))


def _while_usable(
    plan: Plan, folder: Path, pending: Sequence[Task], max_bad_share: float
) -> Iterator[Task]:
    """The tasks, until those that are written already lack too many samples.

    So whoever writes one after the other need not write all of a wrong source's.
    """
    made: dict[str, Sidecar] = {}
    for task in pending:
        yield task
        sidecar = _done(plan, folder, task)
        if sidecar is not None:
            made[task.name] = sidecar
        bad = sum(len(sidecar.skipped) for sidecar in made.values())
        if bad > max_bad_share * len(plan):
            _report(plan, folder, made, max_bad_share)  # which refuses


def _report(
    plan: Plan, folder: Path, sidecars: dict[str, Sidecar], max_bad_share: float
) -> None:
    """Lists the unusable samples in a file; refuses too many of them."""
    bad = [*_skipped(plan, sidecars)]
    with atomic(folder / REPORT) as temporary:
        lines = (f"{part}\t{index}\t{reason}\n" for part, index, reason in bad)
        temporary.write_text("part\tindex\treason\n" + "".join(lines), "utf-8")
    if len(bad) > max_bad_share * len(plan):
        raise InputError(
            f"{folder / REPORT}: lists {len(bad)} of {len(plan)} samples that cannot "
            f"be used, more than `max_bad_share` allows ({max_bad_share:g}); the "
            f"first: {bad[0][2]}"
        )


def _check_parts(plan: Plan, folder: Path, sidecars: dict[str, Sidecar]) -> None:
    """Refuses a part without a usable sample, however small its share of all is."""
    for part in plan.parts:
        if not any(len(sidecars[t.name]) for t in plan.tasks if t.part == part):
            raise InputError(
                f"{folder / REPORT}: lists all samples of the {part} part, which would "
                "be empty; mend the source"
            )


def _skipped(
    plan: Plan, sidecars: dict[str, Sidecar]
) -> Iterator[tuple[str, int, str]]:
    for task in plan.tasks:
        if task.name not in sidecars:
            continue
        for index, reason in sidecars[task.name].skipped:
            yield task.part, index, " ".join(reason.split())
