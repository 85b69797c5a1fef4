"""Who is followed through a video where a detector finds several people."""

import numpy as np
import pytest

from human_pose.capture.detectors.boxes import boxed
from human_pose.capture.detectors.protocol import Found

PICTURE = np.zeros((100, 300, 3), np.uint8)
LEFT, MIDDLE, RIGHT = 50.0, 150.0, 250.0


def person(x, sure=0.9):
    """Two joints 40 px apart, about x, and how sure a detector is of them."""
    return [[x, 30.0], [x, 70.0]], [sure, sure]


def followed(*frames):
    """The middles of the boxes of frames of people, and the frames of another one."""

    def detect(pictures):
        for _, people in zip(pictures, frames, strict=True):
            joints = np.array([joints for joints, _ in people]).reshape(-1, 2, 2)
            sure = np.array([sure for _, sure in people]).reshape(-1, 2)
            yield Found(joints, sure)

    found = [*boxed(detect, [PICTURE] * len(frames))]
    middles = [None if f.box is None else (f.box[0] + f.box[2]) / 2 for f in found]
    return middles, [n for n, f in enumerate(found) if f.elsewhere], found


def test_a_person_is_followed_whatever_the_detectors_order():
    left, right = person(LEFT), person(RIGHT)
    middles, elsewhere, found = followed(
        [left, right], [right, left], [right, person(LEFT + 8)], [right, left]
    )
    assert middles == [LEFT, LEFT, LEFT + 8, LEFT]
    assert elsewhere == [] and [each.people for each in found] == [2] * 4


def test_a_person_is_found_again_after_frames_of_nobody():
    left, right = person(LEFT), person(RIGHT)
    middles, elsewhere, _ = followed([left], [], [right, left])
    assert middles == [LEFT, None, LEFT] and elsewhere == []


def test_another_person_is_told():
    left, right, middle = person(LEFT), person(RIGHT), person(MIDDLE)
    middles, elsewhere, _ = followed([left], [middle, right], [right, middle], [left])
    assert middles == [LEFT, MIDDLE, MIDDLE, LEFT] and elsewhere == [1, 3]


@pytest.mark.parametrize("sure", [0.0, 0.5, np.nan])
def test_who_is_not_sure_does_not_hide_others(sure):
    unsure, right = person(LEFT, sure), person(RIGHT)
    middles, _, (found, last) = followed([unsure, right], [unsure])
    assert middles == [RIGHT, None]
    assert found.people == 1 and last.people == 0


@pytest.mark.parametrize(("moved", "is_elsewhere"), [(25, False), (27, True)])
def test_how_far_a_person_may_go_in_a_frame(moved, is_elsewhere):
    """Squares of 48.4 px share 0.3 of both after 26.06 px."""
    _, elsewhere, _ = followed([person(LEFT)], [person(LEFT + moved)])
    assert elsewhere == [1] * is_elsewhere
