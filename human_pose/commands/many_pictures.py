"""Poses in many pictures, or in the frames of a video: found, written, counted.

A picture that cannot be used is named and counted, and loses none of the others.
"""

import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from human_pose.capture.config import DetectorConfig
from human_pose.commands.found_boxes import Finder, started
from human_pose.commands.picture_flags import FEW
from human_pose.files.errors import InputError
from human_pose.i1 import sample_files
from human_pose.i1.config import ManySamplesConfig
from human_pose.i1.evaluation import pictures
from human_pose.i1.network.checkpoint import load_network
from human_pose.i1.sample import Error, Sample, try_poses
from human_pose.media.boxes import Box, boxes_of, read_boxes
from human_pose.media.found import find_pictures
from human_pose.media.videos import answers, frames_of, probe
from human_pose.runs import naming

# Of networks that normalise each picture by itself; more are hardly faster.
_AT_ONCE: Final = 16
_MOST_NAMED: Final = 5  # of the files that are passed over
# Never equal to a box.
_NO_BOX: Final = object()

# A picture and the person's box, or why it cannot be used.
_Shown = tuple[Path | np.ndarray, Box | None] | InputError


@dataclass(frozen=True)
class _Item:
    """A picture to be looked at.

    Attributes:
      label: how it is called where it cannot be used.
      source: its file, or its video's.
      name: of its results; empty: after its file.
      further: numbers to be kept with its pose.
    """

    label: str
    source: Path
    name: str = ""
    further: Mapping[str, float] = field(default_factory=dict)


class _Work:
    """What is found, and where it goes.

    Args:
      chosen: what is asked for.
      folder: of the results.
      count: of all pictures, for the bar, and whether to draw them.
      finder: what finds the boxes, if they are not given.
    """

    def __init__(
        self,
        chosen: ManySamplesConfig,
        folder: Path,
        count: int,
        finder: Finder | None,
    ) -> None:
        self.chosen = chosen
        self.folder = folder
        self.count = count
        self.finder = finder
        self.drawn = count <= FEW if chosen.draw is None else chosen.draw
        found_by = "" if finder is None else finder.said
        self.poses = sample_files.Poses(boxes_found_by=found_by)
        self.skipped: list[str] = []
        self._names = naming.Names(folder, sample_files.owners(folder))

    def skip(self, label: object, reason: object) -> None:
        """Names a picture without a pose, and counts it."""
        said = str(reason)
        line = said if said.startswith(str(label)) else f"{label}: {said}"
        self.skipped.append(line)
        # Beside the bar, not through it.
        tqdm.write(f"skipped  {line}", file=sys.stderr)

    def find(self, asked: Iterable[tuple[_Item, _Shown]]) -> None:
        """Finds the poses; writes those found also if the work ends before its time."""
        network = load_network(self.chosen.check_path)
        under_way: deque[_Item] = deque()
        boxes: deque[Box | None] = deque()
        bar = tqdm(desc="poses", total=self.count, leave=False, disable=None)

        def taken() -> Iterator[Path | np.ndarray]:
            for item, shown in asked:
                if isinstance(shown, InputError):
                    self.skip(item.label, shown)
                    bar.update()
                    continue
                under_way.append(item)
                boxes.append(shown[1])
                yield shown[0]

        found = try_poses(
            network,
            taken(),
            iter(boxes.popleft, _NO_BOX),
            itertools.repeat(self.chosen.camera),
            itertools.repeat(self.chosen.root_depth_mm),
            self.chosen.readout,
            # Statistics of a batch would mix the pictures.
            _AT_ONCE if network.batch_norm == "moving" else 1,
        )
        try:
            for result in found:
                self._keep(under_way.popleft(), result)
                bar.update()
        finally:
            bar.close()
            if len(self.poses):
                self.written = sample_files.write_poses(self.poses, self.folder)

    def _keep(self, item: _Item, found: Sample | Error) -> None:
        if not isinstance(found, Sample):
            self.skip(item.label, found)
            return
        name = item.name or self._names.of(item.source)
        if not item.name:
            sample_files.write_joints(found, self.folder / f"{name}.csv")
        drawing = self.folder / f"{name}.png"
        if self.drawn:
            title = item.label
            if self.finder is not None:
                title = self.finder.titled(title)
            figure = pictures.sample_figure(found, title)
            naming.draw(figure, drawing, item.source)
        else:
            # It would show another pose than the new numbers are.
            naming.withdraw(drawing, item.source)
        self.poses.add(name, item.source, found, **item.further)

    def tell(self, kind: str) -> None:
        """Says what was found.

        Raises:
          InputError: if that is nothing.
        """
        total = len(self.poses) + len(self.skipped)
        if not self.poses:
            first = f"; the first: {self.skipped[0]}" if self.skipped else ""
            raise InputError(f"none of the {total} {kind} can be used{first}")
        print(f"found    {len(self.poses)} poses in {total} {kind}")
        if self.skipped:
            print(f"skipped  {len(self.skipped)}, named above")
        if self.finder is not None:
            print(self.finder.told())
        given = [self.chosen.camera, self.chosen.root_depth_mm]
        if None in given:
            flags = zip(("--camera", "--root_depth_mm"), given, strict=True)
            missing = " and ".join(flag for flag, value in flags if value is None)
            print(f"assumed  from the boxes, what {missing} would say")
        print(f"poses    {self.written}")


def find_many(chosen: ManySamplesConfig, by: DetectorConfig | None = None) -> None:
    """Finds the poses that are asked for, writes them, and says how many.

    Args:
      chosen: what is asked for.
      by: the detector that finds the boxes; None: they are given, or all there is.

    Raises:
      InputError: if a file of the call is wrong, the detector cannot be started or
        fails, nothing can be written, or not one pose was found.
    """
    with nullcontext() if by is None else started(by) as finder:
        if chosen.video is None:
            _in_pictures(chosen, finder)
        else:
            _in_video(chosen, chosen.video, finder)


def _in_pictures(chosen: ManySamplesConfig, finder: Finder | None) -> None:
    found = find_pictures(chosen.words, results=chosen.out)
    boxes: list[Box | InputError | None] = [_one_box(chosen)] * len(found.files)
    if isinstance(chosen.box, Path):
        boxes = [*boxes_of(read_boxes(chosen.box), found.files)]
    work = _Work(chosen, chosen.out, len(found.files), finder)
    for word, error in found.missing:
        work.skip(word, error)
    _tell_passed_over(found.passed_over)
    shown: Iterable[_Shown] = (
        box if isinstance(box, InputError) else (path, box)
        for path, box in zip(found.files, boxes, strict=True)
    )
    if finder is not None:
        shown = finder.in_pictures(found.files)
    if found.files:
        items = (_Item(str(path), path) for path in found.files)
        work.find(zip(items, shown, strict=True))
    work.tell("pictures")
    print(f"joints   {work.folder / '<picture>.csv'}")
    if work.drawn:
        print(f"pictures {work.folder / '<picture>.png'}")


def _tell_passed_over(files: list[Path]) -> None:
    if files:
        names = [path.name for path in files[:_MOST_NAMED]]
        names += ["..."] if len(files) > _MOST_NAMED else []
        print(f"passed   {len(files)} files, no pictures by name: {', '.join(names)}")


def _one_box(chosen: ManySamplesConfig) -> Box | None:
    return None if isinstance(chosen.box, Path) else chosen.box


def _in_video(chosen: ManySamplesConfig, path: Path, finder: Finder | None) -> None:
    video = probe(path)
    numbers = frames_of(video, chosen.frames)
    there = sample_files.owners(chosen.out / path.stem).values()
    names = naming.Names(chosen.out, {path.stem: next(iter(there), "")})
    work = _Work(chosen, chosen.out / names.of(path), len(numbers), finder)
    decoded: set[int] = set()

    def given(frames: Iterable[np.ndarray]) -> Iterator[_Shown]:
        return zip(frames, itertools.repeat(_one_box(chosen)), strict=False)

    def asked() -> Iterator[tuple[_Item, _Shown]]:
        ask: Callable[[Iterable[np.ndarray]], Iterator[_Shown]] = given
        if finder is not None:
            ask = finder.in_video
        for number, shown in answers(ask, video, numbers):
            decoded.add(number)
            further = {"frames": number, "times_s": float(video.times_s[number])}
            label = f"{path}, frame {number}"
            yield _Item(label, path, f"{number:06d}", further), shown

    work.find(asked())
    for number in sorted(set(numbers) - decoded):
        work.skip(f"{path}, frame {number}", "cannot be decoded")
    work.tell("frames")
    if work.drawn:
        print(f"pictures {work.folder / '<frame>.png'}")
