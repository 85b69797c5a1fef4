"""Calibrations of other tools, from files by hand and back."""

import dataclasses
import logging

import numpy as np
import pytest
from made_up_motion import FIELDS, FILES, qualisys_file, rig

from human_pose.exchange import calibrations
from human_pose.exchange.calibrations import (
    file_storage,
    human36m,
    qualisys,
    tables,
)
from human_pose.files.errors import InputError
from human_pose.files.h5 import read_h5
from human_pose.geometry.cameras import Camera

POINTS = np.random.default_rng(0).normal((0, 0, 900), 300, (50, 3))


def assert_same(found, expected):
    assert [c.name for c in found] == [c.name for c in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.size_px == other.size_px
        assert one.lens == other.lens
        np.testing.assert_allclose(
            one.project(POINTS), other.project(POINTS), rtol=0, atol=1e-6
        )
        np.testing.assert_allclose(one.position_mm, other.position_mm, atol=1e-6)


FORMATS = {each.name: each for each in calibrations.FORMATS}
FOUR = (-0.2, 0.25, -0.001, 0.0005)


@pytest.mark.parametrize(
    ("name", "file", "options"),
    [
        ("anipose", "a.toml", {}),
        ("anipose", "a.toml", {"lens": ()}),
        (
            "anipose",
            "a.toml",
            {"lens": (0.02, -0.01, 0.003, -0.001), "model": "fisheye"},
        ),
        ("pose2sim", "a.toml", {"lens": FOUR}),
        ("opencv", "pair", {}),
        ("opencv", "all.yml", {"lens": FOUR}),
        ("opencv", "all.xml", {"lens": (*FOUR, 0.1, 0.01, 0.02, 0.003)}),
    ],
)
def test_what_is_written_is_read(tmp_path, name, file, options):
    path = tmp_path / file
    FORMATS[name].write(path, rig(**options))
    assert_same(FORMATS[name].read(path), rig(**options))
    assert [each.name for each in FORMATS.values() if each.recognises(path)] == [name]
    assert not any(each.recognises(tmp_path) for each in FORMATS.values())


def test_easymocaps_pair_by_any_of_its_paths(tmp_path):
    file_storage.write_file_storage(tmp_path, rig())
    for path in (tmp_path, tmp_path / "intri.yml", tmp_path / "extri.yml"):
        assert_same(file_storage.read_file_storage(path), rig())
    with pytest.raises(InputError, match=r"intri\.yml: is the name of one file of"):
        file_storage.write_file_storage(tmp_path / "new" / "intri.yml", rig())
    (tmp_path / "extri.yml").unlink()
    with pytest.raises(InputError, match=r"with intri.yml and extri.yml in one folder"):
        file_storage.read_file_storage(tmp_path)


POSE2SIM = """
[int_cam1_img]
name = "cam_01"
size = [ 1088.0, 1920.0]
matrix = [ [ 1681.2, 0.0, 532.9], [ 0.0, 1681.0, 948.1], [ 0.0, 0.0, 1.0]]
distortions = [ -0.046, 0.139, 0.0006, 0.0007]
rotation = [ 1.2, -1.0, 0.9]
translation = [ 0.3, 1.1, 4.2]
fisheye = false

[int_cam2_img]
name = "cam_02"
size = [ 1088.0, 1920.0]
matrix = [ [ 1681.2, 0.0, 532.9], [ 0.0, 1681.0, 948.1], [ 0.0, 0.0, 1.0]]
distortions = [ -0.046, 0.139, 0.0006, 0.0007]
rotation = [ 1.2, 1.0, -0.9]
translation = [ 0.1, 1.2, 4.0]
fisheye = false

[metadata]
adjusted = false
error = 0.0
"""
# Rotations were matrices first, and vectors later.
CALISCOPE = """
CreationDate = 2023-03-31T09:56:43.193358
[cameras.0]
port = 0
size = [1280, 720]
rotation_count = 0
error = 0.453
matrix = [[663.0, 0.0, 656.3], [0.0, 673.4, 342.1], [0.0, 0.0, 1.0]]
distortions = [0.2, -0.3, -0.0043, -0.0049, 0.158]
translation = [0.0, 0.0, 0.9]
rotation = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
[cameras.1]
port = 1
ignore = true
matrix = [[663.0, 0.0, 656.3], [0.0, 673.4, 342.1], [0.0, 0.0, 1.0]]
[cameras.2]
cam_id = 2
size = [1280, 720]
matrix = [[663.0, 0.0, 656.3], [0.0, 673.4, 342.1], [0.0, 0.0, 1.0]]
distortions = [0.2, -0.3, -0.0043, -0.0049, 0.158]
translation = [0.5, 0.0, 0.9]
rotation = [0.0, 0.0, 1.5707963267948966]
fisheye = false
"""


def write(path, text):
    path.write_text(text, "utf-8")
    return path


def test_pose2sims_own_file(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    cameras = tables.read_toml(write(tmp_path / "Calib.toml", POSE2SIM))
    assert [c.name for c in cameras] == ["cam_01", "cam_02"]
    assert cameras[0].size_px == (1088, 1920)
    np.testing.assert_array_equal(cameras[0].translation_mm, [300, 1100, 4200])
    assert cameras[1].distortion == (-0.046, 0.139, 0.0006, 0.0007)
    assert "taken as m, as the rig's size implies" in caplog.text
    assert FORMATS["pose2sim"].recognises(tmp_path / "Calib.toml")


def test_caliscopes_own_file(tmp_path):
    path = write(tmp_path / "camera_array.toml", CALISCOPE)
    first, second = tables.read_toml(path, units="m")
    assert (first.name, second.name) == ("port_0", "cam_2")
    np.testing.assert_allclose(first.rotation, second.rotation, atol=1e-15)
    np.testing.assert_array_equal(second.translation_mm, [500, 0, 900])
    assert FORMATS["caliscope"].recognises(path)
    # Before it had one table of all.
    write(path, CALISCOPE.replace("[cameras.", "[cam_"))
    assert tables.is_caliscope(path) and not tables.is_anipose(path)
    write(path, POSE2SIM.replace("[int_cam1_img]", "[airport]"))
    assert tables.is_pose2sim(path) and not tables.is_caliscope(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"cam_02"', '"cam_01"', "names of their own; twice: cam_01"),
        ("rotation = [ 1.2, 1.0, -0.9]", "", "camera cam_02: must hold rotation; it"),
        ("[ 1.2, 1.0, -0.9]", "[[1,0,0],[0,1,0],[0,0,-1]]", "cam_02: .*right-handed"),
        ("[ 1.2, 1.0, -0.9]", "[1.2, 1.0]", r"shape \[3, 3\] or \[3\]; received \[1.2"),
        ("[ 1.2, 1.0, -0.9]", "[69.0, 57, -52]", "cam_02: rotation must be in radians"),
        ("[ 1.2, 1.0, -0.9]", '"north"', "rotation must be numbers; received 'north'"),
        ("-0.046, 0.139", "-2.0, 0.1", "must not fold within the image; it shows not"),
        ("0.0006, 0.0007", "0.0006", "cam_01: .*k1 k2 p1 p2"),
        (
            "0.0006, 0.0007",
            "0,0,0,0,0,0,0,0,0,nan",
            "cam_01: distortion must be finite",
        ),
        ("0.0006, 0.0007", "[1, 2]", "cam_01: distortion must be numbers; received"),
        ("[ 1681.2, 0.0", "[ 1681.2, 3.0", "without skew"),
        ("1681.2", "-1681.2", "`focal_px` must be positive"),
        ("1088.0", "1088.5", "size must be whole numbers"),
        ("fisheye = false", "fisheye = 1", "fisheye must be true or false; received 1"),
        ("error = 0.0", 'units = "ells"', "must be one of mm, cm, m, inch"),
        (
            "translation = [ 0.1, 1.2, 4.0]",
            "translation = [0,0,9e9]",
            "in none of mm, m",
        ),
        ("[int_cam1_img]", "[int_cam1_img", "is no readable TOML file"),
        (POSE2SIM, "a = 1", "must hold a camera; it holds none"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, old, new, message):
    assert old in POSE2SIM
    path = write(tmp_path / "Calib.toml", POSE2SIM.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        tables.read_toml(path)
    assert "\n" not in str(error.value)
    for each in FORMATS.values():
        each.recognises(path)
    assert str(path) in str(error.value)


def test_pose2sims_cameras_have_the_order_of_its_folders(tmp_path):
    first = dataclasses.replace(rig()[0], distortion=FOUR)
    cameras = [dataclasses.replace(first, name=f"cam_{n}") for n in (10, 2, 1)]
    tables.write_pose2sim(tmp_path / "a.toml", cameras)
    read = tables.read_toml(tmp_path / "a.toml")
    assert [camera.name for camera in read] == ["cam_1", "cam_2", "cam_10"]


def test_zeros_of_opencvs_rational_model_are_none(tmp_path):
    """It gives 14 numbers, the last six for what it did not fit."""
    rational = "0.0006, 0.0007, 0.01, 0.2, 0.1, 0.02"
    path = write(
        tmp_path / "a.toml",
        POSE2SIM.replace("0.0006, 0.0007", rational + 6 * ", 0.0"),
    )
    assert len(tables.read_toml(path)[0].distortion) == 8
    prism = POSE2SIM.replace("0.0006, 0.0007", rational + 5 * ", 0.0" + ", 0.1")
    with pytest.raises(InputError, match="thin prism or a tilted sensor"):
        tables.read_toml(write(path, prism))


def test_a_matrix_of_another_picture_is_told(tmp_path, caplog):
    tables.read_toml(write(tmp_path / "a.toml", POSE2SIM))
    assert "principal point" not in caplog.text
    turned = POSE2SIM.replace("[ 1088.0, 1920.0]", "[ 1920.0, 1088.0]")
    assert turned != POSE2SIM
    tables.read_toml(write(tmp_path / "a.toml", turned))
    assert "far from the middle of its picture, 1920 x 1088 px" in caplog.text


def test_units(tmp_path):
    path = tmp_path / "a.toml"
    small = [0.3, 1.1, 4.2], [0.1, 1.2, 4.0]
    found = tables.read_toml(write(path, POSE2SIM), units="cm")
    np.testing.assert_allclose(found[0].translation_mm, [3, 11, 42])
    for factor, scale in ((1000, 1), (1, 1000), (6, None)):
        text = POSE2SIM
        for values in small:
            text = text.replace(
                str(values)[1:-1], str([factor * v * 4 for v in values])[1:-1]
            )
        write(path, text)
        if scale is None:
            with pytest.raises(InputError, match=r"^units must be said for .*a rig of"):
                tables.read_toml(path)
            continue
        found = tables.read_toml(path)
        np.testing.assert_allclose(found[0].translation_mm, [1200, 4400, 16800])


def test_one_camera_at_the_origin_has_no_size(tmp_path, caplog):
    (camera, *_) = rig()
    alone = dataclasses.replace(camera, translation_mm=np.zeros(3))
    tables.write_anipose(tmp_path / "a.toml", [alone])
    (found,) = tables.read_toml(tmp_path / "a.toml")
    assert found.translation_mm.tolist() == [0, 0, 0]
    assert "are the units right" not in caplog.text


def test_a_size_that_is_not_known(tmp_path, caplog):
    unknown = Camera(*(getattr(rig()[0], field) for field in FIELDS), name="a")
    tables.write_anipose(tmp_path / "a.toml", [unknown])
    assert "twice its centre, is written" in caplog.text
    (found,) = tables.read_toml(tmp_path / "a.toml")
    assert found.size_px == (1000, 1020)


def test_writers_refuse_what_a_format_cannot_hold(tmp_path):
    with pytest.raises(InputError, match="cam00: Pose2Sim has k1 k2 p1 p2 alone"):
        tables.write_pose2sim(tmp_path / "a.toml", rig())
    with pytest.raises(InputError, match="have no fisheye"):
        file_storage.write_file_storage(
            tmp_path, rig(lens=(0, 0, 0, 0), model="fisheye")
        )
    odd = [Camera(*(getattr(rig()[0], f) for f in FIELDS), name="a b:{")]
    with pytest.raises(InputError, match="cannot be written by OpenCV"):
        file_storage.write_file_storage(tmp_path / "new", odd)
    assert not any(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    ("name", "file"),
    [("anipose", "a.toml"), ("pose2sim", "a.toml"), ("opencv", "a.yml")],
)
def test_writers_lose_no_camera(tmp_path, name, file):
    cameras = rig(lens=FOUR)
    same = [dataclasses.replace(camera, name="left") for camera in cameras]
    for few, message in (
        (same, "must have names of their own; twice: left"),
        ([], "must hold a camera; it holds none"),
    ):
        with pytest.raises(InputError, match=rf"^{tmp_path / file}: .*{message}"):
            FORMATS[name].write(tmp_path / file, few)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["metadata", "cameras", "charuco"])
def test_pose2sims_cameras_are_called_as_no_other_table(tmp_path, name):
    odd = dataclasses.replace(rig(lens=FOUR)[0], name=name)
    with pytest.raises(InputError, match="its name is that of another table"):
        tables.write_pose2sim(tmp_path / "a.toml", [*rig(lens=FOUR)[1:], odd])


def test_pose2sims_lenses(tmp_path):
    """It reads any four numbers as k1 k2 p1 p2, whatever `fisheye` says."""
    with pytest.raises(InputError, match="cam00: Pose2Sim has no fisheye"):
        tables.write_pose2sim(tmp_path / "a.toml", rig(lens=FOUR, model="fisheye"))
    tables.write_pose2sim(tmp_path / "a.toml", rig(lens=(*FOUR, 0.0)))
    assert tables.is_pose2sim(tmp_path / "a.toml")
    read = tables.read_toml(tmp_path / "a.toml")
    assert [camera.distortion for camera in read] == [FOUR] * 3


def test_qualisys_by_hand(tmp_path):
    path = qualisys_file(tmp_path / "a.qca.txt", ("A", -4000), ("B", 4000))
    first, _ = qualisys.read_qualisys(path)
    assert (first.name, first.size_px) == ("A", (1000, 1002))
    np.testing.assert_array_equal(first.position_mm, [-4000, 0, 1000])
    # It looks along x: y is to the left, z is up.
    np.testing.assert_allclose(first.project(np.array([0, 0, 1000.0])), [500, 500])
    np.testing.assert_allclose(first.project(np.array([0, 400, 1400.0])), [400, 400])
    assert FORMATS["qualisys"].recognises(path)
    # In pixels, and of the whole sensor.
    text = path.read_text().replace("fov_video", "fov_other")
    for old, new in (("64000", "1000"), ("32512", "508"), ("33024", "516")):
        text = text.replace(f'"{old}"', f'"{new}"')
    whole, _ = qualisys.read_qualisys(
        write(
            path,
            text.replace(
                "<intrinsic", '<intrinsic sensorMaxU="1920" sensorMaxV="1080"'
            ),
        )
    )
    assert whole.size_px == (1920, 1080)
    np.testing.assert_allclose(whole.project(np.array([0, 0, 1000.0])), [508, 516])
    bomb = '<!DOCTYPE a [<!ENTITY b "bb">]>'
    write(path, path.read_text().replace("<calibration", f"{bomb}<calibration", 1))
    with pytest.raises(InputError, match="without declarations of its own"):
        qualisys.read_qualisys(path)
    qualisys_file(path, ("A", "far"))
    with pytest.raises(
        InputError, match="camera A: transform: x must be a number; rec"
    ):
        qualisys.read_qualisys(path)


def test_human36m_as_archived(tmp_path):
    make, _ = FILES["Human3.6M's cameras"]
    path, expected = make(tmp_path), rig(count=4)
    found = human36m.read_human36m(path)
    assert [c.name for c in found] == ["54138969", "55011271", "58860488", "60457274"]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.project(POINTS), other.project(POINTS))
    with pytest.raises(InputError, match=r"^subject must be one of 9, .*received 1"):
        human36m.read_human36m(path, subject=1)
    assert FORMATS["human36m"].recognises(path)


def test_the_shared_calibrations(shared):
    data = shared / "data"
    if not data.is_dir():
        pytest.skip("needs ../shared/data")
    cameras = human36m.read_human36m(data / "real/dev/cameras.h5")
    matrices = read_h5(data / "real/dev/cameras.h5", {"P": (4, 3, 4)})["P"]
    for each, matrix in zip(cameras, matrices, strict=True):
        u, v, w = matrix[:, :3] @ POINTS.T + matrix[:, 3:]
        np.testing.assert_allclose(each.project(POINTS).T, [u / w, v / w], atol=1e-9)
    recorded = qualisys.read_qualisys(
        data / "recording/single/calibration/Calib.qca.txt"
    )
    assert [c.name for c in recorded] == ["cam01", "cam02", "cam03", "cam04"]
    # All four look at the person who walks on the treadmill at the origin.
    for each in recorded:
        x, y = each.project(np.array([0.0, 0.0, 1000.0]))
        assert 0 < x < each.size_px[0]
        assert 0 < y < each.size_px[1]
