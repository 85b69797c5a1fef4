"""TFDS's own test of each builder, on made-up data; and that the folders are whole."""

import dataclasses
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

import made_up_h36m
import made_up_images
import made_up_recording
import numpy as np
import pytest
import tensorflow_datasets as tfds

from human_pose.datasets.builders.h36m_images import h36m_images_dataset_builder
from human_pose.datasets.builders.h36m_lifting import h36m_lifting_dataset_builder
from human_pose.datasets.builders.recordings import recordings_dataset_builder
from human_pose.datasets.builders.recordings import source as recordings
from human_pose.datasets.builders.recordings.source import samples_of
from human_pose.datasets.builders.sources import DATA_SETS, Options, open_source
from human_pose.datasets.builders.synthetic_images import (
    synthetic_images_dataset_builder,
)
from human_pose.datasets.builders.synthetic_lifting import (
    synthetic_lifting_dataset_builder,
)
from human_pose.datasets.rendered import Recipe as Pictures
from human_pose.datasets.shards.preparation import prepare
from human_pose.datasets.synthetic import Recipe as Poses
from human_pose.datasets.synthetic.dataset import generate
from human_pose.exchange.formats import write
from human_pose.files.errors import InputError

FEW_PICTURES = Pictures(count=105, seed=3)
FEW_POSES = Poses(train_frames=1, test_frames=2, seed=3)
BUILDERS = {
    "h36m_images": h36m_images_dataset_builder.Builder,
    "h36m_lifting": h36m_lifting_dataset_builder.Builder,
    "synthetic_images": synthetic_images_dataset_builder.Builder,
    "synthetic_lifting": synthetic_lifting_dataset_builder.Builder,
    "recordings": recordings_dataset_builder.Builder,
}


class Case:
    """What each test case adds to TFDS's: data made when they are wanted."""

    # Its readers of files are Python's own.
    MOCK_OUT_FORBIDDEN_OS_FUNCTIONS = False
    SKIP_TF1_GRAPH_MODE = True
    SKIP_CHECKSUMS = True
    OPTIONS = Options(partial=True, pictures=FEW_PICTURES, poses=FEW_POSES)

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.make(cls.folder)
        cls.EXAMPLE_DIR = str(cls.folder)
        cls.before = cls.DATASET_CLASS.OPTIONS
        cls.DATASET_CLASS.OPTIONS = cls.OPTIONS
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.DATASET_CLASS.OPTIONS = cls.before
        shutil.rmtree(cls.folder)

    @classmethod
    def make(cls, folder):
        """Makes the files that the source needs."""


class ImagesOfTextsTest(Case, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = BUILDERS["h36m_images"]
    BUILDER_CONFIG_NAMES_TO_TEST: ClassVar = ["corrected"]
    SPLITS: ClassVar = {"train": 9, "test": 3}

    @classmethod
    def make(cls, folder):
        made_up_images.write_set(folder)


class ImagesOfVideosTest(Case, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = BUILDERS["h36m_images"]
    BUILDER_CONFIG_NAMES_TO_TEST: ClassVar = ["corrected_sound_every64"]
    # 360 samples each; 324 of the test's are of takes that are not damaged.
    SPLITS: ClassVar = {"train": 6, "test": 5}

    @classmethod
    def make(cls, folder):
        made_up_h36m.write_archives(folder)


class LiftingTest(Case, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = BUILDERS["h36m_lifting"]
    BUILDER_CONFIG_NAMES_TO_TEST: ClassVar = ["every5"]
    SPLITS: ClassVar = {"train": 30, "test": 24}

    @classmethod
    def make(cls, folder):
        generate(folder, FEW_POSES)


class SyntheticImagesTest(Case, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = BUILDERS["synthetic_images"]
    BUILDER_CONFIG_NAMES_TO_TEST: ClassVar = ["corrected_every5"]
    SPLITS: ClassVar = {"train": 15, "test": 6}


class SyntheticLiftingTest(Case, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = BUILDERS["synthetic_lifting"]
    BUILDER_CONFIG_NAMES_TO_TEST: ClassVar = ["every_frame"]
    SPLITS: ClassVar = {"train": 150, "test": 118}


class RecordingsTest(Case, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = BUILDERS["recordings"]
    SPLITS: ClassVar = {"recording": 24}

    @classmethod
    def make(cls, folder):
        write(folder / "walk.npz", made_up_recording.recording())


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_folder_is_whole(name):
    builder = BUILDERS[name]
    assert builder.name == name
    metadata = builder.get_metadata()
    assert metadata.description and metadata.citation and metadata.tags
    assert [config.name for config in builder.builder_configs.values()] == [
        *DATA_SETS[name].configs
    ]
    if DATA_SETS[name].files:
        assert DATA_SETS[name].files in builder.MANUAL_DOWNLOAD_INSTRUCTIONS


def test_instructions_name_exact_files():
    for words in (
        "metadata.xml",
        "S1/Videos/*.mp4",
        "D2_Positions/*.cdf",
        "index_range/",
    ):
        assert words in BUILDERS["h36m_images"].MANUAL_DOWNLOAD_INSTRUCTIONS


def test_features_have_units_and_frames(tmp_path):
    for builder in BUILDERS.values():
        for feature in builder(data_dir=tmp_path).info.features.values():
            assert feature.doc.desc


def test_subjects_are_split():
    train, test = (
        {int(row.sample["subject"]) for row in found.samples(part)}
        for part in ("train", "test")
        for found in [
            open_source(
                "synthetic_images",
                config="corrected_every5",
                options=Options(pictures=FEW_PICTURES),
            )
        ]
    )
    assert (train, test) == ({1, 5, 6, 7, 8}, {9, 11})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("other",), "dataset must be one of h36m_images, .*; received 'other'"),
        (("h36m_images",), "h36m_images: needs a `source`: either, unpacked"),
        (("synthetic_images", None, "best"), "config must be like .*received 'best'"),
        (("synthetic_images", None, "published"), "of the corrected split here"),
        (("synthetic_lifting", None, "every05"), "config must be every_frame, or like"),
    ],
)
def test_what_is_none_of_them_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        open_source(*arguments)


@pytest.mark.parametrize("name", ["h36m_images", "h36m_lifting"])
def test_a_folder_of_other_files_is_told_what_is_wanted(tmp_path, name):
    with pytest.raises(InputError, match="must hold either"):
        open_source(name, tmp_path)


def test_recordings_of_a_range_of_frames(tmp_path):
    """Neither ranges nor lists of cameras can be hashed (ranges since Python 3.12)."""
    recording = made_up_recording.recording()
    write(tmp_path / "walk.npz", recording)
    reading = {"frames": slice(5, 9), "cameras": [*recording.cameras]}
    source = open_source(
        "recordings", tmp_path / "walk.npz", options=Options(reading=reading)
    )
    samples = [item.sample for item in source.samples("recording")]
    assert [int(sample["index"]) for sample in samples] == [0, 1, 2, 3]
    assert [int(sample["frame"]) for sample in samples] == [5, 6, 7, 8]
    stacked = np.stack([sample["joints_2d_px"] for sample in samples])
    np.testing.assert_array_equal(stacked, recording.joints_2d_px[5:9])


def test_recordings_are_what_was_read(tmp_path):
    recording = made_up_recording.recording()
    write(tmp_path / "walk.npz", recording)
    source = open_source("recordings", tmp_path / "walk.npz")
    samples = [item.sample for item in source.samples("recording")]
    stacked = np.stack([sample["joints_2d_px"] for sample in samples])
    np.testing.assert_array_equal(stacked, recording.joints_2d_px)
    assert np.isnan(samples[0]["rotations"]).all()  # the file holds no cameras
    assert "views back, door, left, window" in source.description
    (first,) = samples_of(recording, range(1))
    assert {name: np.shape(value) for name, value in first.sample.items()} == {
        name: field.shape for name, field in source.schema.items()
    }
    for view, camera in enumerate(recording.cameras):
        np.testing.assert_array_equal(first.sample["rotations"][view], camera.rotation)
        lens = first.sample["distortion"][view]
        np.testing.assert_array_equal(lens[:5], camera.distortion)
        assert not lens[5:].any()


def _moved(recording):
    camera, *others = recording.cameras
    moved = dataclasses.replace(camera, translation_mm=camera.translation_mm + 1)
    return (moved, *others)


@pytest.mark.parametrize(
    "changes",
    [
        lambda recording: {"sequence": np.arange(24) // 12},
        lambda recording: {"sequence": np.arange(24) // 23},
        lambda recording: {"frames": recording.frames + (recording.frames > 22)},
        lambda recording: {"joints_2d_px": recording.joints_2d_px + 1e-9},
        lambda recording: {"confidence": recording.confidence / 2},
        lambda recording: {"cameras": _moved(recording)},
    ],
)
def test_a_recording_is_known_by_all_that_its_records_hold(
    tmp_path, monkeypatch, changes
):
    """Takes cut elsewhere were taken for those that were prepared before."""
    recording = made_up_recording.recording()
    edited = dataclasses.replace(recording, **changes(recording))
    for each in (recording, edited):
        monkeypatch.setattr(recordings, "read_recording", lambda path, each=each: each)
        folder = prepare(recordings.recording_source("walk.npz").plan(10), tmp_path)
    held = tfds.builder_from_directory(folder).as_dataset(split="recording")
    found = {int(sample["index"]): sample for sample in held.as_numpy_iterator()}
    assert len(found) == 24
    for good in samples_of(edited, range(24)):
        for name, value in good.sample.items():
            np.testing.assert_array_equal(found[good.index][name], value)


def test_a_recording_that_changes_while_it_is_prepared_is_refused(tmp_path):
    """Each of several workers reads it, and not at the same time."""
    path = tmp_path / "walk.npz"
    write(path, made_up_recording.recording())
    source = open_source("recordings", path)
    write(path, made_up_recording.recording(noise_px=1.0))
    open_source("recordings", path)  # as in another process
    with pytest.raises(InputError, match=r"walk\.npz: was changed while it was prep"):
        [*source.samples("recording")]


def test_builders_need_no_beam(tmp_path):
    """Nor does a preparation in one process; several workers say what to install."""
    code = (
        "import sys\n"
        "sys.modules['apache_beam'] = None\n"  # as if it were not there
        "from human_pose.datasets.builders.synthetic_lifting import (\n"
        "    synthetic_lifting_dataset_builder)\n"
        "from human_pose.datasets.builders.sources import open_source\n"
        "from human_pose.datasets.shards.beam import Beam\n"
        "from human_pose.datasets.shards.preparation import prepare\n"
        "plan = open_source('synthetic_lifting', config='every64').plan()\n"
        "try:\n"
        f"    prepare(plan, {str(tmp_path)!r}, Beam(2))\n"
        "except ValueError as error:\n"
        "    print(error)\n"
        f"print(prepare(plan, {str(tmp_path)!r}).exists())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == (
        "preparing by several workers: needs the package apache_beam; "
        "pip install 'wiberg-tf[beam]' installs it\nTrue\n"
    ), done.stderr
