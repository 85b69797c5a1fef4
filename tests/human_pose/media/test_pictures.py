"""Odd pictures of every kind show what their plain twins show; the rest is refused."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from human_pose.files.errors import InputError
from human_pose.media import pictures
from human_pose.media.pictures import BACKGROUND, png_is_whole, read_picture

HEIGHT, WIDTH = 40, 56
# Smooth, because JPEG and palettes change noise; no two corners alike.
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
PLAIN = np.stack(
    [40 + 3 * COLUMNS, 220 - 4 * ROWS, 30 + 2 * COLUMNS + 2 * ROWS], -1
).astype(np.uint8)
GREY = PLAIN[..., :1].repeat(3, -1)
# Stored so that the orientation of EXIF brings it upright; rows first.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p.transpose(1, 0, 2)[::-1],
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: p.transpose(1, 0, 2)[:, ::-1],
}


def turned(pixels, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif.tobytes()}, np.ascontiguousarray(STORED[orientation](pixels))


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(levels, colour_type):
    """A PNG file of 16 bits, which Pillow does not write: `[H, W, C]`."""
    height, width, _ = levels.shape
    lines = levels.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + line.tobytes() for line in lines)
    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def cmyk(pixels):
    """Half of the black that there could be, so that all four inks count."""
    black = (255.0 - pixels.max(-1, keepdims=True)) // 2
    inks = 255 - 255.0 * pixels / (255 - black)
    return np.concatenate([inks, black], -1).round().astype(np.uint8)


def save_cmyk(path):
    Image.fromarray(cmyk(PLAIN), "CMYK").save(path, quality=100, subsampling=0)


def save_ycck(path):
    """Adobe's: what would be red, green and blue of YCC are the three inks."""
    inks = cmyk(PLAIN)
    ycc = np.asarray(Image.fromarray(inks[..., :3]).convert("YCbCr"))
    # Pillow stores each channel inverted, and says that it is an ink.
    channels = np.concatenate([255 - ycc, inks[..., 3:]], -1)
    Image.fromarray(channels, "CMYK").save(path, quality=100, subsampling=0)
    content = path.read_bytes()
    transform = content.index(b"Adobe") + 11  # after a version and two sets of flags
    path.write_bytes(content[:transform] + b"\x02" + content[transform + 1 :])


def save(pixels, mode=None, **options):
    return lambda path: Image.fromarray(pixels, mode).save(path, **options)


def save_palette(path):
    Image.fromarray(GREY).convert("P", palette=Image.Palette.ADAPTIVE).save(path)


def save_16_bit_tiff(path):
    Image.fromarray(GREY[..., 0].astype(np.uint16) * 257).save(path)


def save_alpha(path):
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:, :10] = 0
    Image.fromarray(np.concatenate([PLAIN, alpha], -1)).save(path)


def save_animation(path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)


CUT_OUT = PLAIN.copy()
CUT_OUT[:, :10] = BACKGROUND
DEEP = PLAIN.astype(np.uint16) * 257
BITS = (COLUMNS > ROWS) * np.uint8(255)

KINDS = {
    "png": ("a.png", save(PLAIN), PLAIN, 0),
    "jpeg": ("a.jpg", save(PLAIN, quality=100, subsampling=0), PLAIN, 3),
    "webp": ("a.webp", save(PLAIN, lossless=True), PLAIN, 0),
    "tiff": ("a.tif", save(PLAIN, compression="tiff_lzw"), PLAIN, 0),
    "palette BMP": ("a.bmp", save_palette, GREY, 1),
    "palette GIF": ("a.gif", save_palette, GREY, 1),
    "palette PNG": ("a.png", save_palette, GREY, 1),
    "CMYK": ("a.jpg", save_cmyk, PLAIN, 4),
    "YCCK": ("a.jpg", save_ycck, PLAIN, 6),
    "16-bit grey": (
        "a.png", lambda path: path.write_bytes(png(DEEP[..., :1], 0)), GREY, 0
    ),
    "16-bit RGB": ("a.png", lambda path: path.write_bytes(png(DEEP, 2)), PLAIN, 0),
    "16-bit TIFF": ("a.tiff", save_16_bit_tiff, GREY, 0),
    "alpha": ("a.png", save_alpha, CUT_OUT, 0),
    "grey": ("a.png", save(GREY[..., 0]), GREY, 0),
    "1-bit": (
        "a.png",
        lambda path: Image.fromarray(BITS).convert("1").save(path),
        BITS[..., None].repeat(3, -1),
        0,
    ),
    "animated GIF": ("a.gif", save_animation, GREY, 1),
    "animated WebP": ("a.webp", save_animation, GREY, 1),
    "another's ending": ("a.heic", save(PLAIN, format="PNG"), PLAIN, 0),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_an_odd_picture_is_its_plain_twin(kind, tmp_path):
    name, write, plain, levels = KINDS[kind]
    write(tmp_path / name)
    found = read_picture(tmp_path / name)
    assert found.dtype == np.uint8
    assert found.shape == plain.shape
    assert np.abs(found.astype(int) - plain).max() <= levels


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_a_picture_on_its_side_is_upright(orientation, ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    options, stored = turned(PLAIN, orientation)
    lossless = {"quality": 100, "subsampling": 0} if ending == "jpg" else {}
    lossless |= {"lossless": True} if ending == "webp" else {}
    Image.fromarray(stored).save(path, **options, **lossless)
    found = read_picture(path)
    assert found.shape == PLAIN.shape
    assert np.abs(found.astype(int) - PLAIN).max() <= 3


def test_white_that_is_zero_is_white(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[0, 32896, 65535]], np.uint16)).save(path)
    photometric = struct.pack("<HHI", 262, 3, 1)  # a short: 1 is black at 0
    content = path.read_bytes()
    assert content.count(photometric + b"\1") == 1
    path.write_bytes(content.replace(photometric + b"\1", photometric + b"\0"))
    assert read_picture(path)[0, :, 0].tolist() == [255, 127, 0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"nothing", "a.png: is no PNG, JPEG, .* TIFF or WebP picture$"),
        ("a.jpg", b"", "a.jpg: is no PNG"),
        ("a.jpg", b"\0\0\0\x18ftypheic" + bytes(99), "is a HEIC or AVIF .* as JPEG"),
        ("a.png", png(DEEP, 2)[:-6], "a.png: is a damaged or cut-off PNG picture$"),
        (
            "a.png",
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
            "a.png: must have at most 134217728 px$",
        ),
    ],
)  # fmt: skip
def test_refuses_in_one_line(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_picture(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["jpeg", "webp", "tiff", "palette BMP", "palette GIF"])
def test_refuses_what_is_cut_off(kind, tmp_path):
    name, write, *_ = KINDS[kind]
    write(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for part in (0.4, 0.9):
        (tmp_path / name).write_bytes(content[: int(part * len(content))])
        with pytest.raises(InputError, match=rf"{name}: is (a damaged|no PNG)"):
            read_picture(tmp_path / name)


def test_refuses_levels_of_no_known_range(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a.tif: must have 8 or 16 bits"):
        read_picture(tmp_path / "a.tif")


def test_refuses_more_pixels_than_a_phone_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 100)
    save(PLAIN)(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a.png: must have .* declares 56 x 40$"):
        read_picture(tmp_path / "a.png")


def test_refuses_more_bytes_than_a_picture_has(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_BYTES", 100)
    (tmp_path / "a.png").write_bytes(bytes(101))
    with pytest.raises(InputError, match=r"a.png: must have at most 100 bytes"):
        read_picture(tmp_path / "a.png")


def test_damaged_tags_do_not_turn_a_picture(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(PLAIN).save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff")
    assert read_picture(path).shape == PLAIN.shape


def test_every_chunk_of_a_png_counts():
    whole = png(DEEP[..., :1], 0)
    assert png_is_whole(whole)
    assert not png_is_whole(b"x" + whole[1:])
    for place in (20, len(whole) // 2, len(whole) - 5):
        assert not png_is_whole(whole[:place])
        changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        assert not png_is_whole(changed)
