import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.files.npz import write_npz
from ransac.files import read_arrays


def test_arrays_come_back(tmp_path):
    path = tmp_path / "new" / "file.npz"
    write_npz(path, {"a": np.arange(3), "b": np.eye(2)})
    arrays = read_arrays(path, {"a": (3,), "b": ("N", 2)})
    np.testing.assert_array_equal(arrays["a"], [0, 1, 2])
    np.testing.assert_array_equal(arrays["b"], np.eye(2))
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/toy\.npz: cannot be written"):
        write_npz(tmp_path / "file" / "toy.npz", {})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz: no such file"):
        read_arrays(tmp_path / "none.npz", {"a": ("N",)})


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_an_unreadable_file_is_named(tmp_path, content):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.npz: is no readable \.npz file"):
        read_arrays(path, {"a": ("N",)})


def test_a_single_array_is_no_archive(tmp_path):
    path = tmp_path / "array.npy"
    np.save(path, np.ones(3))
    with pytest.raises(InputError, match=r"is no readable \.npz file"):
        read_arrays(path, {"a": ("N",)})
