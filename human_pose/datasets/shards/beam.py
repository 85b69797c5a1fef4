"""The shards of a plan written by Apache Beam: many processes, or many machines.

Beam does no more than to hand out shards. Whatever it does twice, or leaves running
when its parent is killed, writes the same bytes under the same name or nothing.
"""

import contextlib
import io
import logging
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from human_pose.datasets.shards.plan import Plan, Task
from human_pose.datasets.shards.preparation import write_task
from human_pose.files.errors import InputError, one_line
from human_pose.files.extras import needed

# Workers tell when they begin and end, in six lines each.
_QUIET: Final = "default_sdk_harness_log_level=WARNING"
_DASHES: Final = 2 * "-"
_NAMESPACE: Final = "shards"
_FAILURES: Final = "failures"
# Between two looks at whether the process that started this one lives.
_LOOK_S: Final = 1.0


@dataclass(frozen=True)
class Beam:
    """Writes shards by a pipeline.

    Attributes:
      workers: processes on this machine; 0 where `options` names another runner.
      options: of Beam, by their names, such as `runner=FlinkRunner`; all machines must
        see the folder and the source under the same paths.
    """

    workers: int = 2
    options: tuple[str, ...] = ()

    def write(
        self, plan: Plan, folder: str | os.PathLike[str], tasks: Iterable[Task]
    ) -> None:
        """Writes the shards of tasks.

        Raises:
          InputError: if Beam is not installed, an option is none of its, or a shard
            cannot be written; the others have been.
        """
        tasks = [*tasks]
        if not tasks:
            return
        beam = needed("apache_beam", "preparing by several workers", "beam")
        logging.getLogger("apache_beam").setLevel(logging.ERROR)
        parent = os.getpid() if self.workers else None
        options = self._options(beam)
        try:
            pipeline = beam.Pipeline(options=options)
        except ValueError as error:  # it knows no such runner
            raise InputError("options", f"must be Beam's: {one_line(error)}") from error
        _ = (
            pipeline
            | "shards" >> beam.Create(tasks, reshuffle=True)
            | "write" >> beam.FlatMap(_Writer(plan, os.fspath(folder), parent))
        )
        result = pipeline.run()
        result.wait_until_finish()
        if failures := _failures(result):
            raise InputError(failures[0])

    def _options(self, beam: Any) -> Any:
        local = (
            "runner=FnApiRunner",
            "direct_running_mode=multi_processing",
            f"direct_num_workers={self.workers}",
        )
        given = (*(local if self.workers else ()), _QUIET, *self.options)
        words = [f"{_DASHES}{option}" for option in given]
        made = beam.options.pipeline_options.PipelineOptions(words)
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                known = made.get_all_options()
        except SystemExit as error:  # after a page that lists all options
            last = said.getvalue().strip().splitlines()[-1]
            raise InputError("options", f"must be Beam's: {last}") from error
        unknown = [o for o in self.options if o.partition("=")[0] not in known]
        if unknown:
            # No error: a runner elsewhere may know what this Python does not.
            logging.getLogger(__name__).warning(
                "Beam does not know the option %s here, and passes it on", unknown[0]
            )
        return made


class _Writer:
    """Called with a task in one of Beam's processes; it can be pickled."""

    def __init__(self, plan: Plan, folder: str, parent: int | None):
        self._plan, self._folder, self._parent = plan, folder, parent

    def __call__(self, task: Task) -> Iterable[Any]:
        if self._parent is not None:
            _begin(self._parent)
        try:
            write_task(self._plan, self._folder, task)
        except InputError as error:
            # Beam would tell it in a hundred lines, and try again.
            metrics = needed("apache_beam.metrics", "preparing", "beam").Metrics
            metrics.string_set(_NAMESPACE, _FAILURES).add(str(error))
        return ()


def _failures(result: Any) -> list[str]:
    sets = result.metrics().query()["string_sets"]
    return sorted(
        line
        for found in sets
        if found.key.metric.name == _FAILURES
        for line in found.committed or ()
    )


def _begin(parent: int) -> None:
    """Lets this process end with the one that waits for it, whose kill it survives."""
    if _watching.is_set():
        return
    _watching.set()
    # Loading TensorFlow has undone what Beam was told of its messages.
    logging.getLogger().setLevel(logging.WARNING)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


_watching = threading.Event()


def _watch(parent: int) -> None:
    while _lives(parent):
        time.sleep(_LOOK_S)
    os._exit(1)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
