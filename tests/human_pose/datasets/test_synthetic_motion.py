"""Bodies, joint angles and motion of the embedded data."""

import numpy as np
import pytest

from human_pose.datasets.protocol import ACTIONS, TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.datasets.synthetic.actions import CHOREOGRAPHY
from human_pose.datasets.synthetic.angles import LIMITS_DEG, blend, mirrored, total
from human_pose.datasets.synthetic.body import BODIES
from human_pose.datasets.synthetic.grounding import grounded
from human_pose.datasets.synthetic.kinematics import joints_from_hip
from human_pose.datasets.synthetic.motion import RATE_HZ, perform
from human_pose.datasets.synthetic.tracks import ease
from human_pose.geometry.skeletons import LIFTER_17

FRAMES = 40
BODY = BODIES[6]
HINGES = {
    "right_knee_flex": (1, 2, 3),
    "left_knee_flex": (4, 5, 6),
    "right_elbow_flex": (14, 15, 16),
    "left_elbow_flex": (11, 12, 13),
}


@pytest.fixture(scope="module")
def takes():
    """Every action by every subject."""
    return {
        (subject, action): perform(
            action, body, np.random.default_rng([subject, index]), FRAMES
        )
        for subject, body in BODIES.items()
        for index, action in enumerate(ACTIONS)
    }


def posed(**angles_deg):
    angles = {name: np.array([angles_deg.get(name, 0.0)]) for name in LIMITS_DEG}
    return joints_from_hip(BODY, angles, np.zeros(1))[0]


def flexion_deg(joints_mm, upper, middle, lower):
    """0 for a straight limb."""
    first = joints_mm[..., middle, :] - joints_mm[..., upper, :]
    second = joints_mm[..., lower, :] - joints_mm[..., middle, :]
    cosine = np.sum(first * second, -1) / (
        np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    )
    return np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))


def test_every_action_has_a_choreography():
    assert tuple(CHOREOGRAPHY) == ACTIONS


def test_subjects_are_seven_and_differ():
    assert sorted(BODIES) == sorted(TRAIN_SUBJECTS + TEST_SUBJECTS)
    assert len(set(BODIES.values())) == 7


def test_limb_lengths_are_constant_within_a_subject(takes):
    for subject in BODIES:
        poses = np.concatenate([takes[subject, a].joints_3d_mm for a in ACTIONS])
        for a, b in LIFTER_17.limbs:
            lengths = np.linalg.norm(poses[:, a] - poses[:, b], axis=-1)
            assert np.ptp(lengths) < 1e-9
    lengths = np.linalg.norm(poses[:, 2] - poses[:, 3], axis=-1)
    np.testing.assert_allclose(lengths, BODIES[11].shank)


def test_angles_stay_within_their_limits(takes):
    for take in takes.values():
        assert take.angles_deg.keys() == LIMITS_DEG.keys()
        for name, (low, high) in LIMITS_DEG.items():
            assert take.angles_deg[name].min() >= low
            assert take.angles_deg[name].max() <= high


def test_knees_and_elbows_bend_only_forwards_and_not_too_far(takes):
    for take in takes.values():
        joints = take.joints_3d_mm
        for side, leg, arm in (
            ("right", (1, 2, 3), (14, 15, 16)),
            ("left", (4, 5, 6), (11, 12, 13)),
        ):
            for name, chain in (("knee_flex", leg), ("elbow_flex", arm)):
                np.testing.assert_allclose(
                    flexion_deg(joints, *chain),
                    take.angles_deg[f"{side}_{name}"],
                    atol=1e-4,
                )


def test_limits_hold_whatever_is_asked():
    far = {name: np.array([-1e4, 1e4]) for name in LIMITS_DEG}
    for name, track in total(2, far).items():
        np.testing.assert_allclose(track, LIMITS_DEG[name])
    # Well inside, an angle is what was asked for.
    inside = total(1, {"right_knee_flex": 60.0})
    assert inside["right_knee_flex"] == pytest.approx(60, abs=1e-12)
    with pytest.raises(KeyError, match="right_wing"):
        total(1, {"right_wing": 1.0})


def test_the_rest_pose_stands_upright():
    joints = posed()
    assert np.all(joints[[1, 2, 3, 14, 15, 16], 0] > 0)  # right is +x
    leg = joints[3] - joints[1]
    np.testing.assert_allclose(leg, [0, 0, -BODY.thigh - BODY.shank], atol=1e-12)
    assert joints[9, 1] > joints[10, 1]  # the nose points forwards, +y
    assert joints[10, 2] > joints[9, 2] > joints[8, 2] > joints[7, 2] > 0


@pytest.mark.parametrize(
    ("angle", "joint", "direction"),
    [
        ("right_hip_flex", 2, (0, 1, 0)),
        ("left_hip_flex", 5, (0, 1, 0)),
        ("right_hip_abduct", 2, (1, 0, 0)),
        ("left_hip_abduct", 5, (-1, 0, 0)),
        ("right_knee_flex", 3, (0, -1, 0)),
        ("right_shoulder_flex", 15, (0, 1, 0)),
        ("left_shoulder_abduct", 12, (-1, 0, 0)),
        ("left_elbow_flex", 13, (0, 1, 0)),
        ("right_shoulder_raise", 14, (0, 0, 1)),
        ("left_shoulder_raise", 11, (0, 0, 1)),
        ("right_shoulder_protract", 14, (0, 1, 0)),
        ("pelvis_pitch", 8, (0, 1, 0)),
        ("pelvis_roll", 8, (1, 0, 0)),
        ("back_flex", 8, (0, 1, 0)),
        ("back_side", 8, (1, 0, 0)),
        ("back_twist", 11, (0, 1, 0)),
        ("neck_flex", 10, (0, 1, 0)),
        ("neck_side", 10, (1, 0, 0)),
        ("neck_twist", 9, (1, 0, 0)),
    ],
)
def test_a_positive_angle_moves_its_joint_as_documented(angle, joint, direction):
    moved = posed(**{angle: 20.0})[joint] - posed()[joint]
    assert moved @ np.array(direction) > 5


@pytest.mark.parametrize(
    ("side", "wrist", "sign"), [("right", 16, -1), ("left", 13, 1)]
)
def test_inward_rotation_leads_the_forearm_across_the_body(side, wrist, sign):
    bent = {f"{side}_elbow_flex": 90.0}
    turned = posed(**bent, **{f"{side}_shoulder_rotate": 40.0})[wrist]
    assert sign * (turned - posed(**bent)[wrist])[0] > 50


def test_heading_turns_counter_clockwise_from_world_y():
    joints = joints_from_hip(BODY, total(1, {}), np.array([np.pi / 2]))[0]
    np.testing.assert_allclose(joints[1], [0, BODY.hip, 0], atol=1e-12)


def test_a_mirrored_pose_is_the_mirror_image():
    rng = np.random.default_rng(3)
    layer = {
        name: np.array([rng.uniform(low, high)])
        for name, (low, high) in LIMITS_DEG.items()
    }
    first = joints_from_hip(BODY, layer, np.zeros(1))[0]
    second = joints_from_hip(BODY, mirrored(layer), np.zeros(1))[0]
    order = np.arange(17)
    left, right = list(LIFTER_17.left), list(LIFTER_17.right)
    order[right], order[left] = left, right
    np.testing.assert_allclose(second[order], first * [-1, 1, 1], atol=1e-9)


def test_blend_goes_from_one_layer_to_the_other():
    weight = np.array([0.0, 0.25, 1.0])
    mixed = blend(
        {"a": np.array(4.0)}, {"a": np.array(8.0), "b": np.array(2.0)}, weight
    )
    np.testing.assert_allclose(mixed["a"], [4, 5, 8])
    np.testing.assert_allclose(mixed["b"], [0, 0.5, 2])


def test_ease_is_minimum_jerk():
    x = np.linspace(0, 1, 11)
    np.testing.assert_allclose(ease(x), 10 * x**3 - 15 * x**4 + 6 * x**5)
    np.testing.assert_array_equal(ease(np.array([-1.0, 2.0])), [0, 1])


def test_a_standing_foot_stays_and_the_body_moves():
    frames = 60
    lean = np.linspace(0, 20, frames)
    angles = total(
        frames,
        {"right_hip_flex": -lean, "left_hip_flex": 25.0, "left_knee_flex": 60.0},
    )
    joints = grounded(joints_from_hip(BODY, angles, np.zeros(frames)), rate_hz=50)
    foot = joints[:, 3]
    assert np.ptp(foot, axis=0).max() < 5
    assert joints[-1, 0, 1] - joints[0, 0, 1] > 200
    assert foot[0, 2] == pytest.approx(80, abs=1)


def test_motion_is_smooth_and_on_the_floor(takes):
    for (_, action), take in takes.items():
        joints = take.joints_3d_mm
        assert np.isfinite(joints).all()
        assert 40 < joints[..., 2].min() < 100
        speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * RATE_HZ
        assert speed.max() < 6500, action  # a walker's foot swings at 4 to 5 m/s
        assert np.abs(joints[:, 0, :2]).max() < 1700, action


def test_who_walks_goes_somewhere_and_who_sits_does_not(takes):
    def travelled(action):
        return np.mean(
            [
                np.linalg.norm(
                    np.diff(takes[s, action].joints_3d_mm[:, 0, :2], axis=0), axis=1
                ).sum()
                for s in BODIES
            ]
        )

    for action in ("Walking", "WalkDog", "WalkTogether"):
        assert travelled(action) > 1500
    assert travelled("Sitting") < 10
    assert travelled("Waiting") < 600


def test_headings_differ_between_takes(takes):
    headings = np.array([take.heading_rad[0] for take in takes.values()])
    assert abs(np.exp(1j * headings).mean()) < 0.25
