import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from human_pose.datasets.download import download
from human_pose.files.errors import InputError

DATA = bytes(range(256)) * 4096  # 1 MiB


class _Handler(BaseHTTPRequestHandler):
    """Serves DATA as the server's `manner` says, and keeps the ranges asked for."""

    def do_GET(self):
        manner = self.server.manner
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        if manner == "gone":
            self.send_error(404)
            return
        if manner == "no ranges":
            start = 0
        if start >= len(DATA):
            self.send_error(416)
            return
        body = DATA[start:]
        self.send_response(206 if start else 200)
        if start:
            last = len(DATA) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(DATA)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:300_000] if manner == "breaks off" else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.manner, server.ranges = "ranges", []
    server.address = f"http://127.0.0.1:{server.server_port}/file"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _accept(_):
    pass


def _download(server, path, verify=_accept):
    download(server.address, path, verify=verify, report=lambda _: None)


def test_downloads(server, tmp_path):
    _download(server, tmp_path / "new/file")
    assert (tmp_path / "new/file").read_bytes() == DATA
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


@pytest.mark.parametrize("manner", ["ranges", "no ranges"])
def test_an_interrupted_download_is_resumed(server, tmp_path, manner):
    server.manner = "breaks off"
    with pytest.raises(InputError, match=r"after 300000 of 1048576 bytes; .*resume"):
        _download(server, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    server.manner = manner
    _download(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA
    assert server.ranges == [None, "bytes=300000-"]


def test_what_came_is_kept_when_it_breaks_off_again(server, tmp_path):
    server.manner = "breaks off"
    for received in (300_000, 600_000, 900_000):
        with pytest.raises(InputError, match=f"after {received} of"):
            _download(server, tmp_path / "file")
    _download(server, tmp_path / "file")  # the last piece is short enough
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_part_as_long_as_the_file_is_started_again(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * len(DATA))
    _download(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA
    assert server.ranges == [f"bytes={len(DATA)}-", None]


def test_a_missing_file_is_named(server, tmp_path):
    server.manner = "gone"
    with pytest.raises(InputError, match=rf"{server.address}: download failed.*404"):
        _download(server, tmp_path / "file")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:9/file"])
def test_an_address_that_does_not_answer_is_named(tmp_path, address):
    with pytest.raises(InputError, match=f"{address}: download failed"):
        download(address, tmp_path / "file", verify=_accept, report=lambda _: None)


def test_file_addresses_work_and_start_again(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(DATA)
    (tmp_path / "file.part").write_bytes(b"something else")
    download(source.as_uri(), tmp_path / "file", verify=_accept, report=lambda _: None)
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_refused_file_is_removed(server, tmp_path):
    def refuse(path):
        assert path.read_bytes() == DATA
        raise InputError("not what was expected")

    with pytest.raises(InputError, match="not what was expected"):
        _download(server, tmp_path / "file", refuse)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_noticed_first(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match="needs 1 MB of free disk to download"):
        _download(server, tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_progress_is_reported(server, tmp_path, monkeypatch):
    monkeypatch.setattr("human_pose.datasets.download._REPORT_BYTES", 1 << 20)
    lines = []
    download(server.address, tmp_path / "file", verify=_accept, report=lines.append)
    assert lines == ["file: 1 MB of 1 MB"]
