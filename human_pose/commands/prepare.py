"""Prepares a data set: a folder of shards that TFDS reads, and that training streams.

    python -m human_pose.commands.prepare --dataset=synthetic_images
    python -m human_pose.commands.prepare --dataset=h36m_images --source=DIR --workers=8

What the console script `human-pose-prepare` runs (docs/data.md). It can be killed at
any point; the same command goes on and ends with the same bytes.
"""

import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from absl import flags, logging

from human_pose.commands import recording_flags, shell
from human_pose.commands.recording_flags import frame_range
from human_pose.files.errors import InputError
from human_pose.files.paths import locate, output_path

# Known before TensorFlow is loaded; a test compares them with the libraries' own.
DATA_SETS: Final = (
    "h36m_images",
    "h36m_lifting",
    "synthetic_images",
    "synthetic_lifting",
    "recordings",
)
ENCODINGS: Final = ("jpeg", "png")
SAMPLES_PER_SHARD: Final = 2000
MAX_BAD_SHARE: Final = 0.01
# Of one host; each has TensorFlow and Beam in memory.
_MOST_WORKERS: Final = 1024

# Between two reports of progress; each is a line where it goes to a file.
_ON_TERMINALS_S: Final = 0.2
_IN_FILES_S: Final = 10.0

# Of `recording_flags`, which have a meaning for recordings alone.
_OF_RECORDINGS: Final = ("cameras", "fps", "units", "frames", "skeleton")
_OF_PICTURES: Final = ("encoding",)
_OF_MADE_UP: Final = ("count", "hard", "seed")


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    own = {"flag_values": flag_values}
    flags.DEFINE_enum("dataset", None, DATA_SETS, "What to prepare.", **own)
    flags.DEFINE_string(
        "source",
        None,
        "Folder, or recording, to read; synthetic sets need none.",
        **own,
    )
    flags.DEFINE_string(
        "out", "data/prepared", "Where to: <out>/<dataset>/<config>/<version>.", **own
    )
    flags.DEFINE_string(
        "config",
        None,
        "Which form: corrected, corrected_sound, published, each with _every5 or the "
        "like; of lifting sets every_frame, every5 or the like.",
        **own,
    )
    flags.DEFINE_enum("encoding", "jpeg", ENCODINGS, "Of pictures.", **own)
    flags.DEFINE_boolean(
        "partial", False, "Prepare what is there where subjects are missing.", **own
    )
    flags.DEFINE_integer(
        "count", None, "How many pictures to render.", lower_bound=1, **own
    )
    flags.DEFINE_list(
        "hard", None, "Make some of them hard, see human-pose-data --images.", **own
    )
    flags.DEFINE_integer(
        "seed", None, "Of synthetic sets without a source.", lower_bound=0, **own
    )
    _define_work(flag_values)
    recording_flags.define_flags(flag_values)
    shell.refuse_empty(flag_values, "source", "out", "config")
    shell.show_in_help(flag_values, __name__)


def _define_work(flag_values: flags.FlagValues) -> None:
    own = {"flag_values": flag_values}
    flags.DEFINE_integer(
        "samples_per_shard", SAMPLES_PER_SHARD, "Of each file.", lower_bound=1, **own
    )
    flags.DEFINE_integer(
        "workers",
        1,
        "Processes; more than one need Beam.",
        lower_bound=1,
        upper_bound=_MOST_WORKERS,
        **own,
    )
    flags.DEFINE_string(
        "beam_pipeline_options",
        None,
        "Beam's, to run elsewhere: '--runner=FlinkRunner --flink_master=...'.",
        **own,
    )
    flags.DEFINE(
        shell.FiniteParser(0.0, 1.0),
        "max_bad_share",
        MAX_BAD_SHARE,
        "How many of all samples may be unusable; they are listed in skipped.tsv.",
        **own,
    )
    flags.DEFINE_boolean(
        "retry_bad", False, "Make shards again that lack unusable samples.", **own
    )


def work(flag_values: flags.FlagValues) -> None:
    """Prepares what the flags ask for."""
    logging.set_verbosity(logging.INFO)
    if flag_values.dataset is None:
        raise InputError("dataset", f"must be one of {', '.join(DATA_SETS)}")
    _refuse_useless(flag_values)
    signal.signal(signal.SIGTERM, _interrupt)  # cleans up as after Ctrl-C
    shell.load_tensorflow()
    from human_pose.datasets.shards.preparation import prepare
    from human_pose.runs.lock import locked

    plan = _source(flag_values).plan(flag_values.samples_per_shard)
    out = output_path(flag_values.out)
    with locked(plan.folder(out), "preparation", "out"), _Bar("samples") as bar:
        folder = prepare(
            plan,
            out,
            _engine(flag_values),
            max_bad_share=flag_values.max_bad_share,
            retry_bad=flag_values.retry_bad,
            progress=bar,
        )
    print(f"{folder}: {_said(folder, plan)}")


def _source(flag_values: flags.FlagValues) -> Any:
    from human_pose.datasets.builders.sources import Options, open_source

    default = Options()
    made_up = {name: flag_values[name].value for name in _OF_MADE_UP}
    given = {name: value for name, value in made_up.items() if value is not None}
    seed = {name: value for name, value in given.items() if name == "seed"}
    with _Bar("files") as bar:
        return open_source(
            flag_values.dataset,
            locate(flag_values.source) if flag_values.source else None,
            flag_values.config,
            replace(
                default,
                encoding=flag_values.encoding,
                partial=flag_values.partial,
                pictures=replace(default.pictures, **given),
                poses=replace(default.poses, **seed),
                reading=_reading(flag_values),
                looked=bar,
            ),
        )


def _reading(flag_values: flags.FlagValues) -> dict[str, Any]:
    """What is told of a recording, without what is not."""
    given = {
        "cameras": locate(flag_values.cameras) if flag_values.cameras else None,
        "frames": frame_range(flag_values.frames),
        **{name: flag_values[name].value for name in ("fps", "units", "skeleton")},
    }
    return {name: value for name, value in given.items() if value is not None}


def _engine(flag_values: flags.FlagValues) -> Any:
    """Who writes the shards; None for this process."""
    given = flag_values.beam_pipeline_options or ""
    try:
        words = shlex.split(given)
    except ValueError as error:
        rule = f"must be words of a shell ({error})"
        raise InputError("beam_pipeline_options", rule, given) from error
    options = tuple(word.removeprefix("--") for word in words)
    if flag_values.workers == 1 and not options:
        return None
    from human_pose.datasets.shards.beam import Beam

    elsewhere = any(option.startswith("runner=") for option in options)
    return Beam(0 if elsewhere else flag_values.workers, options)


def _refuse_useless(flag_values: flags.FlagValues) -> None:
    """Refuses flags that would have no effect on this data set."""
    data_set = flag_values.dataset
    useless: list[str] = []
    if data_set != "recordings":
        useless += _OF_RECORDINGS
    if not data_set.endswith("_images"):
        useless += [*_OF_PICTURES, "count", "hard"]
    if not data_set.startswith("synthetic") or flag_values.source:
        useless += _OF_MADE_UP
    for name in dict.fromkeys(useless):
        if flag_values[name].present:
            where = " with a source" if flag_values.source else ""
            raise InputError(name, f"has no effect on {data_set}{where}")


def _said(folder: Path, plan: Any) -> str:
    """What was prepared, in a few words."""
    from human_pose.datasets.shards.reading import open_shards

    counts = [f"{part} {len(open_shards(folder, part)):,}" for part in plan.parts]
    return f"{', '.join(counts)} samples in {len(plan.tasks)} shards"


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


class _Bar:
    """Progress with the time that is left, once there is any."""

    def __init__(self, unit: str):
        self._unit = unit
        self._bar: Any = None

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        from tqdm import tqdm

        if self._bar is None:
            # What was done before tells nothing of the speed now.
            self._bar = tqdm(
                total=total,
                initial=done,
                unit=f" {self._unit}",
                file=sys.stderr,
                mininterval=_ON_TERMINALS_S if sys.stderr.isatty() else _IN_FILES_S,
            )
        self._bar.update(done - self._bar.n)


def run() -> None:
    """Runs the command with the process's arguments."""
    shell.run(work, define_flags)


if __name__ == "__main__":
    run()
