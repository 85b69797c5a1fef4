"""Files of markers as other programs read them: names, headings, what is missing."""

import dataclasses

import made_up_motion
import numpy as np
import pytest

from human_pose.exchange import c3d, markers, trc
from human_pose.geometry.known_skeletons import KNOWN

MOTION = made_up_motion.motion()
JOINTS = MOTION.joints_3d_mm


def test_a_trc_is_as_pose2sim_and_opensim_read_it(tmp_path):
    """Names, tabs at the ends of the headings, and no row that ends in a blank."""
    joints = JOINTS.copy()
    joints[1, -1] = np.nan
    path = tmp_path / "a.trc"
    trc.write_trc(path, dataclasses.replace(MOTION, joints_3d_mm=joints))
    lines = path.read_text().splitlines()
    assert lines[3].startswith("Frame#\tTime\tHip\t\t\tRHip\t\t\tRKnee\t")
    assert lines[3].endswith("\tRWrist\t\t\t")
    assert lines[4].endswith("\tX17\tY17\tZ17\t")
    assert lines[6].endswith("\tNaN\tNaN\tNaN")
    assert {len(line.split("\t")) for line in lines[5:]} == {2 + 3 * 17}
    np.testing.assert_allclose(
        trc.read_trc(path).joints_3d_mm, joints, rtol=0, atol=1e-5
    )


def test_times_in_a_trc_are_by_its_rate(tmp_path):
    """Of every fifth frame, too, whose rate is that of those that are there."""
    every = dataclasses.replace(
        MOTION, frames=10 + 5 * np.arange(len(MOTION)), fps=25.0
    )
    trc.write_trc(tmp_path / "a.trc", every)
    lines = (tmp_path / "a.trc").read_text().splitlines()[5:]
    times = [float(line.split("\t")[1]) for line in lines]
    np.testing.assert_allclose(np.diff(times), 1 / 25, atol=1e-6)
    assert [line.split("\t")[0] for line in lines[:2]] == ["10", "15"]


def test_times_of_another_rate_are_told(tmp_path, caplog):
    path = tmp_path / "a.trc"
    for step, fps in ((1, 60), (2, 60), (5, 30)):
        numbers = step * np.arange(len(MOTION))
        trc.write_trc(path, dataclasses.replace(MOTION, frames=numbers, fps=fps))
        trc.read_trc(path)
    assert "its times" not in caplog.text
    path.write_text(path.read_text().replace("30\t30", "120\t30"))
    assert trc.read_trc(path).fps == 120
    assert "its times are of 30 frames a second; DataRate, which counts, is 120" in (
        caplog.text
    )


@pytest.mark.parametrize("skeleton", KNOWN.values(), ids=KNOWN)
def test_markers_are_joints_again(skeleton):
    words = markers.markers_of(skeleton.names)
    assert len({*words}) == len(words)
    assert markers.joints_of(words) == [*skeleton.names]


def test_markers_that_mean_one_joint_keep_their_names():
    assert markers.joints_of(["MidHip", "Hip", "LKnee"]) == [
        "MidHip",
        "Hip",
        "left_knee",
    ]
    assert markers.markers_of(["pelvis", "Hip", "neck"]) == [
        "pelvis",
        "Hip",
        "UpperNeck",
    ]


def test_ezc3d_reads_what_is_written(tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    c3d.write_c3d(tmp_path / "a.c3d", MOTION)
    found = ezc3d.c3d(str(tmp_path / "a.c3d"))
    points = found["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_allclose(points, JOINTS, rtol=0, atol=1e-4)
    parameters = found["parameters"]
    assert parameters["POINT"]["UNITS"]["value"] == ["mm"]
    assert parameters["POINT"]["LABELS"]["value"][:2] == ["Hip", "RHip"]
    # Two words of 16 bits: others cannot read floats.
    for end, number in (("START", MOTION.frames[0]), ("END", MOTION.frames[-1])):
        field = parameters["TRIAL"][f"ACTUAL_{end}_FIELD"]
        assert (field["type"], [*field["value"]]) == (2, [number + 1, 0])


def test_points_that_are_missing_have_the_formats_residual(tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    joints = JOINTS.copy()
    joints[1, 4] = np.nan
    c3d.write_c3d(tmp_path / "a.c3d", dataclasses.replace(MOTION, joints_3d_mm=joints))
    found = ezc3d.c3d(str(tmp_path / "a.c3d"))["data"]["meta_points"]["residuals"][0]
    np.testing.assert_array_equal(found == -1, np.isnan(joints[..., 0]).T)
    assert (found[~np.isnan(joints[..., 0]).T] == 0).all()
    back = c3d.read_c3d(tmp_path / "a.c3d").joints_3d_mm
    np.testing.assert_allclose(back, joints, rtol=0, atol=1e-4)
