"""Makes a folder of rendered pictures in the layout of the original's data.

The folders are described in `human_pose.datasets.images.layout`. Pictures are made by
several processes; each moment has random numbers of its own, so their number changes
nothing. The whole folder appears at once, when everything in it is done.
"""

import json
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from human_pose.datasets.images.writing import FOLDERS, write_range
from human_pose.datasets.protocol import IMAGE_ACTIONS, TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.datasets.rendered.hard import Kind, checked
from human_pose.datasets.rendered.record import readme, write_shot
from human_pose.datasets.rendered.shots import moment
from human_pose.datasets.synthetic.rig import CAMERAS
from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError

SUBJECTS: Final = (*TRAIN_SUBJECTS, *TEST_SUBJECTS)

# By this file a folder is known to be made here, and may be replaced.
RECIPE_FILE: Final = "recipe.json"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Recipe:
    """What is made.

    Attributes:
      count: the number of pictures, at least one for each subject and action.
      seed: everything random follows from it.
      test_share: the share of pictures of test subjects.
      hard: what makes some of the pictures hard, of `hard.KINDS`, in that order; the
        others are the same with and without it.

    Raises:
      InputError: for an unknown kind, a count or seed that is no whole number from 0
        on, or a share that is none.
    """

    count: int = 12_000
    seed: int = 0
    test_share: float = 0.1
    # Not in `repr`, by which prepared sets without it are known already.
    hard: tuple[Kind, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        check_whole("count", self.count, 0)
        check_whole("seed", self.seed, 0)
        if not 0 <= self.test_share <= 1:
            raise InputError("test_share", "must be from 0 to 1", self.test_share)
        object.__setattr__(self, "hard", checked(self.hard))


@dataclass(frozen=True)
class Block:
    """The pictures `first` to `last` (inclusive) of one subject's action."""

    subject: int
    action: str
    first: int
    last: int


def index_ranges(recipe: Recipe) -> tuple[Block, ...]:
    """Which pictures show whom doing what: contiguous, subjects in order.

    Raises:
      InputError: if there are too few pictures for all subjects and actions.
    """
    smallest = len(SUBJECTS) * len(IMAGE_ACTIONS)
    if recipe.count < smallest:
        rule = f"must be at least {smallest}, one picture for each subject and action"
        raise InputError("count", rule, recipe.count)
    test_blocks = len(TEST_SUBJECTS) * len(IMAGE_ACTIONS)
    train_blocks = smallest - test_blocks
    test = min(
        max(round(recipe.count * recipe.test_share), test_blocks),
        recipe.count - train_blocks,
    )
    sizes = _shares(recipe.count - test, train_blocks) + _shares(test, test_blocks)
    blocks, first = [], 0
    for position, size in enumerate(sizes):
        subject, action = divmod(position, len(IMAGE_ACTIONS))
        last = first + size - 1
        blocks.append(Block(SUBJECTS[subject], IMAGE_ACTIONS[action], first, last))
        first = last + 1
    return tuple(blocks)


def generate(
    folder: str | os.PathLike[str],
    recipe: Recipe | None = None,
    *,
    overwrite: bool = False,
    processes: int | None = None,
    progress: Progress = lambda done, total: None,
) -> None:
    """Makes the folder; equal recipes give equal pictures.

    Args:
      folder: where to; it must not exist, unless `overwrite`.
      recipe: what is made.
      overwrite: replaces a folder that was made here before.
      processes: how many work at once; all cores by default.
      progress: called with the number of pictures done and of all.

    Raises:
      InputError: for a bad recipe, if the folder is there already and `overwrite` is
        False or it is not of this making, or it cannot be written to.
    """
    recipe = recipe or Recipe()
    blocks = index_ranges(recipe)
    with _whole_folder(Path(folder), overwrite) as temporary:
        for name in FOLDERS:
            (temporary / name).mkdir()
        for block in blocks:
            write_range(temporary, block.subject, block.action, block.first, block.last)
        text = readme(recipe.count, recipe.seed, recipe.hard)
        (temporary / "README.md").write_text(text, encoding="utf-8")
        _render(temporary, recipe, blocks, processes or _cores(), progress)
        (temporary / RECIPE_FILE).write_text(_written(recipe))


def made_by(folder: str | os.PathLike[str], recipe: Recipe) -> bool:
    """Whether a folder of pictures was made by an equal recipe."""
    return (Path(folder) / RECIPE_FILE).read_text() == _written(recipe)


def _written(recipe: Recipe) -> str:
    return json.dumps(asdict(recipe)) + "\n"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # what a container leaves of the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shares(total: int, parts: int) -> list[int]:
    """Nearly equal shares of a total."""
    return [(i + 1) * total // parts - i * total // parts for i in range(parts)]


def _render(
    folder: Path,
    recipe: Recipe,
    blocks: tuple[Block, ...],
    processes: int,
    progress: Progress,
) -> None:
    # Spawned, not forked: the caller may have threads, of TensorFlow for example.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, _ignore_interrupts)
    done = 0
    try:
        tasks: set[Future[int]] = {
            pool.submit(_render_block, folder, recipe, block) for block in blocks
        }
        while tasks:
            finished, tasks = wait(tasks, return_when=FIRST_COMPLETED)
            done += sum(task.result() for task in finished)
            progress(done, recipe.count)
    except BrokenProcessPool as error:
        raise InputError(f"{folder}: a process that rendered was ended") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    """Lets the parent alone answer Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _render_block(folder: Path, recipe: Recipe, block: Block) -> int:
    """Renders the pictures of a block; returns their number."""
    for number, first in enumerate(range(block.first, block.last + 1, CAMERAS)):
        views = min(CAMERAS, block.last + 1 - first)
        shots = moment(
            *(block.subject, block.action, number, views), recipe.seed, recipe.hard
        )
        for index, shot in enumerate(shots, start=first):
            write_shot(folder, index, block.subject, block.action, number, shot)
    return block.last + 1 - block.first


@contextmanager
def _whole_folder(folder: Path, overwrite: bool) -> Iterator[Path]:
    """Yields a temporary folder that takes the place of `folder` on success."""
    if folder.exists():
        if not (folder / RECIPE_FILE).is_file():
            raise InputError(
                f"{folder}: has no {RECIPE_FILE}, so it was not made by this command "
                "and is left alone; move it away or choose another place"
            )
        if not overwrite:
            raise InputError(f"{folder} is there already; `overwrite` replaces it")
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        made = temporary / "new"
        made.mkdir()
        yield made
        _exchange(folder, made, temporary / "old")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{folder}: cannot be written: {reason}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _exchange(folder: Path, made: Path, old: Path) -> None:
    """Puts `made` in the place of `folder`, which returns if that fails."""
    if not folder.exists():
        made.rename(folder)
        return
    folder.rename(old)
    try:
        made.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
