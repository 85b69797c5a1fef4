"""Protocol buffers on the wire: just enough to read and write Caffe's messages.

A message is a sequence of fields: a key (number and kind) and a value. Nothing is
copied while reading; a large array stays a view of the file.
"""

from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
FIXED_64: Final = 1
BYTES: Final = 2
FIXED_32: Final = 5

# A network has some ten thousand; numbers that are not packed, as Caffe's always are,
# have one each. So many take a second.
MOST_FIELDS: Final = 250_000

_LONGEST_VARINT: Final = 10  # bytes, for 64 bits
_SIZES: Final = {FIXED_64: 8, FIXED_32: 4}


class WireError(ValueError):
    """What was read is no message."""


class Reader:
    """Reads the messages of one file; all of them may have `MOST_FIELDS` fields."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def fields(
        self, message: memoryview
    ) -> Iterator[tuple[int, int, int | memoryview]]:
        """Number, kind and value of every field, in order.

        Args:
          message: its bytes.

        Yields:
          The value is an int for `VARINT`, and otherwise a view of its bytes.

        Raises:
          WireError: if the bytes are no message, or one with too many fields.
        """
        place = 0
        while place < len(message):
            self._left -= 1
            if self._left < 0:
                raise WireError(f"has more than {MOST_FIELDS} fields")
            key, place = _varint(message, place)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise WireError(f"field number 0 at byte {place}")
            if kind == VARINT:
                value, place = _varint(message, place)
                yield number, kind, value
                continue
            if kind == BYTES:
                size, place = _varint(message, place)
            elif kind in _SIZES:
                size = _SIZES[kind]
            else:
                raise WireError(
                    f"field {number} of unknown kind {kind} at byte {place}"
                )
            if size > len(message) - place:
                raise WireError(
                    f"field {number} has {size} bytes; {len(message) - place} are left"
                )
            yield number, kind, message[place : place + size]
            place += size


def varints(packed: memoryview) -> Iterator[int]:
    """The numbers of a packed field.

    Raises:
      WireError: if it ends within one.
    """
    place = 0
    while place < len(packed):
        value, place = _varint(packed, place)
        yield value


def varint(value: int) -> bytes:
    """A number >= 0 as bytes."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def field(number: int, value: bytes) -> bytes:
    """A field of kind `BYTES`."""
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(_LONGEST_VARINT):
        if place + shift >= len(message):
            raise WireError(f"ends within a number at byte {place + shift}")
        byte = message[place + shift]
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, place + shift + 1
    raise WireError(f"a number of more than {_LONGEST_VARINT} bytes at byte {place}")
