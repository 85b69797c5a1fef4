"""What explains that detections and cameras do not agree."""

from dataclasses import replace

import made_up_recording
import numpy as np
import pytest

from human_pose.calibrated.evaluation.cautions import cautions
from human_pose.calibrated.evaluation.misread import said_of_cameras

# Not in the middle, about which a rig looks alike from all sides.
TRUTH = made_up_recording.truth_mm()[:6] + np.array([1200, 400, 0])
SEEN = made_up_recording.recording(TRUTH, noise_px=3.0)
TURN = np.array([[0, -1], [1, 0]])


def scaled(recording, scale, views=slice(None)):
    points = recording.joints_2d_px.copy()
    points[:, views] *= scale
    return recording.replace(joints_2d_px=points)


def posed(recording, change):
    return recording.replace(
        cameras=tuple(replace(c, **change(c)) for c in recording.cameras)
    )


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda r: scaled(r, 2 / 3), "they are taken 1.5 times as large"),
        (lambda r: scaled(r, 2.0), "they are taken 0.5 times as large"),
        (lambda r: scaled(r, 0.5, 1), "those of view door are taken 2 times as large"),
        (
            lambda r: r.replace(joints_2d_px=[0, 1024] + [1, -1] * r.joints_2d_px),
            "as upside down: does y point upwards",
        ),
        (
            lambda r: r.replace(joints_2d_px=[0, 1024] + r.joints_2d_px @ TURN),
            "turned by 90°",
        ),
        (
            lambda r: posed(r, lambda c: {"rotation": c.rotation.T}),
            "cameras' rotations go from camera to world",
        ),
        (
            lambda r: posed(r, lambda c: {"translation_mm": c.position_mm}),
            "cameras' translations are their places",
        ),
        (
            lambda r: posed(
                r,
                lambda c: {"rotation": c.rotation.T, "translation_mm": c.position_mm},
            ),
            "cameras' poses go from camera to world",
        ),
    ],
)  # fmt: skip
def test_what_detections_and_cameras_were_meant_as_is_told(change, words):
    """All of it was lifted to a body of a person's size, far from where it was."""
    assert words in said_of_cameras(change(SEEN))


def test_pictures_that_are_undistorted_already_are_told():
    wide = [
        replace(c, focal_px=c.focal_px / 2, distortion=(-0.3, 0.1, 0.0, 0.0))
        for c in SEEN.cameras
    ]
    straight = [replace(camera, distortion=()) for camera in wide]
    aside = TRUTH + np.array([2000, 1000, 0])
    points = np.stack([c.project(aside) for c in straight], axis=1)[:, :, None]
    recording = SEEN.replace(joints_2d_px=points, cameras=tuple(straight))
    assert said_of_cameras(recording) == ""
    said = said_of_cameras(recording.replace(cameras=tuple(wide)))
    assert "cameras' lenses are left out: are the pictures undistorted" in said


def test_nothing_is_told_of_what_fits_or_of_what_nothing_explains():
    moved = replace(
        SEEN.cameras[0], translation_mm=SEEN.cameras[0].translation_mm + 300
    )
    for recording in (
        SEEN,
        SEEN.of_views(["back", "door"]),
        SEEN.of_views(["back"]),
        posed(SEEN, lambda c: {"translation_mm": c.translation_mm / 1000}),
        SEEN.replace(cameras=(moved, *SEEN.cameras[1:])),
        SEEN.replace(confidence=np.zeros_like(SEEN.confidence)),
    ):
        assert said_of_cameras(recording) == ""


def test_it_is_the_first_caution():
    poses = made_up_recording.poses(SEEN, TRUTH)
    first = next(cautions(poses, scaled(SEEN, 2 / 3), np.zeros((4, 2))))
    assert "taken 1.5 times as large" in first
