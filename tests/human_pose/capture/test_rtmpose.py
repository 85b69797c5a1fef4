"""RTMPose and YOLOX, with networks made up so that what they see is known."""

import sys

import numpy as np
import pytest
from made_up_networks import raw, rtmpose, sorted_out

from human_pose.capture.config import DetectorConfig
from human_pose.capture.detectors import find_detector
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import COCO_17, COCO_23, HALPE_26


def picture(red, green, width=160, height=120):
    """Black, with a red dot and a green one of 5 px, surest in the middle."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for channel, (x, y) in enumerate((red, green)):
        for size, level in ((2, 200), (1, 240)):
            pixels[y - size : y + size + 1, x - size : x + size + 1, channel] = level
    return pixels


def found(pictures, *files):
    with find_detector(DetectorConfig("rtmpose", files)).started() as detect:
        return list(detect(iter(pictures)))


@pytest.mark.parametrize(
    ("joints", "skeleton"), [(17, COCO_17), (26, HALPE_26), (133, COCO_23)]
)
def test_joints_are_where_they_are_seen(joints, skeleton, tmp_path):
    path = rtmpose(tmp_path / "größe 100%.onnx", joints, batch=1)
    places = [((40 + 2 * t, 30 + t), (70 + 2 * t, 90)) for t in range(4)]
    people = found([picture(*each) for each in places], path)
    assert find_detector(DetectorConfig("rtmpose", (path,))).skeleton == skeleton
    for each, (red, green) in zip(people, places, strict=True):
        assert each.joints_2d_px.shape == (1, len(skeleton), 2)
        # A pixel of the network is 2.3 of the picture's here, or fewer.
        np.testing.assert_allclose(each.joints_2d_px[0, 3], red, atol=2.5)
        np.testing.assert_allclose(each.joints_2d_px[0, 4], green, atol=2.5)
        assert each.confidence.min() == 1


def test_whoever_is_lost_is_looked_for_in_the_whole_picture(tmp_path):
    path = rtmpose(tmp_path / "net.onnx")
    shown = [picture((20, 20), (40, 60)), np.zeros((120, 160, 3), np.uint8)]
    shown += [picture((120, 20), (140, 100)), picture((10, 20), (30, 90))]
    people = found(shown, path)
    assert np.isnan(people[1].joints_2d_px).all() and not people[1].confidence.any()
    np.testing.assert_allclose(people[2].joints_2d_px[0, 0], (120, 20), atol=3)
    np.testing.assert_allclose(people[3].joints_2d_px[0, 0], (10, 20), atol=4)
    # One joint in three is no person to follow, but is told.
    (half,) = found([picture((80, 60), (80, 60)) * np.uint8([0, 1, 0])], path)
    assert np.isnan(half.joints_2d_px[0, 0]).all() and half.confidence[0, 1] == 1


def test_people_are_those_of_the_finder(tmp_path):
    # Twice as many of the picture's pixels to one of the finder's.
    boxes = [[5, 5, 25, 40], [35, 5, 60, 45], [0, 0, 60, 45], [9, 9, 9, 9]]
    finder = sorted_out(tmp_path / "yolox.onnx", boxes, [0, 0, 1, 0])
    net = rtmpose(tmp_path / "net.onnx")
    # Square, for the gray beside another picture has blue, too.
    left = picture((20, 20), (40, 70), 128, 128)
    both = left + picture((80, 20), (110, 80), 128, 128)
    blue = both.copy()
    blue[:4, :4, 2] = 255
    people = found([both, blue], finder, net)
    assert len(people[0].confidence) == 0
    assert people[0].joints_2d_px.shape == (0, 17, 2)
    joints = people[1].joints_2d_px
    assert joints.shape == (2, 17, 2)
    np.testing.assert_allclose(joints[:, 0], [(20, 20), (80, 20)], atol=2)
    np.testing.assert_allclose(joints[:, 1], [(40, 70), (110, 80)], atol=2)


def test_a_finder_that_is_not_decoded_is(tmp_path):
    log = np.log
    rows = {
        # Column 2 of row 3 of stride 8: centre (20, 28), sides 16 and 32.
        3 * 8 + 2: (0.5, 0.5, log(2), log(4), 0.9, 1.0, 0.1),
        3 * 8 + 3: (-0.4, 0.5, log(2), log(4), 0.8, 1.0, 0.1),  # the same person
        # The last cell, of stride 32: centre (48, 48), sides 32.
        64 + 16 + 3: (0.5, 0.5, 0.0, 0.0, 1.0, 0.95, 0.1),
        5: (0, 0, 3.0, 3.0, 1.0, 0.2, 0.9),  # another class
        6: (0, 0, 900.0, 3.0, 0.1, 1.0, 0.0),  # hardly anything
    }
    from human_pose.capture.detectors.yolox import Yolox

    boxes = Yolox(raw(tmp_path / "raw.onnx", rows))(np.zeros((128, 128, 3), np.uint8))
    expected = [(64, 64, 128, 128), (24, 24, 56, 88)]
    np.testing.assert_allclose(boxes, expected, rtol=1e-6)


def test_a_finder_that_is_decoded_is_known(tmp_path):
    # All cells say where they are, in pixels; two have a person, the surer one last.
    rows = {n: (32, 30, 8, 8, 0.01, 0.01, 0.01) for n in range(8 * 8 + 4 * 4 + 2 * 2)}
    rows[4] = (20, 28, 16, 32, 0.9, 0.9, 0.1)
    rows[80] = (48, 48, 32, 32, 1.0, 0.95, 0.1)
    from human_pose.capture.detectors.yolox import Yolox

    boxes = Yolox(raw(tmp_path / "raw.onnx", rows))(np.zeros((128, 128, 3), np.uint8))
    np.testing.assert_allclose(boxes, [(64, 64, 128, 128), (24, 24, 56, 88)], rtol=1e-6)


def test_versions_are_the_files_contents(tmp_path):
    net = rtmpose(tmp_path / "a.onnx")
    finder = sorted_out(tmp_path / "f.onnx", [[0, 0, 9, 9]], [0])
    files = [(net,), (rtmpose(tmp_path / "b.onnx", 26),), (finder, net)]
    versions = [find_detector(DetectorConfig("rtmpose", f)).version for f in files]
    assert len(set(versions)) == 3
    net.rename(tmp_path / "c.onnx")
    moved = find_detector(DetectorConfig("rtmpose", (tmp_path / "c.onnx",)))
    assert moved.version == versions[0]


def text(path):
    path.write_text("no network")
    return path


WRONG = {
    "none": (lambda d: (), "detector_files"),
    "missing": (lambda d: (d / "a.onnx",), r"a\.onnx: no such file"),
    "folder": (lambda d: (d,), "it is a folder"),
    "text": (lambda d: (text(d / "a.onnx"),), "is no ONNX network that can be read"),
    "joints": (lambda d: (rtmpose(d / "a.onnx", 21),), "17, 26 or 133 joints; .* 21"),
    "names": (
        lambda d: (rtmpose(d / "a.onnx", names=("heat", "map")),),
        "outputs simcc_x .* it has outputs heat, map",
    ),
    "batch": (lambda d: (rtmpose(d / "a.onnx", batch=4),), r"input tensor.*\[4, 3, 64"),
    "swapped": (
        lambda d: (rtmpose(d / "a.onnx"), raw(d / "b.onnx", {})),
        r"b\.onnx: .*simcc_x .* it has outputs output",
    ),
    "finder": (
        lambda d: (rtmpose(d / "a.onnx"), rtmpose(d / "b.onnx")),
        r"a\.onnx: .*outputs dets .* it has outputs simcc_x, simcc_y",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_such_network_is_named(kind, tmp_path):
    make, words = WRONG[kind]
    with pytest.raises(InputError, match=words) as caught:
        find_detector(DetectorConfig("rtmpose", make(tmp_path)))
    assert "\n" not in str(caught.value)


def test_the_library_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"wiberg-tf\[rtmpose\]"):
        find_detector(DetectorConfig("rtmpose", (text(tmp_path / "a.onnx"),)))
