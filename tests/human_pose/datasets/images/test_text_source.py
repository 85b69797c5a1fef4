"""The text layout as a source: what the annotations hold, record by record."""

import dataclasses
import io

import made_up_images as made_up
import numpy as np
import pytest
from PIL import Image

from human_pose.datasets.images import open_dataset
from human_pose.datasets.images.encoding import encoded
from human_pose.datasets.images.schema import IMAGE_SCHEMA
from human_pose.datasets.images.text_source import text_source
from human_pose.datasets.images.variants import VARIANTS, Variant, variant_of
from human_pose.datasets.images.writing import FOLDERS, write_range
from human_pose.datasets.rendered import Recipe, moment
from human_pose.datasets.rendered.record import write_shot
from human_pose.datasets.rendered.source import rendered_source
from human_pose.datasets.shards.preparation import prepare
from human_pose.datasets.shards.records import encode
from human_pose.datasets.shards.writing import Bad
from human_pose.files.errors import InputError


@pytest.fixture
def folder(tmp_path):
    made_up.write_set(tmp_path)
    return tmp_path


def open_source(folder, *arguments, **options):
    return text_source(folder, *arguments, partial_set=True, **options)


@pytest.mark.parametrize("part", ["train", "test"])
def test_samples_are_those_of_the_annotations(folder, part):
    wanted = open_dataset(folder, part=part).annotations
    samples = [item.sample for item in open_source(folder).samples(part)]
    for name in set(IMAGE_SCHEMA) - {"image"}:
        np.testing.assert_array_equal(
            [sample[name] for sample in samples], getattr(wanted, name)
        )


def test_pictures_are_kept_or_encoded(folder):
    for encoding in ("png", "jpeg"):
        source = open_source(folder, encoding=encoding)
        for index, item in enumerate(source.samples("test"), start=9):
            content = item.sample["image"]
            if encoding == "png":
                path = folder / "images" / f"{index}.png"
                assert content == path.read_bytes()
                continue
            image = Image.open(io.BytesIO(content))
            assert image.format == "JPEG"
            error = np.asarray(image, float) - made_up.picture(index)
            # Grey levels; colours, which change fast there, are kept by halves.
            assert np.sqrt(np.mean(error**2)) < 8


def test_shards_of_files_that_changed_since_are_made_anew(folder, tmp_path, caplog):
    """A set that was killed, or finished, would hold joints of before and of after."""

    def prepared(out):
        made = prepare(open_source(folder, encoding="png").plan(3), tmp_path / out)
        return {path.name: path.read_bytes() for path in made.glob("*-of-*[0-9]")}

    before = prepared("out")
    assert prepared("out") == before and "anew" not in caplog.text
    path = folder / "gt_joint_3d_mono_raw" / "9.txt"
    path.write_text(path.read_text().replace("1", "2"))
    after = prepared("out")
    assert after == prepared("other")
    assert sum(after[name] != before[name] for name in before) == 1
    told = f"makes 1 of {len(before)} shards anew, for files of theirs were changed"
    assert told in caplog.text and str(path) in caplog.text
    (folder / "images" / "0.png").write_bytes(
        (folder / "images" / "1.png").read_bytes()
    )
    assert prepared("out") == prepared("third") != after


def test_shards_of_files_that_changed_while_they_were_made_are_made_anew(
    folder, tmp_path
):
    """What changes after it was read and before the shard's end is not in it."""
    plan = open_source(folder, encoding="png").plan(100)
    path = folder / "gt_joint_3d_mono_raw" / "0.txt"

    def make(piece):
        for item in plan.make(piece):
            yield item
            if item.index == 0:
                path.write_text(path.read_text().replace("1", "2"))

    prepare(dataclasses.replace(plan, make=make), tmp_path / "out")

    def prepared(out):
        made = prepare(plan, tmp_path / out)
        return {path.name: path.read_bytes() for path in made.glob("*-of-*[0-9]")}

    assert prepared("out") == prepared("other")


def test_an_encoded_picture_is_the_picture():
    picture = made_up.picture(3)
    decoded = np.asarray(Image.open(io.BytesIO(encoded(picture, "png"))))
    np.testing.assert_array_equal(decoded, picture)


def test_bad_samples_are_told_by_their_files(folder):
    (folder / "bbx_all_new" / "3.txt").write_text("1 2 3")
    content = (folder / "images" / "4.png").read_bytes()
    (folder / "images" / "4.png").write_bytes(content[:-30])
    bad = [i for i in open_source(folder).samples("train") if isinstance(i, Bad)]
    assert [item.index for item in bad] == [3, 4]
    assert bad[0].reason == "bbx_all_new/3.txt: must be 4 numbers; received 3"
    assert bad[1].reason.startswith("images/4.png: is a damaged")


def test_damaged_takes_are_told_by_the_info_files(folder):
    info = folder / "info_all" / "10.txt"
    info.write_text("S9 Waiting 1.55011271\n13\nWaiting\n1\n2\n7\nS9 Waiting\n")
    for sound, wanted in ((False, [9, 10, 11]), (True, [9, 11])):
        source = open_source(folder, Variant(sound=sound))
        assert [item.index for item in source.samples("test")] == wanted


def test_missing_subjects_are_refused(folder):
    with pytest.raises(InputError, match="lacks S5, S6, S7, S11 of 7 subjects"):
        text_source(folder)
    with pytest.raises(InputError, match="encoding must be one of jpeg, png"):
        open_source(folder, encoding="webp")
    for path in (folder / "index_range").iterdir():
        first, last = path.read_text().split()
        path.write_text(f"{int(first) + 1000} {int(last) + 1000}")
    with pytest.raises(InputError, match="every must divide the index of one"):
        open_source(folder, Variant(every=997))


def test_rendered_pictures_are_those_of_the_files(tmp_path):
    """Bit for bit, but rendered as they are wanted."""
    recipe = Recipe(count=315, seed=3, hard=("occluders", "dark"))
    made = rendered_source(recipe)
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    # A few, for rendering takes its time: of the first and of the last subject.
    for part, place in (("train", 0), ("test", -1)):
        block = made.parts[part][place].place
        write_range(tmp_path, block.subject, block.action, block.first, block.last)
        views = block.last + 1 - block.first
        for index, shot in enumerate(
            moment(block.subject, block.action, 0, views, recipe.seed, recipe.hard),
            block.first,
        ):
            write_shot(tmp_path, index, block.subject, block.action, 0, shot)
    of_files = open_source(tmp_path, data_set="synthetic_images")
    for part, place in (("train", 0), ("test", -1)):
        one = [*of_files.samples(part)]
        other = [*made.make(made.parts[part][place])]
        assert [item.index for item in one] == [item.index for item in other]
        for a, b in zip(one, other, strict=True):
            assert encode(a.sample, IMAGE_SCHEMA) == encode(b.sample, IMAGE_SCHEMA)


def test_variants_have_names():
    assert [variant_of(variant.name) for variant in VARIANTS] == [*VARIANTS]
    assert variant_of("corrected_sound_every7") == Variant("corrected", 7, True)
    for name in (
        "",
        "best",
        "corrected_every",
        "corrected_every0",
        "published_every05",
    ):
        with pytest.raises(InputError, match="config must be like"):
            variant_of(name)
    with pytest.raises(InputError, match="every"):
        Variant(every=0)
    with pytest.raises(InputError, match="split must be one of"):
        Variant("random")


@pytest.mark.parametrize(
    ("video", "held"),
    [
        ("S9 Greeting.54138969", False),
        ("S9 Greeting 1.54138969", True),
        ("S9 SittingDown 1.60457274", False),
        ("S11 Directions.54138969", False),
        ("S11 Directions.55011271", True),
        ("S1 Greeting.54138969", True),
    ],
)
def test_damaged_takes(video, held):
    assert Variant(sound=True).holds(video) == held
    assert Variant().holds(video)
