"""Pictures in shards: the same batches as from a folder of files."""

import io

import numpy as np
import pytest
from made_up_shards import jpeg, write_shards
from PIL import Image

from human_pose.datasets.images import open_dataset, open_images, open_sharded
from human_pose.datasets.images.dataset import ImageDataset
from human_pose.datasets.images.sharded import ShardedImages
from human_pose.datasets.shards.records import Field
from human_pose.datasets.shards.writing import Good, shard_name, write_shard
from human_pose.files.errors import InputError
from human_pose.i1.input import Stream, batches


def assert_equal(one, other):
    for mine, theirs in zip(one, other, strict=True):
        assert mine.keys() == theirs.keys()
        for name, values in mine.items():
            assert values.dtype == theirs[name].dtype
            np.testing.assert_array_equal(values, theirs[name], name)


@pytest.mark.parametrize(
    ("augment", "options"),
    [
        ("published", {"sampling": "replacement"}),
        ("modern", {}),
        ("mild", {"input_size": 64, "epoch": 1, "start_step": 1}),
        (None, {"input_size": 128}),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_gives_the_batches_of_a_folder(root, tmp_path, augment, options, order):
    folder = write_shards(root, tmp_path / "shards", shards=3, order=order)
    stream = Stream(4, augment, shuffle=True, seed=3, **options)
    assert_equal(
        batches(open_sharded(folder), stream), batches(open_dataset(root), stream)
    )


def test_gives_them_from_memory_too(root, tmp_path):
    folder = write_shards(root, tmp_path / "shards")
    stream = Stream(4, "modern", shuffle=True, repeat=True, input_size=64, start_step=1)
    ours = batches(open_sharded(folder), stream).take(4)
    for path in folder.glob("*.tfrecord-*"):
        if path.suffix != ".json":
            path.unlink()  # everything is there
    assert_equal(ours, batches(open_dataset(root), stream).take(4))


def test_chooses_samples_as_a_folder_does(root, tmp_path):
    folder = write_shards(root, tmp_path / "shards", bad=[4, 5])
    whole, fifth = open_sharded(folder), open_sharded(folder, every=5)
    assert (len(whole), len(fifth)) == (9, 2)
    assert whole.indices.tolist() == list(range(9))
    assert whole.good_indices().tolist() == [0, 1, 2, 3, 6, 7, 8]
    assert [bad.sample for bad in whole.skipped] == [4, 5]
    assert fifth.skipped == ((5, "5: was bad"),)
    some = open_sharded(folder, indices=[7, 0, 4])
    assert some.good_indices().tolist() == [0, 7]
    assert some.skipped == ((4, "4: was bad"),)
    (batch,) = batches(some, Stream(4, input_size=32))
    assert batch["index"].numpy().tolist() == [0, 7]
    with pytest.raises(InputError, match=r"^indices must be of train .*; received 9$"):
        open_sharded(folder, indices=[9])
    with pytest.raises(InputError, match=r"^indices must .* `every`, .* received 7$"):
        open_sharded(folder, indices=[7], every=5)
    with pytest.raises(InputError, match=r"has none of the train samples that are"):
        open_sharded(folder, indices=[4])
    with pytest.raises(InputError, match=r"holds no shards of the test part"):
        open_sharded(folder, "test")
    with pytest.raises(InputError, match=r"^part must be one of train, test"):
        open_sharded(folder, "val")


def test_tells_other_samples_apart(root, tmp_path):
    one = write_shards(root, tmp_path / "one")
    other = write_shards(root, tmp_path / "other", encoded=jpeg)
    identities = {
        open_sharded(one).identity,
        open_sharded(one, every=2).identity,
        open_sharded(one, every=4).identity,
        open_sharded(other).identity,
    }
    assert len(identities) == 4
    assert open_sharded(one).identity == open_sharded(one).identity


def test_decodes_jpeg_as_others_do(root, tmp_path):
    folder = write_shards(root, tmp_path / "shards", encoded=jpeg)
    source = open_sharded(folder).source()
    content = (root / "images" / "3.png").read_bytes()
    expected = np.asarray(Image.open(io.BytesIO(jpeg(content))))
    found = source.one(np.int64(3))["image"].numpy()
    # Decoders may differ by a grey level.
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert np.abs(found.astype(int) - expected).mean() < 0.01


def test_folders_are_known_by_what_they_hold(root, tmp_path):
    folder = write_shards(root, tmp_path / "shards")
    assert isinstance(open_images(folder), ShardedImages)
    assert isinstance(open_images(root), ImageDataset)
    assert open_images(folder, every=5).indices.tolist() == [0, 5]
    assert open_images(root, every=5).indices.tolist() == [0, 5]


def test_a_damaged_record_stops_the_stream(root, tmp_path):
    folder = write_shards(root, tmp_path / "shards")
    path = next(folder.glob("*-00001-of-00002"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(Exception, match=r"corrupted record at \d+"):
        list(batches(open_sharded(folder), Stream(3, input_size=32)))


def test_other_records_are_refused(tmp_path):
    schema = {"x": Field()}
    name = shard_name("other", "train", 0, 1)
    write_shard(tmp_path / name, [Good(0, {"x": 1.0})], schema, "other")
    with pytest.raises(InputError, match=r"holds no samples of pictures"):
        open_sharded(tmp_path)
