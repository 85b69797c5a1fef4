"""Any picture file to upright pixels of 8 bits, by Pillow.

A phone stores a portrait picture on its side and says so in a tag; palettes hold
numbers of colours and no grey levels; printers' pictures are CMYK. All become what a
viewer shows. Colour profiles do not count, as in the data networks are trained on.
"""

import io
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import read_bytes

# Of Pillow's readers: none of them starts another program or reads other files.
FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
# Endings of files that are taken for pictures in a folder; HEIC, to be named.
SUFFIXES: Final = frozenset(
    ".png .jpg .jpeg .jpe .jfif .gif .bmp .dib .tif .tiff .webp .heic .heif".split()
)
# Grey level behind transparent pixels: what networks see outside of a picture.
BACKGROUND: Final = 128

# A file's, four times what a BMP of the largest common screen (7680 x 4320) takes.
MOST_BYTES: Final = 1 << 29
# Phones have 108 million. A file of a few kilobytes may declare a thousand times more.
MOST_PIXELS: Final = 1 << 27

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
# ISO base media files (ISO/IEC 14496-12) of still pictures, by their major brand.
_HEIF_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif",
     b"avis"}
)  # fmt: skip
# Tags of TIFF 6.0.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0

# What brings a picture upright, by its orientation (EXIF 2.3, tag 274); 1 is upright.
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Filters of warnings are the whole process's.
_opening = Lock()


def read_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads a PNG, JPEG, GIF, BMP, TIFF or WebP picture as a viewer shows it.

    Turned upright by its EXIF orientation (a damaged one does not count); 16 bits are
    scaled to 8; transparent pixels lie on grey, `BACKGROUND`; of several frames or
    pages the first is read.

    Args:
      path: the file; what is in it tells the format, not its ending.

    Returns:
      uint8 `[H, W, 3]`, red first.

    Raises:
      InputError: naming the file, if it is no such picture, damaged, cut off, larger
        than `MOST_BYTES` or `MOST_PIXELS`, or without a range that tells its white.
    """
    path = Path(path)
    content = read_bytes(path, MOST_BYTES)
    image = opened(path, content)
    kind = image.format
    # Pillow reads no checksum of pixels, nor what follows the last one that it needs.
    if kind == "PNG" and not png_is_whole(content):
        raise InputError(f"{path}: is a damaged or cut-off PNG picture")
    with refusing(path, f"is a damaged or cut-off {kind} picture"):
        image.load()
        return np.array(_upright(image, _levels(path, image)))


def png_is_whole(content: bytes) -> bool:
    """Whether every chunk of a PNG file is there, with its checksum."""
    return png_chunks(content) is not None


def png_chunks(content: bytes) -> frozenset[bytes] | None:
    """The kinds of a PNG file's chunks; None unless all are there, and sound."""
    position = len(PNG_SIGNATURE)
    if not content.startswith(PNG_SIGNATURE):
        return None
    kinds = set()
    while position + 12 <= len(content):
        end = position + 8 + int.from_bytes(content[position : position + 4], "big")
        if end + 4 > len(content):
            return None
        stored = int.from_bytes(content[end : end + 4], "big")
        if zlib.crc32(content[position + 4 : end]) != stored:
            return None
        kinds.add(kind := content[position + 4 : position + 8])
        if kind == b"IEND":
            return frozenset(kinds)
        position = end + 4
    return None


def opened(path: str | os.PathLike[str], content: bytes) -> Image.Image:
    """A picture whose header is read, and its pixels not yet.

    Args:
      path: what errors call it.
      content: of the file.

    Raises:
      InputError: naming the file, if it is no picture of `FORMATS`, or is larger than
        `MOST_PIXELS`.
    """
    path = Path(path)
    image = _identified(path, content)
    check_pixels(path, image.width, image.height)
    return image


def check_pixels(path: str | os.PathLike[str], width: int, height: int) -> None:
    """Refuses a size that nobody's picture has.

    Raises:
      InputError: naming the file, if it is beyond `MOST_PIXELS`.
    """
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{path}: must have at most {MOST_PIXELS} px; it declares "
            f"{width} x {height}"
        )


def _identified(path: Path, content: bytes) -> Image.Image:
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
        raise InputError(
            f"{path}: is a HEIC or AVIF picture, which is not read; save it as JPEG or "
            "PNG (an iPhone takes JPEG with Settings, Camera, Formats, Most Compatible)"
        )
    try:
        with refusing(path, "is a damaged picture"), _without_warnings():
            return Image.open(io.BytesIO(content), formats=FORMATS)
    except InputError as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            raise InputError(f"{path}: must have at most {MOST_PIXELS} px") from None
        if isinstance(error.__cause__, UnidentifiedImageError):
            known = f"{', '.join(FORMATS[:-1])} or WebP"
            raise InputError(f"{path}: is no {known} picture") from None
        raise


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Lets Pillow's own limits and hints pass: ours follow, in one line each."""
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _levels(path: Path, image: Image.Image) -> Image.Image:
    """A loaded picture as RGB of 8 bits."""
    if image.mode in ("F", "I") and image.format == "TIFF":
        raise InputError(
            f"{path}: must have 8 or 16 bits for each colour; in 32 or more nothing "
            "says how bright white is"
        )
    if image.mode.startswith("I"):  # 16 bits: Pillow alone would cut them off at 255
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        behind = Image.new("RGBA", image.size, (BACKGROUND,) * 3 + (255,))
        return Image.alpha_composite(behind, opaque).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Grey levels of 16 bits, or as many as a TIFF file says, scaled to 8."""
    levels = np.asarray(image).astype(np.uint32)
    white = 65535
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        white = (1 << int(tags.get(_BITS_PER_SAMPLE, (16,))[0])) - 1
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            levels = white - levels
    return ((levels * 255 + white // 2) // white).astype(np.uint8)


def _upright(image: Image.Image, levels: Image.Image) -> Image.Image:
    """Levels turned as the picture's EXIF or XMP says."""
    turn = turn_of(image)
    return levels if turn is None else levels.transpose(turn)


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """What brings a picture upright by its EXIF or XMP; None if it is."""
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Pillow reports damage by errors of many kinds
        return None
