"""The made-up set, stored otherwise: other sizes, JPEG, or whole frames."""

import io
import os

import made_up_images as made_up
import numpy as np
from PIL import Image

from human_pose.datasets.images.layout import read_joints, text_path

# Where a person is in a whole frame, as `bbx_all_new` has it, and that frame's size.
CORNER = (265, 264)
FRAME_PX = (700, 690)


def smooth(index):
    """A picture without edges, so that it is much the same at any size."""
    y, x = np.mgrid[:224, :224]
    waves = [128 + 90 * np.sin((index + c + 2) * (x + c * y) / 250) for c in range(3)]
    return np.rint(np.stack(waves, -1)).astype(np.uint8)


def resized(picture, width, height=None):
    """A picture at another size, by the layout's rule: u of 224 is at u * size / 224.

    What lies beyond the last middles is left to Pillow, which repeats the edge.
    """
    height = height or width
    wide = np.pad(picture, [(8, 8), (8, 8), (0, 0)], mode="reflect")
    box = []
    for size in (width, height):
        step = 224 / size
        start = 8 + 0.5 - 0.5 * step
        box.append((start, start + size * step))
    (left, right), (top, bottom) = box
    return np.asarray(
        Image.fromarray(wide).resize(
            (width, height), Image.Resampling.BICUBIC, (left, top, right, bottom)
        )
    )


def encoded(picture, kind="PNG", **options):
    """The bytes of a file; `kind` is Pillow's."""
    content = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(content, kind, **options)
    return content.getvalue()


def jpeg(picture):
    """As sets have it: of quality 95, with whole colours."""
    return encoded(picture, "JPEG", quality=95, subsampling=0)


def store(root, index, content, square=None, joints_px=None, name=None):
    """Replaces a sample's picture.

    Args:
      root: the folder of the set.
      index: of the sample.
      content: of the picture's file.
      square: its centre and side, px; None leaves the files as they are.
      joints_px: `[32, 2]`; None leaves the file as it is.
      name: of the file; None: `<index>.png`, whatever is in it.
    """
    name = name or f"{index}.png"
    (root / "images" / name).write_bytes(content)
    (root / "image_path_file" / f"{index}.txt").write_text(f"images/{name}")
    if square is not None:
        folders = ("center_x", "center_y", "scale")
        for folder, value in zip(folders, square, strict=True):
            text_path(root, folder, index).write_text(f"{value!r}\n")
    if joints_px is not None:
        text = "\n".join(f"{x:.6f} {y:.6f}" for x, y in joints_px)
        text_path(root, "gt_joint_2d_raw_new", index).write_text(text)


def joints_of(root, index):
    """What the file of a sample's joints says, float64."""
    path = text_path(root, "gt_joint_2d_raw_new", index)
    return read_joints(path, 2).astype(np.float64)


def smooth_set(folder):
    """The made-up set with smooth pictures, 224 px PNG."""
    os.makedirs(folder, exist_ok=True)
    made_up.write_set(folder)
    for index in range(12):
        made_up.write_png(folder / "images" / f"{index}.png", smooth(index))
    return folder


def of_size(root, size, code=encoded):
    """Stores every picture of a set at another size, shown whole."""
    for index in range(12):
        picture = resized(smooth(index), size)
        joints = joints_of(root, index) * size / 224
        store(root, index, code(picture), (size / 2, size / 2, float(size)), joints)
    return root


def as_jpeg(root):
    """Stores every picture of a set as JPEG."""
    for index in range(12):
        store(root, index, jpeg(smooth(index)))
    return root


def in_frames(root, side=224, code=encoded):
    """Stores whole frames, noise but for the person's square."""
    noise = np.random.default_rng(0).integers(0, 256, (*FRAME_PX[::-1], 3), np.uint8)
    (x, y), half, rim = CORNER, side / 2, 8
    for index in range(12):
        frame = noise.copy()
        picture = resized(smooth(index), side)
        # What lies about the square shines in where its size changes.
        frame[y - rim : y + side + rim, x - rim : x + side + rim] = np.pad(
            picture, [(rim, rim), (rim, rim), (0, 0)], mode="edge"
        )
        joints = joints_of(root, index) * side / 224 + CORNER
        store(root, index, code(frame), (x + half, y + half, float(side)), joints)
    return root
