"""Invented detections, and files of them as other tools write them."""

import json
import pickle

import h5py
import numpy as np

from human_pose.exchange.recording import Recording
from human_pose.geometry.known_skeletons import COCO_17


def recording(frames=3, views=("cam_2", "cam_10"), people=1, skeleton=COCO_17, **more):
    """Every number differs; the first joint of the first person is not found."""
    shape = (frames, len(views), people, len(skeleton))
    count = int(np.prod(shape))
    joints = 100 + np.arange(2.0 * count).reshape(*shape, 2) / 8
    confidence = 0.25 + np.arange(count).reshape(shape) % 64 / 128
    confidence[0, 0, 0, 0] = 0
    return Recording(joints, confidence, skeleton, views, **more)


def openpose_frame(*people):
    """One frame of OpenPose's: people are lists of (x, y, c)."""
    listed = [
        {
            "person_id": [-1],
            "pose_keypoints_2d": np.ravel(person).tolist(),
            "face_keypoints_2d": [],
        }
        for person in people
    ]
    return json.dumps({"version": 1.3, "people": listed})


def person(joints=17, at=100.0):
    """`[J, 3]`: x counts up from `at`, y is 10 more, the confidence is a half."""
    x = at + np.arange(float(joints))
    return np.stack([x, x + 10, np.full(joints, 0.5)], axis=1)


def write_openpose(folder, frames):
    """A folder of frames, by the names of its files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, people in frames.items():
        (folder / name).write_text(openpose_frame(*people))
    return folder


def write_deeplabcut_csv(path, individuals=()):
    """Two frames of `nose` and `tail`: 1, 2 ... in order; the first x is missing."""
    parts, coords = ("nose", "tail"), ("x", "y", "likelihood")
    who = individuals or ("",)
    columns = [(i, p, c) for i in who for p in parts for c in coords]
    lines = [["scorer", *["net"] * len(columns)]]
    if individuals:
        lines.append(["individuals", *[i for i, _, _ in columns]])
    lines.append(["bodyparts", *[p for _, p, _ in columns]])
    lines.append(["coords", *[c for _, _, c in columns]])
    for frame in range(2):
        numbers = 10.0 * frame + 1 + np.arange(len(columns))
        numbers[2::3] /= 100
        lines.append([str(frame), *map(str, numbers)])
    lines[-2][1] = ""
    path.write_text("\n".join(map(",".join, lines)) + "\n")
    return path


def write_deeplabcut_h5(path, individuals=(), index=(0, 1)):
    """The csv's table as pandas and PyTables write it, names of columns pickled."""
    columns = [
        ("net", *([i] if individuals else []), p, c)
        for i in individuals or ("",)
        for p in ("nose", "tail")
        for c in ("x", "y", "likelihood")
    ]
    index = np.array(index)
    kind = [("index", index.dtype), ("values_block_0", "<f8", (len(columns),))]
    table = np.zeros(2, kind)
    table["index"] = index
    values = 1 + np.arange(len(columns)) + np.array([[0.0], [10]])
    values[:, 2::3] /= 100
    values[0, 0] = np.nan
    table["values_block_0"] = values
    with h5py.File(path, "w") as file:
        made = file.create_dataset(
            "df_with_missing/table", data=table, chunks=(7,), maxshape=(None,)
        )
        made.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(columns, 0))
    return path


def write_sleap(path, names=("nose", "tail"), scores=True):
    tracks = 1 + np.arange(2.0 * 2 * 2 * 3).reshape(2, 2, 2, 3)  # people, x y, nodes
    tracks[0, :, 1, 2] = np.nan
    with h5py.File(path, "w") as file:
        file["tracks"] = tracks
        file["node_names"] = [name.encode() for name in names]
        if scores:
            file["point_scores"] = np.full((2, 2, 3), 0.5)
            file["point_scores"][1, 0, 0] = np.nan  # somebody set it by hand
    return path


def write_videopose3d(path, positions, layout="h36m", joints=17):
    metadata = {"layout_name": layout, "num_joints": joints, "keypoints_symmetry": []}
    np.savez_compressed(path, positions_2d=positions, metadata=metadata)
    return path
