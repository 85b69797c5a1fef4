"""Tables of boxes, by the pictures' names."""

import re
import time

import pytest

from human_pose.files.errors import InputError
from human_pose.media.boxes import boxes_of, read_boxes


@pytest.mark.parametrize(
    "text",
    [
        "picture,x1,y1,x2,y2\na.png,1,2,30,40\n",
        "Picture, x, y, width, height\r\n a.png ,1,2,29,38\r\n",
        '{"a.png": [1, 2, 30, 40]}',
    ],
)
def test_tables_of_every_kind_say_the_same(text, tmp_path):
    path = tmp_path / "boxes"
    path.write_text(text)
    assert read_boxes(path) == {"a.png": (1.0, 2.0, 30.0, 40.0)}


@pytest.mark.parametrize(
    "box",
    ['"1256"', '"1 2 5 6"', "[1, 2, 5]", "{}", "null", "7", f"[1, 2, 5, {10**400}]"],
)
def test_what_is_no_box_is_refused(box, tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(f'{{"a.png": {box}}}')
    rule = f"^{re.escape(str(path))}: 'a.png' must be four numbers"
    with pytest.raises(InputError, match=rule):
        read_boxes(path)


def test_many_pictures_find_their_boxes_soon():
    """Each name was counted among all of them: minutes for 100,000 pictures."""
    names = [f"cam/{number:06d}.png" for number in range(50_000)]
    boxes = {name: (0.0, 0.0, 1.0, number + 1.0) for number, name in enumerate(names)}
    start = time.process_time()
    found = boxes_of(boxes, [f"/data/{name}" for name in names])
    assert time.process_time() - start < 10.0
    assert found == list(boxes.values())
