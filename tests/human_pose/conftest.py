"""A tiny made-up Human3.6M archive in the published format; made-up pictures."""

import zipfile

import h5py
import made_up_images
import numpy as np
import pytest

from human_pose.datasets.h36m.names import CAMERAS_FILE, recordings
from human_pose.datasets.protocol import TEST_SUBJECTS, TRAIN_SUBJECTS

SUBJECTS = TRAIN_SUBJECTS + TEST_SUBJECTS


def frames_of(number):
    """Recordings have one or two frames, so that a mix-up changes lengths too."""
    return 1 + number % 2


class RawTree:
    """Raw files in which every number says where it came from.

    3D: `1000 recording + joint + axis/4 + frame/16`, detections:
    `1000 recording + 100 view + joint + axis/4 + frame/16`, rotations:
    `100 subject + 10 camera + (3 row + column)/16` (exact in binary).
    """

    def __init__(self, folder):
        self.folder = folder
        self.recordings = list(recordings(SUBJECTS))
        for number, recording in enumerate(self.recordings):
            self._write(recording.positions, "3D_positions", self._positions(number))
            for view, file in enumerate(recording.detections):
                self._write(file, "poses", self._detections(number, view))
        with h5py.File(folder / CAMERAS_FILE, "w") as file:
            for subject in SUBJECTS:
                for camera in range(1, 5):
                    entries = np.arange(9).reshape(3, 3) / 16
                    stored = 100 * subject + 10 * camera + entries
                    file[f"subject{subject}/camera{camera}/R"] = stored

    def path(self, file):
        return self.folder / file.published

    def zip(self, path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(self.folder.rglob("*.h5")):
                archive.write(file, f"h36m/{file.relative_to(self.folder)}")
        return path

    def _write(self, file, name, values):
        path = self.path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as target:
            target[name] = values

    @staticmethod
    def _positions(number):
        frame, joint, axis = np.ogrid[: frames_of(number), :32, :3]
        values = 1000 * number + joint + axis / 4 + frame / 16
        return values.reshape(-1, 96).T

    @staticmethod
    def _detections(number, view):
        frame, joint, axis = np.ogrid[: frames_of(number), :16, :2]
        return 1000 * number + 100 * view + joint + axis / 4 + frame / 16


@pytest.fixture(scope="session")
def _raw_tree(tmp_path_factory):
    return RawTree(tmp_path_factory.mktemp("raw"))


@pytest.fixture
def raw_tree(_raw_tree, tmp_path):
    """A raw tree of the test's own."""
    import copy
    import shutil

    tree = copy.copy(_raw_tree)
    tree.folder = tmp_path / "h36m"
    shutil.copytree(_raw_tree.folder, tree.folder)
    return tree


@pytest.fixture(scope="session")
def archive(_raw_tree, tmp_path_factory):
    """The raw tree as a zip file; not to be changed."""
    return _raw_tree.zip(tmp_path_factory.mktemp("archive") / "h36m.zip")


@pytest.fixture
def root(tmp_path):
    """Twelve samples of subjects 1, 8 and 9 in the original's layout of pictures."""
    made_up_images.write_set(tmp_path)
    return tmp_path
