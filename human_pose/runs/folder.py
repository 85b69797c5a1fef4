"""The folder of one run, `<results_dir>/<name>`: what lies where, and who made it.

Training makes `check/` and `logger/`; evaluation makes `images/`, `evaluations/` and
the `.npy` files. Each replaces only its own kind; a converted checkpoint in `check/`
counts as a training's.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import Any, Final

from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, leftovers
from human_pose.runs import results
from human_pose.runs.lock import locked

# What training writes into `check/`; temporary files of version 0.1 have no name of
# their own.
_CHECKPOINTS: Final = (
    "epoch_*.h5", "partial_checkpoint.h5", "*.keras", "training_state.*",
)  # fmt: skip
_TEMPORARY: Final = (".*.h5", ".*.keras", ".*.npz", ".*.txt", ".*.json")


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run; nothing is made before `training` or `make`.

    Attributes:
      path: the run's folder.
      state_name: of the file that a resumed training starts from; its suffix says how
        the file is kept (`runs.state`).
    """

    path: Path
    state_name: str = "training_state.h5"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))  # of any kind

    @property
    def check(self) -> Path:
        """Folder of checkpoints, training state and settings."""
        return self.path / "check"

    @property
    def logger(self) -> Path:
        """Folder of TensorBoard events."""
        return self.path / "logger"

    @property
    def partial_checkpoint(self) -> Path:
        """The newest checkpoint within an epoch."""
        return self.check / "partial_checkpoint.h5"

    def epoch_checkpoint(self, epoch: int) -> Path:
        """The checkpoint after epoch number `epoch`, counted from 0."""
        return self.check / f"epoch_{epoch}.h5"

    def stage_checkpoint(self, stage: str) -> Path:
        """The image network after, or so far within, a stage of its curriculum."""
        return self.check / f"{stage}.keras"

    @property
    def training_state(self) -> Path:
        """What a resumed training starts from."""
        return self.check / self.state_name

    @property
    def settings(self) -> Path:
        """The training's settings, JSON."""
        return self.check / "settings.json"

    @property
    def skipped(self) -> Path:
        """Why samples were left out of a training, a line for each."""
        return self.check / "skipped.txt"

    def check_writable(self) -> None:
        """Fails now instead of after the work.

        Raises:
          InputError: if the folder is none, or cannot be made or written to.
        """
        existing = next(p for p in (self.path, *self.path.parents) if p.exists())
        if not existing.is_dir():
            raise InputError(f"{self.path}: cannot be made; {existing} is not a folder")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise InputError(f"{self.path}: cannot be written; no permission")

    def check_result(self, name: str, *, overwrite: bool) -> None:
        """Protects what an earlier run of a kind that makes one file has left.

        Raises:
          InputError: if the file is there, and is not to be replaced.
        """
        if (self.path / name).exists() and not overwrite:
            raise InputError(
                f"{self.path} already holds {name}; `overwrite` replaces it, `name` "
                "chooses another folder"
            )

    def check_apart(
        self,
        inputs: Iterable[str | os.PathLike[str] | None],
        written: Iterable[str],
    ) -> None:
        """Protects what a run reads from what it writes, and from what it removes.

        Args:
          inputs: files and folders; of folders all that lies in them is read. None is
            passed over.
          written: paths from the folder, with patterns as of `Path.glob`.

        Raises:
          InputError: naming an input that is among these, or the folder of some.
        """
        read = [Path(path).absolute() for path in inputs if path is not None]
        for pattern in map(PurePath, written):
            parent = str(pattern.parent)
            for folder in [self.path] if parent == "." else self.path.glob(parent):
                for path in read:
                    self._check_apart(path, folder.resolve(), pattern.name)

    def _check_apart(self, path: Path, folder: Path, name: str) -> None:
        """One input, and one name or pattern in a folder."""
        files = (path.parent.resolve() / path.name, path.resolve())
        if any(f.parent == folder and fnmatch(f.name, name) for f in files):
            raise InputError(
                f"{path}: a result would replace it; `name` chooses another folder "
                f"than {self.path}"
            )
        if path.resolve() == folder:
            raise InputError(
                f"{path}: results would lie among what is read there; `name` chooses "
                f"another folder than {self.path}"
            )

    def check_training(
        self, *, resume: bool, overwrite: bool, retried: bool = False
    ) -> None:
        """Protects an earlier training run.

        Args:
          resume: go on with it.
          overwrite: replace it.
          retried: the command may have been killed before its first state; what it had
            written by then is nothing to protect.

        Raises:
          InputError: if there is one and neither flag is set, or there is none to
            resume.
        """
        if resume and not self.training_state.is_file():
            raise InputError(f"{self.training_state}: not found; nothing to `resume`")
        if resume or overwrite:
            return
        if self.training_state.is_file():
            raise InputError(
                f"{self.path} already holds a training run; `resume` continues it, "
                "`overwrite` replaces it, `name` chooses another folder"
            )
        kept = {*self._results()}
        for path in self._made_by_training():
            if retried and path not in kept:
                continue
            raise InputError(
                f"{self.path} already holds {path.relative_to(self.path)}; `overwrite` "
                "removes all checkpoints and curves there, `name` chooses another "
                "folder"
            )

    def goes_on(self, *, resume: bool, resume_or_start: bool) -> bool:
        """Whether a training starts from the state that is here."""
        return resume or (resume_or_start and self.training_state.is_file())

    @contextmanager
    def training(
        self,
        *,
        resume: bool,
        overwrite: bool,
        retried: bool = False,
        starts: Iterable[str | os.PathLike[str] | None] = (),
    ) -> Iterator[None]:
        """Keeps the folder for one training, and protects an earlier one.

        Where the block fails before it has put anything into a folder that was not
        there, there is none afterwards.

        Args:
          resume: see `check_training`.
          overwrite: see there.
          retried: see there.
          starts: the checkpoints that the training starts from.

        Raises:
          InputError: see `check_training`; naming process and host, if another training
            is at work in the folder; or one of `starts`, which `overwrite` would
            remove.
        """
        if overwrite:
            self.check_apart(starts, (f"check/{name}" for name in _CHECKPOINTS))
        how = {"resume": resume, "overwrite": overwrite, "retried": retried}
        self.check_training(**how)
        with locked(self.path, "training"):
            # Another one may have ended in between.
            self.check_training(**how)
            yield

    def prepare(self, settings: Mapping[str, Any], *, overwrite: bool) -> None:
        """Makes the folder ready for a training: its parts, and its settings.

        Args:
          settings: JSON values, or what is written as its `str`.
          overwrite: whether what an earlier training made is removed.

        Raises:
          InputError: if the folder cannot be written.
        """
        self.make()
        if overwrite:
            self.remove_training()
        self.remove_leftovers()
        results.finish_if_free(self.path)
        text = json.dumps(settings, indent=2, default=str)
        with atomic(self.settings) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def make(self) -> None:
        """Makes the folder with its four parts, where they are missing.

        Raises:
          InputError: if that is impossible.
        """
        for part in ("check", "logger", "images", "evaluations"):
            try:
                (self.path / part).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(
                    f"{self.path / part}: cannot be made: {error.strerror}"
                ) from error

    def remove_training(self) -> None:
        """Removes what training made, and nothing else."""
        for path in list(self._made_by_training()):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)  # by another pattern already

    def remove_leftovers(self) -> None:
        """Removes what a training that was killed while writing has left half-done."""
        for path in list(self._leftovers()):
            path.unlink(missing_ok=True)

    def _made_by_training(self) -> Iterator[Path]:
        yield from self._results()
        for path in (self.settings, self.skipped):
            if path.exists():
                yield path
        yield from self._leftovers()

    def _results(self) -> Iterator[Path]:
        for pattern in _CHECKPOINTS:
            yield from self.check.glob(pattern)
        yield from self.logger.rglob("events.out.tfevents.*")

    def _leftovers(self) -> Iterator[Path]:
        yield from leftovers(self.check)
        for pattern in _TEMPORARY:
            yield from self.check.glob(pattern)
