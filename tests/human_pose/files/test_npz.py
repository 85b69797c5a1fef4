"""`.npz` files: what is written comes back, and nothing else is taken."""

import io
import struct
import zipfile

import numpy as np
import pytest

from human_pose.files import arrays as rules
from human_pose.files.errors import InputError
from human_pose.files.npz import read_npz, write_npz

ARRAYS = {
    "x": np.arange(6, dtype=np.float32).reshape(2, 3),
    "n": np.int64(4),
    "header": '{"a": "ä"}',
    "names": np.array([b"a.png", b"bc.png"]),
}
SHAPES = {"x": ("F", 3), "n": ()}
TEXTS = {"header": (), "names": ("F",)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.npz"
    write_npz(path, ARRAYS)
    return path


def entry(path, content, **options):
    """An archive with one entry, x."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("x.npy", content)


def header(shape, dtype="<f8", version=1):
    """The head of an `.npy` file."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode()


def test_numbers_and_texts_come_back(path):
    found = read_npz(path, SHAPES, TEXTS)
    assert list(found) == ["x", "n", "header", "names"]
    np.testing.assert_array_equal(found["x"], ARRAYS["x"])
    assert found["x"].dtype == np.float32
    assert found["n"] == 4
    assert str(found["header"]) == '{"a": "ä"}'
    assert found["names"].tolist() == [b"a.png", b"bc.png"]


def test_files_that_numpy_wrote_are_read(path):
    for save in (np.savez, np.savez_compressed):
        save(path, **ARRAYS)
        np.testing.assert_array_equal(read_npz(path, SHAPES)["x"], ARRAYS["x"])
    with np.load(path) as file:
        assert str(file["header"]) == ARRAYS["header"]


def test_big_endian_and_fortran_order_are_read(path):
    np.savez(path, x=np.asfortranarray(ARRAYS["x"].astype(">f8")))
    found = read_npz(path, {"x": (2, 3)})["x"]
    np.testing.assert_array_equal(found, ARRAYS["x"])
    assert found.dtype == np.float64


def test_equal_arrays_give_equal_bytes(path, tmp_path):
    write_npz(tmp_path / "b.npz", ARRAYS)
    assert path.read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_names_of_parameters_are_no_trouble(path):
    write_npz(path, {"file": np.ones(1), "a/b": np.ones(2)})
    found = read_npz(path, {"file": (1,), "a/b": (2,)})
    assert {name: len(array) for name, array in found.items()} == {"file": 1, "a/b": 2}


@pytest.mark.parametrize(
    ("shapes", "texts", "message"),
    [
        ({"x": (2, 4)}, {}, "x must have shape [2, 4]; received [2, 3]"),
        ({"x": ("F", 3)}, {"names": (1,)}, "names must have shape [1]; received [2]"),
        ({"header": ()}, {}, "header must be real numbers; received <U10"),
        ({}, {"x": (2, 3)}, "x must be text; received float32"),
        ({"z": (1,)}, {}, "must hold z; it holds x, n, header, names"),
    ],
)
def test_wrong_contents(path, shapes, texts, message):
    with pytest.raises(InputError) as error:
        read_npz(path, shapes, texts)
    assert str(error.value) == f"{path}: {message}"


def test_values_that_are_not_finite(path):
    write_npz(path, {"x": np.array([1, np.nan])})
    with pytest.raises(InputError, match="x must be finite; 1 values are not"):
        read_npz(path, {"x": (2,)})


def test_objects_are_neither_written_nor_read(path):
    with pytest.raises(ValueError, match="Object arrays"):
        write_npz(path, {"x": np.array([object()])})
    np.savez(path, x=np.array([{}]), allow_pickle=True)
    with pytest.raises(InputError):
        read_npz(path, {"x": (1,)})


def test_no_letters(path):
    write_npz(path, {"t": np.array([0x110000], np.uint32).view("<U1")})
    with pytest.raises(InputError, match="is no readable"):
        read_npz(path, {}, {"t": (1,)})


@pytest.mark.parametrize(
    "content",
    [
        header((10**12,)),  # terabytes, with none there
        header((10**12,)) + bytes(64),
        header((-1,)) + bytes(8),
        header((2,)) + bytes(24),  # more than it declares
        header((1,), "<f16") + bytes(16),
        header((1,), "<c16") + bytes(16),
        header((1,), "|O") + bytes(8),
        header((1,), version=2) + bytes(8),
        header((1,))[:40],
        b"",
        b"\x93NUMPY\x01\x00\x05\x00((((\n",
    ],
)
def test_hostile_headers(path, content):
    entry(path, content)
    for shape in ((1,), ("N",)):
        with pytest.raises(InputError) as error:
            read_npz(path, {"x": shape})
        assert "\n" not in str(error.value)


def test_texts_without_letters_cannot_be_counted_for_ever(path):
    entry(path, header((10**15,), "<U0"))
    with pytest.raises(InputError, match="x must be text"):
        read_npz(path, {}, {"x": ("N",)})


def test_a_bomb_of_zeros_is_refused_before_it_is_inflated(path, monkeypatch):
    # 64 MB in 64 kB; sizes stay small here, the limit is lowered.
    monkeypatch.setattr(rules, "ALWAYS_BYTES", 1 << 20)
    content = header((1 << 20,)) + bytes(8 << 20)
    entry(path, content, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 14
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail())
    with pytest.raises(InputError, match=r"x must have at most \d+ bytes in a file of"):
        read_npz(path, {"x": ("N",)})


def test_an_archive_that_lies_about_a_size_is_inflated_no_further(path):
    """The directory says 8 numbers, and the entry inflates to 8 MB."""
    content = header((8,)) + bytes(8 << 20)
    entry(path, content, compression=zipfile.ZIP_DEFLATED)
    said = len(header((8,))) + 64
    raw = path.read_bytes().replace(
        struct.pack("<I", len(content)), struct.pack("<I", said)
    )
    path.write_bytes(raw)
    with pytest.raises(InputError, match="CRC"):
        read_npz(path, {"x": (8,)})


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(path, method):
    entry(path, header((1,)) + bytes(8), compression=method)
    with pytest.raises(InputError, match="compressed by a method"):
        read_npz(path, {"x": (1,)})


@pytest.mark.parametrize("offset", range(8, 46))
def test_flipped_bits_in_the_directory(path, offset):
    raw = bytearray(path.read_bytes())
    place = raw.index(b"PK\x01\x02") + offset
    for bit in range(8):
        changed = raw.copy()
        changed[place] ^= 1 << bit
        path.write_bytes(changed)
        try:
            found = read_npz(path, SHAPES, TEXTS)
        except InputError as error:
            assert str(error).startswith(f"{path}: ")
        else:
            np.testing.assert_array_equal(found["x"], ARRAYS["x"])


def test_what_is_no_archive(path):
    single = io.BytesIO()
    np.save(single, np.ones(3))
    for content in (b"", b"PK", single.getvalue(), path.read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is no readable"):
            read_npz(path, {"x": (2, 3)})
    with pytest.raises(InputError, match="no such file"):
        read_npz(path.with_name("none.npz"), {})
