"""Files of 3D motion: round trips, and files made by hand from their documentation."""

import dataclasses
import logging
import re
import struct
import sys

import h5py
import made_up_motion
import numpy as np
import pytest
from made_up_motion import AMC, ASF

from human_pose.exchange import (
    amc,
    anipose,
    c3d,
    c3d_file,
    formats,
    motion_npz,
    poses,
    trc,
)
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import LIFTER_17

MOTION = made_up_motion.motion()
JOINTS = MOTION.joints_3d_mm


@pytest.mark.parametrize(
    ("module", "ending", "accuracy_mm", "keeps_fps"),
    [
        (trc, "trc", 1e-5, True),
        (c3d, "c3d", 1e-4, True),
        (anipose, "csv", 1e-5, False),
        (motion_npz, "npz", 0, True),
    ],
)
def test_what_is_written_is_read(tmp_path, module, ending, accuracy_mm, keeps_fps):
    if ending == "c3d":
        pytest.importorskip("ezc3d")
    path = tmp_path / f"a.{ending}"
    form = next(each for each in module.FORMATS if f".{ending}" in each.suffixes)
    assert not form.recognises(path)
    form.write(path, MOTION)
    found = form.read(path)
    np.testing.assert_allclose(found.joints_3d_mm, JOINTS, rtol=0, atol=accuracy_mm)
    assert found.skeleton == LIFTER_17
    np.testing.assert_array_equal(found.frames, MOTION.frames)
    assert found.fps == (pytest.approx(59.94, rel=1e-6) if keeps_fps else None)
    others = [f for m in (trc, c3d, amc, anipose, poses) for f in m.FORMATS]
    assert [f.name for f in others if f.recognises(path)] == [form.name]
    assert not any(f.recognises(tmp_path) for f in others)
    # Where y is up in the motion, the file is the same.
    turned = dataclasses.replace(MOTION, joints_3d_mm=JOINTS[..., [1, 2, 0]], up="y")
    form.write(tmp_path / "b", turned)
    assert (tmp_path / "b").read_bytes().replace(b"\tb\n", b"\ta.trc\n") == (
        path.read_bytes()
    )


@pytest.mark.parametrize("module", [trc, c3d])
def test_a_frame_rate_must_be_known(tmp_path, module):
    unknown = dataclasses.replace(MOTION, fps=None)
    with pytest.raises(InputError, match=r"^fps must be given for .*a\.x"):
        module.FORMATS[0].write(tmp_path / "a.x", unknown)
    assert not list(tmp_path.iterdir())


def test_trcs_times_leave_gaps(tmp_path):
    path = tmp_path / "a.trc"
    gaps = dataclasses.replace(MOTION, fps=10.0, frames=[3, 4, 5, 9, 10, 11])
    trc.write_trc(path, gaps)
    times = [line.split("\t")[:2] for line in path.read_text().splitlines()[5:]]
    assert times[2:4] == [["5", "0.500000"], ["9", "0.900000"]]
    assert trc.read_trc(path).frames.tolist() == [3, 4, 5, 9, 10, 11]


def test_a_table_whose_second_letter_is_c3ds_mark_is_a_table(tmp_path):
    path = tmp_path / "a.csv"
    head = ",".join(f"LPaw{n}_{axis}" for n in range(40) for axis in "xyz")
    path.write_text(f"{head}\n{','.join(map(str, range(120)))}\n")
    assert path.read_bytes()[1] == c3d_file.MARK
    assert len(formats.read_motion(path, units="mm").skeleton) == 40


# As Pose2Sim writes it, with a joint that was not found.
TRC = """PathFileType	4	(X/Y/Z)	a.trc
DataRate	CameraRate	NumFrames	NumMarkers	Units	OrigDataRate	OrigDataStartFrame	OrigNumFrames
60	60	2	3	m	60	0	2
Frame#	Time	Hip			RAnkle			Head		
		X1	Y1	Z1	X2	Y2	Z2	X3	Y3	Z3
0	0.0	0.1	0.9	0.2	0.3	0.1	0.2	0.1	1.7	0.2
1	0.016667	0.1	0.9	0.2				0.1	1.7	0.2
"""  # noqa: E501


def test_pose2sims_own_trc(tmp_path, caplog):
    path = tmp_path / "a.trc"
    path.write_text(TRC)
    found = trc.read_trc(path)
    assert found.fps == 60
    assert found.frames.tolist() == [0, 1]
    assert {"pelvis", "right_ankle"} <= set(found.skeleton.names)
    # x y z there is y z x here.
    pelvis = found.joints_3d_mm[0, found.skeleton.index("pelvis")]
    np.testing.assert_allclose(pelvis, [200, 100, 900])
    assert np.isnan(found.joints_3d_mm[1, found.skeleton.index("right_ankle")]).all()
    caplog.set_level(logging.WARNING)
    assert "are the units right" not in caplog.text
    path.write_text(TRC.replace("\tm\t", "\tmm\t"))
    trc.read_trc(path)
    assert "the body's joints span 1.206 mm" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PathFileType", "Path", "must begin with the five lines"),
        ("Units", "Unit", "must say Units in its third line"),
        ("\tm\t", "\tell\t", "units must be one of mm, cm, m, inch; received 'ell'"),
        ("0.016667\t0.1", "0.016667\tx", "line 7 must be numbers"),
        ("1.7\t0.2\n1", "1.7\t0.2\t9\n1", "line 6 must have 11 columns; it has 12"),
        ("RAnkle", "Hip", "must differ. Received twice: 'Hip'"),
        ("60\t60", "0\t60", "fps must be positive; received 0.0"),
        (TRC[TRC.index("0\t0.0") :], "", "at least one frame; it holds none"),
    ],
)
def test_what_is_wrong_with_a_trc_is_one_line(tmp_path, old, new, message):
    path = tmp_path / "a.trc"
    assert old in TRC
    path.write_text(TRC.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        trc.read_trc(path)
    assert str(error.value).startswith(str(path))


def c3d_bytes(order, *, scale, vax=False, units=((2,), b"mm"), long=None):
    """A C3D file of two points in two frames, from the format's documentation.

    `long` is the number of frames in a parameter of its own, the header's being full.
    """

    def number(kind, value):
        if kind == "f" and vax:
            four = struct.pack("<f", value * 4)
            return four[2:] + four[:2]
        return struct.pack(f"{order}{kind}", value)

    def parameter(group, name, kind, shape, data):
        head = struct.pack("bb", len(name), group) + name.encode()
        body = struct.pack("bB", kind, len(shape)) + bytes(shape) + data + b"\0"
        return head + number("h", 2 + len(body)) + body

    def group(number_, name):
        head = struct.pack("bb", len(name), -number_) + name.encode()
        return head + number("h", 3) + b"\0"

    labels = b"S:LKNE  S:RKNE  "
    parameters = (
        group(1, "POINT")
        + parameter(1, "USED", 2, (), number("h", 2))
        + parameter(1, "SCALE", 4, (), number("f", scale))
        + parameter(1, "RATE", 4, (), number("f", 100.0))
        + parameter(1, "DATA_START", 2, (), number("h", 3))
        + parameter(1, "UNITS", -1, *units)
        + parameter(1, "LABELS", -1, (8, 2), labels)
        + (parameter(1, "LONG_FRAMES", 4, (), number("f", long)) if long else b"")
        + b"\0\0\0\0"
    )
    processor = {"<": 85 if vax else 84, ">": 86}[order]
    parameters = bytes([1, 0x50, 1, processor]) + parameters
    header = bytes([2, 0x50]) + b"".join(
        number("H", value) for value in (2, 1, 5, 65535 if long else 6, 10)
    )
    header += number("f", scale) + number("H", 3) + number("H", 1) + number("f", 100.0)
    kind = "f" if scale < 0 else "h"
    frames = bytearray()
    for frame in range(long or 2):
        for point in range(2):
            values = (100 * frame, 400 * point, 600, -1 if frame and point else 0)
            frames += b"".join(number(kind, value) for value in values)
        frames += number(kind, 99)  # one analogue sample
    return header.ljust(512, b"\0") + parameters.ljust(512, b"\0") + frames


@pytest.mark.parametrize(
    ("order", "scale", "vax"),
    [("<", -1.0, False), ("<", 0.5, False), (">", -1.0, False), ("<", -0.1, True)],
)
def test_c3d_of_every_machine(tmp_path, order, scale, vax):
    path = tmp_path / "a.c3d"
    path.write_bytes(c3d_bytes(order, scale=scale, vax=vax))
    found = c3d_file.read_c3d_file(path)
    factor = max(scale, 0) or 1
    expected = factor * np.array(
        [[[0, 0, 600], [0, 400, 600]], [[100, 0, 600], [np.nan] * 3]]
    )
    np.testing.assert_allclose(found.points, expected)
    assert (found.rate, found.units, found.first) == (100, "mm", 4)
    motion = c3d.read_c3d(path, units="cm")
    assert motion.skeleton.names == ("LKNE", "RKNE")
    np.testing.assert_allclose(motion.joints_3d_mm, 10 * expected)


def test_a_c3d_has_no_frames_before_the_first(tmp_path, caplog):
    path = tmp_path / "a.c3d"
    # Some programs count from 0.
    content = bytearray(c3d_bytes("<", scale=-1.0))
    content[6:10] = struct.pack("<HH", 0, 1)
    path.write_bytes(content)
    assert c3d.read_c3d(path, units="cm").frames.tolist() == [0, 1]
    pytest.importorskip("ezc3d")
    before = dataclasses.replace(MOTION, frames=np.arange(-2, 4))
    c3d.write_c3d(path, before)
    assert c3d.read_c3d(path).frames.tolist() == [*range(6)]
    assert "C3D numbers frames from 0 on, not from -2" in caplog.text


def test_a_c3d_of_more_frames_than_its_header_can_count_is_read_whole(tmp_path):
    path = tmp_path / "a.c3d"
    path.write_bytes(c3d_bytes("<", scale=-1.0, long=65_600))
    points = c3d_file.read_c3d_file(path).points
    np.testing.assert_array_equal(points[:, 0, 0], 100 * np.arange(65_600))


def test_amc_by_hand(tmp_path):
    (tmp_path / "01.asf").write_text(ASF)
    (tmp_path / "other.asf").write_text("")
    path = tmp_path / "01_02.amc"
    path.write_text(AMC)
    assert amc.FORMATS[0].recognises(path)
    found = amc.read_amc(path, units="m")
    assert found.fps == 120
    joints = {
        name: found.joints_3d_mm[:, found.skeleton.index(name)] / 1000
        for name in found.skeleton.names
    }
    # y up there is z up here: (x, y, z) becomes (z, x, y).
    np.testing.assert_allclose(joints["root"][0], [0, 0, 10])
    np.testing.assert_allclose(joints["left_hip"][0], [0, 1.5, 8])
    np.testing.assert_allclose(joints["left_knee"][0], [0, 1.5, 1])
    np.testing.assert_allclose(joints["pelvis"][0], [0, 0, 8])
    # X first, then Y: (1.5, -2, 0) goes to (1.5, 0, -2), and to (-2, 0, -1.5).
    hip = np.array([1.0 - 2, 10, 2 - 1.5])
    np.testing.assert_allclose(joints["left_hip"][1], hip[[2, 0, 1]], atol=1e-12)
    # The bone's own Y is C y = -x: down turns about it by 90° to z, which the root, X
    # first, makes -y.
    knee = hip + 7 * np.array([0, -1, 0])
    np.testing.assert_allclose(joints["left_knee"][1], knee[[2, 0, 1]], atol=1e-12)
    inches = amc.read_amc(path)
    np.testing.assert_allclose(
        inches.joints_3d_mm, found.joints_3d_mm / 1000 * 25.4 / 0.45
    )


def test_an_amcs_lines_may_have_any_order(tmp_path):
    (tmp_path / "01.amc").write_text(AMC)
    found = []
    length, way = "     length 7\n", "     direction 0 -1 0\n"
    assert way + length in ASF
    none = ASF.replace("length 7\n", "length 0\n")
    for text in (ASF, ASF.replace(way + length, length + way), none):
        (tmp_path / "01.asf").write_text(text)
        found.append(amc.read_amc(tmp_path / "01.amc", units="m").joints_3d_mm)
    np.testing.assert_array_equal(found[0], found[1])
    text = none.replace(way, "").replace("length 0\n", "length 0\n" + way)
    (tmp_path / "01.asf").write_text(text)
    last = amc.read_amc(tmp_path / "01.amc", units="m").joints_3d_mm
    np.testing.assert_array_equal(last, found[2])


def test_an_amc_says_how_it_counts_angles(tmp_path):
    (tmp_path / "01.asf").write_text(ASF)
    path = tmp_path / "01.amc"
    path.write_text(AMC)
    degrees = amc.read_amc(path).joints_3d_mm
    path.write_text(AMC.replace(" 90", f" {np.pi / 2}").replace("DEGREES", "RADIANS"))
    assert amc.is_amc(path)
    np.testing.assert_allclose(amc.read_amc(path).joints_3d_mm, degrees, atol=1e-9)


def test_an_amcs_skeleton_is_no_other_persons(tmp_path):
    for name in ("10.asf", "9.asf", "walk.asf"):
        (tmp_path / name).write_text(ASF)
    for name in ("10_01.amc", "10.amc", "walk-2.amc"):
        (tmp_path / name).write_text(AMC)
        assert len(amc.read_amc(tmp_path / name)) == 2
    (tmp_path / "102_01.amc").write_text(AMC)
    with pytest.raises(InputError, match=r"an \.asf file whose name begins its own"):
        amc.read_amc(tmp_path / "102_01.amc")


@pytest.mark.parametrize(
    ("asf", "amc_text", "message"),
    [
        ("", AMC, "must hold the units and bones of an ASF skeleton"),
        (
            ASF.replace("rhipjoint\n    l", "\n    l"),
            AMC,
            "every bone on the root once",
        ),
        (
            ASF.replace("lhipjoint lfemur", "lhipjoint lfemur root"),
            AMC,
            "every bone on the root once; received 'root'",
        ),
        (
            ASF.replace("rhipjoint\n    l", "rhipjoint lfemur\n    l"),
            AMC,
            "every bone on the root once; received 'lfemur'",
        ),
        (ASF.replace("     length 7\n", ""), AMC, "bone of a direction and a length"),
        (ASF.replace("axis XYZ", "axis XYA"), AMC, "name three axes; received 'XYA'"),
        (ASF, AMC.replace("lfemur 0 90 0", ""), "lfemur.* are not in all"),
        (ASF, AMC.replace("90 90 0", "90 90"), "must have 6 finite numbers; received"),
        (
            ASF,
            AMC.replace("lfemur 0 90", "lulna 0 90"),
            "once in each frame; rec.*lulna",
        ),
    ],
)
def test_what_is_wrong_with_an_amc_is_one_line(tmp_path, asf, amc_text, message):
    (tmp_path / "01.asf").write_text(asf)
    (tmp_path / "01.amc").write_text(amc_text)
    with pytest.raises(InputError, match=message):
        amc.read_amc(tmp_path / "01.amc")
    (tmp_path / "01.asf").unlink()
    with pytest.raises(InputError, match=r"an \.asf file whose name begins its own"):
        amc.read_amc(tmp_path / "01.amc")


def test_anipose_columns(tmp_path):
    path = tmp_path / "a.csv"
    errors = np.full((6, 17), 1.25)
    anipose.write_anipose(path, MOTION, errors_px=errors, cameras_used=2 * errors)
    header, first, *_ = path.read_text().splitlines()
    columns = dict(zip(header.split(","), first.split(","), strict=True))
    assert header.startswith("pelvis_x,pelvis_y,pelvis_z,pelvis_error,pelvis_ncams,pel")
    assert header.endswith("M_21,M_22,center_0,center_1,center_2,fnum")
    assert float(columns["pelvis_error"]) == 1.25
    assert float(columns["pelvis_ncams"]) == 2.5
    assert float(columns["pelvis_score"]) == 1
    assert [columns[f"M_{i}{i}"] for i in range(3)] == ["1.0"] * 3
    assert columns["fnum"] == "7"


@pytest.mark.parametrize("cell, said", [("8.5", "8.5"), ("", "nan")])
def test_frames_are_whole_numbers(cell, said, tmp_path):
    """Half a frame is none, and neither is a blank one: a truth is matched by them."""
    table, markers = tmp_path / "a.csv", tmp_path / "a.trc"
    anipose.write_anipose(table, MOTION)
    table.write_text(re.sub(r",8$", f",{cell}", table.read_text(), flags=re.M))
    trc.write_trc(markers, MOTION)
    markers.write_text(re.sub(r"^8\t", f"{cell}\t", markers.read_text(), flags=re.M))
    for path, column in ((table, "fnum"), (markers, "Frame#")):
        with pytest.raises(
            InputError, match=f"{column} must be whole numbers; received {said}"
        ):
            formats.read_motion(path)


@pytest.mark.parametrize(
    ("units", "said"),
    [
        (((0,), b""), ""),
        (((0, 1), b""), ""),
        (((), b"m"), "m"),
        (((2, 1), b"cm"), "cm"),
    ],
)
def test_a_c3ds_units_may_be_of_any_shape(units, said, tmp_path):
    path = tmp_path / "a.c3d"
    path.write_bytes(c3d_bytes("<", scale=-1.0, units=units))
    assert c3d_file.read_c3d_file(path).units == said


@pytest.mark.parametrize("module", [anipose, c3d, trc])
def test_points_at_the_origin_are_missing(module, tmp_path, caplog):
    """Programs write zeros for markers that are lost, and call them found."""
    if module is c3d:
        pytest.importorskip("ezc3d")
    joints = JOINTS.copy()
    joints[3:5, 7] = 0
    zeros = dataclasses.replace(MOTION, joints_3d_mm=joints)
    form = module.FORMATS[0]
    path = tmp_path / "a"
    form.write(path, zeros)
    found = form.read(path, units="mm" if module is anipose else None)
    assert np.isnan(found.joints_3d_mm[3:5, 7]).all()
    known = np.isfinite(joints[..., 0]) & (joints != 0).any(axis=-1)
    np.testing.assert_array_equal(np.isfinite(found.joints_3d_mm[..., 0]), known)
    assert "2 points lie at (0, 0, 0); they are taken for missing" in caplog.text
    centred = dataclasses.replace(MOTION, joints_3d_mm=JOINTS - JOINTS[:, :1])
    form.write(path, centred)
    found = form.read(path, units="mm" if module is anipose else None)
    assert (found.joints_3d_mm[:, 0] == 0).all()
    # A body that is never near the origin has no joint there.
    away = JOINTS + np.array([5000.0, 0, 0])
    away[:, 0] = 0
    form.write(path, dataclasses.replace(MOTION, joints_3d_mm=away))
    found = form.read(path, units="mm" if module is anipose else None)
    assert np.isnan(found.joints_3d_mm[:, 0]).all()
    assert np.isfinite(found.joints_3d_mm[:, 1]).all()


@pytest.mark.parametrize("fps", [29.97, 59.94, 23.976])
def test_a_c3ds_rate_has_no_digits_of_its_floats(fps, tmp_path):
    pytest.importorskip("ezc3d")
    path = tmp_path / "a.c3d"
    c3d.write_c3d(path, dataclasses.replace(MOTION, fps=fps))
    assert c3d.read_c3d(path).fps == fps


def test_the_rate_of_files_that_do_not_say_it(tmp_path):
    """Also where the format has a usual one; what a file says stays."""
    (tmp_path / "01.asf").write_text(ASF)
    (tmp_path / "01.amc").write_text(AMC)
    takes = {"S1": {"Walking": JOINTS[3:] / 1000}}
    np.savez(tmp_path / "data_3d.npz", positions_3d=np.array(takes, dtype=object))
    anipose.write_anipose(tmp_path / "a.csv", MOTION)
    trc.write_trc(tmp_path / "a.trc", MOTION)
    motion_npz.write_motion_npz(
        tmp_path / "a.npz", dataclasses.replace(MOTION, fps=None)
    )
    usual = {"01.amc": 120, "data_3d.npz": 50, "a.csv": None, "a.npz": None}
    for name, rate in usual.items():
        units = "mm" if name == "a.csv" else None
        assert formats.read_motion(tmp_path / name, units).fps == rate
        assert formats.read_motion(tmp_path / name, units, fps=60).fps == 60
    assert formats.read_motion(tmp_path / "a.trc", fps=60).fps == MOTION.fps


def test_units_that_cannot_be_told(tmp_path):
    path = tmp_path / "a.csv"
    anipose.write_anipose(path, dataclasses.replace(MOTION, joints_3d_mm=JOINTS / 5))
    with pytest.raises(InputError, match=r"^units must be said for .*a body of \d+"):
        anipose.read_anipose(path)
    found = anipose.read_anipose(path, units="inch")
    np.testing.assert_allclose(found.joints_3d_mm, JOINTS * 25.4 / 5, atol=1e-3)


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(
        InputError, match=r"a\.c3d: needs the package ezc3d; pip install 'wib.*formats"
    ):
        c3d.write_c3d(tmp_path / "a.c3d", MOTION)
    assert not list(tmp_path.iterdir())


def test_videopose3ds_positions(tmp_path):
    path = tmp_path / "data_3d_h36m.npz"
    takes = {"S1": {"Walking": JOINTS[:2] / 1000, "Eating 1": JOINTS[3:] / 1000}}
    np.savez(path, positions_3d=np.array(takes, dtype=object))
    form = motion_npz.FORMATS[1]
    assert form.recognises(path)
    assert not motion_npz.FORMATS[0].recognises(path)
    found = form.read(path)
    np.testing.assert_allclose(found.joints_3d_mm, JOINTS[[0, 1, 3, 4, 5]])
    assert found.sequence.tolist() == [0, 0, 1, 1, 1]
    assert found.frames.tolist() == [0, 1, 0, 1, 2]
    for wrong in ({"S1": 3}, {"S1": {"a": np.ones((2, 5, 3))}}, {}, {"S1": {"a": "b"}}):
        np.savez(path, positions_3d=np.array(wrong, dtype=object))
        with pytest.raises(InputError, match=str(path)):
            form.read(path)


def test_the_lifters_own_files(tmp_path):
    path = tmp_path / "a_sh.h5"
    form = poses.FORMATS[-1]
    with h5py.File(path, "w") as file:
        file["joint_3d"] = np.nan_to_num(JOINTS)
    assert form.recognises(path)
    found = form.read(path)
    np.testing.assert_array_equal(found.joints_3d_mm, np.nan_to_num(JOINTS))
    assert (found.skeleton, found.fps) == (LIFTER_17, None)
    with h5py.File(path, "a") as file:
        file["fps"], file["sequence"] = 24.0, [0, 0, 0, 1, 1, 1]
    found = form.read(path)
    assert (found.fps, found.sequence.tolist()) == (24, [0, 0, 0, 1, 1, 1])
    with h5py.File(path, "a") as file:
        del file["sequence"]
        file["sequence"] = [[0], [0], [0], [1], [1], [1]]
    with pytest.raises(InputError, match=r"sequence must have shape \[6\]"):
        form.read(path)
