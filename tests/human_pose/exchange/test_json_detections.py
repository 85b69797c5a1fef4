"""Detections in JSON: OpenPose's folders, COCO's results, MMPose's three shapes."""

import json

import made_up_detections as made_up
import numpy as np
import pytest

from human_pose.exchange import coco, mmpose, openpose
from human_pose.files.errors import InputError
from human_pose.geometry import known_skeletons as known
from human_pose.geometry.skeletons import LIFTER_17

PERSON = made_up.person()


@pytest.fixture
def warned(monkeypatch):
    """The warnings that readers log."""
    from absl import logging

    lines = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *args: lines.append(text % args)
    )
    return lines


def entries(*people, frames=(0,)):
    """COCO's results: each person in each of the frames, named as given."""
    return [
        {"image_id": f, "category_id": 1, "keypoints": p.ravel().tolist(), "score": 1.0}
        for f in frames
        for p in people
    ]


def instance(values=PERSON, **more):
    joints, scores = values[:, :2].tolist(), values[:, 2].tolist()
    return {
        "keypoints": joints,
        "keypoint_scores": scores,
        "bbox": [[0, 0, 1, 1]],
        **more,
    }


@pytest.mark.parametrize("module", [openpose, coco])
@pytest.mark.parametrize("people", [1, 2])
def test_what_is_written_is_read(module, people, tmp_path):
    tracks = np.arange(6 * people).reshape(3, 2, people) if people > 1 else None
    recording = made_up.recording(people=people, frames=3, tracks=tracks)
    module.write(tmp_path / "out", recording)
    assert module.recognises(tmp_path / "out")
    read = module.read(tmp_path / "out", fps=50)
    assert read.fps == 50 and read.skeleton == known.COCO_17
    order = [read.view_names.index(name) for name in recording.view_names]
    np.testing.assert_allclose(read.joints_2d_px[:, order], recording.joints_2d_px)
    np.testing.assert_allclose(
        read.confidence[:, order], recording.confidence, atol=1e-4
    )
    if people > 1:
        np.testing.assert_array_equal(read.tracks[:, order], tracks)


@pytest.mark.parametrize("module", [openpose, coco])
def test_writers_refuse_what_readers_would_mistake(module, tmp_path):
    lifters = made_up.recording(skeleton=LIFTER_17)
    with pytest.raises(InputError, match=r"joints by their number alone.*spine"):
        module.write(tmp_path / "out", lifters)
    feet = made_up.recording(skeleton=known.COCO_23)
    module.write(tmp_path / "feet", feet)
    read = module.read(tmp_path / "feet")
    assert read.skeleton == known.BODY_25  # the smallest that has feet
    toe = known.BODY_25.index("left_big_toe")
    assert read.joints_2d_px[1, 1, 0, toe, 0] in feet.joints_2d_px[1, :, 0, 17, 0]
    for views in (("../out",), ("a/b",), (".left",)):
        with pytest.raises(InputError, match="names that files can have"):
            module.write(tmp_path / "out", made_up.recording(views=views))
    takes = made_up.recording(frames=2).replace(frames=[0, 0], sequence=[0, 1])
    with pytest.raises(InputError, match="2 sequences repeat"):
        module.write(tmp_path / "out", takes)
    with pytest.raises(InputError, match="must be a new or an empty folder"):
        module.write(tmp_path / "feet", made_up.recording())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["feet"]


@pytest.mark.parametrize("module", [openpose, coco])
def test_joints_of_next_to_no_confidence_are_found(module, tmp_path):
    recording = made_up.recording(frames=2, views=("left",), skeleton=known.COCO_17)
    faint = recording.replace(confidence=np.where(recording.seen, 1e-6, 0.0))
    module.write(tmp_path / "left.json", faint)
    files = [path for path in tmp_path.rglob("*.json") if path.is_file()]
    assert not any("NaN" in path.read_text() for path in files)
    found = module.read(tmp_path / "left.json")
    np.testing.assert_array_equal(found.seen, faint.seen)


@pytest.mark.parametrize(
    ("joints", "skeleton"),
    [
        (17, known.COCO_17),
        (18, known.COCO_18),
        (25, known.BODY_25),
        (26, known.HALPE_26),
        (33, known.BLAZEPOSE_33),
        (133, known.COCO_23),
    ],
)
def test_joints_are_told_by_their_number(joints, skeleton, tmp_path):
    folder = made_up.write_openpose(
        tmp_path / "a_json", {"a_000000_keypoints.json": [made_up.person(joints)]}
    )
    assert openpose.recognises(folder)
    read = openpose.read(folder)
    assert read.view_names == ("a",) and read.skeleton == skeleton
    x = read.joints_2d_px[0, 0, 0, :, 0]
    np.testing.assert_array_equal(x, 100.0 + np.arange(len(skeleton)))
    if joints == 17:
        asked = openpose.read(folder, skeleton=LIFTER_17)
        assert asked.skeleton == LIFTER_17
    with pytest.raises(InputError, match=f"has 16 joints; received {joints}"):
        openpose.read(folder, skeleton=known.MPII_16)


def test_frames_are_matched_by_their_numbers(tmp_path, warned):
    """View b begins a frame later and lacks one; 0, 0, 0 and nobody are unseen."""
    hidden = PERSON.copy()
    hidden[3] = 0
    made_up.write_openpose(
        tmp_path / "a_json",
        {"a_000007.json": [hidden], "a_000008.json": [], "a_000009.json": [PERSON]},
    )
    made_up.write_openpose(
        tmp_path / "b_json",
        {"b_000008.json": [PERSON + 1], "b_000010.json": [PERSON, PERSON]},
    )
    read = openpose.read(tmp_path)
    assert read.view_names == ("a", "b")
    assert read.frames.tolist() == [7, 8, 9, 10]
    people = read.seen.any(axis=-1).sum(axis=-1)
    assert people.tolist() == [[1, 0], [0, 1], [1, 0], [0, 2]]
    assert not read.seen[0, 0, 0, 3] and read.seen[0, 0, 0, [2, 4]].all()
    assert read.joints_2d_px[1, 1, 0, 0].tolist() == [101, 111]
    assert "a lacks 1, the first 10; b lacks 2, the first 7" in warned[0]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({"a_01.json": [PERSON], "b_1.json": [PERSON]}, "a_01.json and b_1.json"),
        ({"a_x.json": [PERSON]}, "a_x.json: must end with the number"),
        ({"a_0.json": []}, "must hold a person"),
        ({"a_0.json": [PERSON[:5]]}, "no known skeleton has 5 joints"),
        ({"a_0.json": [PERSON, PERSON[:16]]}, "16 and 17 joints"),
        ({"a_0.json": [PERSON / 200]}, "coordinates must be pixels"),
        ({"a_0.json": [PERSON * 1e5]}, "within ±1e.06 px"),
        ({"a_0.json": [PERSON], "a_99999.json": [PERSON]}, "one by one"),
        ({f"a_{10**20}.json": [PERSON]}, "numbers of frames or people"),
    ],
)
def test_what_is_wrong_with_frames_is_said(frames, message, tmp_path):
    folder = made_up.write_openpose(tmp_path / "a_json", frames)
    with pytest.raises(InputError, match=message) as error:
        openpose.read(folder)
    assert str(folder) in str(error.value)


def test_a_view_is_called_as_its_folder_or_link(tmp_path, monkeypatch):
    frames = {"0001.json": [PERSON]}
    made_up.write_openpose(tmp_path / "stored" / "5f3e", frames)
    (tmp_path / "left_json").symlink_to("stored/5f3e")
    assert openpose.read(tmp_path / "left_json").view_names == ("left",)
    monkeypatch.chdir(tmp_path / "stored" / "5f3e")
    assert openpose.read(".").view_names == ("5f3e",)


def test_empty_folders_and_views_twice_are_said(tmp_path):
    made_up.write_openpose(tmp_path / "a_json", {"a_0.json": [PERSON]})
    (tmp_path / "b_json").mkdir()
    with pytest.raises(InputError, match="b_json: must hold the frames of a view"):
        openpose.read(tmp_path)
    made_up.write_openpose(tmp_path / "a", {"a_0.json": [PERSON]})
    with pytest.raises(InputError, match="a and a_json are both of view a"):
        openpose.read(tmp_path)
    assert not openpose.recognises(tmp_path / "b_json")


def test_alphapose_is_scaled(tmp_path, warned):
    """Pictures are named by files, confidences go up to 6, `idx` is the person."""
    people = PERSON * (1, 1, 6), PERSON * (1, 1, 12)
    listed = entries(*people, frames=["vis/0.jpg", "vis/2.jpg"])
    for entry, number in zip(listed, (4, 7, 7, 4), strict=True):
        entry |= {"idx": number, "box": [1, 2, 3, 4]}
    (tmp_path / "left.json").write_text(json.dumps(listed))
    assert coco.recognises(tmp_path / "left.json")
    read = coco.read(tmp_path / "left.json")
    assert read.frames.tolist() == [0, 1, 2] and read.view_names == ("left",)
    assert read.tracks[:, 0].tolist() == [[4, 7], [-1, -1], [7, 4]]
    np.testing.assert_allclose(read.confidence[0, 0, :, 0], [0.5, 1.0])
    assert "divided by 6" in warned[0]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (entries(PERSON, frames=["x.jpg"]), "image_id must hold"),
        (
            entries(PERSON, frames=["f0_cam1.jpg", "f1_cam1.jpg"]),
            "f0_cam1.jpg and f1_cam1.jpg are both of frame 1",
        ),
        (entries(PERSON * (1, 1, 14)), "confidence must be from 0 to 6"),
        (entries(PERSON, frames=[397133, 37777]), "numbers from 37777 to 397133"),
        ([{"image_id": 0, "keypoints": [1, 2]}], "no list of COCO's results"),
        ([{"image_id": 0, "keypoints": ["a"] * 51}], "no list of COCO's results"),
    ],
)
def test_results_that_are_none(listed, message, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(listed))
    with pytest.raises(InputError, match=message):
        coco.read(tmp_path / "a.json")


def test_a_folder_of_results_has_no_other_files(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(entries(PERSON)))
    (tmp_path / "b.json").write_text("[]")
    with pytest.raises(InputError, match=r"b\.json: must be of the same format as a"):
        coco.read(tmp_path)


SHAPES = {
    "demo": {
        "meta_info": {"dataset_name": "coco"},
        "instance_info": [
            {"frame_id": 1, "instances": [instance()]},
            {"frame_id": 2, "instances": []},
            {"frame_id": 3, "instances": [instance(track_id=5), instance()]},
        ],
    },
    "video": [
        {"frame_id": 0, "instances": [instance()]},
        {"frame_id": 1, "instances": []},
        {"frame_id": 2, "instances": [instance(track_id=5), instance()]},
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_mmpose_videos(shape, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(SHAPES[shape]))
    for path in (tmp_path, tmp_path / "a.json"):
        assert mmpose.recognises(path)
        read = mmpose.read(path)
        assert read.frames.tolist() == [0, 1, 2] and read.view_names == ("a",)
        assert read.seen.any(axis=-1)[:, 0].tolist() == [[1, 0], [0, 0], [1, 1]]
        assert read.tracks[2, 0].tolist() == [5, -1]
        np.testing.assert_array_equal(read.joints_2d_px[0, 0, 0], PERSON[:, :2])


def test_boxes_without_joints_are_nobody(tmp_path):
    boxes = [{"bbox": [[0, 0, 9, 9]]}, instance(keypoints=[], keypoint_scores=[])]
    shown = [
        {"frame_id": 0, "instances": [*boxes, instance()]},
        {"frame_id": 1, "instances": boxes},
    ]
    (tmp_path / "a.json").write_text(json.dumps(shown))
    assert mmpose.read(tmp_path / "a.json").seen.any(axis=-1)[:, 0].tolist() == [
        [1],
        [0],
    ]
    listed = entries(PERSON, frames=[0, 1])
    listed[1]["keypoints"] = []
    listed.append({"image_id": 2, "bbox": [0, 0, 9, 9], "score": 1.0})
    (tmp_path / "a.json").write_text(json.dumps(listed))
    read = coco.read(tmp_path / "a.json")
    assert read.seen.any(axis=-1)[:, 0].tolist() == [[1], [0], [0]]


@pytest.mark.parametrize("before", ["\ufeff", "\r\n", "\t\n "])
def test_blanks_before_a_files_content_say_nothing(before, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(before + json.dumps(entries(PERSON)), encoding="utf-8", newline="")
    assert coco.recognises(path) and coco.read(path).seen.any()


def test_results_of_one_name_in_folders_of_their_own(tmp_path):
    for view in ("left", "right"):
        (tmp_path / view).mkdir()
        path = tmp_path / view / "alphapose-results.json"
        path.write_text(json.dumps(entries(PERSON, frames=["0.jpg"])))
    assert coco.recognises(tmp_path) and not openpose.recognises(tmp_path)
    assert coco.read(tmp_path).view_names == ("left", "right")
    assert coco.read(tmp_path / "left").view_names == ("alphapose-results",)
    # No view is left out because it has a second file; what is no view is.
    (tmp_path / "pictures").mkdir()
    for name in ("a.json", "b.json"):
        (tmp_path / "pictures" / name).write_text("{}")
    assert coco.read(tmp_path).view_names == ("left", "right")
    (tmp_path / "right" / "second.json").write_text(path.read_text())
    with pytest.raises(InputError, match=r"right: must hold one \.json file.*second"):
        coco.read(tmp_path)


def test_mmpose_pictures(tmp_path):
    """A folder of pictures' files for each view; one file alone; in indented text."""
    for view in ("a", "b"):
        (tmp_path / view).mkdir()
        for frame in (3, 4):
            text = json.dumps([instance()], indent=4)
            (tmp_path / view / f"{frame:06d}.json").write_text(text)
    assert mmpose.recognises(tmp_path)
    read = mmpose.read(tmp_path)
    assert read.view_names == ("a", "b") and read.frames.tolist() == [3, 4]
    assert mmpose.recognises(tmp_path / "a" / "000003.json")
    assert len(mmpose.read(tmp_path / "a" / "000003.json")) == 1


def test_mmpose_says_whose_joints_they_are(tmp_path):
    demo = SHAPES["demo"] | {"meta_info": {"dataset_name": "h36m"}}
    (tmp_path / "a.json").write_text(json.dumps(demo))
    assert mmpose.read(tmp_path / "a.json").skeleton == LIFTER_17
    lifted = instance() | {"keypoints": [[1.0, 2.0, 3.0]] * 17}
    (tmp_path / "b.json").write_text(
        json.dumps([{"frame_id": 0, "instances": [lifted]}])
    )
    with pytest.raises(InputError, match="points of the image"):
        mmpose.read(tmp_path / "b.json")


def test_the_formats_are_told_apart(tmp_path):
    files = {
        coco: entries(PERSON),
        mmpose: SHAPES["video"],
        openpose: json.loads(made_up.openpose_frame(PERSON)),
    }
    for module, content in files.items():
        folder = tmp_path / module.__name__
        folder.mkdir()
        (folder / "a_0.json").write_text(json.dumps(content))
        found = [each for each in files if each.recognises(folder)]
        assert found == [module]


@pytest.mark.parametrize("module", [openpose, coco])
def test_frames_before_the_first_have_no_files(module, tmp_path):
    """A sign in a name would be read as a dash, so that time ran backwards."""
    recording = made_up.recording().replace(frames=[-3, -2, -1])
    with pytest.raises(InputError, match="numbers frames from 0 on; received -3"):
        module.write(tmp_path / "a", recording)
