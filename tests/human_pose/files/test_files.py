import errno
import os
import stat
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest

from human_pose.files import arrays as rules
from human_pose.files.errors import InputError
from human_pose.files.h5 import read_h5, write_h5
from human_pose.files.paths import (
    PROJECT_ROOT,
    atomic,
    check_is_file,
    leftovers,
    locate,
    output_path,
    read_text,
)


class TestLocate:
    def test_current_folder_comes_before_the_root(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert locate("setup.cfg") == PROJECT_ROOT / "setup.cfg"
        (tmp_path / "setup.cfg").touch()
        assert locate("setup.cfg") == tmp_path / "setup.cfg"

    def test_further_folders_come_last(self, tmp_path):
        (tmp_path / "setup.cfg").touch()
        (tmp_path / "check.h5").touch()
        assert locate("check.h5", also_under=[tmp_path]) == tmp_path / "check.h5"
        assert locate("setup.cfg", also_under=[tmp_path]) == PROJECT_ROOT / "setup.cfg"

    def test_absolute_paths_and_home_are_taken_as_they_are(self, tmp_path, monkeypatch):
        (tmp_path / "a.h5").touch()
        monkeypatch.setenv("HOME", str(tmp_path))
        assert locate(tmp_path / "a.h5") == tmp_path / "a.h5"
        assert locate("~/a.h5") == tmp_path / "a.h5"
        # A name may begin so.
        monkeypatch.chdir(tmp_path)
        (tmp_path / "~nobody.h5").touch()
        assert locate("~nobody.h5") == tmp_path / "~nobody.h5"
        assert output_path("~nobody.h5") == tmp_path / "~nobody.h5"

    def test_error_lists_every_place(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InputError) as error:
            locate("none.h5", also_under=[tmp_path / "more"])
        places = [tmp_path, PROJECT_ROOT, tmp_path / "more"]
        assert str(error.value) == "none.h5 not found; looked for " + ", ".join(
            str(place / "none.h5") for place in places
        )

    @pytest.mark.parametrize("name", ["~nobody of this name/a.h5", "a\0b"])
    def test_names_that_no_file_has_are_not_found(self, name, tmp_path):
        for also_under in ([], [tmp_path], [name]):
            with pytest.raises(InputError, match="not found; looked for"):
                locate(name, also_under=also_under)
        with pytest.raises(InputError, match="no such file"):
            read_text(name)
        assert output_path(name).name == name.rpartition("/")[2]

    def test_error_names_an_absolute_path_once(self, tmp_path):
        with pytest.raises(InputError) as error:
            locate(tmp_path / "none.h5", also_under=[tmp_path])
        assert str(error.value).count(str(tmp_path)) == 2  # what, and where


@pytest.mark.parametrize("read", [locate, check_is_file, read_text])
def test_a_name_that_no_file_can_have_is_told_in_one_line(tmp_path, read):
    with pytest.raises(InputError, match=r"/x+(: cannot be read: | not found|: no)"):
        read(tmp_path / ("x" * 300))


def test_a_place_that_cannot_be_looked_at_is_told_before_the_work(
    tmp_path, monkeypatch
):
    def forbid(path, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.exists", forbid)
    rule = f"^{tmp_path}/out: cannot be written: Permission denied$"
    with pytest.raises(InputError, match=rule):
        output_path(tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rule):
        output_path("out")


class TestAtomic:
    def test_makes_folders_and_replaces(self, tmp_path):
        path = tmp_path / "a/b/file.txt"
        for text in ("first", "second"):
            with atomic(path) as temporary:
                assert temporary.suffix == ".txt"
                temporary.write_text(text)
            assert path.read_text() == text
        assert list(path.parent.iterdir()) == [path]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_failure_leaves_the_old_file(self, tmp_path, error):
        path = tmp_path / "file"
        path.write_text("old")
        with pytest.raises(error), atomic(path) as temporary:
            temporary.write_text("half")
            raise error
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_full_disk_is_named_and_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "file"
        path.write_text("old")
        with pytest.raises(InputError, match=f"{path}: cannot be written: .*space"):
            with atomic(path) as temporary:
                temporary.write_text("half")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_what_a_link_leads_to_stays(self, tmp_path):
        link, place = tmp_path / "a.txt", tmp_path / "b.txt"
        place.write_text("old")
        link.symlink_to("b.txt")
        with atomic(link) as temporary:
            temporary.write_text("new")
        assert (link.read_text(), place.read_text()) == ("new", "old")

    def test_what_is_no_file_stays(self, tmp_path):
        path = tmp_path / "pipe"
        os.mkfifo(path)
        for other, what in ((path, "a device or a pipe"), (tmp_path, "a folder")):
            with pytest.raises(InputError, match=rf"{other}: .*a file; it is {what}"):
                with atomic(other):
                    pass
        assert path.is_fifo() and list(tmp_path.iterdir()) == [path]

    def test_target_is_untouched_until_the_end(self, tmp_path):
        path = tmp_path / "file"
        with atomic(path) as temporary:
            temporary.write_text("new")
            assert not path.exists()

    def test_readable_by_others_as_the_umask_allows(self, tmp_path):
        before = os.umask(0o027)
        try:
            with atomic(tmp_path / "file"):
                pass
            assert os.umask(0o027) == 0o027
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640

    def test_threads_leave_each_other_the_umask(self, tmp_path, monkeypatch):
        """Two at once left files that anybody could write to, and the umask at 0."""
        real = os.umask

        def slow(mask):
            before = real(mask)
            time.sleep(0.02)
            return before

        def write(name):
            with atomic(tmp_path / name):
                pass

        monkeypatch.setattr(os, "umask", slow)
        before = real(0o027)
        try:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(write, "abcd"))
            assert real(0o027) == 0o027
        finally:
            real(before)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        assert modes == {0o640}

    def test_unwritable_place_is_named(self, tmp_path):
        (tmp_path / "file").touch()
        path = tmp_path / "file/below"
        with pytest.raises(InputError, match=rf"{path}: cannot be written"):
            with atomic(path):
                pass


class TestReadText:
    def test_a_byte_order_mark_is_skipped(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_bytes(b"\xef\xbb\xbf\xc3\xa4 1\n")
        assert read_text(path) == read_text(str(path)) == "ä 1\n"
        path.write_bytes(b"\xef\xbb\xbf")
        assert read_text(path) == ""

    @pytest.mark.parametrize("content", [b"\xff\xfe1\0", b"\xe4", b"a\xc3"])
    def test_what_is_no_text_is_named(self, tmp_path, content):
        (tmp_path / "a.txt").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.txt: cannot be read as text: .utf-8"):
            read_text(tmp_path / "a.txt")

    def test_its_size_is_bounded(self, tmp_path):
        (tmp_path / "a.txt").write_bytes(b"12345")
        assert read_text(tmp_path / "a.txt", 5) == "12345"
        with pytest.raises(InputError, match="must have at most 4 bytes; it has more"):
            read_text(tmp_path / "a.txt", 4)

    def test_what_is_no_file_is_named(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        for name, rule in (
            ("", "must be a file; it is a folder"),
            ("pipe", "must be a file; it is a device or a pipe"),
            ("none", "no such file"),
        ):
            with pytest.raises(InputError, match=rule):
                read_text(tmp_path / name)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.h5"
    write_h5(
        path,
        {
            "x": np.arange(6.0).reshape(2, 3),
            "y": np.arange(2),
            "epoch": np.int64(6),
            "single": np.float32([1.5]),
        },
    )
    return path


class TestReadH5:
    def test_round_trip(self, path):
        arrays = read_h5(path, {"x": ("F", 3), "y": ("F",), "epoch": ()})
        np.testing.assert_array_equal(arrays["x"], [[0, 1, 2], [3, 4, 5]])
        np.testing.assert_array_equal(arrays["y"], [0, 1])
        assert arrays["x"].dtype == np.float64
        assert arrays["y"].dtype == np.int64
        assert arrays["epoch"] == 6

    def test_floats_become_float64(self, path):
        single = read_h5(path, {"single": (1,)})["single"]
        assert single.dtype == np.float64
        assert single == 1.5

    @pytest.mark.parametrize(
        ("shapes", "message"),
        [
            ({"x": (2, 4)}, "x must have shape [2, 4]; received [2, 3]"),
            ({"x": (2,)}, "x must have shape [2]; received [2, 3]"),
            ({"x": ("F", 3), "y": ("F", 2)}, "y must have shape [2, 2]; received [2]"),
            ({"y": ("F",), "x": (3, "F")}, "x must have shape [3, 2]; received [2, 3]"),
            ({"z": (1,)}, "must hold z; it holds epoch, single, x, y"),
        ],
    )
    def test_wrong_contents(self, path, shapes, message):
        with pytest.raises(InputError) as error:
            read_h5(path, shapes)
        assert str(error.value) == f"{path}: {message}"

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_values_that_are_not_finite(self, path, value):
        with h5py.File(path, "r+") as file:
            file["x"][1, 1:] = value
        with pytest.raises(InputError) as error:
            read_h5(path, {"x": (2, 3)})
        assert str(error.value) == (
            f"{path}: x must be finite; 2 values are not, the first at [1, 1]"
        )

    @pytest.mark.parametrize("value", ["text", [1j]])
    def test_values_that_are_no_real_numbers(self, path, value):
        with h5py.File(path, "w") as file:
            file["x"] = value
        with pytest.raises(InputError, match="x must be real numbers"):
            read_h5(path, {"x": (1,)})

    def test_group_in_place_of_a_dataset(self, path):
        with h5py.File(path, "w") as file:
            file.create_group("x")
        with pytest.raises(InputError, match=f"{path}: x must be a dataset"):
            read_h5(path, {"x": (1,)})

    def test_missing_file(self, tmp_path):
        with pytest.raises(InputError, match="no such file"):
            read_h5(tmp_path / "none.h5", {})
        with pytest.raises(InputError, match="must be a file; it is a folder"):
            read_h5(tmp_path, {})

    def test_truncated_at_any_length(self, path):
        data = path.read_bytes()
        lengths = [0, 8, 100, len(data) // 2, len(data) - 100, len(data) - 1]
        for length in lengths:
            path.write_bytes(data[:length])
            with pytest.raises(InputError) as error:
                read_h5(path, {"x": (2, 3)})
            assert str(error.value).startswith(f"{path}: is not a readable HDF5 file")
            assert "\n" not in str(error.value)

    def test_damaged_data(self, tmp_path):
        path = tmp_path / "a.h5"
        rng = np.random.default_rng(0)
        write_h5(path, {"x": rng.normal(size=1000)})
        data = bytearray(path.read_bytes())
        data[-2000:-1000] = bytes(1000)  # inside the compressed values
        path.write_bytes(data)
        with pytest.raises(InputError, match="is not a readable HDF5 file"):
            read_h5(path, {"x": (1000,)})


class TestHostileH5:
    """Each is refused by what the file declares, before any of it is read."""

    def refused(self, path, shape=(4,)):
        with pytest.raises(InputError) as error:
            read_h5(path, {"x": shape})
        assert str(error.value).startswith(f"{path}: ")
        assert "\n" not in str(error.value)
        return str(error.value)

    @pytest.mark.parametrize("shape", [(4,), ("N",), ("N", "N")])
    @pytest.mark.parametrize("size", [(1 << 40,), (1 << 20, 1 << 20)])
    def test_two_kilobytes_that_declare_terabytes(self, path, shape, size):
        for options in ({}, {"compression": "gzip", "chunks": True}):
            with h5py.File(path, "w") as file:
                file.create_dataset("x", size, "f8", **options)
            assert path.stat().st_size < 1 << 14
            self.refused(path, shape)

    def test_terabytes_of_chunk_for_four_numbers(self, path):
        with h5py.File(path, "w") as file:
            file.create_dataset(
                "x", (4,), "f8", chunks=(1 << 28,), maxshape=(None,),
                compression="gzip",
            )  # fmt: skip
        assert "at most" in self.refused(path)

    def test_a_bomb_of_zeros_declared_by_its_shape(self, path, monkeypatch):
        monkeypatch.setattr(rules, "ALWAYS_BYTES", 1 << 20)
        with h5py.File(path, "w") as file:
            file.create_dataset("x", data=np.zeros(1 << 20), compression="gzip")
        assert path.stat().st_size < 1 << 16
        assert "at most" in self.refused(path, ("N",))

    def test_a_bomb_of_zeros_within_a_chunk(self, path):
        packer = zlib.compressobj()
        block = bytes(1 << 20)
        bomb = b"".join([packer.compress(block) for _ in range(64)] + [packer.flush()])
        with h5py.File(path, "w") as file:
            data = file.create_dataset("x", (4,), "f8", chunks=(4,), compression="gzip")
            data.id.write_direct_chunk((0,), bomb)
        tracemalloc.start()
        assert "a chunk of more than 32 bytes" in self.refused(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
        tracemalloc.stop()

    @pytest.mark.parametrize("checksum", [False, True])
    @pytest.mark.parametrize(
        ("compression", "packed"),
        [
            (None, bytes(20)),
            ("gzip", zlib.compress(bytes(20))),
            ("lzf", b"\x13" + bytes(20)),
            ("lzf", b"\x00\x00\xe0\x0a\x00"),  # a zero, repeated 19 times
            ("lzf", b"\x1f" + bytes(20)),  # 32 letters, of which 20 are there
            ("lzf", b"\x00\x00" + b"\xe0\xff\x00" * 100_000),
        ],
    )
    def test_a_chunk_of_another_size(self, path, compression, packed, checksum):
        # HDF5 would read what lies behind a shorter one in the memory.
        with h5py.File(path, "w") as file:
            data = file.create_dataset(
                "x", (40_000,), "f8", chunks=(40_000,), compression=compression,
                fletcher32=checksum,
            )  # fmt: skip
            data.id.write_direct_chunk((0,), packed + bytes(4 * checksum))
        message = self.refused(path, (40_000,))
        assert "bytes" in message or "range" in message or "early" in message

    @pytest.mark.parametrize("rng", [None, np.random.default_rng(0)])
    def test_lzf_whether_it_shrinks_or_not(self, path, rng):
        array = np.arange(999.0) // 50 if rng is None else rng.normal(size=999)
        with h5py.File(path, "w") as file:
            for shuffle in (False, True):
                for checksum in (False, True):
                    file.create_dataset(
                        f"{shuffle}{checksum}", data=array, chunks=(100,),
                        compression="lzf", shuffle=shuffle, fletcher32=checksum,
                    )  # fmt: skip
            names = list(file)
        for read in read_h5(path, dict.fromkeys(names, (999,))).values():
            np.testing.assert_array_equal(read, array)

    def test_compressed_more_than_once(self, path):
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((4,))
        properties.set_deflate(9)
        properties.set_deflate(9)
        with h5py.File(path, "w") as file:
            space = h5py.h5s.create_simple((4,))
            kind = h5py.h5t.NATIVE_DOUBLE
            h5py.Dataset(h5py.h5d.create(file.id, b"x", kind, space, properties))[:] = 1
        assert "compressed more than once" in self.refused(path)

    @pytest.mark.parametrize("kind", ["external", "soft", "within", "twice"])
    def test_links_out_of_the_file(self, path, tmp_path, kind):
        os.mkfifo(tmp_path / "pipe")
        with h5py.File(path, "w") as file:
            file["out"] = h5py.ExternalLink(str(tmp_path / "pipe"), "/x")
            if kind == "external":
                file["x"] = file.get("out", getlink=True)
            elif kind == "soft":
                file["x"] = h5py.SoftLink("/out/x")
        name = {"within": "out/x", "twice": "out/x/y"}.get(kind, "x")
        with pytest.raises(InputError, match="must be in the file itself; it is a lin"):
            read_h5(path, {name: (4,)})

    def test_storage_out_of_the_file(self, path, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with h5py.File(path, "w") as file:
            file.create_dataset(
                "x", (4,), "f8", external=[(str(tmp_path / "pipe"), 0, 32)]
            )
        assert "it is in another one" in self.refused(path)
        with h5py.File(path, "w") as file:
            layout = h5py.VirtualLayout((4,), "f8")
            layout[:] = h5py.VirtualSource(str(tmp_path / "pipe"), "x", (4,))
            file.create_virtual_dataset("x", layout)
        assert "it is in another one" in self.refused(path)

    def test_numbers_that_are_not_there(self, path):
        with h5py.File(path, "w") as file:
            file.create_dataset("x", (4,), "f8")
        assert "must have 32 bytes; 0 are there" in self.refused(path)
        with h5py.File(path, "w") as file:
            file.create_dataset("x", (4,), "f8", chunks=(1,))[0] = 1
        assert "must have 4 chunks; 1 are there" in self.refused(path)

    def test_odd_types_of_numbers(self, path):
        types = [
            h5py.h5t.STD_B64LE,  # bits
            h5py.h5t.NATIVE_LDOUBLE,
            h5py.h5t.TypeID.copy(h5py.h5t.IEEE_F32LE),
            h5py.h5t.py_create(h5py.enum_dtype({"A": 1}, "i4")),
            h5py.h5t.py_create(np.dtype([("a", "f8")])),
            h5py.h5t.py_create(np.dtype("(3,)f8")),
            h5py.h5t.py_create(h5py.vlen_dtype(np.float64), logical=True),
            h5py.h5t.py_create(h5py.ref_dtype, logical=True),
            h5py.h5t.py_create(np.dtype("c16")),
            h5py.h5t.py_create(np.dtype(bool)),
        ]
        types[2].set_fields(15, 7, 8, 0, 7)  # as bfloat16, in a width of four bytes
        for kind in types:
            with h5py.File(path, "w") as file:
                space = h5py.h5s.create_simple((4,))
                h5py.h5d.create(file.id, b"x", kind, space)
            self.refused(path)

    def test_other_compressions(self, path):
        for options in ({"scaleoffset": 4}, {"compression": "szip"}):
            try:
                with h5py.File(path, "w") as file:
                    file.create_dataset("x", data=np.arange(4), **options)
            except ValueError:
                continue  # an h5py that cannot write it
            assert "compressed by a method other than" in self.refused(path)
        with h5py.File(path, "w") as file:
            file.create_dataset("x", data=np.arange(4), compression="lzf")
        assert len(read_h5(path, {"x": (4,)})["x"]) == 4

    def test_names_that_break_lines(self, path):
        with h5py.File(path, "w") as file:
            file["a\nb"] = file[b"\xff"] = 1
            for number in range(30):
                file[f"n{number}"] = 1
        message = self.refused(path)
        assert "'a\\nb'" in message
        assert message.endswith("and 22 more")


class TestWriteH5:
    def test_every_flipped_bit_is_seen(self, tmp_path):
        """Or changes nothing: checksums cover numbers, scalars and structure."""
        path = tmp_path / "a.h5"
        arrays = {"x": np.arange(4.0), "epoch": np.int64(6)}
        write_h5(path, arrays)
        raw = path.read_bytes()
        rng = np.random.default_rng(0)
        refused = 0
        for place in rng.choice(8 * len(raw), 300, replace=False):
            changed = bytearray(raw)
            changed[place // 8] ^= 1 << place % 8
            path.write_bytes(changed)
            try:
                found = read_h5(path, {"x": (4,), "epoch": ()})
            except InputError:
                refused += 1
            else:
                np.testing.assert_array_equal(found["x"], arrays["x"])
                assert found["epoch"] == 6
        assert refused > 100

    def test_files_without_checksums_are_read(self, tmp_path):
        """As version 0.1 wrote them."""
        with h5py.File(tmp_path / "a.h5", "w") as file:
            options = {"compression": "gzip", "shuffle": True, "track_times": False}
            file.create_dataset("x", data=np.arange(4.0), **options)
            file.create_dataset("epoch", data=6, track_times=False)
        found = read_h5(tmp_path / "a.h5", {"x": (4,), "epoch": ()})
        np.testing.assert_array_equal(found["x"], np.arange(4.0))
        assert found["epoch"] == 6

    def test_equal_arrays_give_equal_bytes(self, tmp_path):
        arrays = {"x": np.arange(100.0), "n": 3, "a/b/c": np.ones(2), "a/b/d": 1}
        for name in ("a.h5", "b.h5"):
            write_h5(tmp_path / name, arrays)
            time.sleep(1.1)  # HDF5's times have whole seconds
        assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()

    def test_failure_leaves_nothing(self, tmp_path):
        with pytest.raises(TypeError):
            write_h5(tmp_path / "a.h5", {"x": np.ones(3), "y": [object()]})
        assert not list(tmp_path.iterdir())


def test_temporary_files_have_a_name_of_their_own(tmp_path):
    mine = {".settings.json", ".settings.backup.json", ".my.notes.part.txt", "a.part"}
    for name in mine:
        (tmp_path / name).touch()
    with atomic(tmp_path / "settings.json") as one:
        with atomic(tmp_path / "net.keras") as other:
            assert set(leftovers(tmp_path)) == {one, other}
            assert (one.suffix, other.suffix) == (".json", ".keras")
    assert set(leftovers(tmp_path)) == set()
    assert {p.name for p in tmp_path.iterdir()} == mine | {"settings.json", "net.keras"}
