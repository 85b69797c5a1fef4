"""Bodies and pictures: the right joints, right and left, face and back, coverage."""

import numpy as np
import pytest

from human_pose.datasets.images.crop import to_picture
from human_pose.datasets.rendered import wardrobe
from human_pose.datasets.rendered.figure import Material, build
from human_pose.datasets.rendered.joints import index, to_32_joints
from human_pose.datasets.rendered.picture import Recording, crop_grid, in_camera, render
from human_pose.datasets.rendered.raycast import cast
from human_pose.datasets.synthetic import BODIES
from human_pose.datasets.synthetic.angles import LIMITS_DEG
from human_pose.datasets.synthetic.kinematics import joints_from_hip
from human_pose.geometry.cameras import look_at
from human_pose.geometry.skeletons import JOINTS_16_OF_32, LIFTER_17

CLEAR = Recording(blur_px=(0.0, 0.0), noise=(0.0, 0.0), gain=(1.0, 1.0))
BOX = np.array([262.0, 262.0, 762.0, 762.0])
HIP_MM = 950.0


def _posed(**angles):
    """17 joints of a person facing world y, arms somewhat away from the body."""
    angles = {"right_shoulder_abduct": 25, "left_shoulder_abduct": 25, **angles}
    tracks = {name: np.array([float(angles.get(name, 0))]) for name in LIMITS_DEG}
    joints = joints_from_hip(BODIES[7], tracks, np.zeros(1))[0]
    return joints + np.array([0, 0, HIP_MM])


def _person(**angles):
    return to_32_joints(_posed(**angles))


def _camera(*side):
    """A camera five metres off in a direction, at the height of the hip."""
    return look_at(
        np.array([*(5000.0 * np.array(side)), HIP_MM]),
        np.array([0, 0, HIP_MM]),
        focal_px=np.array([1146.0, 1146.0]),
        centre_px=np.array([512.0, 512.0]),
    )


def _clothes(seed=0):
    clothes = wardrobe.draw(np.random.default_rng(seed))
    clothes.colours[Material.HEAD] = clothes.colours[Material.SKIN] = (1, 0, 0)
    clothes.hair[:] = (0, 0, 1)
    return clothes


def _rendered(joints, camera, seed=0):
    rng = np.random.default_rng(seed)
    return render(build(joints, 1.0), camera, BOX, _clothes(), rng, CLEAR)


def _at(joints, name, camera):
    return to_picture(camera.project(joints[index(name)]), BOX)


def test_each_of_the_16_joints_is_the_one_of_that_name():
    points = _posed()
    used = to_32_joints(points)[list(JOINTS_16_OF_32)]
    names = (
        "hip right_hip right_knee right_foot left_hip left_knee left_foot thorax neck "
        "head_top left_shoulder left_elbow left_wrist right_shoulder right_elbow "
        "right_wrist"
    ).split()
    expected = points[[LIFTER_17.index(name) for name in names]]
    np.testing.assert_array_equal(used, expected)


def test_feet_point_forward_and_hands_continue_the_forearm():
    joints = _person(left_knee_flex=90, left_hip_flex=90, right_hip_rotate=-50)
    # Standing: flat on the floor and ahead (world y).
    step = joints[index("RightToeBase")] - joints[index("RightFoot")]
    assert step[1] > 100 and abs(step[0]) < 50
    # A bent knee: the shank hangs, so the foot points ahead too.
    step = joints[index("LeftToeBase")] - joints[index("LeftFoot")]
    assert step[1] > 100
    assert joints[index("Site")][1] > joints[index("RightToeBase")][1]
    elbow, wrist, end = (
        joints[index(n)] for n in ("RightForeArm", "RightHand", "R_Wrist_End")
    )
    assert np.linalg.norm(np.cross(wrist - elbow, end - wrist)) < 1e-6
    assert (wrist - elbow) @ (end - wrist) > 0


@pytest.mark.parametrize(("side", "sign"), [((0, 1), 1), ((0, -1), -1)])
def test_right_and_left_front_and_back(side, sign):
    joints, camera = _person(), _camera(*side)
    right, left = (_at(joints, f"{s}Hand", camera) for s in ("Right", "Left"))
    # Seen from the front, the right hand is on the picture's left.
    assert sign * (left[0] - right[0]) > 40
    picture, cover = _rendered(joints, camera)
    u, v = np.rint(_at(joints, "Head", camera)).astype(int)
    red, blue = picture[v + 1, u, 0], picture[v + 1, u, 2]
    assert (red > blue) == (sign > 0)  # a face, or hair
    for hand in (right, left):
        u, v = np.rint(hand).astype(int)
        assert cover[v, u] == 1
    assert cover[:8].max() == 0  # nothing above the head


def test_every_joint_lies_on_the_person_and_hides_the_background():
    joints = _person(right_elbow_flex=70, left_shoulder_flex=120, right_hip_flex=40)
    for side in ((0, 1), (1, 0), (-0.6, -0.8)):
        camera = _camera(*side)
        one, cover = _rendered(joints, camera, seed=1)
        clothes, away = _clothes(), build(joints + np.array([0, 0, 9000]), 1.0)
        rng = np.random.default_rng(1)
        empty, nothing = render(away, camera, BOX, clothes, rng, CLEAR)
        assert not nothing.any()
        assert 0.05 < cover.mean() < 0.4
        for joint in JOINTS_16_OF_32:
            u, v = np.rint(to_picture(camera.project(joints[joint]), BOX)).astype(int)
            # The top of the head is on the outline, all others are inside.
            assert cover[v, u] == 1 or joint == index("Site_2")
            assert np.any(one[v, u] != empty[v, u])


def test_the_outline_is_where_the_camera_says():
    # A ball's cover is centred on its projection, to a part of a pixel.
    camera = _camera(0, 1)
    grid = crop_grid(camera, BOX, 2)
    joints = _person()
    figure = build(joints, 1.0)
    ball = joints[index("RightHand")]
    cones = in_camera(figure, camera)
    only = type(cones)(
        camera.to_camera(ball)[None].astype("f4") / 1000,
        np.zeros((1, 3), np.float32),
        np.full((1, 2), 0.2, np.float32),
    )
    rows, columns = np.divmod(cast(grid, only).pixels, 448)
    centre = (np.array([columns.mean(), rows.mean()]) + 0.5) / 2 - 0.5
    # Perspective shifts a ball's outline outwards by some r²/z² of the slope.
    np.testing.assert_allclose(centre, _at(joints, "RightHand", camera), atol=0.3)


@pytest.mark.parametrize(("flex", "front"), [(80, True), (-45, False)])
def test_an_arm_before_the_trunk_hides_it_and_behind_it_is_hidden(flex, front):
    # Towards the middle of the body, so that the forearm overlaps the trunk.
    pose = {
        "right_shoulder_flex": 35 if front else flex,
        "right_shoulder_abduct": 0,
        "right_shoulder_rotate": 60,
        "right_elbow_flex": 95 if front else 60,
    }
    joints, camera = _person(**pose), _camera(0, 1)
    figure = build(joints, 1.0)
    hits = cast(crop_grid(camera, BOX), in_camera(figure, camera))
    seen = figure.material[hits.part] == Material.FOREARM
    elbow, wrist = (joints[index(f"Right{n}")] for n in ("ForeArm", "Hand"))
    middle = (elbow + wrist) / 2
    u, v = np.rint(to_picture(camera.project(middle), BOX)).astype(int)
    assert (v * 224 + u in hits.pixels[seen]) == front
    assert v * 224 + u in hits.pixels
