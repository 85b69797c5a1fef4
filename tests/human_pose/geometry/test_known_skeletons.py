"""The detectors' skeletons against their documentation, joint by joint."""

import numpy as np
import pytest

from human_pose.geometry import known_skeletons as known
from human_pose.geometry.joint_words import from_names
from human_pose.geometry.known_skeletons import CMU_WORDS, KNOWN, by_count
from human_pose.geometry.skeleton import convert
from human_pose.geometry.skeletons import LIFTER_17

# As the projects write them, in their own words.
DOCUMENTED = {
    "body_25": "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip "
    "RKnee RAnkle LHip LKnee LAnkle REye LEye REar LEar LBigToe LSmallToe LHeel "
    "RBigToe RSmallToe RHeel",
    "body_25b": "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist "
    "RWrist LHip RHip LKnee RKnee LAnkle RAnkle UpperNeck HeadTop LBigToe LSmallToe "
    "LHeel RBigToe RSmallToe RHeel",
    "coco_18": "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee "
    "RAnkle LHip LKnee LAnkle REye LEye REar LEar",
    "halpe_26": "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist "
    "RWrist LHip RHip LKnee RKnee LAnkle RAnkle Head Neck Hip LBigToe RBigToe "
    "LSmallToe RSmallToe LHeel RHeel",
    "blazepose_33": "nose left_eye_inner left_eye left_eye_outer right_eye_inner "
    "right_eye right_eye_outer left_ear right_ear mouth_left mouth_right left_shoulder "
    "right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip "
    "left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index "
    "right_foot_index",
    "mpii_16": "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis "
    "thorax upper_neck head_top right_wrist right_elbow right_shoulder left_shoulder "
    "left_elbow left_wrist",
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_orders_are_the_documented_ones(name):
    words = DOCUMENTED[name].split()
    assert [KNOWN[name].index(word) for word in words] == list(range(len(KNOWN[name])))
    assert from_names(words) == KNOWN[name]


@pytest.mark.parametrize("skeleton", KNOWN.values(), ids=KNOWN)
def test_sides_mirror_the_tree(skeleton):
    order = skeleton.flip_order
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert {frozenset(order[j] for j in limb) for limb in limbs} == limbs
    assert all(name.startswith("left_") for name, _ in skeleton.pairs) or (
        skeleton is KNOWN["h36m_32"]
    )


def test_names_alone_grow_human36ms_tree():
    grown = from_names([*LIFTER_17.names, "tail"])
    assert grown.parents == (*LIFTER_17.parents, LIFTER_17.root)
    words = ["hip", "left_foot", "right_foot", "nose", "left_hip"]
    assert from_names(words).names == (
        *("pelvis", "left_ankle", "right_ankle", "nose", "left_hip"),
    )
    # A file that has both means two joints.
    assert from_names(["hip", "pelvis"]).names == ("hip", "pelvis")


def test_joints_of_coco_are_not_moved_in_body_25():
    """Body and feet of COCO-WholeBody in BODY_25's order, by name."""
    placed = convert(np.arange(23.0)[:, None], known.COCO_23, known.BODY_25)[:, 0]
    right_arm, left_leg, right_foot = placed[2:5], placed[12:15], placed[22:]
    assert (*right_arm, *left_leg, *right_foot) == (6, 8, 10, 11, 13, 15, 20, 21, 22)
    assert np.isnan(placed[[1, 8]]).all()  # neck and mid hip, which nobody marked


@pytest.mark.parametrize(
    ("count", "source", "name"),
    [
        (17, "detector", "coco_17"),
        (17, "human36m", "h36m_17"),
        (16, "detector", "mpii_16"),
        (25, None, "body_25"),
        (133, None, "coco_133"),
        (32, None, "h36m_32"),
    ],
)
def test_counts(count, source, name):
    assert by_count(count, source) is KNOWN[name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((17,), "coco_17 or h36m_17"), ((19,), "19 joints"), ((25, "me"), "source")],
)
def test_counts_that_say_nothing(arguments, message):
    with pytest.raises(ValueError, match=message):
        by_count(*arguments)
    with pytest.raises(ValueError, match="coco_17"):
        known.by_name("coco")


def test_middles_are_said():
    hips, shoulders = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
    assert known.derived(known.COCO_18) == {"thorax": shoulders}
    assert known.derived(known.BODY_25) == {"pelvis": hips, "thorax": shoulders}
    assert known.derived(LIFTER_17) == known.derived(known.COCO_17) == {}


def test_cmu_words_are_the_files(shared):
    text = (shared / "data/real/bvh/02_01.bvh").read_text()
    lines = [line.split() for line in text.partition("MOTION")[0].splitlines()]
    assert [line[1] for line in lines if line[0] in ("ROOT", "JOINT")] == [*CMU_WORDS]
    # Each hangs on the joint whose braces it stands in.
    above, parents = [None], {}
    for line in lines:
        if line[0] in ("ROOT", "JOINT", "End"):
            name = CMU_WORDS.get(line[1]) if line[0] != "End" else None
            parents[name] = above[-1]
        elif line[0] == "{":
            above.append(name)
        elif line[0] == "}":
            above.pop()
    skeleton = known.CMU
    for joint, parent in enumerate(skeleton.parents):
        expected = parents[skeleton.names[joint]]
        assert (skeleton.names[parent] if parent >= 0 else None) == expected


def test_a_neck_beside_a_thorax_is_none():
    assert from_names(["Neck", "LHip"]).names == ("thorax", "left_hip")
    assert from_names(["Neck", "Thorax"]).names == ("Neck", "Thorax")


@pytest.mark.parametrize(
    "word", ["RightHip", "right hip", "Right-Hip", "RIGHT_HIP", "Right Hip", "RHip"]
)
def test_sides_are_known_however_they_are_written(word):
    found = from_names(["LeftKnee", word, "Tail"])
    assert found.names == ("left_knee", "right_hip", "Tail")
    assert found.index(word) == 1
    assert found.pairs == ()


def test_spelling_gives_way_to_what_is_clear():
    """`RightArm` is the shoulder of animated bodies, `RightShoulder` their collar."""
    assert from_names(["RightArm", "RightShoulder"]).names == (
        "right_shoulder",
        "RightShoulder",
    )
    assert from_names(["LeftUpperArm", "LeftShoulder"]).names[1] == "LeftShoulder"
    assert from_names(["RHip", "RightHip"]).names == ("right_hip", "RightHip")
    assert from_names(["LeftHip", "left hip"]).names == ("LeftHip", "left hip")


@pytest.mark.parametrize("words", [[], ["nose", "nose"]])
def test_names_that_are_no_skeleton(words):
    with pytest.raises(ValueError, match="joint_names"):
        from_names(words)
