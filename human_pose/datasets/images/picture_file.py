"""Whether a file is a picture as a set may have them: a whole PNG or JPEG, not odd.

Pictures are read in graphs of TensorFlow, whose decoder knows pixels and no more. What
a viewer heeds besides, such as EXIF's orientation, would be lost without a word: where
a file has any of it, its pixels must be those of `media.pictures.read_picture`.
"""

import os
from typing import Final, NamedTuple

import numpy as np

from human_pose.files.errors import InputError
from human_pose.files.paths import read_bytes
from human_pose.media.headers import Header, oddity, read_header
from human_pose.media.pictures import MOST_BYTES, read_picture

IMAGE_SIZE_PX: Final = 224
# Grey levels between decoders: one cuts 16 bits off at 8, the other rounds them.
_MOST_APART: Final = 1


class PictureFile(NamedTuple):
    """A checked file.

    Attributes:
      kind: "PNG" or "JPEG".
      width_px: of the picture.
      height_px: of the picture.
    """

    kind: str
    width_px: int
    height_px: int

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.width_px, self.height_px

    @property
    def is_of_size(self) -> bool:
        """Whether it has the 224 px that everybody else knows."""
        return self.size_px == (IMAGE_SIZE_PX, IMAGE_SIZE_PX)


def check_image(path: str | os.PathLike[str]) -> PictureFile:
    """Checks a picture's kind and size, that it is whole, and decodes it.

    Raises:
      InputError: naming the file and the rule: also if a viewer shows other pixels than
        the decoder.
    """
    content = read_bytes(path, MOST_BYTES)
    header = _header(path, content)
    pixels = _decoded(content) if header.whole else None
    # The decoder alone would forgive damage outside the pixels.
    if pixels is None:
        raise InputError(f"{path}: is a damaged or cut-off {header.kind} picture")
    if not (header.plain or _alike(pixels, read_picture(path))):
        raise InputError(
            f"{path}: must be stored as viewers show it, upright, opaque and in RGB or "
            f"grey; it is {oddity(path, content)}"
        )
    return PictureFile(header.kind, header.width_px, header.height_px)


def size_of(path: str | os.PathLike[str]) -> tuple[int, int]:
    """A picture's width and height, px, of which only the head is looked at.

    Raises:
      InputError: naming the file, if it is neither PNG nor JPEG.
    """
    header = _header(path, read_bytes(path, MOST_BYTES))
    return header.width_px, header.height_px


def _header(path: str | os.PathLike[str], content: bytes) -> Header:
    header = read_header(path, content)
    if header is None:
        raise InputError(f"{path}: is not a PNG or JPEG picture")
    return header


def _decoded(content: bytes) -> np.ndarray | None:
    """A picture by what the batches are decoded by; None if it cannot be."""
    # Only here: whoever writes pictures or asks for their size need not wait for it.
    import tensorflow as tf

    from human_pose.datasets.images.cutting import decoded

    try:
        pixels: np.ndarray = decoded(content).numpy()
    except tf.errors.InvalidArgumentError:
        return None
    return pixels


def _alike(pixels: np.ndarray, shown: np.ndarray) -> bool:
    if pixels.shape != shown.shape:
        return False
    apart = np.abs(pixels.astype(np.int16) - shown)
    return int(apart.max()) <= _MOST_APART
