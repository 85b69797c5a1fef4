"""The report says what is there, warns of what is wrong and shows its pictures."""

import dataclasses
import re

import made_up_recording
import numpy as np
import pytest

from human_pose.calibrated.baselines import BASELINES, EXHAUSTIVE
from human_pose.calibrated.evaluation import comparison
from human_pose.calibrated.evaluation.matching import in_skeleton, matched
from human_pose.calibrated.evaluation.report import Findings, write_report
from human_pose.exchange.recording import Motion
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import by_name
from human_pose.geometry.skeleton import Skeleton
from human_pose.geometry.skeletons import LIFTER_17

TRUTH = made_up_recording.truth_mm()
NOISY = made_up_recording.recording(TRUTH, noise_px=3.0)
POSES = made_up_recording.poses(NOISY, TRUTH)
FEW = {name: BASELINES[name] for name in ("weighted DLT", "Pose2Sim's rule, filtered")}


def written(folder, recording=NOISY, joints_mm=TRUTH, baselines=FEW, **changes):
    poses = made_up_recording.poses(recording, joints_mm)
    findings = Findings(poses, changes.pop("given", recording), **changes)
    return write_report(folder, findings, baselines).read_text("utf-8")


def row(text, title, name):
    """The cells of a section's row."""
    section = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.search(rf"^\| {re.escape(name)} \|(.*)\|$", section, re.M)[1].split("|")


def test_without_truth_cameras_are_left_out(tmp_path):
    text = written(tmp_path, method=lambda given: TRUTH, people=2)
    assert "2, one of them lifted" in text and "24 in 1 take, 12.5 frames" in text
    assert "- door, legs: frames 3-5 (3 in all)" in text
    ours = row(text, "Beside other methods", "ours")
    dlt = row(text, "Beside other methods", "weighted DLT")
    assert float(ours[2]) == 0 < float(dlt[2])  # the truth's bones are rigid
    # Its errors in cameras left out are the detections' alone: 3 px in x and y.
    median = float(ours[4].split("/")[0])
    assert median == pytest.approx(3 * np.sqrt(2 * np.log(2)), rel=0.1)
    assert float(dlt[4].split("/")[0]) > median
    assert "Errors to the truth" not in text
    for picture in re.findall(r"!\[.*\]\((.*)\)", text):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_joints_are_matched_by_name(tmp_path):
    """Results know more joints than the detector, and in another order."""
    coco = by_name("coco_17")
    seen = in_skeleton(NOISY, coco)
    truth = Motion(TRUTH, LIFTER_17)
    lost = [j for j, n in enumerate(LIFTER_17.names) if n not in coco.names]
    reprojection = POSES.reprojection_px.copy()
    reprojection[:, :, lost] = np.nan
    poses = dataclasses.replace(POSES, reprojection_px=reprojection)
    text = write_report(tmp_path, Findings(poses, seen, truth=truth), FEW).read_text()
    assert float(row(text, "Errors to the truth", "ours")[0]) == 0
    assert row(text, "By joint", "pelvis")[4].strip() == "100.00"
    assert row(text, "By joint", "left_knee")[4].strip() == "0.00"
    tailed = NOISY.replace(
        joints_2d_px=NOISY.joints_2d_px[..., :1, :],
        confidence=NOISY.confidence[..., :1],
        skeleton=Skeleton.grown({"tail": None}),
    )
    with pytest.raises(InputError, match="must have a joint of pelvis"):
        matched(POSES, tailed)


def test_with_truth_errors_stand_beside_the_ellipsoids(tmp_path):
    truth = Motion(TRUTH, LIFTER_17)
    moved = TRUTH + np.random.default_rng(0).normal(0, 5, TRUTH.shape)
    text = written(tmp_path, joints_mm=moved, truth=truth)
    ours = [float(cell) for cell in row(text, "Errors to the truth", "ours")]
    assert ours[0] == pytest.approx(5 * np.sqrt(8 / np.pi), rel=0.05)
    np.testing.assert_allclose(ours[4:], (68, 95), atol=5)
    assert "left out:" not in text.split("## Beside")[1].split("## What")[0]


def test_methods_are_compared_where_there_is_truth(tmp_path, monkeypatch):
    """Of a long recording the end may be known, which the middle frames are not."""
    monkeypatch.setattr(comparison, "MOST_FRAMES", 8)
    truth = Motion(TRUTH[20:], LIFTER_17, frames=np.arange(20, 24))
    off = TRUTH + np.array([0, 0, 7])
    text = written(tmp_path, joints_mm=off, truth=truth)
    assert "compared on 8 of the 24 frames, numbers 16 to 23" in text
    mean, *_, found, _, _ = row(text, "Errors to the truth", "ours")
    assert (float(mean), float(found)) == (7, 100)


@pytest.mark.parametrize(
    "first, words", [(1, "1 frame later"), (-3, "3 frames earlier")]
)
def test_truth_that_counts_frames_otherwise_is_told(first, words, tmp_path):
    truth = Motion(TRUTH, LIFTER_17, frames=np.arange(24) + first)
    moved = TRUTH + np.random.default_rng(0).normal(0, 2, TRUTH.shape)
    text = written(tmp_path, joints_mm=moved, truth=truth)
    said = re.search(r"taken from (.*?): then joints err by ([\d.]+) mm", text)
    assert said[1] == words
    assert float(said[2]) == pytest.approx(2 * np.sqrt(8 / np.pi), rel=0.1)
    right = written(tmp_path, joints_mm=moved, truth=Motion(TRUTH, LIFTER_17))
    assert "fits better" not in right


def test_what_looks_wrong_is_said(tmp_path):
    joints, rig = NOISY.joints_2d_px.copy(), NOISY.cameras
    joints[:, 0] += (25, 0)
    joints[:, 3, :, 3:] = np.nan
    joints[:, :, :, 2] = np.nan
    odd = NOISY.replace(joints_2d_px=joints, fps=None, cameras=rig)
    lost = TRUTH.copy()
    lost[:, 16] = np.nan
    text = written(tmp_path, odd, lost, method=lambda given: lost)
    cautions = text.split("## What was read")[0]
    for words in (
        "of the detections of view back were not believed",
        "View window lacks",
        "No view ever sees right_knee",
        "5.9 % of the joints have no estimate",
        "View door swaps left and right in 12 %",
        "The frame rate is unknown",
    ):
        assert words in cautions
    assert "filtered" not in text.split("## Beside")[1].split("## Over")[0]


def test_metres_taken_for_millimetres_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "MOST_FRAMES", 10)
    rig = [
        dataclasses.replace(camera, translation_mm=camera.translation_mm / 10)
        for camera in NOISY.cameras
    ]
    near = NOISY.replace(cameras=tuple(rig))
    # Poses have people's sizes, as the prior does.
    text = write_report(tmp_path, Findings(POSES, near), {}).read_text("utf-8")
    assert re.search(r"imply a body of 0\.1\d m: are the calibration's units", text)
    assert "compared on 10 of the 24 frames, numbers 7 to 16" in text


def test_a_world_that_begins_at_a_camera_is_told(tmp_path):
    """Its y-axis points downwards, as Anipose's calibrations often have it."""
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # z up to -y up
    rig = [
        dataclasses.replace(camera, rotation=camera.rotation @ turn.T)
        for camera in NOISY.cameras
    ]
    turned = TRUTH @ turn.T
    np.testing.assert_allclose(rig[0].project(turned), NOISY.cameras[0].project(TRUTH))
    text = written(tmp_path, NOISY.replace(cameras=tuple(rig)), turned)
    cautions = text.split("## What was read")[0]
    assert "along -y from the feet" in cautions
    assert "along" not in written(tmp_path, NOISY, TRUTH).split("## What was read")[0]


def test_one_view_is_reported_alone(tmp_path):
    text = written(
        tmp_path, NOISY.of_views(["back", "door"]).of_views(["back", "door"])
    )
    assert "2 cameras, left out" not in text
    single = NOISY.of_views(["back"])
    poses = made_up_recording.poses(NOISY, TRUTH)
    alone = POSES.__class__(
        **{
            **vars(poses),
            "view_names": ("back",),
            **{
                name: getattr(poses, name)[:, :1]
                for name in ("reprojection_px", "views_used", "swapped")
            },
        }
    )
    text = write_report(tmp_path, Findings(alone, single)).read_text("utf-8")
    assert "One view alone does not show depth" in text
    assert "weighted DLT" not in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cameras": ()}, "must have cameras"),
        ({"frames": np.arange(24) + 1}, "must have the frames of poses; 24 from 1"),
    ],
)
def test_what_does_not_belong_together_is_refused(change, words, tmp_path):
    with pytest.raises(InputError, match=words):
        written(tmp_path, given=NOISY.replace(**change))
    assert not list(tmp_path.iterdir())


def test_what_would_take_for_ever_is_left_out():
    many = made_up_recording.recording(TRUTH, views=9)
    names, notes = comparison._usable(BASELINES, many)
    assert not set(names) & set(EXHAUSTIVE) and len(names) == 4
    assert notes == [
        "Pose2Sim's rule is left out: its choices of 9 cameras are too many."
    ]


def test_views_may_stand_in_any_order(tmp_path):
    given = NOISY.of_views(NOISY.view_names[::-1])
    turned = written(tmp_path / "b", given=given, baselines={})
    assert turned == written(tmp_path / "a", baselines={})
