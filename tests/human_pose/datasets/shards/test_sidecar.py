import json

import pytest

from human_pose.datasets.shards.records import Field
from human_pose.datasets.shards.sidecar import read_sidecar, sidecar_path
from human_pose.datasets.shards.writing import Good, write_shard
from human_pose.files.errors import InputError


@pytest.fixture
def shard(tmp_path):
    samples = [Good(3, {"a": 1}), Good(5, {"a": 2})]
    write_shard(tmp_path / "shard", samples, {"a": Field(dtype="int64")}, "made up")
    return tmp_path / "shard"


def test_every_flipped_bit_is_found(shard):
    path, whole = sidecar_path(shard), read_sidecar(shard)
    content = path.read_bytes()
    for place in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            assert read_sidecar(shard) == whole, place  # a blank became another
        except InputError as error:
            assert str(path) in str(error), place


def test_a_wrong_index_is_told(shard):
    path = sidecar_path(shard)
    path.write_text(path.read_text().replace("[3, 5]", "[3, 7]"))
    with pytest.raises(InputError, match=r"is damaged.* prepare the data set again"):
        read_sidecar(shard)


def test_sidecars_without_a_checksum_of_their_own_are_read(shard):
    path, whole = sidecar_path(shard), read_sidecar(shard)
    content = json.loads(path.read_text())
    del content["checksum"]
    path.write_text(json.dumps(content | {"version": 1}))
    old = read_sidecar(shard)
    assert (old.indices, old.crc32) == (whole.indices, whole.crc32)


@pytest.mark.parametrize("text", ["3", "[]", "{}", "null", '"a"'])
def test_what_is_no_sidecar_is_told(shard, text):
    sidecar_path(shard).write_text(text)
    with pytest.raises(InputError, match="is no sidecar of a shard"):
        read_sidecar(shard)
