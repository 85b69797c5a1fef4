"""Means by action, whatever the actions are and however many."""

import numpy as np
import pytest

from human_pose.datasets import protocol
from human_pose.runs import measures, tables

LABELS = ("wave", "jump")
ACTIONS = np.array([1, 0, 1, 1])
VALUES = np.array([[1.0, 10], [5, 50], [2, 20], [3, 30]])


def test_means_are_of_the_labels_given():
    means = measures.action_means(ACTIONS, VALUES, LABELS)
    np.testing.assert_array_equal(means, [[5, 50], [2, 20]])
    one = measures.action_means(ACTIONS, VALUES[:, 0], (*LABELS, "rest"))
    np.testing.assert_array_equal(one, [5, 2, np.nan])
    np.testing.assert_array_equal(
        measures.mean_over_actions(ACTIONS, VALUES), [3.5, 35]
    )


def test_a_table_has_a_row_for_each_label():
    text = tables.markdown_table(ACTIONS, VALUES, ("a", "b"), LABELS)
    assert text.splitlines()[2:] == [
        "| wave | 1 | 5.00 | 50.00 |",
        "| jump | 3 | 2.00 | 20.00 |",
        "| mean over frames | 4 | 2.75 | 27.50 |",
        "| mean over actions | 4 | 3.50 | 35.00 |",
    ]


@pytest.mark.parametrize("action", [2, -1])
def test_an_action_without_a_label_is_refused(action):
    with pytest.raises(ValueError, match=f"of the 2 `labels`. Received: {action}"):
        measures.action_means(np.array([0, action]), np.ones(2), LABELS)


def test_common_measures_take_any_root():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 300, (4, 9, 3))
    pose = truth + rng.normal(0, 60, truth.shape)
    order = np.roll(np.arange(9), 2)
    moved = measures.common(truth[:, order], pose[:, order], root=2)
    np.testing.assert_allclose(moved, measures.common(truth, pose), rtol=1e-9)


def test_the_layouts_name_the_same_actions():
    assert protocol.IMAGE_ACTIONS == (
        *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing"),
        *("Purchases", "Sitting", "SittingDown", "Smoking", "TakingPhoto", "Waiting"),
        *("Walking", "WalkingDog", "WalkingTogether"),
    )
    assert sorted(protocol.POSE_ACTIONS.values()) == sorted(protocol.ACTIONS)
    assert protocol.POSE_ACTIONS["TakingPhoto"] == "Photo"
