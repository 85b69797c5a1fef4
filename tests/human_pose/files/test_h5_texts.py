"""Lists of texts and tables in HDF5 files, however h5py stores them."""

import h5py
import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.files.h5 import h5_ranks, read_h5, read_h5_table

WORDS = ["nose", "linkes Knöchel", "", "x" * 300] * 30


@pytest.mark.parametrize("userblock", [0, 512])
@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (WORDS, {}),
        ([word.encode() for word in WORDS], {}),
        (np.array([word.encode() for word in WORDS]), {}),
        (np.array([word.encode() for word in WORDS]), {"compression": "gzip"}),
        (WORDS, {"compression": "gzip"}),
        (WORDS, {"chunks": (7,), "maxshape": (None,)}),
    ],
)
def test_texts(data, stored, userblock, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=userblock) as file:
        file.create_dataset("names", data=data, **stored)
        file["numbers"] = [1.0, np.nan]
    read = read_h5(
        tmp_path / "a.h5", {"numbers": ("N",)}, texts=["names"], finite=False
    )
    assert read["names"] == WORDS and np.isnan(read["numbers"][1])
    assert h5_ranks(tmp_path / "a.h5") == {"names": 1, "numbers": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1.0], "must be a list of texts"),
        ([["a"]], "must be a list of texts"),
        (["a"] * 10_001, "at most 10000 texts"),
        (np.array([b"\xff"]), "not a readable HDF5 file"),
    ],
)
def test_what_is_no_list_of_texts(data, message, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["names"] = data
    with pytest.raises(InputError, match=message):
        read_h5(tmp_path / "a.h5", {}, texts=["names"])


def test_a_heap_that_never_ends(tmp_path):
    """An object of no size, on which HDF5's own code stays for ever."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["names"] = ["nose", "tail"]
    content = (tmp_path / "a.h5").read_bytes()
    at = content.index(b"GCOL") + 16
    (tmp_path / "a.h5").write_bytes(content[:at] + bytes(16) + content[at + 16 :])
    with pytest.raises(InputError, match="a text is not where it should be"):
        read_h5(tmp_path / "a.h5", {}, texts=["names"])


def test_links_elsewhere_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["far"] = h5py.ExternalLink("b.h5", "x")
        file["near"] = 1.0
        file.create_group("group")
    assert h5_ranks(tmp_path / "a.h5") == {"near": 0, "group": 0}
    assert h5_ranks(tmp_path) == h5_ranks(tmp_path / "none") == {}


def test_tables(tmp_path):
    kind = np.dtype([("index", "<i8"), ("values", "<f4", (2,))])
    rows = np.array([(3, (1, np.nan)), (4, (2, 5))], kind)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x/table"] = rows
        file["x/table"].attrs["bytes"] = np.bytes_(b"abc")
        file["x/table"].attrs["text"] = "abc"
        file["x/none"] = [1.0]
    columns, attributes = read_h5_table(tmp_path / "a.h5", "x/table")
    np.testing.assert_array_equal(columns["index"], [3, 4])
    np.testing.assert_array_equal(columns["values"], [[1, np.nan], [2, 5]])
    assert attributes == {"bytes": b"abc"}
    with pytest.raises(InputError, match="x/none must be a table"):
        read_h5_table(tmp_path / "a.h5", "x/none")
