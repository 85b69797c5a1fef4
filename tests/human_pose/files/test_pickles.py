import os
import pickle

import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.files.pickles import unpickle, unpickle_npy


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_containers_of_arrays_are_read(protocol):
    array = np.arange(6.0).reshape(3, 2)
    value = {"a": [array, array.T.astype("f4")], "b": (1, 2.5, "x", None, True)}
    read = unpickle("file", pickle.dumps(value, protocol))
    assert read["b"] == value["b"]
    for found, expected in zip(read["a"], value["a"], strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


class Runs:
    """What a pickle must not do."""

    def __reduce__(self):
        return os.mkdir, ("made",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Runs()),
        pickle.dumps([Runs()], 0),
        pickle.dumps(np.ma.ones(2)),
        b"cbuiltins\neval\n(V1\ntR.",
        b"cnumpy\nndarray\n(V1\ntb.",
        b"r\xff\xff\xff\xff.",
        b"",
    ],
)
def test_nothing_else_is(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^file: holds a pickle"):
        unpickle("file", content)
    assert not os.listdir(tmp_path)


def test_numpys_dictionaries(tmp_path):
    np.save(tmp_path / "a.npy", np.array({"x": np.ones(2)}, dtype=object))
    read = unpickle_npy("file", (tmp_path / "a.npy").read_bytes())
    np.testing.assert_array_equal(read["x"], np.ones(2))
    np.save(tmp_path / "b.npy", np.ones(2))
    with pytest.raises(InputError, match="file: holds no pickled dictionary"):
        unpickle_npy("file", (tmp_path / "b.npy").read_bytes())
