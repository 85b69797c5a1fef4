"""BVH: files by hand, the vocabulary's joints, and poses there and back."""

import dataclasses
import logging

import numpy as np
import pytest

from human_pose.exchange import bvh
from human_pose.exchange.recording import Motion
from human_pose.files.errors import InputError
from human_pose.geometry import rotations
from human_pose.geometry.joint_words import from_names
from human_pose.geometry.skeletons import LIFTER_17

# Positions of a joint that is no root, rotations before positions, blank lines.
HAND_MADE = """HIERARCHY
ROOT Base
{
  OFFSET 0 0 0
  CHANNELS 6 Zrotation Xrotation Yrotation Xposition Yposition Zposition
  JOINT Middle
  {
    OFFSET 0 5 0
    CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation

    JOINT Tip
    {
      OFFSET 0 100 0
      CHANNELS 1 Xrotation
      End Site
      {
        OFFSET 0 1 0
      }
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.033333
0 0 0 1 2 3  0 50 0  0 0 0  0
90 0 0 1 2 3  0 60 0  0 0 90  45

"""


def write(path, text):
    path.write_text(text, "utf-8")
    return path


def joint(motion, name):
    return motion.joints_3d_mm[:, motion.skeleton.index(name)]


def test_by_hand(tmp_path):
    path = write(tmp_path / "a.bvh", HAND_MADE)
    found = bvh.read_bvh(path, units="cm")
    assert (found.skeleton.names, found.fps) == (("Base", "Middle", "Tip"), 30)
    assert found.skeleton.parents == (-1, 0, 1)
    # In the file's axes, whose y is up: x and y are ours y and z.
    np.testing.assert_allclose(joint(found, "Base"), [[30, 10, 20]] * 2)
    np.testing.assert_allclose(joint(found, "Middle"), [[30, 10, 520], [30, -590, 20]])
    np.testing.assert_allclose(joint(found, "Tip")[0], [30, 10, 1520])
    # Turned by a quarter about z, whatever about its own y.
    np.testing.assert_allclose(joint(found, "Tip")[1], [30, -1590, 20], atol=1e-9)
    inferred = bvh.read_bvh(path)
    np.testing.assert_allclose(inferred.joints_3d_mm, found.joints_3d_mm)
    assert bvh.FORMATS[0].recognises(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MOTION", "NOTION", "must hold HIERARCHY and MOTION"),
        ("Frames: 2", "Frames: 3", "hold the 3 frames that it says; it holds 2"),
        ("Frame Time: 0.03", "Frame Time: -0.03", "Frame Time must be positive"),
        ("Frame Time:", "Time:", "must say Frame Time"),
        ("90 0 0 1", "90 0 1", "frame 2 must have the 13 numbers of all channels; it"),
        ("90 0 0 1", "90 0 x 1", "frame 2 must be numbers"),
        ("90 0 0 1", "90 0 nan 1", "must hold finite numbers"),
        ("CHANNELS 1 X", "CHANNELS 2 X", r"line \d+ must count and name its channels"),
        (
            "OFFSET 0 100 0",
            "OFFSET 0 1e999 0",
            r"line \d+ must have finite numbers; rec",
        ),
        ("JOINT Middle", "ROOT Middle", "line 6 must have its ROOT within one ROOT"),
        ("ROOT Base\n{", "ROOT Base\n", "must be of a BVH hierarchy"),
        ("  }\n}\nM", "  }\nM", "must hold one whole hierarchy"),
        ("Tip", "Middle", "names of their own; twice: Middle"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, old, new, message):
    assert old in HAND_MADE
    path = write(tmp_path / "a.bvh", HAND_MADE.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        bvh.read_bvh(path, units="cm")
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def rigid(skeleton, frames=20, seed=0):
    """Poses whose bones keep their lengths and point anywhere."""
    random = np.random.default_rng(seed)
    joints = np.zeros((frames, len(skeleton), 3))
    lengths = random.uniform(100, 450, len(skeleton))
    ways = random.normal(size=joints.shape)
    ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
    order = [skeleton.root]
    for parent in order:
        for child in (c for c, p in enumerate(skeleton.parents) if p == parent):
            joints[:, child] = joints[:, parent] + lengths[child] * ways[:, child]
            order.append(child)
    return joints + random.normal((0, 0, 900), 300, (frames, 1, 3))


@pytest.mark.parametrize("skeleton", [LIFTER_17, from_names(["a", "b", "c", "nose"])])
def test_poses_there_and_back(tmp_path, skeleton, caplog):
    motion = Motion(rigid(skeleton), skeleton, 50.0)
    bvh.write_bvh(tmp_path / "a.bvh", motion)
    assert "move by" not in caplog.text
    found = bvh.read_bvh(tmp_path / "a.bvh", units="cm")
    assert set(found.skeleton.names) == set(skeleton.names)
    order = [found.skeleton.index(name) for name in skeleton.names]
    np.testing.assert_allclose(
        found.joints_3d_mm[:, order], motion.joints_3d_mm, rtol=0, atol=1e-3
    )
    assert found.fps == 50


def test_joints_of_own_words_hang_on_what_they_move_with(tmp_path):
    """Their parents are in no TRC: on the root, fingers moved by a metre."""
    joints = rigid(LIFTER_17)
    place = [LIFTER_17.index(name) for name in ("left_wrist", "head_top")]
    above = [LIFTER_17.parents[joint] for joint in place]
    way = joints[:, place] - joints[:, above]
    own = joints[:, place] + way / 5
    skeleton = from_names([*LIFTER_17.names, "lThumb", "hat"])
    motion = Motion(np.concatenate([joints, own], axis=1), skeleton, 30.0)
    bvh.write_bvh(tmp_path / "a.bvh", motion)
    found = bvh.read_bvh(tmp_path / "a.bvh", units="cm")
    for name in skeleton.names:
        back, there = joint(found, name), joint(motion, name)
        np.testing.assert_allclose(back, there, atol=0.1)


def test_what_bvh_cannot_hold_is_said(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    joints = rigid(LIFTER_17)
    joints[:10, 3] *= 1.1
    joints[4:6, 13] = np.nan
    cut = Motion(joints, LIFTER_17, 50.0, sequence=np.arange(20) // 10)
    bvh.write_bvh(tmp_path / "a.bvh", cut)
    assert "2 are held as they were before" in caplog.text
    assert "joints move by" in caplog.text
    assert "several takes follow as one" in caplog.text
    found = bvh.read_bvh(tmp_path / "a.bvh", units="cm")
    assert np.isfinite(found.joints_3d_mm).all()
    joints[:, 13] = np.nan
    one = np.zeros(20)
    gaps = dataclasses.replace(cut, sequence=one, frames=2 * np.arange(20))
    bvh.write_bvh(tmp_path / "a.bvh", gaps)
    assert "has no gaps: all frames follow as one" in caplog.text
    with pytest.raises(InputError, match="every joint in one frame or more"):
        bvh.write_bvh(tmp_path / "a.bvh", dataclasses.replace(cut, joints_3d_mm=joints))
    with pytest.raises(InputError, match="fps must be given"):
        bvh.write_bvh(tmp_path / "b.bvh", dataclasses.replace(cut, fps=None))
    assert not (tmp_path / "b.bvh").exists()


CMU = (
    "hip abdomen chest neck head leftEye rightEye rCollar rShldr rForeArm rHand "
    "lCollar lShldr lForeArm lHand rButtock rThigh rShin rFoot lButtock lThigh lShin "
    "lFoot"
).split()


def test_cmus_words(tmp_path, caplog):
    tree = {
        "abdomen": "hip", "chest": "abdomen", "neck": "chest", "head": "neck",
        "leftEye": "head", "rightEye": "head", "rCollar": "chest", "lCollar": "chest",
        "rButtock": "hip", "lButtock": "hip",
    }  # fmt: skip
    lines, opened = ["HIERARCHY"], []
    for before, name in zip([None, *CMU], CMU, strict=False):
        parent = tree.get(name, before)
        while opened and opened[-1] != parent:
            lines.append("}")
            opened.pop()
        kind, channels = ("JOINT", "3") if before else ("ROOT", "6 Xposition Yposition "
                                                        "Zposition")  # fmt: skip
        side = {"r": -1, "l": 1}.get(name[0], 0)
        up = {"head": 7.07133, "neck": 20, "chest": 10, "abdomen": 10}.get(name, -40)
        lines += [
            f"{kind} {name}", "{", f"OFFSET {3 * side} {up if not side else -1} 0",
            f"CHANNELS {channels} Zrotation Yrotation Xrotation",
        ]  # fmt: skip
        opened.append(name)
    lines += ["}"] * len(opened)
    values = np.zeros((2, 6 + 3 * 22))
    values[1, 3 + 3 * CMU.index("head") + 1] = 90  # the head turns to the left
    rows = "\n".join(" ".join(map(str, row)) for row in values)
    text = "\n".join(lines) + f"\nMOTION\nFrames: 2\nFrame Time: 0.1\n{rows}\n"
    found = bvh.read_bvh(write(tmp_path / "a.bvh", text), units="cm")
    assert set(LIFTER_17.names) <= set(found.skeleton.names)
    pelvis = (joint(found, "left_hip") + joint(found, "right_hip")) / 2
    np.testing.assert_array_equal(joint(found, "pelvis"), pelvis)
    # 30 mm of CMU's, which are 11.9477 mm a unit, back.
    np.testing.assert_allclose(joint(found, "spine")[0], [-25.1095, 0, 159], atol=0.01)
    top = joint(found, "head_top") - joint(found, "neck")
    np.testing.assert_allclose(top[0] * 1.19477, [-50, 0, 104], atol=0.02)
    np.testing.assert_allclose(top[1] * 1.19477, [0, -50, 104], atol=0.02)
    assert "does its" not in caplog.text
    bvh.read_bvh(tmp_path / "a.bvh", units="cm", up="z")
    assert "lie or stand on their heads: does its z-axis point upwards?" in caplog.text


def test_biovisions_words(tmp_path):
    """Shoulders are shoulders, and what has no word hangs where the file hangs it."""
    sides = [
        f"{side}{word}"
        for side in ("Left", "Right")
        for word in (
            *("Hip", "Knee", "Ankle", "Foot"),
            *("Collar", "Shoulder", "Elbow", "Wrist"),
        )
    ]
    names = ["Hips", *sides[:4], "-", *sides[8:12], "-", "Chest", *sides[4:8], "-"]
    names += [*sides[12:], "-", "Neck", "Head"]
    text, depth = "HIERARCHY\n", 0
    for place, name in enumerate(names):
        if name == "-":  # back to the branch
            text, depth = text + "}\n" * 4, depth - 4
            continue
        text += f"{'JOINT' if depth else 'ROOT'} {name}\n{{\nOFFSET 0 {place} 1\n"
        text += f"CHANNELS {1 if not depth else 0}{'' if depth else ' Xposition'}\n"
        depth += 1
    text += "End Site\n{\nOFFSET 0 9 0\n}\n" + "}\n" * depth
    text += "MOTION\nFrames: 1\nFrame Time: 0.04\n0\n"
    found = bvh.read_bvh(write(tmp_path / "a.bvh", text), units="cm")
    names = found.skeleton.names
    assert set(LIFTER_17.names) - set(names) == {"spine"}
    np.testing.assert_allclose(
        joint(found, "left_elbow") - joint(found, "left_shoulder"), [[10, 0, 140]]
    )
    middle = (joint(found, "left_hip") + joint(found, "right_hip")) / 2
    np.testing.assert_allclose(joint(found, "pelvis"), middle)
    parents = {n: names[p] for n, p in zip(names, found.skeleton.parents, strict=True)}
    assert (parents["LeftCollar"], parents["Chest"]) == ("Chest", "Hips")
    assert (parents["LeftFoot"], parents["left_knee"]) == ("left_ankle", "left_hip")


def test_a_few_words_of_the_vocabulary(tmp_path):
    """`Hips` alone means the pelvis, on which others hang by the file's word for it."""
    text = HAND_MADE.replace("Base", "Hips")
    found = bvh.read_bvh(write(tmp_path / "a.bvh", text), units="cm")
    assert found.skeleton.names == ("pelvis", "Middle", "Tip")
    assert found.skeleton.parents == (-1, 0, 1)


def test_mixamos_words(tmp_path):
    names = (
        "Hips Spine Spine1 Spine2 Neck Head HeadTop_End LeftShoulder LeftArm "
        "LeftForeArm LeftHand RightShoulder RightArm RightForeArm RightHand LeftUpLeg "
        "LeftLeg LeftFoot LeftToeBase RightUpLeg RightLeg RightFoot RightToeBase"
    ).split()
    joints = "".join(
        f"JOINT mixamorig:{n}\n{{\nOFFSET 1 2 3\nCHANNELS 0\n" for n in names[1:]
    )
    text = (
        f"HIERARCHY\nROOT mixamorig:Hips\n{{\nOFFSET 0 0 0\nCHANNELS 0\n{joints}"
        + "}\n" * len(names)
        + "MOTION\nFrames: 1\nFrame Time: 1\n0\n"
    )
    with pytest.raises(InputError, match="frame 1 must have the 0 numbers"):
        bvh.read_bvh(write(tmp_path / "a.bvh", text))
    text = text.replace("CHANNELS 0", "CHANNELS 1 Xposition", 1)
    found = bvh.read_bvh(write(tmp_path / "a.bvh", text), units="cm")
    known = set(LIFTER_17.names) | {"left_big_toe", "right_big_toe"}
    assert known <= set(found.skeleton.names)
    assert {"Hips", "Spine", "LeftShoulder"} <= set(found.skeleton.names)


def test_bodies_that_prefixes_tell_apart_stay_apart(tmp_path):
    names = ("a:Arm", "a:Hand", "b:Arm", "b:Hand")
    joints = "".join(
        f"JOINT {name}\n{{\nOFFSET 0 {10 * n} 0\nCHANNELS 1 Xrotation\n}}\n"
        for n, name in enumerate(names)
    )
    text = (
        f"HIERARCHY\nROOT World\n{{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n{joints}}}\n"
        "MOTION\nFrames: 1\nFrame Time: 1\n0 0 0 0 0\n"
    )
    found = bvh.read_bvh(write(tmp_path / "a.bvh", text), units="cm")
    assert set(names) <= set(found.skeleton.names)
    np.testing.assert_allclose(joint(found, "b:Arm")[0], [0, 0, 200])
    one = text.replace("b:", "a:left_")
    found = bvh.read_bvh(write(tmp_path / "a.bvh", one), units="cm")
    assert {"Arm", "Hand"} <= set(found.skeleton.names)


def test_the_shared_files_are_the_shared_motion(shared):
    """One was made of the other, as `README.md` there says, with other lengths."""
    folder = shared / "data/real"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    from human_pose.exchange.pose_sets import read_pose_motion

    ways = []
    for motion in (
        bvh.read_bvh(folder / "bvh/09_05.bvh"),
        read_pose_motion(folder / "dev/train_sh.h5"),
    ):
        joints = np.stack([joint(motion, name) for name in LIFTER_17.names], axis=1)
        way = joints[:, 1:] - joints[:, LIFTER_17.parents[1:]]
        ways.append(way / np.linalg.norm(way, axis=-1, keepdims=True))
    # Every fifth frame, of which the three first are out of some camera's view.
    own, other = ways[0][25:140:5], ways[1][843:866]
    (x, y), (u, v) = (np.moveaxis(way, -1, 0)[:2] for way in (own, other))
    turn = rotations.about(
        "Z", np.arctan2((x * v - y * u).sum(), (x * u + y * v).sum())
    )
    np.testing.assert_allclose(own @ turn.T, other, atol=1e-4)
