"""Videos made by PyAV: each frame says its number by how bright it is."""

import itertools
from fractions import Fraction

import av
import numpy as np

STEP = 8  # grey levels from one frame to the next


def frame(number, width=64, height=48):
    """A frame with a red square in its upper left, and grey that says its number."""
    picture = np.full((height, width, 3), STEP * (number % 30), np.uint8)
    picture[:16, :16] = 255, 0, 0
    return picture


def write(
    path,
    stamps=range(20),
    *,
    rate=20,
    codec="mpeg4",
    size=(64, 48),
    options=(),
    lost=(),
):
    """Writes frames at stamps, in units of 1 / rate, but for packets that are lost."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        stream.codec_context.time_base = Fraction(1, rate)
        stream.options = dict(options)
        packets = itertools.count()

        def put(frame):
            for packet in stream.encode(frame):
                if next(packets) not in lost:
                    file.mux(packet)

        for number, stamp in enumerate(stamps):
            picture = av.VideoFrame.from_ndarray(frame(number, *size), format="rgb24")
            picture.pts, picture.time_base = stamp, Fraction(1, rate)
            put(picture)
        put(None)
    return path


def number_of(picture):
    """The number that a frame says, below 30."""
    return round(float(picture[-8:, -8:].mean()) / STEP)


def turn(path, degrees):
    """Lets an mp4 say that it is to be turned, clockwise, or to be mirrored."""
    matrix = {
        90: (0, 1, -1, 0),
        180: (-1, 0, 0, -1),
        270: (0, -1, 1, 0),
        "mirrored": (-1, 0, 0, 1),
        "mirrored, 90": (0, 1, 1, 0),
    }[degrees]
    a, b, c, d = (value << 16 for value in matrix)
    words = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    content = bytearray(path.read_bytes())
    plain = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    place = content.index(plain, content.index(b"tkhd"))
    content[place : place + len(words)] = words
    path.write_bytes(content)
