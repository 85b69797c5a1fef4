"""Boxes of people in pictures, from a table: by the pictures' names, never by place.

CSV has a head of `picture,x1,y1,x2,y2`, or `picture,x,y,width,height`; JSON is
`{"a.png": [x1, y1, x2, y2]}`. A name is that of a picture's file, with as much of its
folders as tells it from others: `cam1/0001.png`.
"""

import csv
import io
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from human_pose.files.errors import InputError
from human_pose.files.paths import read_text

Box = tuple[float, float, float, float]

_CORNERS: Final = ("picture", "x1", "y1", "x2", "y2")
_SIZES: Final = ("picture", "x", "y", "width", "height")
_MOST_BYTES: Final = 1 << 26  # a million pictures


def read_boxes(path: str | os.PathLike[str]) -> dict[str, Box]:
    """Reads a table of boxes.

    Returns:
      x1, y1, x2, y2, px of the upright picture, by the names in the table.

    Raises:
      InputError: naming the file and the line or picture that breaks a rule.
    """
    path = Path(path)
    text = read_text(path, _MOST_BYTES)
    rows = _json_rows(path, text) if text.lstrip()[:1] == "{" else _csv_rows(path, text)
    boxes: dict[str, Box] = {}
    for where, name, numbers in rows:
        name = name.replace("\\", "/")
        if name in boxes:
            raise InputError(f"{where} is a second box of {name}; one is wanted")
        boxes[name] = _box(where, numbers)
    if not boxes:
        raise InputError(f"{path}: holds no boxes")
    return boxes


def boxes_of(
    boxes: Mapping[str, Box], pictures: Iterable[str | os.PathLike[str]]
) -> list[Box | InputError]:
    """The box of each picture.

    Args:
      boxes: see `read_boxes`.
      pictures: paths of pictures.

    Returns:
      For each the box whose name says most of its path, or why there is none: also
      where pictures of one name in several folders have but one box together.
    """
    paths = [PurePosixPath(Path(picture).absolute().as_posix()) for picture in pictures]
    names = [_name_of(boxes, path) for path in paths]
    uses = Counter(names)
    return [
        _chosen(boxes, path, name, uses[name])
        for path, name in zip(paths, names, strict=True)
    ]


def _name_of(boxes: Mapping[str, Box], path: PurePosixPath) -> str | None:
    """The longest end of a path that is a name."""
    ends = ("/".join(path.parts[start:]) for start in range(1, len(path.parts)))
    return next((end for end in (str(path), *ends) if end in boxes), None)


def _chosen(
    boxes: Mapping[str, Box], path: PurePosixPath, name: str | None, uses: int
) -> Box | InputError:
    if name is None:
        return InputError(f"{path}: has no box in the table of boxes")
    if uses > 1:
        return InputError(
            f"{path}: the table of boxes must tell it by its folder from other "
            f"pictures named {name}"
        )
    return boxes[name]


def _json_rows(path: Path, text: str) -> list[tuple[str, str, Any]]:
    def pairs(found: Sequence[tuple[str, Any]]) -> list[tuple[str, str, Any]]:
        return [(f"{path}: {name!r}", name, numbers) for name, numbers in found]

    try:
        return list(json.loads(text, object_pairs_hook=pairs))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON: {error}") from None


def _csv_rows(path: Path, text: str) -> list[tuple[str, str, Any]]:
    try:
        head, *rows = [row for row in csv.reader(io.StringIO(text)) if row] or [[]]
    except csv.Error as error:
        raise InputError(f"{path}: is no CSV: {error}") from None
    titles = tuple(title.strip().lower() for title in head)
    if titles not in (_CORNERS, _SIZES):
        raise InputError(
            f"{path}: must begin with {','.join(_CORNERS)} or {','.join(_SIZES)}; it "
            f"begins with {','.join(head)[:80]!r}"
        )
    found = []
    for line, (name, *numbers) in enumerate(rows, 2):
        where = f"{path}: box {line}"
        box = _numbers(where, numbers)
        if titles == _SIZES:
            box = (box[0], box[1], box[0] + box[2], box[1] + box[3])
        found.append((where, name.strip(), box))
    return found


def _box(where: str, numbers: Any) -> Box:
    box = _numbers(where, numbers)
    x1, y1, x2, y2 = box
    if not (x1 < x2 and y1 < y2):
        raise InputError(
            f"{where} must be x1, y1, x2, y2 with x1 < x2 and y1 < y2, and not x, y, "
            f"width, height; received {numbers!r}"
        )
    return box


def _numbers(where: str, numbers: Any) -> Box:
    """Four finite numbers."""
    # A text of four digits would be one letter after the other.
    texts = [numbers] if isinstance(numbers, str) else numbers
    try:
        a, b, c, d = map(float, texts)
    except (TypeError, ValueError, OverflowError):  # the last of 400 digits
        raise InputError(where, "must be four numbers", numbers) from None
    if not all(map(math.isfinite, (a, b, c, d))):
        raise InputError(where, "must be four finite numbers", numbers)
    return a, b, c, d
