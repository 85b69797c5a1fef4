"""Detections in tables and arrays: npz, csv, DeepLabCut, SLEAP, VideoPose3D, h5."""

import h5py
import made_up_detections as made_up
import numpy as np
import pytest

from human_pose.exchange import (
    deeplabcut,
    plain,
    plain_csv,
    pose_file,
    sleap,
    videopose3d,
)
from human_pose.files.errors import InputError
from human_pose.geometry import known_skeletons as known
from human_pose.geometry.skeletons import LIFTER_17, VIEW_NAMES

DLC_H5, DLC_CSV = deeplabcut.FORMATS
NPZ, BLAZEPOSE = plain.FORMATS


def same(read, recording):
    """Whether a recording came back with all that a table holds."""
    np.testing.assert_array_equal(read.joints_2d_px, recording.joints_2d_px)
    np.testing.assert_array_equal(read.confidence, recording.confidence)
    np.testing.assert_array_equal(read.frames, recording.frames)
    np.testing.assert_array_equal(read.sequence, recording.sequence)
    return read.view_names == recording.view_names and (
        read.skeleton.names == recording.skeleton.names
    )


@pytest.mark.parametrize("people", [1, 2])
@pytest.mark.parametrize("module", [plain, plain_csv])
def test_plain_files_come_back(module, people, tmp_path):
    recording = made_up.recording(
        people=people,
        frames=4,
        skeleton=LIFTER_17,
        sequence=[0, 0, 1, 1],
    ).replace(frames=[5, 7, 0, 1])
    if module is plain:
        tracks = np.arange(8 * people).reshape(4, 2, people) if people > 1 else None
        recording = recording.replace(fps=23.976, tracks=tracks)
    module.write(tmp_path / "a.x", recording)
    assert module.recognises(tmp_path / "a.x")
    read = module.read(tmp_path / "a.x")
    assert same(read, recording) and read.fps == recording.fps
    assert (read.tracks is None) == (recording.tracks is None)
    assert not read.seen[0, 0, 0, 0]


def test_a_plain_npz_of_somebody_elses(tmp_path):
    """The least there need be: Human3.6M's words, no numbers, three marks of unseen."""
    joints = np.full((3, 1, 3, 2), 7.0, np.float32)
    joints[0, 0, 1], joints[1, 0, 2, 0], joints[2, 0, 0] = 0, np.nan, -1
    names = {
        "joint_names": ["hip", "left_foot", "Nose"],
        "view_names": np.array([b"a"]),
    }
    np.savez_compressed(tmp_path / "a.npz", joints_2d_px=joints, **names)
    read = plain.read(tmp_path / "a.npz")
    assert read.skeleton.names == ("pelvis", "left_ankle", "nose")
    assert read.seen[:, 0, 0].tolist() == [[1, 0, 1], [1, 1, 0], [0, 1, 1]]
    assert read.fps is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joints_2d_px": np.ones((2, 1, 3, 3))}, r"joints_2d_px must have shape"),
        (
            {"joints_2d_px": np.full((2, 1, 3, 2), np.inf)},
            "joints_2d_px must be finite",
        ),
        ({"joints_2d_px": np.full((2, 1, 3, 2), 0.5)}, "must be pixels"),
        # Joints that are guessed below the image's edge.
        ({"joints_2d_px": np.linspace(0.1, 1.3, 12).reshape(2, 1, 3, 2)}, "be pixels"),
        ({"confidence": np.full((2, 1, 3), 7.0)}, "confidence must be from 0 to 1"),
        ({"confidence": np.ones((2, 1))}, "confidence must have shape"),
        ({"joint_names": ["a", "a", "b"]}, "Received twice: 'a'"),
        ({"view_names": ["a", "b"]}, "view_names must have shape"),
        ({"fps": 0.0}, "fps must be positive"),
        ({"sequence": [0.2, 0.8]}, "sequence must be whole numbers; received 0.2"),
        ({"frames": [0, np.nan]}, "frames must be whole numbers; received nan"),
        ({"frames": np.uint64([0, 2**63])}, "frames must be whole numbers"),
        ({"joint_names": ["a", "b\tc", "d"]}, "must be printable"),
        ({"fps": np.array([25.0])}, "fps must have shape"),
        ({"joints_2d_px": np.array([{}])}, "numbers or text, no objects"),
    ],
)
def test_plain_npz_that_are_none(changes, message, tmp_path):
    arrays = {
        "joints_2d_px": np.ones((2, 1, 3, 2)) * 9,
        "joint_names": ["a", "b", "c"],
        "view_names": ["v"],
    }
    np.savez(tmp_path / "a.npz", **(arrays | changes))
    with pytest.raises(InputError, match=message) as error:
        plain.read(tmp_path / "a.npz")
    assert str(tmp_path) in str(error.value)


def test_blazepose(shared):
    """The same detections as Pose2Sim's folders of them, to their three digits."""
    from human_pose.exchange import openpose

    recording = shared / "data/recording"
    assert BLAZEPOSE.recognises(recording / "blazepose33.npz")
    read = BLAZEPOSE.read(recording / "blazepose33.npz")
    written = openpose.read(recording / "single/pose")
    assert read.view_names == written.view_names and read.fps == 60
    rows = [known.BLAZEPOSE_33.index(name) for name in known.COCO_17.names]
    np.testing.assert_allclose(
        read.joints_2d_px[..., rows, :], written.joints_2d_px, atol=6e-4
    )


def test_a_wide_csv(tmp_path):
    (tmp_path / "a.csv").write_text(
        "frame,left/nose/x,left/nose/y,left/nose/confidence,left/tail/x,left/tail/y\n"
        "4,10,20,0.5,30,40\n"
        "3,,,0.5,0,0\n"
        "\n"
    )
    assert plain_csv.recognises(tmp_path / "a.csv")
    read = plain_csv.read(tmp_path / "a.csv", fps=30)
    assert read.frames.tolist() == [3, 4] and read.view_names == ("left",)
    assert read.skeleton.names == ("nose", "tail") and read.fps == 30
    assert read.joints_2d_px[1, 0, 0].tolist() == [[10, 20], [30, 40]]
    assert read.confidence[:, 0, 0].tolist() == [[0, 0], [0.5, 1]]


@pytest.mark.parametrize("word", ["confidence", "likelihood", "Score"])
def test_words_for_confidence(word, tmp_path):
    (tmp_path / "long.csv").write_text(f"frame,view,joint,x,y,{word}\n0,a,nose,9,9,0.5")
    (tmp_path / "wide.csv").write_text(f"frame,a/b/x,a/b/y,a/b/{word}\n0,9,9,0.5")
    for name in ("long.csv", "wide.csv"):
        assert plain_csv.read(tmp_path / name).confidence.tolist() == [[[[0.5]]]]


def test_columns_that_are_not_read_are_told(tmp_path, caplog):
    (tmp_path / "a.csv").write_text("frame,view,joint,x,y,sure\n0,a,nose,9,9,0.5")
    assert plain_csv.read(tmp_path / "a.csv").confidence.tolist() == [[[[1.0]]]]
    assert "a.csv: columns that are not read: sure" in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0,a,nose,9,9", "0,a,nose,8,8"], "each joint must have one row"),
        (["0,a,nose,9"], "no table of detections"),
        (["0,a,nose,9,x"], "could not convert"),
        (["1.5,a,nose,9,9"], "frame must be whole numbers; received 1.5"),
        ([",a,nose,9,9"], "frame must be whole numbers"),
        (["0,a,nose,1e9,9"], "within"),
        ([f"{i},v{i},j{i},9,9" for i in range(200)], "200 rows for"),
        ([], "must hold a row below its columns' names"),
    ],
)
def test_csv_that_are_none(rows, message, tmp_path):
    lines = ["frame,view,joint,x,y", *rows]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=message) as error:
        plain_csv.read(tmp_path / "a.csv")
    assert str(error.value).startswith(str(tmp_path))


@pytest.mark.parametrize("individuals", [(), ("me", "you")])
@pytest.mark.parametrize(
    ("format_", "write", "ending"),
    [
        (DLC_H5, made_up.write_deeplabcut_h5, ".h5"),
        (DLC_CSV, made_up.write_deeplabcut_csv, ".csv"),
    ],
)
def test_deeplabcut(format_, write, ending, individuals, tmp_path):
    for view in ("cam1", "cam_2"):
        write(tmp_path / f"{view}DLC_resnet50_netshuffle1_100{ending}", individuals)
    assert format_.recognises(tmp_path)
    read = format_.read(tmp_path, fps=100)
    assert read.view_names == ("cam1", "cam_2") and read.fps == 100
    assert read.skeleton.names == ("nose", "tail")
    assert read.joints_2d_px[1, 1, 0].tolist() == [[11, 12], [14, 15]]
    assert read.confidence[1, 0, 0].tolist() == [0.13, 0.16]
    assert read.seen[0, 0, 0].tolist() == [False, True]
    if individuals:
        assert read.joints_2d_px[0, 0, 1].tolist() == [[7, 8], [10, 11]]
        assert read.tracks[0, 0].tolist() == [0, 1]


def test_deeplabcuts_frames_are_whole_numbers(tmp_path):
    path = made_up.write_deeplabcut_h5(tmp_path / "a.h5", index=(3.0, 4.0))
    assert DLC_H5.read(path).frames.tolist() == [3, 4]
    made_up.write_deeplabcut_h5(path, index=(0.5, 1.5))
    with pytest.raises(InputError, match=r"index must be whole .* received 0\.5"):
        DLC_H5.read(path)


def test_deeplabcut_views_of_other_parts(tmp_path):
    path = made_up.write_deeplabcut_csv(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text(path.read_text().replace("tail", "paw"))
    with pytest.raises(InputError, match=r"b\.csv: must have the body parts.*tail"):
        DLC_CSV.read(tmp_path)
    (tmp_path / "b.csv").write_text(path.read_text().replace(",likelihood", ",z"))
    with pytest.raises(InputError, match="received 'z'"):
        DLC_CSV.read(tmp_path)


def test_sleap(tmp_path):
    made_up.write_sleap(tmp_path / "left.analysis.h5")
    made_up.write_sleap(tmp_path / "right.h5", scores=False)
    assert sleap.recognises(tmp_path)
    read = sleap.read(tmp_path, fps=60)
    assert read.view_names == ("left", "right") and len(read) == 3
    # Person 1, x and y of node 0 in frame 2: rows 1·2·2·3 + 2, and 2·3 more.
    assert read.joints_2d_px[2, 0, 1, 0].tolist() == [15, 21]
    assert not read.seen[2, 0, 0, 1] and read.tracks[1, 1].tolist() == [0, 1]
    assert read.confidence[0, 0].tolist() == [[0.5, 0.5], [1, 0.5]]
    assert read.confidence[0, 1].tolist() == [[1, 1], [1, 1]]
    made_up.write_sleap(tmp_path / "right.h5", names=("nose", "paw"))
    with pytest.raises(InputError, match="the same nodes"):
        sleap.read(tmp_path)
    made_up.write_sleap(tmp_path / "right.h5", names=("nose",))
    with pytest.raises(InputError, match=r"right\.h5: node_names must be 2"):
        sleap.read(tmp_path)


def test_sleap_in_another_order(tmp_path):
    path = tmp_path / "a.h5"
    made_up.write_sleap(path)
    with h5py.File(path, "a") as file:
        file["track_names"] = [b"one", b"two"]
        tracks, scores = file["tracks"][()], file["point_scores"][()]
    assert len(sleap.read(path)) == 3
    with h5py.File(path, "a") as file:
        del file["tracks"], file["point_scores"]
        file["tracks"] = tracks.transpose(3, 0, 2, 1)
        file["point_scores"] = scores.transpose(2, 0, 1)
    with pytest.raises(InputError, match=r"of the 2 in track_names; received 3 first"):
        sleap.read(path)
    # Nobody was tracked.
    made_up.write_sleap(path)
    with h5py.File(path, "a") as file:
        file["track_names"] = []
    assert len(sleap.read(path)) == 3


def walk(frames, at):
    return np.full((frames, 17, 2), at, np.float32)


def test_videopose3d(tmp_path, monkeypatch):
    from absl import logging

    lines = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *args: lines.append(text % args)
    )
    positions = {
        "S9": {"Walking": [walk(2, 10 + view) for view in range(4)]},
        "S11": {"Photo 1": [walk(3 - (view == 2), 20 + view) for view in range(4)]},
    }
    path = made_up.write_videopose3d(tmp_path / "a.npz", positions)
    assert videopose3d.recognises(path)
    read = videopose3d.read(path, fps=50)
    assert read.view_names == VIEW_NAMES and read.skeleton == LIFTER_17
    assert read.sequence.tolist() == [0, 0, 1, 1, 1]
    assert read.frames.tolist() == [0, 1, 0, 1, 2]
    assert read.joints_2d_px[:, 1, 0, 0, 0].tolist() == [11, 11, 21, 21, 21]
    assert not read.seen[4, 2].any() and read.seen[:4].all()
    assert "S11 Photo 1 has views of 3, 3, 2, 3 frames" in lines[0]
    videos = {
        "left.mp4": {"custom": [walk(2, 5)]},
        "right.mp4": {"custom": [walk(2, 6)]},
    }
    read = videopose3d.read(made_up.write_videopose3d(path, videos, "coco"))
    assert read.view_names == ("left.mp4", "right.mp4") and len(read) == 2
    assert read.skeleton == known.COCO_17


class Runs:
    def __reduce__(self):
        return open, ("made", "w")


@pytest.mark.parametrize(
    ("positions", "layout", "message"),
    [
        ({"S1": {"a": [walk(2, 5)]}}, "humaneva15", "layout_name must be coco or h36m"),
        ({"S1": {"a": [walk(2, 5)[:, :16]]}}, "h36m", r"arrays \[F, 17, 2\]"),
        ({"S1": {"a": [walk(2, 5)], "b": [walk(2, 5)] * 2}}, "h36m", "S1 b must have"),
        ({"S1": {"a": [Runs()]}}, "h36m", "is not read from pickles"),
        ({"S1": ["a"]}, "h36m", "is no file of VideoPose3D"),
        (
            {"S1": {"a b": [walk(2, 5)]}, "S1 a": {"b": [walk(2, 5)]}},
            "h36m",
            "S1 a b may be two takes",
        ),
        ({}, "h36m", "is no file of VideoPose3D"),
    ],
)
def test_videopose3d_that_is_none(positions, layout, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made_up.write_videopose3d(tmp_path / "a.npz", positions, layout)
    with pytest.raises(InputError, match=message):
        videopose3d.read(tmp_path / "a.npz")
    assert not (tmp_path / "made").exists()


def test_the_lifters_files_need_no_truth(tmp_path):
    joints = np.full((3, 4, 17, 2), 5.0)
    joints[1, 2, 6] = 0
    joints[2, 0, 3] = np.nan
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["joint_2d"] = joints
        file["sequence"] = [0, 0, 4]
        file["fps"] = 24.0
    assert pose_file.recognises(tmp_path / "a.h5")
    read = pose_file.read(tmp_path / "a.h5", fps=25)
    assert read.view_names == VIEW_NAMES and read.skeleton == LIFTER_17
    assert read.fps == 25 and read.sequence.tolist() == [0, 0, 4]
    assert pose_file.read(tmp_path / "a.h5").fps == 24
    hidden = np.argwhere(~read.seen[:, :, 0])
    assert hidden.tolist() == [[1, 2, 6], [2, 0, 3]]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("x,y,score,visibility", "score and visibility are all 'confidence'"),
        ("x,y,x,confidence", "x and x are all 'x'"),
    ],
)
def test_columns_that_mean_the_same_are_refused(columns, said, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"frame,view,joint,{columns}\n0,a,nose,10,20,0.5,0.25\n")
    with pytest.raises(InputError, match=said):
        plain_csv.read(path)


@pytest.mark.parametrize("comma", [" ,", " ;", " \t"])
def test_spaces_before_commas_are_no_part_of_names(comma, tmp_path):
    """A view whose name ends in one was another view, which had no camera."""
    lines = ["frame,view,joint,x,y", "0,left,nose,5,6", "0,left ,left_eye,7,8"]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines).replace(",", comma))
    found = plain_csv.read(path)
    assert found.view_names == ("left",)
    assert found.joints_2d_px[0, 0, 0].tolist() == [[5, 6], [7, 8]]


def test_spaces_after_commas_are_no_part_of_names(tmp_path):
    """A joint called so was none of the prior's."""
    path = tmp_path / "a.csv"
    path.write_text("frame, view, joint, x, y\n0, a, pelvis, 10, 20\n0, a, nose, ,\n")
    assert plain_csv.recognises(path)
    read = plain_csv.read(path)
    assert (read.view_names, read.skeleton.names) == (("a",), ("pelvis", "nose"))
    assert read.seen.ravel().tolist() == [True, False]


def test_confidence_itself_counts_before_other_words(tmp_path, caplog):
    path = tmp_path / "a.csv"
    row = "10,20,0.5,0.25"
    path.write_text(f"frame,view,joint,x,y,confidence,score\n0,a,nose,{row}\n")
    assert plain_csv.read(path).confidence.item() == 0.5
    assert "columns that are not read: score" in caplog.text
    wide = "frame,a/nose/x,a/nose/y,a/nose/confidence,a/nose/score"
    path.write_text(f"{wide}\n0,{row}\n")
    assert plain_csv.read(path).confidence.item() == 0.5
