"""A truth is compared with the person whose motion it is."""

import dataclasses

import made_up_people
import numpy as np

from human_pose.calibrated.evaluation.whose import may_be_of, said_of_place
from human_pose.calibrated.people import tell_apart
from human_pose.exchange.recording import Motion
from human_pose.geometry.known_skeletons import COCO_17

RECORDING, WHO = made_up_people.crowd(people=3, seed=1)
FRAMES = len(RECORDING)
MOTIONS = made_up_people.walkers(FRAMES, 3)
PEOPLE = tell_apart(RECORDING).recordings


def number_of(recording):
    """Who a recording is, by its first joints in the crowd's."""
    alike = RECORDING.joints_2d_px == recording.joints_2d_px
    found = WHO[(alike.all(axis=(-1, -2))) & (WHO >= 0)]
    return int(np.bincount(found).argmax())


def test_the_truth_is_of_the_nearest():
    for person in range(3):
        truth = Motion(MOTIONS[:, person], COCO_17)
        found = [
            number_of(each)
            for each, may in zip(PEOPLE, may_be_of(truth, PEOPLE), strict=True)
            if may
        ]
        assert found == [person]


def test_one_person_in_two_parts_is_both():
    """As where nobody saw him between; a truth of a part tells as much."""
    person = PEOPLE[0]
    early = np.arange(FRAMES) < FRAMES // 2
    parts = [
        person.replace(
            confidence=np.where(half[:, None, None, None], person.confidence, 0)
        )
        for half in (early, ~early)
    ]
    truth = Motion(MOTIONS[:, number_of(person)], COCO_17)
    assert may_be_of(truth, [*parts, PEOPLE[1]]) == [True, True, False]
    first = dataclasses.replace(
        truth, joints_3d_mm=np.where(early[:, None, None], truth.joints_3d_mm, np.nan)
    )
    assert may_be_of(first, [*parts, PEOPLE[1]]) == [True, False, False]
    nobody = [part.replace(confidence=0 * part.confidence) for part in parts]
    assert may_be_of(truth, nobody) == [True, True]


def test_a_truth_of_another_world_is_told():
    """As one whose y points upwards, or that begins elsewhere."""
    motion = MOTIONS[:, 0]
    assert said_of_place(Motion(motion, COCO_17), PEOPLE) == ""
    for wrong in (motion[..., [1, 2, 0]], motion + np.array([0, 0, 2000])):
        truth = Motion(wrong, COCO_17)
        assert "in the calibration's world with z upwards" in said_of_place(
            truth, PEOPLE
        )
    assert "joints lie 2 m from what" in said_of_place(truth, PEOPLE)
    nobody = [PEOPLE[0].replace(confidence=0 * PEOPLE[0].confidence)]
    assert said_of_place(truth, nobody) == ""
