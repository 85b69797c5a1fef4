"""What `open_dataset` and `batches` give, and what they refuse."""

import os
import shutil
import zlib

import made_up_images as made_up
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from human_pose.datasets.images import (
    ACTIONS,
    annotations,
    crop,
    kept_index,
    layout,
    open_dataset,
)
from human_pose.datasets.images.index_range import IndexRange, indices_of, split_ranges
from human_pose.files.errors import InputError
from human_pose.geometry import skeletons
from human_pose.i1.input import Stream, batches

JOINTS = list(skeletons.JOINTS_16_OF_32)


def all_of(stream):
    batches = list(stream.as_numpy_iterator())
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}


def test_test_batches_hold_what_the_files_say(root):
    data = open_dataset(root)
    batch = all_of(batches(data, Stream(4)))
    assert batch["index"].tolist() == list(range(9))
    assert batch["subject"].tolist() == [1] * 6 + [8] * 3
    assert [ACTIONS[a] for a in batch["action"][[0, 6]]] == ["Directions", "Walking"]
    two = np.stack([made_up.joints_2d(i)[JOINTS] for i in range(9)])
    three = np.stack([made_up.joints_3d(i)[JOINTS] for i in range(9)])
    np.testing.assert_allclose(batch["joints_2d"], (two / 1.12 + 28.5) / 256, atol=1e-6)
    np.testing.assert_allclose(batch["joints_3d_mm"], three, rtol=1e-6)
    z = three[..., 2]
    np.testing.assert_allclose(batch["z_mm"], z, rtol=1e-6)
    encoded = (z - z[:, :1] + 1005.185902) / (980.8599 + 1005.185902)
    np.testing.assert_allclose(batch["depth"], encoded, atol=1e-6)
    np.testing.assert_allclose(batch["box"], [[265, 264, 658, 657]] * 9)
    np.testing.assert_allclose(
        batch["camera"][0], [1145.049405, 1143.781096, 512.541505, 515.451487]
    )
    assert not batch["flipped"].any()
    # Blue first; pixel 128.5 of the crop is the picture's middle.
    middle = made_up.picture(3)[108:116, 108:116].mean((0, 1))[::-1]
    seen = batch["image"][3, 125:132, 125:132].mean((0, 1)) * 256 + 128
    np.testing.assert_allclose(seen, middle, atol=3)
    assert np.all(batch["image"][:, :27] == 0)


def test_only_modern_flips_swap_depths(root):
    for augment in ("published", "modern"):
        batch = all_of(batches(open_dataset(root), Stream(3, augment, input_size=64)))
        flipped = batch["flipped"]
        assert 0 < flipped.sum() < len(flipped)
        z = batch["joints_3d_mm"][..., 2]
        swapped = z[:, skeletons.FLIP_ORDER_16]
        mended = augment == "modern"
        expected = np.where(flipped[:, None] & mended, swapped, z)
        np.testing.assert_array_equal(batch["z_mm"], expected)


def test_streams_are_functions_of_seed_and_position(root):
    def stream(size, **options):
        return batches(
            open_dataset(root),
            Stream(size, "modern", shuffle=True, repeat=True, input_size=32, **options),
        )

    whole = all_of(stream(3, seed=5).take(6))
    assert sorted(whole["index"][:9]) == sorted(whole["index"][9:]) == list(range(9))
    assert whole["index"][:9].tolist() != whole["index"][9:].tolist()
    later = all_of(stream(2, seed=5, start_step=3).take(6))
    epoch = all_of(stream(9, seed=5, epoch=1).take(1))
    for name, values in whole.items():
        np.testing.assert_array_equal(later[name], values[6:])
        np.testing.assert_array_equal(epoch[name], values[9:])
    other = all_of(stream(3, seed=6).take(6))
    assert not np.array_equal(other["image"], whole["image"])


@pytest.mark.parametrize(
    "augment", (pytest.param("published", marks=pytest.mark.large), "modern", None)
)
def test_streams_know_their_length(root, augment):
    data = open_dataset(root, part="test")
    for size, options, count in ((2, {}, 2), (3, {}, 1), (2, {"start_step": 1}, 1)):
        stream = batches(data, Stream(size, augment, input_size=32, **options))
        assert stream.cardinality() == count == len(list(stream))
    assert batches(data, Stream(2, augment, start_step=9)).cardinality() == 0
    endless = batches(data, Stream(2, augment, input_size=32, repeat=True))
    assert endless.cardinality() == tf.data.INFINITE_CARDINALITY
    assert len(list(endless.take(3))) == 3


def test_drawing_with_replacement_repeats_samples(root):
    stream = batches(
        open_dataset(root), Stream(9, shuffle=True, sampling="replacement")
    )
    (batch,) = stream.as_numpy_iterator()
    assert len(set(batch["index"].tolist())) < 9


def test_parts_and_chosen_indices(root):
    assert open_dataset(root, part="test").indices.tolist() == [9, 10, 11]
    assert open_dataset(root, every=5).indices.tolist() == [0, 5]
    assert open_dataset(root, indices=[7, 2]).indices.tolist() == [2, 7]
    with pytest.raises(
        InputError, match=r"index ranges of the corrected train.*received 9"
    ):
        open_dataset(root, indices=[2, 9])
    with pytest.raises(InputError, match=r"whole set, whose last index is 2108570"):
        open_dataset(root, split="published")


def test_the_published_split_moves_180_frames():
    ranges = (
        IndexRange(8, "Walking", 0, 1559751),
        IndexRange(9, "Eating", 1559752, 2108570),
    )
    counts = {
        (split, part): len(indices_of(split_ranges(ranges, split, part)))
        for split in ("corrected", "published")
        for part in ("train", "test")
    }
    assert counts["corrected", "train"] == 1559752
    assert counts["corrected", "test"] == 548819
    assert counts["published", "train"] == 1559572
    assert counts["published", "test"] == 548999
    assert len(indices_of(split_ranges(ranges, "corrected", "train"), 5)) == 311951


BAD = {
    "missing": ("bbx_all_new", None, r"bbx_all_new/2\.txt: no such file"),
    "count": (
        "gt_joint_2d_raw_new",
        "1 2 3",
        r"2\.txt: must be 64 numbers; received 3",
    ),
    "word": ("center_x", "abc", r"center_x/2\.txt: must be numbers; received 'abc'"),
    "nan": ("scale", "nan", r"scale/2\.txt: must be finite .* 'nan'"),
    "area": ("bbx_all_new", "5 5 5 9", r"bbx_all_new/2\.txt: .* x1 < x2 and y1 < y2"),
    "focal": (
        "camera_all",
        made_up.CAMERA.replace("f:\n 1145.049405 1143.781096\n", ""),
        r"camera_all/2\.txt: must have `f:` \(the focal length\)",
    ),
    "focal 0": (
        "camera_all",
        made_up.CAMERA.replace("1143.781096", "0"),
        r"camera_all/2\.txt: `f:` must be two focal lengths from 1 to 1000000 px",
    ),
    # What float32 makes of a number counts, because that is what batches hold.
    "no area in float32": (
        "bbx_all_new",
        "265 264 265.000001 264.000001",
        r"bbx_all_new/2\.txt: .* at least 1 px apart; received 265 264 265 264",
    ),
    "focal 0 in float32": (
        "camera_all",
        made_up.CAMERA.replace("1143.781096", "1e-60"),
        r"camera_all/2\.txt: `f:` must be two focal .* received 1145\.049 0",
    ),
    "infinite in float32": (
        "gt_joint_3d_mono_raw",
        " ".join(["0"] * 95 + ["1e300"]),
        r"raw/2\.txt: must be finite numbers \(float32\); received '1e300'",
    ),
    # Finite, but of no picture.
    "focal too short": (
        "camera_all",
        made_up.CAMERA.replace("1145.049405 1143.781096", "1e-30 1e-30"),
        r"camera_all/2\.txt: `f:` .* from 1 to 1000000 px; received 1e-30 1e-30",
    ),
    "focal too long": (
        "camera_all",
        made_up.CAMERA.replace("1143.781096", "1000001"),
        r"camera_all/2\.txt: `f:` .* from 1 to 1000000 px; received 1145\.049 1000001",
    ),
    "centre too far": (
        "camera_all",
        made_up.CAMERA.replace("515.451487", "-1e38"),
        r"_all/2\.txt: `c:` must be from -1000000 to 1000000 px; received -1e\+38",
    ),
    "box too small": (
        "bbx_all_new",
        "0 0 100 1e-3",
        r"bbx_all_new/2\.txt: .* at least 1 px apart; received 0 0 100 0\.001",
    ),
    "box too large": (
        "bbx_all_new",
        "-3e38 -3e38 3e38 3e38",
        r"bbx_all_new/2\.txt: must be from -1000000 to 1000000 px; received -3e\+38",
    ),
    "2D joint too far": (
        "gt_joint_2d_raw_new",
        " ".join(["0"] * 63 + ["-1e7"]),
        r"2d_raw_new/2\.txt: must be from -1000000 to 1000000 px; received -1e\+07",
    ),
    "3D joint too far": (
        "gt_joint_3d_mono_raw",
        " ".join(["0"] * 95 + ["1e38"]),
        r"3d_mono_raw/2\.txt: must be from -1000000 to 1000000 mm; received 1e\+38",
    ),
    "info": ("info_all", "1\n2\n", r"info_all/2\.txt: must have 7 lines; received 2"),
    "NUL": (
        "image_path_file",
        "images/a\0b.png",
        r"path_file/2\.txt: must be a path without NUL; received 'images/a\\x00b\.png'",
    ),
    "name too long": (
        "image_path_file",
        "x" * 300 + ".png",
        r"images/x+\.png: (cannot be read: File name too long|no such file)",
    ),
    "no picture": ("image_path_file", "C:\\a\\99.png", r"images/99\.png: no such file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_text_is_named_or_skipped(root, case):
    folder, text, message = BAD[case]
    good = open_dataset(root)
    assert good.check() == ()  # and the index is kept: a later change is still seen
    path = root / folder / "2.txt"
    path.unlink() if text is None else path.write_text(text)
    data = open_dataset(root)
    with pytest.raises(InputError, match=message) as caught:
        batches(data, Stream(2))
    assert "\n" not in str(caught.value)
    ((index, reason),) = data.skipped
    assert index == 2 and reason in str(caught.value)
    kept = data.good_annotations(skip_bad=True)
    assert kept.index.tolist() == [0, 1, 3, 4, 5, 6, 7, 8]


def test_batches_leave_out_what_is_skipped(root):
    (root / "scale" / "2.txt").write_text("nan")
    (root / "images" / "3.png").write_bytes(b"GIF89a")
    kept = batches(open_dataset(root), Stream(9, skip_bad=True, input_size=32))
    assert all_of(kept)["index"].tolist() == [0, 1, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    "samples, more",
    [
        ((2,), "; `skip_bad` leaves it out"),
        ((2, 4), r" \(and 1 more bad sample\); `skip_bad` leaves them out"),
        ((2, 3, 4), r" \(and 2 more bad samples\); `skip_bad` leaves them out"),
    ],
)
def test_says_how_to_leave_bad_samples_out(root, samples, more):
    for sample in samples:
        (root / "scale" / f"{sample}.txt").unlink()
    with pytest.raises(InputError, match=rf"scale/2\.txt: no such file{more}$"):
        batches(open_dataset(root), Stream(2))


def test_bad_pictures_are_named(root):
    path = root / "images" / "3.png"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    for content in (whole[:-30], bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"3\.png: is a damaged"):
            batches(open_dataset(root), Stream(2))
    path.write_bytes(b"GIF89a")
    with pytest.raises(InputError, match=r"3\.png: is not a PNG or JPEG"):
        batches(open_dataset(root), Stream(2))


@pytest.mark.parametrize(
    "data",
    (
        None,
        b"not deflated",
        zlib.compress(made_up.png_lines(made_up.picture(3))[:-1]),
        zlib.compress(made_up.png_lines(made_up.picture(3)))[:-100],
        zlib.compress(b"\x09" + made_up.png_lines(made_up.picture(3))[1:]),
    ),
    ids=("no data", "not deflated", "too short", "cut off", "unknown filter"),
)
def test_pictures_with_right_checksums_but_wrong_data_are_named(root, data):
    chunks = () if data is None else (made_up.png_chunk(b"IDAT", data),)
    path = root / "images" / "3.png"
    path.write_bytes(made_up.png((224, 224), *chunks))
    with pytest.raises(InputError, match=r"images/3\.png: is a damaged") as caught:
        batches(open_dataset(root), Stream(2))
    assert "\n" not in str(caught.value)
    kept = open_dataset(root).good_annotations(skip_bad=True)
    assert kept.index.tolist() == [0, 1, 2, 4, 5, 6, 7, 8]


def test_every_kind_of_png_can_be_used(root):
    for index, mode in enumerate(("1", "L", "LA", "P", "RGBA", "I;16")):
        gray = np.full((224, 224), 30000, np.uint16)
        image = Image.fromarray(gray if mode == "I;16" else made_up.picture(3))
        image = image if mode == "I;16" else image.convert(mode)
        image.save(root / "images" / f"{index}.png")
    data = open_dataset(root)
    assert data.check() == ()
    assert len(all_of(batches(data, Stream(9)))["index"]) == 9


def test_interlaced_pictures_can_be_used(root):
    passes = ((28, 28), (28, 28), (28, 56), (56, 56), (56, 112), (112, 112), (112, 224))
    black = bytes(sum(lines * (1 + 3 * width) for lines, width in passes))
    data = made_up.png_chunk(b"IDAT", zlib.compress(black))
    path = root / "images" / "3.png"
    path.write_bytes(made_up.png((224, 224), data, interlaced=True))
    assert (
        all_of(batches(open_dataset(root), Stream(9)))["image"][3, 128, 128, 0] == -0.5
    )


def test_files_changed_while_others_are_read_are_read_again(root, monkeypatch):
    def read_and_change(folder, index):
        sample = layout.read_texts(folder, index)
        if index == 2:
            (root / "bbx_all_new" / "2.txt").write_text("1 2 3 4")
        return sample

    monkeypatch.setattr(annotations, "read_texts", read_and_change)
    assert open_dataset(root).annotations.box[2].tolist() == [265, 264, 658, 657]
    monkeypatch.undo()
    assert open_dataset(root).annotations.box[2].tolist() == [1, 2, 3, 4]


def _rename_picture(root, index, name):
    (root / "images" / f"{index}.png").rename(root / "images" / name)
    (root / "image_path_file" / f"{index}.txt").write_text(f"images/{name}")


@pytest.mark.parametrize("name", ("2.png", "frame_2.png"))
def test_changes_of_pictures_are_noticed_whatever_their_names(root, name):
    _rename_picture(root, 2, name)
    path = root / "images" / name
    whole = path.read_bytes()
    assert open_dataset(root).check() == ()
    path.write_bytes(whole[:-30])
    ((index, reason),) = open_dataset(root).check()
    assert index == 2 and reason.startswith(f"{path}: is a damaged")
    path.unlink()
    ((index, reason),) = open_dataset(root).check()
    assert index == 2 and reason == f"{path}: no such file"
    path.write_bytes(whole)
    assert open_dataset(root).check() == ()


def test_an_unchanged_folder_is_not_read_again(root, monkeypatch):
    _rename_picture(root, 1, "frame_1.png")
    (root / "images" / "2.png").write_bytes(b"GIF89a")
    (root / "scale" / "3.txt").unlink()
    before = open_dataset(root).annotations
    assert [s.sample for s in before.skipped] == [2, 3]

    def refuse(folder, index):
        raise AssertionError("the files are read again")

    monkeypatch.setattr(annotations, "read_texts", refuse)
    after = open_dataset(root).annotations
    assert after.skipped == before.skipped
    assert after.image.tolist()[:2] == [b"0.png", b"frame_1.png"]
    np.testing.assert_array_equal(after.joints_3d_mm, before.joints_3d_mm)


def test_pictures_changed_while_they_are_read_are_read_again(root, monkeypatch):
    _rename_picture(root, 2, "frame_2.png")

    def read_and_change(path, square):
        picture = crop.check_shown(path, square)
        if path.name == "frame_2.png":
            path.write_bytes(b"GIF89a")
        return picture

    monkeypatch.setattr(annotations, "check_shown", read_and_change)
    assert open_dataset(root).check() == ()
    monkeypatch.undo()
    assert [s.sample for s in open_dataset(root).check()] == [2]


def test_reasons_name_the_folder_that_was_opened(root):
    for sample, folder in ((2, "bbx_all_new"), (3, "info_all")):
        (root / folder / f"{sample}.txt").unlink()
    (root / "info_all" / "3.txt").mkdir()
    before = open_dataset(root).skipped
    assert str(root / "bbx_all_new" / "2.txt: no such file") == before[0].reason
    moved = root.with_name("moved")
    root.rename(moved)
    for options in ({}, {"trust_index": True}):
        after = open_dataset(moved, **options).skipped
        assert [s.reason for s in after] == [
            s.reason.replace(str(root), str(moved)) for s in before
        ]
        assert not any(str(root) in s.reason for s in after)


def test_an_index_by_other_rules_is_not_trusted(root, monkeypatch):
    monkeypatch.setattr(kept_index, "_VERSION", "version 1")
    assert open_dataset(root).check() == ()
    (root / "bbx_all_new" / "2.txt").write_text("1 2 3 4")
    trusted = open_dataset(root, trust_index=True).annotations
    assert trusted.box[2].tolist() == [265, 264, 658, 657]
    monkeypatch.undo()
    trusted = open_dataset(root, trust_index=True).annotations
    assert trusted.box[2].tolist() == [1, 2, 3, 4]


def test_pictures_damaged_behind_a_trusted_index_are_named(root):
    path = root / "images" / "3.png"
    assert open_dataset(root).check() == ()
    whole = path.read_bytes()
    made_up.write_png(path, made_up.picture(3).repeat(2, 0).repeat(2, 1))
    larger = path.read_bytes()
    path.write_bytes(whole)
    data = open_dataset(root, trust_index=True)
    assert len(all_of(batches(data, Stream(9)))["index"]) == 9
    for content, rule in (
        (whole[:-30], "is a damaged or cut-off PNG picture"),
        (b"GIF89a", "is not a PNG or JPEG picture"),
        (
            larger,
            "must be 224 x 224 px, as when the index was kept; received 448 x 448",
        ),
        (None, "no such file"),
    ):
        path.unlink() if content is None else path.write_bytes(content)
        for augment in (None, "modern"):  # the one reads as it goes, the other at once
            with pytest.raises(tf.errors.InvalidArgumentError) as caught:
                list(batches(data, Stream(3, augment)))
            first, *_ = caught.value.message.splitlines()
            assert first.endswith(f"[{path}: {rule}]")
            assert "Traceback" not in caught.value.message


def test_files_of_the_toy_example_are_read(tmp_path):
    def write(text):
        path = tmp_path / "1.txt"
        path.write_text(text)
        return path

    camera = layout.read_camera(write(made_up.CAMERA))
    np.testing.assert_allclose(
        camera.rotation @ camera.rotation.T, np.eye(3), atol=2e-6
    )
    np.testing.assert_allclose(camera.centre_mm[2], 1563.445396)
    assert layout.read_box(write("265 264 658 657\n")).tolist() == [265, 264, 658, 657]
    picture = layout.read_image_path(write("E:\\frame_images\\20.png\n"), tmp_path)
    assert picture == tmp_path / "images" / "20.png"
    info = layout.read_info(write("S7 Smoking.5501\n11\nSmoking\n2\n2\n2048\nS7\n"))
    assert (info.action_number, info.camera, info.frame) == (11, 2, 2048)


def test_a_camera_of_human36m_becomes_a_value_with_its_lens(tmp_path):
    path = tmp_path / "1.txt"
    path.write_text(made_up.CAMERA)
    camera = layout.read_camera(path).camera()
    # The file has k1 k2 k3 and p1 p2.
    np.testing.assert_allclose(
        camera.distortion,
        [-0.207099, 0.247775, -0.001424, -0.000976, -0.003075],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        camera.position_mm, [1841.107028, 4955.284623, 1563.445396], rtol=1e-5
    )
    np.testing.assert_allclose(
        camera.intrinsics_px, [1145.049405, 1143.781096, 512.541505, 515.451487]
    )
    # The middle of the room, a metre high, is in the picture; its lens moves it little.
    seen = camera.project(np.array([0.0, 0.0, 1000.0]))
    assert np.abs(seen - 512).max() < 200
    assert 1e-3 < np.abs(camera.undistort(seen) - seen).max() < 1


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 0}, {"batch_size": 2.5}, {"batch_size": True}, {"augment": "old"},
     {"input_size": 100}, {"input_size": 64.0}, {"seed": -1}, {"seed": 2**30},
     {"seed": 0.5}, {"start_step": -1, "epoch": 1}, {"start_step": 0.5},
     {"epoch": -1, "start_step": 9}, {"epoch": "1"}, {"sampling": "both"}],
)  # fmt: skip
def test_arguments_out_of_range_are_refused(root, options):
    name, value = next(iter(options.items()))
    with pytest.raises(InputError, match=f"^{name} must be .* received {value!r}$"):
        batches(open_dataset(root), Stream(**({"batch_size": 2} | options)))


def test_numpys_whole_numbers_are_whole(root):
    data = open_dataset(root, indices=np.array([7, 2]), every=np.int64(1))
    stream = batches(data, Stream(np.int32(2), input_size=32, seed=np.int64(3)))
    assert all_of(stream)["index"].tolist() == [2, 7]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"indices": []}, "indices must name at least one sample; received none"),
        (
            {"indices": [2, 2.5]},
            "indices must be whole numbers, at least 0; received 2.5",
        ),
        (
            {"indices": [True]},
            "indices must be whole numbers, at least 0; received True",
        ),
        ({"indices": [-1]}, "indices must be whole numbers, at least 0; received -1"),
        ({"indices": [2**70]}, f"indices must lie in the .* received {2**70}"),
        (
            {"indices": [2, 5], "every": 2},
            "indices must be multiples of `every`, which is 2; received 5",
        ),
        (
            {"indices": [9], "every": 2},
            "indices must lie in the .* train .* received 9",
        ),
        ({"every": 0}, "every must be a whole number, at least 1; received 0"),
        ({"every": 2.0}, "every must be a whole number, at least 1; received 2.0"),
        (
            {"every": 100, "part": "test"},
            "every must divide the index of one of the corrected test samples; "
            "received 100",
        ),
    ],
)
def test_a_choice_of_no_or_broken_indices_is_refused(root, options, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        open_dataset(root, **options)


def test_range_files_are_checked(root):
    path = root / "index_range" / "S1_Directions_range.txt"
    for text, message in (
        ("0 7", "must not overlap"),
        ("2108570 1", "first <= last; received 2108570 1$"),
        ("0 1.5", "two whole numbers, .* received 0 1.5$"),
        ("84 10000000", "indices must be at most 9999999; received 10000000$"),
        ("84 999999999999", "indices must be at most 9999999; received 999999999999$"),
        ("84 9e18", r"indices must be at most 9999999; received 9e\+18$"),
        ("84 1e300", r"indices must be at most 9999999; received 1e\+300$"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            open_dataset(root)


def test_numbers_at_their_limits_can_be_used(root):
    """Boxes and joints may leave the frame: what is far off is not yet impossible."""
    for folder, text in (
        ("bbx_all_new", "-1000000 -1 -999999 0"),
        ("camera_all", made_up.CAMERA.replace("1145.049405 1143.781096", "1 1000000")),
        ("gt_joint_2d_raw_new", " ".join(["-1e6", "1e6"] * 32)),
        ("gt_joint_3d_mono_raw", " ".join(["-1e6", "1e6", "1e6"] * 32)),
    ):
        (root / folder / "2.txt").write_text(text)
    assert open_dataset(root).check() == ()
    batch = all_of(batches(open_dataset(root), Stream(9)))
    assert all(np.isfinite(values).all() for values in batch.values())


def test_a_byte_order_mark_is_skipped_in_every_text_file(root):
    before = open_dataset(root).annotations
    texts = [path for path in root.rglob("*.txt") if path.parent.name != ".index"]
    assert len(texts) == 12 * 9 + 3
    for path in texts:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    shutil.rmtree(root / ".index")
    after = open_dataset(root).annotations
    assert not after.skipped
    for name in ("index", *kept_index.ARRAYS):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert (
        layout.read_info(str(root / "info_all" / "0.txt")).video
        == "S7 Smoking.55011271"
    )


@pytest.mark.parametrize("last", [9_999_999, 19_999])
def test_ranges_of_samples_that_are_not_there_are_refused_at_once(
    root, monkeypatch, last
):
    """None is looked for."""
    monkeypatch.setattr(annotations, "status_of", lambda _: pytest.fail())
    monkeypatch.setattr(annotations, "state_of", lambda *_: pytest.fail())
    path = root / "index_range" / "S9_Eating_range.txt"
    path.write_text(f"9 {last}")
    for index in range(9, 12):
        (root / "bbx_all_new" / f"{index}.txt").unlink()
    (root / "bbx_all_new" / "readme.txt").touch()
    data = open_dataset(root, part="test")
    message = f"names {last - 8} samples, 9 to {last}, of which bbx_all_new has none"
    with pytest.raises(InputError, match=message):
        data.check()
    with pytest.raises(InputError, match=message):
        batches(data, Stream(2, skip_bad=True))


def test_one_sample_in_a_thousand_may_be_there(root):
    path = root / "index_range" / "S9_Eating_range.txt"
    path.write_text("9 3008")
    data = open_dataset(root, part="test")
    assert len(data.good_annotations(skip_bad=True)) == 3
    path.write_text("9 3009")
    with pytest.raises(InputError, match=r"names 3001 samples, .* bbx_all_new has 3"):
        open_dataset(root, part="test").check()


def test_pipes_are_not_waited_for(root):
    for name in ("scale/2.txt", "images/3.png"):
        (root / name).unlink()
        os.mkfifo(root / name)
    reasons = [skipped.reason for skipped in open_dataset(root).check()]
    assert len(reasons) == 2
    assert all(
        "must be a file; it is a device or a pipe" in reason for reason in reasons
    )


def test_large_files_are_not_read(root):
    for name in ("scale/2.txt", "images/3.png"):
        with (root / name).open("r+b") as file:
            file.truncate(1 << 40)  # without blocks on the disk
    first, second = (skipped.reason for skipped in open_dataset(root).check())
    assert "2.txt: must have at most 1048576 bytes" in first
    assert "3.png: must have at most 536870912 bytes" in second


def test_a_kept_index_of_other_types_or_order_is_made_again(root):
    before = open_dataset(root).annotations
    path = root / ".index" / "S1_Directions_0_5.npz"
    with np.load(path) as file:
        kept = dict(file)
    for changed in (
        {"index": kept["index"][::-1]},
        {"index": kept["index"].astype(np.float64)},
        {"box": kept["box"][:, :3]},
        {"box": np.full_like(kept["box"], np.nan)},
        {"image": np.array(["a.png"] * 6)},
        {"pictures": kept["pictures"].reshape(2, 3)},
        {"skipped_index": np.arange(2)},
        {"squares": np.zeros((5, 4), np.float32)},
        {"squares": np.zeros((6, 4), np.int32)},
        {"version": np.array("version 6")},
        {"version": np.array(["version 7"])},
        {"version": np.int64(7)},
    ):
        np.savez(path, **kept | changed)
        found = open_dataset(root, trust_index=True).annotations
        np.testing.assert_array_equal(found.index, before.index)
        np.testing.assert_array_equal(found.box, before.box)
