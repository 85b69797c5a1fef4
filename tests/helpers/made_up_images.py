"""A small made-up set in the original's layout."""

import struct
import zlib

import numpy as np

from human_pose.datasets.images.layout import TEXT_FOLDERS

CAMERA = """R:
   -0.915362    0.401808    0.025748
    0.051548    0.180374   -0.982246
   -0.399319   -0.897784   -0.185820
T:
 1841.107028 4955.284623 1563.445396
f:
 1145.049405 1143.781096
c:
  512.541505  515.451487
k:
   -0.207099    0.247775   -0.003075
p:
   -0.001424   -0.000976
"""
RANGES = {"S1_Directions": (0, 5), "S8_Walking": (6, 8), "S9_Eating": (9, 11)}


def png_chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(size, *chunks, interlaced=False):
    """The bytes of an 8 bit RGB picture, `size` its width and height, with any data."""
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, interlaced)
    parts = (png_chunk(b"IHDR", header), *chunks, png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_lines(image):
    """The bytes that the data of a picture inflates to."""
    return b"".join(b"\0" + line.tobytes() for line in image)


def write_png(path, image):
    """Writes uint8 `[H, W, 3]`, red first."""
    data = png_chunk(b"IDAT", zlib.compress(png_lines(image)))
    path.write_bytes(png(image.shape[1::-1], data))


def joints_2d(index):
    return np.random.default_rng([2, index]).uniform(20, 200, (32, 2)).round(6)


def joints_3d(index):
    """Some that the camera sees where those of the picture are."""
    depth = 5000 + np.random.default_rng([3, index]).normal(0, 300, (32, 1))
    frame_px = [265, 264] + joints_2d(index) * 393 / 224
    rays = (frame_px - [512.541505, 515.451487]) / [1145.049405, 1143.781096]
    return np.concatenate([depth * rays, depth], -1).round(6)


def unrelated_joints_3d(index):
    """Others than those of the picture; version 0.1 was run on these."""
    offsets = np.random.default_rng([3, index]).normal(0, 300, (32, 3))
    return (offsets + np.array([0, 0, 5000])).round(6)


def picture(index):
    """A smooth picture whose channels differ."""
    x, y = np.meshgrid(np.arange(224), np.arange(224))
    waves = [
        128 + 90 * np.sin((index + 1 + c) * (x + (c + 1) * y) / 90) for c in range(3)
    ]
    return np.stack(waves, -1).astype(np.uint8)


def write_set(folder, joints_3d=joints_3d):
    """Twelve samples of subjects 1, 8 and 9."""
    for part in (*TEXT_FOLDERS, "images", "index_range"):
        (folder / part).mkdir()
    for name, (first, last) in RANGES.items():
        text = f"{first} {last}\n"
        (folder / "index_range" / f"{name}_range.txt").write_text(text)
    for index in range(12):
        content = {
            "bbx_all_new": "265 264\n658 657",
            "camera_all": CAMERA,
            "center_x": "112.0",
            "center_y": "112.0\n",
            "scale": "224.0",
            "gt_joint_2d_raw_new": "\n".join(f"{x} {y}" for x, y in joints_2d(index)),
            "gt_joint_3d_mono_raw": " ".join(map(str, joints_3d(index).ravel())),
            "image_path_file": f"E:\\frame_images\\frame_images\\{index}.png",
            "info_all": "S7 Smoking.55011271\n11\nSmoking\n2\n2\n2048\nS7 Smoking\n",
        }
        for part, text in content.items():
            (folder / part / f"{index}.txt").write_text(text)
        write_png(folder / "images" / f"{index}.png", picture(index))
