import dataclasses

import numpy as np
import pytest
from made_up_recording import cameras, real
from made_up_views import JOINTS, joints_mm

from human_pose.capture.refine import Doubt, refine_cameras
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import COCO_17
from human_pose.geometry.rotations import from_vector


def recording(rig, calibrated, frames=30, still=False, **more):
    """What a rig sees of somebody who stirs, beside another calibration."""
    rng = np.random.default_rng(4)
    points = joints_mm(np.arange(frames) / 10, still)
    # Over the whole room: a body alone says less about cameras.
    walk = 900 * np.sin(np.arange(frames)[:, None] / 7 + np.array([0, 1.4]))
    points[..., :2] += (not still) * walk[:, None]
    seen = np.stack([camera.project(points) for camera in rig], 1)
    seen += rng.normal(0, more.pop("noise_px", 0.0), seen.shape) + more.pop(
        "bias_px", 0
    )
    return Recording(
        seen[:, :, None],
        np.ones((frames, len(rig), 1, JOINTS)),
        COCO_17,
        tuple(camera.name for camera in rig),
        10.0,
        cameras=calibrated,
        **more,
    )


def moved(camera, turn_deg, shift_mm):
    """A camera turned about its own centre, and shifted."""
    rotation = from_vector(np.radians(turn_deg)) @ camera.rotation
    centre = camera.position_mm + shift_mm
    return dataclasses.replace(
        camera, rotation=rotation, translation_mm=-rotation @ centre
    )


def relative(rig):
    """What does not depend on the world: turns, and centres by their mean distance."""
    centres = np.stack([camera.position_mm for camera in rig])
    centres = (centres - centres[0]) @ rig[0].rotation.T
    turns = np.stack([camera.rotation @ rig[0].rotation.T for camera in rig])
    return turns, centres / np.linalg.norm(centres, axis=1).mean()


def test_cameras_that_moved_are_found_where_nothing_is_wrong_but_them():
    rig = cameras()
    moves = np.random.default_rng(1).normal(0, 1, (2, 4, 3)) * [[[0.4]], [[15.0]]]
    calibrated = tuple(map(moved, rig, *moves))
    found = refine_cameras(recording(rig, calibrated))
    for after, truth, before in zip(
        *map(relative, (found.cameras, rig, calibrated)), strict=True
    ):
        np.testing.assert_allclose(after, truth, rtol=0, atol=1e-5)
        assert np.abs(before - truth).max() > 1e-3
    # The world stays: centres keep their mean, and their distances.
    for quantity in (np.mean, np.std):
        old, new = (
            quantity([camera.position_mm for camera in each], axis=0)
            for each in (calibrated, found.cameras)
        )
        np.testing.assert_allclose(new, old, rtol=0, atol=20)
    assert found.held_out_before_px > 5 > 1e-2 > found.held_out_after_px
    assert found.held_out_shifted_px > 1
    assert found.cause == "pose" and "differ from" in found.lines[-1]
    assert (found.moved_mm < 60).all() and (found.turned_deg < 2).all()


def test_shifted_pictures_are_not_taken_for_moved_cameras_nor_noise_for_anything():
    rig = cameras()
    shift = np.array([[9, -4], [-7, 6], [3, 8], [-5, -9.0]])[:, None]
    shifted = refine_cameras(recording(rig, rig, noise_px=1.0, bias_px=shift))
    assert shifted.cause == "shift" and shifted.common_share > 0.9
    assert shifted.held_out_after_px < 0.5 * shifted.held_out_before_px
    noise = refine_cameras(recording(rig, rig, noise_px=2.0))
    assert noise.cause == "nothing" and "keep the calibration" in noise.lines[-1]
    assert noise.moved_mm.max() < 15 and noise.turned_deg.max() < 0.2


def test_bodies_the_other_way_round_and_intrinsics_do_not_mislead():
    rig = cameras()
    calibrated = (
        dataclasses.replace(
            rig[0], centre_px=rig[0].centre_px + 6, focal_px=rig[0].focal_px * 1.005
        ),
        *rig[1:],
    )
    found = recording(rig, calibrated, noise_px=0.5)
    points = found.joints_2d_px.copy()
    points[5:14, 2] = points[5:14, 2][..., list(COCO_17.flip_order), :]
    refined = refine_cameras(
        found.replace(joints_2d_px=points),
        doubt=Doubt(turn_deg=0.01, shift_mm=1.0),
        principal_points=True,
        focal_lengths=True,
    )
    np.testing.assert_allclose(refined.exchanged, [0, 0, 9 / 30, 0])
    assert refined.held_out_after_px < 1.2 < 2 < refined.held_out_before_px
    off = refined.cameras[0].intrinsics_px - rig[0].intrinsics_px
    assert np.abs(off).max() < 2.5 and refined.moved_mm.max() < 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.replace(cameras=()), "cameras must be two or more.*received 0"),
        (lambda r: r.of_views([r.view_names[0]]), "two or more.*received 1"),
        (lambda r: r.of_frames(slice(8)), "20 frames or more.*received 8"),
        (lambda r: r.replace(confidence=0 * r.confidence), "received 0"),
        (lambda r: recording(r.cameras, r.cameras, still=True), "nobody moves"),
        (lambda r: [r, r.replace(cameras=r.cameras[:-1] + cameras()[-1:])], "of all"),
        (lambda r: [], "recordings must be one or more"),
        (
            lambda r: r.replace(
                joints_2d_px=np.repeat(r.joints_2d_px, 2, 2),
                confidence=np.repeat(r.confidence, 2, 2),
            ),
            "told apart",
        ),
    ],
)
def test_what_cannot_be_refined_is_said(change, says):
    rig = tuple(moved(camera, np.zeros(3), np.zeros(3)) for camera in cameras())
    with pytest.raises(InputError, match=says) as caught:
        refine_cameras(change(recording(rig, rig)))
    assert "\n" not in str(caught.value)


def test_doubt_is_positive():
    with pytest.raises(InputError, match="turn_deg must be positive; received 0"):
        Doubt(turn_deg=0)


def test_a_real_recording_gains_on_frames_held_out(shared):
    """No sign, though, that a camera stands elsewhere: shifts do as well."""
    found = refine_cameras(
        real(shared / "data" / "recording").of_frames(slice(0, 98, 2))
    )
    assert found.held_out_before_px == pytest.approx(22.9, abs=1)
    assert found.held_out_after_px < 14.5
    assert found.cause == "shift" and found.exchanged[1] > 0.25
