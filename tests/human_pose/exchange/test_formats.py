"""The table of formats: files are told by their content, writers by words."""

import dataclasses
import os

import made_up_detections as made_up
import made_up_recording
import numpy as np
import pytest
from absl import logging

from human_pose.exchange import formats, table
from human_pose.exchange.numbering import usual_step
from human_pose.exchange.recording import Motion, cameras_of, integers
from human_pose.files.errors import InputError
from human_pose.geometry.axes import upright
from human_pose.geometry.cameras import Camera
from human_pose.geometry.known_skeletons import KNOWN
from human_pose.geometry.skeletons import LIFTER_17

CAMERAS = [
    Camera(np.eye(3), [0, 0, 4000 + n], [1000, 1000], [500, 500], name=name)
    for n, name in enumerate(("cam_10", "spare", "cam_2"))
]


def test_names_are_told_apart():
    for kind in ("recording", "cameras", "motion"):
        names = [each.name for each in table.of_kind(kind)]
        assert len(set(names)) == len(names) > 3
        suffixes = [s for f in table.of_kind(kind) if f.write for s in f.suffixes]
        assert len(set(suffixes)) == len(suffixes)
    assert sum(map(len, map(table.of_kind, ("recording", "cameras", "motion")))) == len(
        table.all_formats()
    )


@pytest.mark.parametrize("to", ["npz", "csv", "openpose", "coco"])
def test_every_writers_files_are_recognised(to, tmp_path):
    recording = made_up.recording(fps=50)
    formats.write(tmp_path / "out", recording, to)
    assert table.recognise(tmp_path / "out").name == to
    read = formats.read_recording(tmp_path / "out", cameras=CAMERAS, frames=slice(1, 3))
    assert read.frames.tolist() == [1, 2]
    assert sorted(read.view_names) == ["cam_10", "cam_2"]
    depth = {"cam_10": 4000, "cam_2": 4002}
    for camera, name in zip(read.cameras, read.view_names, strict=True):
        assert camera.name == name and camera.translation_mm[2] == depth[name]
    asked = formats.read_recording(tmp_path / "out", fps=30)
    assert asked.fps == 30


def test_a_view_without_a_camera_is_said(tmp_path):
    formats.write(tmp_path / "a.npz", made_up.recording())
    with pytest.raises(
        InputError, match="no camera is named cam_10; views: cam_2, cam_10"
    ):
        formats.read_recording(tmp_path / "a.npz", cameras=CAMERAS[1:])


def test_names_are_matched_however_their_accents_are_written(tmp_path):
    """Files of macOS have them as letters of their own, which look the same."""
    views = ("tu\u0308r", "wand")  # ü of two letters
    camera = dataclasses.replace(CAMERAS[0], name="t\u00fcr")
    formats.write(tmp_path / "a.json", made_up.recording(views=views), to="coco")
    rig = [camera, dataclasses.replace(camera, name="wand")]
    for recording in (
        formats.read_recording(tmp_path / "a.json", cameras=rig),
        made_up.recording(views=views, cameras=rig),
    ):
        assert recording.view_names == ("t\u00fcr", "wand")
        assert [c.name for c in recording.cameras] == ["t\u00fcr", "wand"]
        assert recording.of_views(views[:1]).view_names == ("t\u00fcr",)
    assert cameras_of(views, rig, "rig") == tuple(rig)


def test_what_is_of_another_kind_is_said_to_be_that(tmp_path):
    """As where a calibration is given for detections, or for the truth."""
    formats.write(tmp_path / "rig.toml", CAMERAS)
    formats.write(tmp_path / "a.npz", made_up.recording())
    for read, name, words in (
        (formats.read_recording, "rig.toml", "cameras .Anipose.*, not a Pose2Sim"),
        (formats.read_motion, "rig.toml", "cameras .Anipose.*, not OpenSim's TRC"),
        (formats.read_cameras, "a.npz", "recording .plain .npz.*, not Anipose's"),
    ):
        with pytest.raises(InputError, match=rf"{name}: holds {words}"):
            read(tmp_path / name)


def test_cameras_without_a_view_are_told(tmp_path, caplog):
    """As where the folder of a view is missing, or called otherwise."""
    formats.write(tmp_path / "a.npz", made_up.recording(views=("cam_2",)))
    read = formats.read_recording(tmp_path / "a.npz", cameras=CAMERAS)
    assert [camera.name for camera in read.cameras] == ["cam_2"]
    others = [camera.name for camera in CAMERAS if camera.name != "cam_2"]
    assert f"no view is named {', '.join(others)}; views: cam_2" in caplog.text


def test_a_folder_may_hold_the_calibration(tmp_path):
    (tmp_path / "notes.txt").write_text("Monday")
    with pytest.raises(InputError, match=f"^{tmp_path}: is of no known format"):
        formats.read_cameras(tmp_path)
    formats.write(tmp_path / "monday.toml", CAMERAS)
    names = [camera.name for camera in CAMERAS]
    assert [camera.name for camera in formats.read_cameras(tmp_path)] == names
    formats.write(tmp_path / "tuesday.toml", CAMERAS)
    message = "must hold one calibration; it has monday.toml, tuesday.toml$"
    with pytest.raises(InputError, match=message):
        formats.read_cameras(tmp_path)


@pytest.mark.parametrize("up", ["y", "-y", "x"])
def test_a_calibrations_world_is_turned_to_z_upwards(up, tmp_path):
    """As of one that begins at a camera, whose y points downwards."""
    points = np.random.default_rng(0).normal((0, 0, 900), 300, (9, 3))
    rig = made_up_recording.cameras(2)
    turned = [
        dataclasses.replace(c, rotation=c.rotation @ upright(np.eye(3), up).T)
        for c in rig
    ]
    formats.write(tmp_path / "rig.toml", turned)
    views = tuple(camera.name for camera in rig)
    formats.write(tmp_path / "a.npz", made_up.recording(views=views))
    read = formats.read_recording(
        tmp_path / "a.npz", cameras=tmp_path / "rig.toml", up=up
    )
    for cameras in (read.cameras, formats.read_cameras(tmp_path / "rig.toml", up=up)):
        for found, camera in zip(cameras, rig, strict=True):
            np.testing.assert_allclose(found.project(points), camera.project(points))
    for options, message in (
        ({"up": up}, "up is of a calibration's world, and none is given"),
        ({"up": "up", "cameras": rig}, "up must be one of x, y, z, -x, -y, -z"),
    ):
        with pytest.raises(InputError, match=message):
            formats.read_recording(tmp_path / "a.npz", **options)


def test_unknown_files_are_said(tmp_path):
    (tmp_path / "x.json").write_text('{"what": 1}')
    with pytest.raises(InputError) as error:
        formats.read_recording(tmp_path / "x.json")
    line = str(error.value)
    assert "\n" not in line and """begins with '{"what": 1}'""" in line
    assert "a Pose2Sim project" in line and "DeepLabCut h5" in line
    with pytest.raises(InputError, match=r"a folder of x\.json; known are"):
        table.recognise(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        formats.read_cameras(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")  # whose reader would wait for ever
    with pytest.raises(InputError, match="it is a device or a pipe"):
        table.recognise(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"known are .*TRC"):
        formats.read_motion(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skeleton": "coco_17"}, "skeleton has no effect"),
        ({"skeleton": "coco"}, "`skeleton` must be one of"),
        ({"units": "m"}, "units are a calibration's"),
        ({"units": "m", "cameras": ()}, "units have no effect: cameras have millim"),
        ({"fps": 0.0}, "fps must be positive"),
        ({"frames": slice(3, None)}, "0 to 2; received '3:3'"),
        ({"frames": slice(0, 3, 2)}, "frames must be a range without steps"),
    ],
)
def test_options_that_say_nothing(options, message, tmp_path):
    formats.write(tmp_path / "a.npz", made_up.recording())
    with pytest.raises(InputError, match=message):
        formats.read_recording(tmp_path / "a.npz", **options)


def test_frames_twice_and_missing_are_said(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *args: lines.append(text % args)
    )
    recording = made_up.recording(frames=4)
    for frames, said in (([0, 5, 10, 15], 0), ([0, 1, 2, 4], 1)):
        formats.write(tmp_path / "a.npz", recording.replace(frames=frames))
        formats.read_recording(tmp_path / "a.npz")
        assert len(lines) == said
    assert "missing before number 4" in lines[0]
    takes = recording.replace(frames=[0, 1, 0, 1], sequence=[0, 0, 1, 1])
    formats.write(tmp_path / "a.npz", takes)
    formats.read_recording(tmp_path / "a.npz")
    formats.write(tmp_path / "a.npz", recording.replace(frames=[0, 1, 1, 2]))
    with pytest.raises(InputError, match="must ascend within a sequence; 1 does not"):
        formats.read_recording(tmp_path / "a.npz")
    unseen = recording.replace(confidence=np.zeros_like(recording.confidence))
    formats.write(tmp_path / "a.npz", unseen)
    with pytest.raises(InputError, match="must hold a joint that was found"):
        formats.read_recording(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("frames", "step"),
    [
        ([7], 1),
        ([0, 5, 10, 25], 5),
        # Of 300 frames 45 % are left, so that most steps are longer than 1.
        (np.flatnonzero(np.random.default_rng(0).random(300) < 0.45), 1),
        # Milliseconds of uneven times.
        ([0, 20, 55, 96, 148], 35),
    ],
)
def test_usual_steps(frames, step):
    assert usual_step(np.array(frames)) == step


def test_frames_that_lack_count_as_unseen(tmp_path, caplog):
    """As of a table without the frames that show nobody: time goes by the numbers."""
    recording = made_up.recording(frames=7, people=2).replace(
        frames=[10, 12, 18, 3, 4, 5, 90], sequence=[0, 0, 0, 1, 1, 1, 1], fps=25.0
    )
    formats.write(tmp_path / "a.npz", recording)
    read = formats.read_recording(tmp_path / "a.npz")
    assert read.frames.tolist() == [10, 12, 14, 16, 18, 3, 4, 5, 90]
    assert read.sequence.tolist() == [0] * 5 + [1] * 4
    there = [0, 1, 4, 5, 6, 7, 8]
    np.testing.assert_array_equal(read.joints_2d_px[there], recording.joints_2d_px)
    np.testing.assert_array_equal(read.confidence[there], recording.confidence)
    assert not read.seen[2:4].any()
    assert "before number 18, and perhaps more; they count as unseen" in caplog.text
    assert "before number 90, and perhaps more; what is before and" in caplog.text


def test_takes_among_each_other_are_put_one_after_the_other(tmp_path):
    """As tables that are sorted by frames have them: else no frame would follow one."""
    recording = made_up.recording(frames=6).replace(
        frames=[0, 0, 1, 1, 2, 2], sequence=[7, 3] * 3
    )
    formats.write(tmp_path / "a.npz", recording)
    read = formats.read_recording(tmp_path / "a.npz")
    assert read.sequence.tolist() == [7, 7, 7, 3, 3, 3]
    assert read.frames.tolist() == [0, 1, 2] * 2
    order = [0, 2, 4, 1, 3, 5]
    np.testing.assert_array_equal(read.joints_2d_px, recording.joints_2d_px[order])


def test_frames_of_a_take_that_was_thinned_are_all_there(tmp_path):
    """Of 100 frames a second some 30, times in milliseconds, and 24 of 60."""
    for frames in (
        [0, 3, 7, 10, 13, 17],
        [0, 33, 67, 100, 133, 167],
        [0, 2, 5, 7, 10, 12],
    ):
        thinned = made_up.recording(frames=6).replace(frames=frames, fps=30.0)
        formats.write(tmp_path / "a.npz", thinned)
        assert formats.read_recording(tmp_path / "a.npz").frames.tolist() == frames


def test_takes_that_come_again_have_other_frames(tmp_path):
    """A number of a frame would be there twice, whichever of the two was meant."""
    recording = made_up.recording(frames=4)
    for frames, takes in (([0, 1, 0, 1], [0, 1, 0, 1]), ([0, 0, 1, 0], [2, 1, 1, 2])):
        twice = recording.replace(frames=frames, sequence=takes)
        formats.write(tmp_path / "a.npz", twice)
        with pytest.raises(InputError, match="ascend within a sequence; 0 does not"):
            formats.read_recording(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nose neck left_shoulder right_shoulder", True),
        ("nose Neck left_shoulder right_shoulder", False),
        ("nose neck thorax left_shoulder", False),
        (" ".join(KNOWN["body_25b"].names), False),
    ],
)
def test_a_neck_that_may_be_the_shoulders_middle_is_told(words, said, tmp_path, caplog):
    """As most detectors have it; the vocabulary's lies ten centimetres higher."""
    names = words.split()
    values = np.arange(2.0 * len(names)).reshape(1, 1, -1, 2) + 100
    arrays = {"joints_2d_px": values, "joint_names": names, "view_names": ["a"]}
    np.savez(tmp_path / "a.npz", **arrays)
    formats.read_recording(tmp_path / "a.npz")
    standing = np.zeros((1, len(names), 3))
    standing[0, 1:, 2] = 1600
    np.savez(tmp_path / "b.npz", joints_3d_mm=standing, joint_names=names)
    formats.read_motion(tmp_path / "b.npz")
    told = [line for line in caplog.messages if "its name must be thorax" in line]
    assert len(told) == 2 * said


@pytest.mark.parametrize("apart, said", [(3, 1), (2, 0)])
def test_views_whose_frames_are_numbered_apart_are_told(
    apart, said, tmp_path, monkeypatch
):
    """As where each picture of all views has a number of its own."""
    lines = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *args: lines.append(text % args)
    )
    recording = made_up.recording(frames=3)
    for place, name in enumerate(recording.view_names):
        view = recording.of_views([name])
        numbered = view.replace(frames=np.arange(3) + apart * place)
        formats.write(tmp_path / f"{name}.json", numbered)
    numbers = formats.read_recording(tmp_path).frames
    assert numbers.tolist() == list(range(3 + apart))
    assert (
        sum("are the views' frames numbered alike?" in line for line in lines) == said
    )


@pytest.mark.parametrize(
    ("name", "to"), [("a.trc", None), ("a", None), ("a.npz", "csvv")]
)
def test_no_writer_is_said(name, to, tmp_path):
    with pytest.raises(InputError, match=r"to must be, for recording, .*npz \(.npz\)"):
        formats.write(tmp_path / name, made_up.recording(), to)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_floats_that_hide_the_next_number_are_no_numbers(bits):
    kind = np.dtype(f"f{bits // 8}")
    most = 2 ** (np.finfo(kind).nmant + 1)
    assert integers("frames", np.array([most - 1], kind)) == most - 1
    with pytest.raises(InputError, match="frames must be whole numbers"):
        integers("frames", np.array([most + 1], kind))


@pytest.mark.parametrize("name", ["frames", "sequence"])
def test_motion_has_a_number_for_each_frame(name):
    with pytest.raises(InputError, match=rf"{name} must be one for each of 3 frames"):
        Motion(np.zeros((3, 17, 3)), LIFTER_17, **{name: [0, 1]})


def test_motion_of_a_range():
    joints = np.arange(4.0 * 17 * 3).reshape(4, 17, 3)
    motion = Motion(joints, LIFTER_17, 25.0, frames=[7, 8, 9, 10])
    part = formats.of_range(motion, slice(8, 10))
    np.testing.assert_array_equal(part.joints_3d_mm, joints[1:3])
    assert part.frames.tolist() == [8, 9] and part.fps == 25
    assert formats.of_range(motion, None) is motion
    with pytest.raises(InputError, match=r"motion, 7 to 10; received '20:30'"):
        formats.of_range(motion, slice(20, 30))
