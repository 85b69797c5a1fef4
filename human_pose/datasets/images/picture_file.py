"""Whether a file is a picture as the set has them: a whole PNG of 224 x 224 px."""

import os
from typing import Final

from human_pose.files.errors import InputError
from human_pose.files.paths import read_bytes
from human_pose.media.pictures import png_is_whole

IMAGE_SIZE_PX: Final = 224
# Ten times what 224 x 224 px of four channels and 16 bits have, not compressed at all.
_MOST_BYTES: Final = 1 << 22
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def check_image(path: str | os.PathLike[str]) -> None:
    """Checks a PNG file's size, that each of its chunks is whole, and decodes it.

    Raises:
      InputError: naming the file and the rule.
    """
    content = read_bytes(path, _MOST_BYTES)
    if content[:8] != _PNG_SIGNATURE or content[12:16] != b"IHDR":
        raise InputError(f"{path}: is not a PNG picture")
    width, height = (int.from_bytes(content[i : i + 4], "big") for i in (16, 20))
    if (width, height) != (IMAGE_SIZE_PX, IMAGE_SIZE_PX):
        raise InputError(
            f"{path}: must be {IMAGE_SIZE_PX} x {IMAGE_SIZE_PX} px; "
            f"received {width} x {height}"
        )
    # The decoder alone would forgive damage outside the pixels.
    if not (png_is_whole(content) and _decodes(content)):
        raise InputError(f"{path}: is a damaged or cut-off PNG picture")


def _decodes(content: bytes) -> bool:
    """Whether a picture can be decoded by what the batches are decoded by."""
    # Only here: whoever writes pictures or asks for their size need not wait for it.
    import tensorflow as tf

    try:
        tf.io.decode_png(content)
    except tf.errors.InvalidArgumentError:
        return False
    return True
