"""Libraries that are not there, or not whole, are told of in one line."""

import pytest

from human_pose.files.errors import InputError
from human_pose.files.extras import needed


def test_what_is_not_there_is_named():
    with pytest.raises(InputError, match=r"film: needs .* pip install 'wiberg-tf\[v"):
        needed("no_such_library", "film", "viewer")


def test_what_cannot_be_loaded_is_named(tmp_path, monkeypatch):
    """OpenCV, say, needs libraries of the system, which images of containers lack."""
    (tmp_path / "half_there.py").write_text("raise ImportError('libGL.so.1: no file')")
    monkeypatch.syspath_prepend(tmp_path)
    message = "a.yml: the package half_there cannot be loaded: libGL.so.1: no file"
    with pytest.raises(InputError, match=f"^{message}$"):
        needed("half_there", "a.yml")
