"""What the heads of PNG and JPEG files say, and whether pixels alone are the picture.

A decoder that knows pixels and no more shows a plain file as a viewer does. Others may
be turned, transparent or of other colours; whether they are, `oddity` tells.
"""

import os
from typing import Final, NamedTuple

from human_pose.media.pictures import (
    PNG_SIGNATURE,
    check_pixels,
    opened,
    png_chunks,
    turn_of,
)

_JPEG_SIGNATURE: Final = b"\xff\xd8\xff"
# Of PNG (W3C, 3rd edition): what neither adds nor changes pixels. Colour profiles do
# not count, as in `pictures`.
_HARMLESS: Final = frozenset(
    b"IHDR PLTE IDAT IEND gAMA cHRM sRGB iCCP pHYs tIME bKGD sBIT hIST sPLT".split()
)
_GREY, _RGB, _PALETTE = 0, 2, 3
_PLAIN_MODES: Final = ("L", "RGB")


class Header(NamedTuple):
    """What is known of a picture before its pixels are read.

    Attributes:
      kind: "PNG" or "JPEG".
      width_px: as it is stored.
      height_px: as it is stored.
      plain: whether pixels are all that a viewer heeds; False if that is not sure.
      whole: whether all of a PNG file is there. Of JPEG decoders tell.
    """

    kind: str
    width_px: int
    height_px: int
    plain: bool
    whole: bool = True


def read_header(path: str | os.PathLike[str], content: bytes) -> Header | None:
    """The header of a PNG or JPEG file; None if it is neither.

    Args:
      path: what errors call it.
      content: of the file.

    Raises:
      InputError: naming the file, if it is larger than `pictures.MOST_PIXELS`, or a
        JPEG file's head is damaged.
    """
    if content.startswith(PNG_SIGNATURE) and content[12:16] == b"IHDR":
        return _of_png(path, content)
    if content.startswith(_JPEG_SIGNATURE):
        image = opened(path, content)
        plain = image.mode in _PLAIN_MODES and turn_of(image) is None
        return Header("JPEG", *image.size, plain)
    return None


def oddity(path: str | os.PathLike[str], content: bytes) -> str:
    """What a viewer heeds of a file besides pixels, in words that follow "is".

    Args:
      path: what errors call it.
      content: of the file.

    Raises:
      InputError: as `pictures.opened`.
    """
    image = opened(path, content)
    if turn_of(image) is not None:
        return "turned by its EXIF orientation"
    if image.has_transparency_data:
        return "transparent"
    return f"of colours {image.mode}, which decoders read differently"


def _of_png(path: str | os.PathLike[str], content: bytes) -> Header:
    """Without Pillow, which decodes a PNG file before it tells of EXIF."""
    width, height = (int.from_bytes(content[i : i + 4], "big") for i in (16, 20))
    check_pixels(path, width, height)
    depth, colours = content[24:26].ljust(2, b"\0")
    chunks = png_chunks(content)
    plain = depth <= 8 and colours in (_GREY, _RGB, _PALETTE)
    return Header(
        "PNG",
        width,
        height,
        plain and chunks is not None and chunks <= _HARMLESS,
        chunks is not None,
    )
