"""Views that are late or early beside the others."""

import made_up_recording
import numpy as np
import pytest

from human_pose.calibrated.evaluation.cautions import cautions
from human_pose.calibrated.evaluation.clocks import said_of_clocks

TRUTH = made_up_recording.truth_mm(40)
SEEN = made_up_recording.recording(TRUTH, noise_px=3.0)


def late(recording, view, frames):
    """A view that shows in each frame what others show `frames` before."""
    points, sure = recording.joints_2d_px.copy(), recording.confidence.copy()
    points[:, view] = np.roll(points[:, view], frames, axis=0)
    sure[:frames, view] = 0  # of a negative number all but so many
    if frames < 0:
        sure[:, view] = recording.confidence[:, view]
        sure[frames:, view] = 0
    return recording.replace(joints_2d_px=points, confidence=sure)


@pytest.mark.parametrize("step", [1, 5])
@pytest.mark.parametrize(
    ("view", "frames", "words"),
    [
        (1, 3, "View door seems to be 3 frames late"),
        (3, -6, "View window seems to be 6 frames early"),
    ],
)
def test_a_view_of_another_time_is_told(view, frames, words, step):
    """It was lifted without a word: σ grows, and each detection is believed."""
    moved = late(SEEN, view, frames).replace(frames=step * np.arange(40))
    said = said_of_clocks(moved)
    assert words in said
    poses = made_up_recording.poses(moved, TRUTH)
    assert next(cautions(poses, moved, np.zeros((4, 2)))) == said


def test_nothing_is_told_of_views_of_one_time_or_of_what_stands_still():
    still = made_up_recording.recording(np.repeat(TRUTH[:1], 40, 0), noise_px=3.0)
    # Seen for some frames alone, of which none fits another by more than chance.
    passing = SEEN.confidence.copy()
    passing[4:, 1] = 0
    for recording in (
        SEEN,
        SEEN.replace(confidence=passing),
        late(still, 1, 5),
        late(SEEN, 1, 5).of_views(["back", "door"]),
        late(SEEN, 1, 5).of_frames(slice(3)),
        # Each frame is of a take of its own.
        late(SEEN, 1, 5).replace(sequence=np.arange(40)),
        SEEN.replace(confidence=np.zeros_like(SEEN.confidence)),
    ):
        assert said_of_clocks(recording) == ""
