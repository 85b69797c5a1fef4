"""Downloads that can be interrupted and resumed."""

import os
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from human_pose.datasets.disk import megabytes, require_free_space
from human_pose.files.errors import InputError

_BLOCK_BYTES: Final = 1 << 18
_REPORT_BYTES: Final = 1 << 24
_SILENCE_S: Final = 60  # a server silent for so long is taken for dead
_HTTP_PARTIAL_CONTENT: Final = 206
_HTTP_RANGE_NOT_SATISFIABLE: Final = 416


def download(
    address: str,
    path: str | os.PathLike[str],
    *,
    verify: Callable[[Path], object],
    report: Callable[[str], None],
) -> None:
    """Downloads a file to `path`, which exists only once it is whole and verified.

    What has come is kept in `<path>.part`; the next call asks the server for the rest,
    or starts again where the server cannot resume.

    Args:
      address: a URL: http, https or file.
      path: where to.
      verify: called with the downloaded file; raises `InputError` to refuse it.
      report: called with a line of progress now and then.

    Raises:
      InputError: if the address does not answer, the connection breaks, the disk is
        full, or `verify` refuses the file (which is then removed).
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(address, part, report)
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{address}: download failed: {reason}") from error
    try:
        verify(part)
    except InputError:
        part.unlink()
        raise
    part.replace(path)


def _fetch(address: str, part: Path, report: Callable[[str], None]) -> None:
    done = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={done}-"} if done else {}
    try:
        response = urlopen(Request(address, headers=headers), timeout=_SILENCE_S)
    except HTTPError as error:
        if not done or error.code != _HTTP_RANGE_NOT_SATISFIABLE:
            raise
        part.unlink()  # as long as the file or longer: not a beginning of it
        _fetch(address, part, report)
        return
    with response:
        if not _continues(response, done):
            done = 0
        remaining = response.headers.get("Content-Length")
        total = done + int(remaining) if remaining else None
        if total is not None:
            require_free_space(part.parent, total - done, f"download {address}")
        received = _append(response, part, done, total, report)
    if total is not None and received != total:
        raise InputError(
            f"{address}: download broke off after {received} of {total} bytes; "
            "run the same command again to resume it"
        )


def _continues(response: HTTPResponse, done: int) -> bool:
    """Whether the server sends the file from byte `done` on."""
    # A file: response has no status.
    if getattr(response, "status", None) != _HTTP_PARTIAL_CONTENT:
        return False
    content_range: str = response.headers.get("Content-Range", "")
    return content_range.startswith(f"bytes {done}-")


def _append(
    response: HTTPResponse,
    part: Path,
    done: int,
    total: int | None,
    report: Callable[[str], None],
) -> int:
    """Writes the response after the first `done` bytes; returns the new length."""
    of_total = f" of {megabytes(total)}" if total is not None else ""
    next_report = done + _REPORT_BYTES
    with part.open("ab") as file:
        file.truncate(done)
        while block := response.read(_BLOCK_BYTES):
            file.write(block)
            done += len(block)
            if done >= next_report:
                report(f"{part.stem}: {megabytes(done)}{of_total}")
                next_report = done + _REPORT_BYTES
    return done
