"""Pictures of other sizes and kinds: the same 224 px pictures, joints and batches."""

import os
import re
import shutil

import made_up_images as made_up
import made_up_stored as stored
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, PngImagePlugin

from human_pose.datasets.images import open_dataset, open_sharded, read_sample
from human_pose.datasets.images.kept_index import shard_path
from human_pose.datasets.images.picture_file import check_image
from human_pose.datasets.images.plausibility import misfit
from human_pose.datasets.images.schema import IMAGE_SCHEMA
from human_pose.datasets.images.text_source import text_source
from human_pose.datasets.shards.writing import Bad, shard_name, write_shard
from human_pose.files.errors import InputError
from human_pose.i1.input import Stream, batches
from human_pose.media.pictures import read_picture

# How a set is stored, and by how many grey levels one may be off, and all in the mean:
# rounded to 8 bits twice, of fewer pixels, or by JPEG. Off by the half pixel between
# edges and middles, the means of other sizes would be above 0.6.
FORMS = {
    "JPEG": (stored.as_jpeg, 8, 0.8),
    "larger PNG": (lambda root: stored.of_size(root, 512), 3, 0.1),
    "smaller PNG": (lambda root: stored.of_size(root, 160), 4, 0.3),
    "larger JPEG": (lambda root: stored.of_size(root, 512, stored.jpeg), 6, 0.5),
    "frames": (stored.in_frames, 0, 0.0),
    "frames of larger people": (lambda root: stored.in_frames(root, 393), 3, 0.1),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return stored.smooth_set(tmp_path_factory.mktemp("sets") / "plain")


@pytest.fixture(scope="module", params=FORMS)
def form(request, plain):
    """The set as it is, the same in another form, and what may differ."""
    change, most, mean = FORMS[request.param]
    root = plain.with_name(request.param)
    shutil.copytree(plain, root)
    return plain, change(root), most, mean


@pytest.fixture
def root(tmp_path):
    return stored.smooth_set(tmp_path / "set")


def pictures(data):
    source = data.source()
    rows = tf.data.Dataset.range(source.count)
    found = rows.map(lambda row: source.one(row)["image"]).batch(source.count)
    return found.get_single_element().numpy().astype(int)


def test_pictures_and_joints_are_those_of_224_px(form):
    plain, other, most, mean = form
    wanted, found = open_dataset(plain), open_dataset(other)
    assert found.check() == ()
    for name in ("box", "camera", "joints_3d_mm"):
        np.testing.assert_array_equal(
            getattr(found.annotations, name), getattr(wanted.annotations, name)
        )
    np.testing.assert_allclose(
        found.annotations.joints_2d_px, wanted.annotations.joints_2d_px, atol=1e-3
    )
    off = np.abs(pictures(found) - pictures(wanted))
    assert off.max() <= most
    assert off.mean() <= mean


@pytest.mark.parametrize(
    "augment", ["published", pytest.param("modern", marks=pytest.mark.large), None]
)
def test_batches_are_those_of_224_px(form, augment):
    plain, other, most, mean = form
    stream = Stream(4, augment, shuffle=True, seed=3, input_size=64)
    for wanted, found in zip(
        batches(open_dataset(plain), stream).as_numpy_iterator(),
        batches(open_dataset(other), stream).as_numpy_iterator(),
        strict=True,
    ):
        for name, values in wanted.items():
            if name == "image":  # 64 px of 256 average what differs; colours amplify it
                off = np.abs(found[name] - values) * 256
                assert off.max() <= 2 * most and off.mean() <= 2 * mean
            else:  # joints are parts of 256 px
                np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)


def prepared(root, folder, encoding):
    folder.mkdir()
    source = text_source(root, partial_set=True, encoding=encoding)
    path = folder / shard_name(source.data_set, "train", 0, 1)
    write_shard(path, [*source.samples("train")], IMAGE_SCHEMA, source.data_set)
    return open_sharded(folder)


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
def test_a_prepared_set_streams_what_the_folder_does(form, encoding, tmp_path):
    _, root, *_ = form
    data = open_dataset(root)
    # Neither PNG nor the bytes of a JPEG file lose anything.
    exact = encoding == "png" or data.annotations.squares is None
    stream = Stream(4, "modern", shuffle=True, seed=3, input_size=64)
    for wanted, found in zip(
        batches(data, stream).as_numpy_iterator(),
        batches(prepared(root, tmp_path / encoding, encoding), stream),
        strict=True,
    ):
        for name, values in wanted.items():
            if name == "image" and not exact:
                assert np.abs(found[name] - values).mean() * 256 < 2
            else:
                np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_records_keep_the_bytes_of_whole_pictures_of_their_encoding(root):
    stored.store(root, 1, stored.jpeg(stored.smooth(1)))
    stored.store(root, 2, stored.encoded(stored.smooth(2)), (112.5, 112.0, 224.0))
    for encoding, kept in (("png", [0, 3]), ("jpeg", [1])):
        source = text_source(root, partial_set=True, encoding=encoding)
        samples = [*source.samples("train")][:4]
        same = [
            item.index
            for item in samples
            if item.sample["image"]
            == (root / "images" / f"{item.index}.png").read_bytes()
        ]
        assert same == kept


def test_a_set_of_whole_224_px_pictures_knows_of_no_squares(root):
    """Neither its identity nor its graph: version 0.2 made this checksum."""
    made = root.with_name("made up")
    made.mkdir()
    made_up.write_set(made)
    data = open_dataset(made)
    assert data.annotations.squares is None
    assert data.identity.startswith("9 (checksum 7e1771e9, ")
    stored.as_jpeg(made)
    assert open_dataset(made).annotations.squares is None


def test_sets_of_both_kinds_go_together(root):
    whole = pictures(open_dataset(root))
    before = open_dataset(root).identity
    large = stored.encoded(stored.resized(stored.smooth(7), 448))
    joints = stored.joints_of(root, 7) * 2
    stored.store(root, 7, large, (224.0, 224.0, 448.0), joints)
    data = open_dataset(root)
    squares = data.annotations.squares
    assert squares[:7].tolist() == [[0, 0, 224, 224]] * 7
    assert squares[7].tolist() == [0, 0, 448, 448]
    assert data.identity != before
    found = pictures(data)
    np.testing.assert_array_equal(np.delete(found, 7, 0), np.delete(whole, 7, 0))
    assert np.abs(found[7] - whole[7]).max() <= 3
    # The kept index gives it back; the part without is kept without.
    again = open_dataset(root, trust_index=True)
    np.testing.assert_array_equal(again.annotations.squares, squares)
    np.testing.assert_array_equal(pictures(again), found)
    assert again.annotations.sizes_px.tolist() == [[224, 224]] * 7 + [[448] * 2] + [
        [224] * 2
    ]
    test = open_dataset(root, part="test").annotations
    assert test.squares is None and test.sizes_px is None


def test_a_picture_of_224_px_may_be_shown_in_part(root):
    stored.store(root, 3, stored.encoded(stored.smooth(3)), (100.0, 120.0, 224.0))
    found = pictures(open_dataset(root))[3]
    wanted = stored.smooth(3)
    np.testing.assert_array_equal(found[:216, 12:], wanted[8:, :212])
    assert (found[216:] == 128).all() and (found[:, :12] == 128).all()


def test_an_index_of_before_is_made_again(root):
    data = open_dataset(root)
    assert data.check() == ()
    for item in data._ranges:
        path = shard_path(root, item)
        with np.load(path) as file:
            kept = {name: file[name] for name in file.files if name != "sizes_px"}
        np.savez(path, **kept | {"version": np.array("version 7")})
    again = open_dataset(root, trust_index=True)
    assert again.check() == () and again.identity == data.identity
    with np.load(path) as file:
        assert file["version"] == "version 8" and file["sizes_px"].shape == (0, 2)


def reason_of(root, index=2):
    ((sample, reason),) = open_dataset(root).check()
    assert sample == index and "\n" not in reason
    return reason.removeprefix(f"{root}{os.sep}")


@pytest.mark.parametrize(
    ("square", "reason"),
    [
        ((112, 112, 0), "scale/2.txt: must be the side of the square that shows the "
         "person, at least 1 px; received 0"),
        ((112, 112, -224), "scale/2.txt: must be .* at least 1 px; received -224"),
        ((112, 112, np.inf), "scale/2.txt: must be finite .* received 'inf'"),
        ((np.nan, 112, 224), "center_x/2.txt: must be finite .* received 'nan'"),
        ((112, 1e7, 224), "center_y/2.txt: must be from -1000000 to 1000000 px; "
         "received 1e\\+07"),
        ((400, 112, 224), "images/2.png: the square of center_x, center_y and scale "
         "must show some of the 224 x 224 px frame; it is 288 0 512 224"),
        ((112, -112, 224), "images/2.png: the square .* it is 0 -224 224 0"),
        ((-199.9, 112, 400), "images/2.png: the square .* it is -399.9 -88 0.1 312"),
        ((112, 112, 897), "images/2.png: the square .* a side from 1 to 896 px; it "
         "has 897"),
        ((112, 112, 1), "gt_joint_2d_raw_new/2.txt: must be from -1000000 to 1000000 "
         "px of the 224 px picture; received 1979824"),
    ],
)  # fmt: skip
def test_squares_that_show_nothing_are_named(root, square, reason):
    joints = np.full((32, 2), 112.0)
    joints[5] = 8.95e3  # far off, but for a square of 1 px not too far
    content = (root / "images" / "2.png").read_bytes()
    stored.store(root, 2, content, square, joints)
    assert re.match(reason, reason_of(root))


def turned(orientation=6):
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


def see_through(picture):
    alpha = np.full((224, 224, 1), 255, np.uint8)
    alpha[:50] = 0
    return np.concatenate([picture, alpha], -1)


def palette(picture):
    return Image.fromarray(picture).convert("P")


RULE = "must be stored as viewers show it, upright, opaque and in RGB or grey; it is "
ODD = {
    "turned JPEG": (
        lambda p: stored.encoded(p, "JPEG", exif=turned()),
        RULE + "turned by its EXIF orientation$",
    ),
    "turned PNG": (
        lambda p: stored.encoded(p, exif=turned()),
        RULE + "turned by its EXIF orientation$",
    ),
    "transparent": (lambda p: stored.encoded(see_through(p)), RULE + "transparent$"),
    "transparent palette": (
        lambda p: stored.encoded(palette(p), transparency=palette(p).getpixel((9, 9))),
        RULE + "transparent$",
    ),
    "WebP": (
        lambda p: stored.encoded(p, "WEBP", lossless=True),
        "is not a PNG or JPEG picture$",
    ),
    "GIF": (lambda p: stored.encoded(p, "GIF"), "is not a PNG or JPEG picture$"),
    "BMP": (lambda p: stored.encoded(p, "BMP"), "is not a PNG or JPEG picture$"),
    "no head": (lambda p: stored.jpeg(p)[:30], "is (a damaged|no PNG, .*) picture"),
    "nothing": (lambda p: b"", "is not a PNG or JPEG picture$"),
}


@pytest.mark.parametrize("case", ODD)
def test_what_a_viewer_would_show_otherwise_is_named(root, case):
    make, rule = ODD[case]
    stored.store(root, 2, make(stored.smooth(2)))
    assert re.match(f"images/2.png: {rule}", reason_of(root))


FINE = {
    "upright": lambda p: stored.encoded(p, "JPEG", exif=turned(1)),
    "damaged EXIF": lambda p: stored.encoded(p, "JPEG", exif=b"Exif\0\0II*"),
    "progressive": lambda p: stored.encoded(p, "JPEG", progressive=True),
    "grey JPEG": lambda p: stored.encoded(Image.fromarray(p).convert("L"), "JPEG"),
    "CMYK": lambda p: stored.encoded(Image.fromarray(p).convert("CMYK"), "JPEG"),
    "opaque": lambda p: stored.encoded(Image.fromarray(p).convert("RGBA")),
    "palette": lambda p: stored.encoded(palette(p)),
    "two colours": lambda p: stored.encoded(Image.fromarray(p).convert("1")),
    "16 bits": lambda p: stored.encoded(p[..., 0].astype(np.uint16) * 257),
    "with a comment": lambda p: stored.encoded(p, pnginfo=comment()),
}


def comment():
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "made up")
    return info


@pytest.mark.parametrize("case", FINE)
def test_others_are_read_as_viewers_show_them(root, case):
    stored.store(root, 2, FINE[case](stored.smooth(2)))
    data = open_dataset(root)
    assert data.check() == ()
    # Of 16 bits and other colours the decoders may differ by a grey level.
    wanted = read_picture(root / "images" / "2.png").astype(int)
    assert np.abs(pictures(data)[2] - wanted).max() <= 1


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_files_that_end_too_early_are_named(root, progressive):
    """At every place, where libjpeg alone would make the rest up."""
    picture = stored.resized(stored.smooth(2), 32)
    whole = stored.encoded(picture, "JPEG", progressive=progressive)
    path = root / "a.jpg"
    path.write_bytes(whole)
    assert check_image(path) == ("JPEG", 32, 32)
    for end in range(3, len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"a.jpg: is (a damaged|no PNG)"):
            check_image(path)


def test_a_cut_off_jpeg_of_a_set_is_named(root):
    stored.store(root, 2, stored.jpeg(stored.smooth(2))[:-500], name="a.jpg")
    assert reason_of(root) == "images/a.jpg: is a damaged or cut-off JPEG picture"
    (bad,) = [
        item
        for item in text_source(root, partial_set=True).samples("train")
        if isinstance(item, Bad)
    ]
    assert bad.reason == "images/a.jpg: is a damaged or cut-off JPEG picture"


def test_damage_behind_a_trusted_index_is_named(root):
    stored.of_size(root, 160)
    assert open_dataset(root).check() == ()
    data = open_dataset(root, trust_index=True)
    assert len([*batches(data, Stream(9))]) == 1
    path = root / "images" / "3.png"
    for content, rule in (
        (stored.jpeg(stored.smooth(3))[:-500], "is a damaged or cut-off JPEG picture"),
        (
            stored.encoded(stored.resized(stored.smooth(3), 161, 160)),
            "must be 160 x 160 px, as when the index was kept; received 161 x 160",
        ),
    ):
        path.write_bytes(content)
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            list(batches(data, Stream(3)))
        assert rule in caught.value.message.splitlines()[0]
        assert str(path) in caught.value.message.splitlines()[0]


def test_a_whole_picture_behind_a_trusted_index_keeps_its_size(root):
    """In a set of several sizes, too, where its square would show half of a larger."""
    stored.store(root, 7, stored.encoded(stored.smooth(7)), (112.5, 112.0, 224.0))
    assert open_dataset(root).check() == ()
    path = root / "images" / "3.png"
    path.write_bytes(stored.encoded(stored.resized(stored.smooth(3), 448)))
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        list(batches(open_dataset(root, trust_index=True), Stream(3)))
    assert (
        "must be 224 x 224 px, as when the index was kept; received 448 x 448"
        in (caught.value.message.splitlines()[0])
    )


@pytest.mark.parametrize("size", [448, 160])
def test_text_files_left_as_they_were_are_told(root, size, caplog):
    """Joints fit boxes and cameras then; only the pictures are of another size."""
    open_dataset(root).check()
    [*text_source(root, partial_set=True).samples("train")]
    assert not caplog.messages
    for index in (1, 3):
        picture = stored.resized(stored.smooth(index), size)
        stored.store(root, index, stored.encoded(picture))
    wanted = (
        f"{root}: center_x, center_y and scale of 2 of %d samples are 112 112 224, as "
        f"of pictures of 224 px, but the first of these is {size} x {size} px: were "
        "they left as they are when pictures were stored anew?"
    )
    assert open_dataset(root).check() == ()
    assert caplog.messages == [wanted % 9]
    caplog.clear()
    text_source(root, partial_set=True)
    assert caplog.messages == [wanted % 4]


def test_too_many_pixels_are_not_decoded(root):
    for content in (made_up.png((1 << 14, 1 << 14)), large_jpeg()):
        stored.store(root, 2, content)
        assert "must have at most 134217728 px" in reason_of(root)


def large_jpeg():
    """A head that says so."""
    content = stored.jpeg(stored.smooth(2))
    size = content.index(b"\xff\xc0") + 5
    return content[:size] + b"\x7f\xff\x7f\xff" + content[size + 4 :]


def test_samples_read_alone_are_mapped_too(root):
    wanted = read_sample(root, 4).joints_2d_px
    stored.in_frames(root, 200)
    found = read_sample(root, 4)
    np.testing.assert_allclose(found.joints_2d_px, wanted, atol=1e-3)
    assert found.square.tolist() == [265, 264, 465, 464]


def test_doubts_are_of_what_files_say(root):
    """Joints of the frame, or already of 224 px, as a set of frames may have them."""
    numbers = open_dataset(root).annotations
    joints = numbers.joints_2d_px
    others = (numbers.camera, numbers.joints_3d_mm)
    box = numbers.box

    def doubt(joints_px, squares):
        return misfit(box, others[0], joints_px, others[1], squares)

    squares = np.tile(np.float32([0, 0, 500, 500]), (len(joints), 1))
    assert doubt(joints, squares) == ""
    assert "px of 224 px pictures already" in doubt(joints * 224 / 500, squares)
    frame_px = box[:, None, :2] + joints * 393 / 224
    assert "px of the camera's frame" in doubt(frame_px * 224 / 500, squares)
    assert "shares of the picture" in doubt(joints / 500, squares)
