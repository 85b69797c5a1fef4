"""Numbers that a reader takes, and that mean something else."""

import made_up_images as made_up
import numpy as np
import pytest

from human_pose.datasets.images.crop import box_of, to_picture
from human_pose.datasets.images.dataset import open_dataset
from human_pose.datasets.images.plausibility import check_bodies, misfit
from human_pose.datasets.images.text_source import text_source
from human_pose.datasets.synthetic.body import BODIES
from human_pose.datasets.synthetic.motion import perform
from human_pose.files.errors import InputError
from human_pose.geometry.skeleton import convert
from human_pose.geometry.skeletons import FLIP_ORDER_16, IMAGE_16, LIFTER_17

CAMERA = np.array([1145.0, 1143.8, 512.5, 515.5])


@pytest.fixture(scope="module")
def numbers():
    """Boxes, cameras, joints in pictures and joints in 3D of a person who walks."""
    world = perform("Walking", BODIES[9], np.random.default_rng(0), 40).joints_3d_mm
    world = convert(world, LIFTER_17, IMAGE_16)
    seen_from_the_side = np.stack([world[..., 0], -world[..., 2], world[..., 1]], -1)
    joints = seen_from_the_side + np.array([-600.0, 0.0, 5000.0])
    frame_px = joints[..., :2] / joints[..., 2:] * CAMERA[:2] + CAMERA[2:]
    boxes = np.array([box_of(points, 1000, 1000) for points in frame_px])
    pictures = to_picture(frame_px, boxes[:, None])
    return boxes, np.tile(CAMERA, (len(boxes), 1)), pictures, joints


def test_what_is_as_said_passes(numbers):
    check_bodies("here", numbers[3])
    assert misfit(*numbers) == ""
    assert misfit(*(values[:0] for values in numbers)) == ""
    check_bodies("here", numbers[3][:0])


def test_what_a_lens_bends_passes(numbers):
    """A corner of the frame is some 15 px off where a lens like Human3.6M's is."""
    boxes, cameras, pictures, joints = numbers
    bent = pictures + 15 * np.random.default_rng(0).choice([-1, 1], pictures.shape[-1:])
    assert misfit(boxes, cameras, bent, joints) == ""


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda joints: joints / 1000, "must be millimetres, .* are they metres\\?$"),
        (
            lambda joints: joints - joints[:, 6:7],
            "must be in the camera's frame, z forwards; in 100 % of samples some are",
        ),
        (lambda joints: joints * [1, 1, -1], "at depth 0 or behind it$"),
    ],
    ids=["metres", "about the hip", "behind"],
)
def test_bodies_of_another_frame_or_unit(numbers, change, message):
    with pytest.raises(InputError, match=f"^here: joints .*{message}"):
        check_bodies("here", change(numbers[3]))


def test_a_sample_that_is_wrong_does_not_condemn_the_others(numbers):
    joints = numbers[3].copy()
    joints[:5] = -1e6
    check_bodies("here", joints)


def sized(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], -1)


@pytest.mark.parametrize(
    "change, word",
    [
        (
            lambda b, c, p, j: (sized(b), c, p, j),
            "boxes seem to be x, y, width, height",
        ),
        (lambda b, c, p, j: (b, c, p / 224, j), "shares of the picture"),
        (
            lambda b, c, p, j: (b, c, j[..., :2] / j[..., 2:] * c[0, :2] + c[0, 2:], j),
            "px of the camera's frame",
        ),
        (
            lambda b, c, p, j: (b, c, p, j * [-1, 1, 1]),
            "x of the camera's frame seems to point to the left",
        ),
        (
            lambda b, c, p, j: (b, c, p, j * [1, -1, 1]),
            "y of the camera's frame seems to point upwards",
        ),
        (
            lambda b, c, p, j: (b, c, 224 - p[..., ::-1], j),
            "they may not belong together",
        ),
    ],
    ids=["xywh", "shares", "frame", "left", "up", "else"],
)
def test_what_does_not_fit_is_told_apart(numbers, change, word):
    assert word in misfit(*change(*numbers))


def test_exchanged_sides(numbers):
    """Of a person who is as wide as high: arms and legs stretched out."""
    boxes, cameras, pictures, joints = numbers
    wide = joints.copy()
    side = [
        name.startswith("left") - name.startswith("right") for name in IMAGE_16.names
    ]
    wide[..., 0] += 600 * np.array(side)
    frame_px = wide[..., :2] / wide[..., 2:] * CAMERA[:2] + CAMERA[2:]
    boxes = np.array([box_of(points, 1000, 1000) for points in frame_px])
    pictures = to_picture(frame_px, boxes[:, None])
    assert misfit(boxes, cameras, pictures, wide) == ""
    said = misfit(boxes, cameras, pictures[:, list(FLIP_ORDER_16)], wide)
    assert "left and right seem to be exchanged (then 0 px)" in said


def test_a_folder_in_metres_is_refused_where_it_is_read(tmp_path):
    made_up.write_set(tmp_path)
    assert len(open_dataset(tmp_path).annotations) == 9
    for index in range(6):
        path = tmp_path / "gt_joint_3d_mono_raw" / f"{index}.txt"
        metres = made_up.joints_3d(index).ravel() / 1000
        path.write_text(" ".join(map(str, metres)))
    message = rf"^{tmp_path}: S1_Directions: joints must be millimetres, .* metres\?$"
    with pytest.raises(InputError, match=message):
        open_dataset(tmp_path).check()
    with pytest.raises(InputError, match=message):
        text_source(tmp_path, partial_set=True)
    assert len(open_dataset(tmp_path, part="test").annotations) == 3


def test_every_range_is_looked_at_before_it_is_prepared(tmp_path):
    """A subject may be from elsewhere; shards are not looked at again."""
    made_up.write_set(tmp_path)
    text_source(tmp_path, partial_set=True)
    for index in range(9, 12):
        path = tmp_path / "gt_joint_3d_mono_raw" / f"{index}.txt"
        metres = made_up.joints_3d(index).ravel() / 1000
        path.write_text(" ".join(map(str, metres)))
    with pytest.raises(InputError, match=r": S9_\w+: joints must be millimetres, "):
        text_source(tmp_path, partial_set=True)
    # One that cannot be read is told where it is used.
    for index in (9, 10):
        (tmp_path / "gt_joint_3d_mono_raw" / f"{index}.txt").unlink()
    with pytest.raises(InputError, match=r": S9_\w+: joints must be millimetres, "):
        text_source(tmp_path, partial_set=True)


def test_joints_of_other_pictures_are_told(tmp_path, caplog):
    made_up.write_set(tmp_path)
    assert len(open_dataset(tmp_path).annotations) == 9
    assert not caplog.messages
    for index in range(9):
        path = tmp_path / "gt_joint_3d_mono_raw" / f"{index}.txt"
        path.write_text(" ".join(map(str, made_up.joints_3d(index + 1).ravel())))
    assert len(open_dataset(tmp_path).annotations) == 9
    assert "they may not belong together" in caplog.text
