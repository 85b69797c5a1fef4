"""Damaged files of every kind: each is read with values that may be, or refused.

A new reader of files gets a row in `READERS`.
"""

import json
import resource
import shutil
import time
import warnings
import zipfile
from dataclasses import dataclass

import h5py
import keras
import made_up_detections as detections
import made_up_h36m
import made_up_images as made_up
import made_up_motion
import made_up_networks
import made_up_videos
import numpy as np
import pytest
from made_up_lifting import write_lifting_shards
from mutants import mutants
from PIL import Image

from human_pose.calibrated.checkpoint import load_lifter, save_lifter
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.files import load_prior, read_prior, write_prior
from human_pose.capture.detectors.rtmpose import RTMPose
from human_pose.datasets.h36m import archive
from human_pose.datasets.h36m.cdf import read_cdf
from human_pose.datasets.h36m.metadata import read_metadata
from human_pose.datasets.h36m.names import RawFile
from human_pose.datasets.images import kept_index, layout, open_dataset
from human_pose.datasets.images.index_range import read_ranges
from human_pose.datasets.images.picture_file import check_image
from human_pose.datasets.images.text_numbers import read_numbers
from human_pose.datasets.pose_files import (
    PoseSet,
    join_pose_files,
    read_pose_file,
    write_pose_file,
)
from human_pose.datasets.pose_shards import read_prepared
from human_pose.datasets.shards import sidecar
from human_pose.datasets.shards.records import Field
from human_pose.datasets.shards.writing import Bad, Good, write_shard
from human_pose.exchange import (
    coco,
    deeplabcut,
    mmpose,
    openpose,
    plain,
    plain_csv,
    pose2sim,
    pose_file,
    sleap,
    videopose3d,
)
from human_pose.files.errors import InputError
from human_pose.files.h5 import write_h5
from human_pose.i1.caffe import caffemodel
from human_pose.i1.network.checkpoint import load_network, save_network
from human_pose.lifting import MixtureParameters, read_cameras, read_mixture
from human_pose.lifting.checkpoint import read_checkpoint
from human_pose.lifting.parameters import write_cameras, write_mixtures
from human_pose.lifting.variables import parameter_shapes
from human_pose.media.pictures import read_picture
from human_pose.media.videos import declared_fps, probe, read_frames
from human_pose.runs.state import read_progress, restore_variables, write_state
from ransac.problems import RecordedStream

MUTANTS = 200
FEW = 60
# Far above what any takes, far below what a bomb or a quadratic reader does.
MOST_SECONDS = 10
MOST_MEGABYTES = 600

RANDOM = np.random.default_rng(0)
FRAMES = 6
POSES = PoseSet(
    RANDOM.uniform(100, 900, (FRAMES, 4, 17, 2)),
    RANDOM.normal(0, 500, (FRAMES, 17, 3)),
    np.broadcast_to(np.eye(3), (FRAMES, 4, 3, 3)),
)
COLUMNS, _ = np.linalg.qr(RANDOM.normal(size=(3, 51, 25)))
MIXTURE = MixtureParameters(
    RANDOM.normal(size=(3, 3, 17)),
    COLUMNS.transpose(0, 2, 1).reshape(3, 25, 3, 17),
    RANDOM.uniform(0.1, 1, (3, 26)),
)
BLOBS = {
    "a": [RANDOM.normal(size=(4, 3, 3, 3)), np.ones(4)],
    "b": [np.zeros((1, 2, 2, 1))],
}


def make_pose_file(folder):
    write_pose_file(folder / "a.h5", POSES)
    return folder / "a.h5"


def make_joined(folder):
    join_pose_files(folder / "b.h5", [make_pose_file(folder)] * 2)
    return folder / "b.h5"


def make_old_pose_file(folder):
    """As version 0.1 wrote it, without checksums."""
    with h5py.File(folder / "a.h5", "w") as file:
        for name, part in zip(
            ("joint_2d", "joint_3d", "camera"), vars(POSES).values(), strict=True
        ):
            file.create_dataset(name, data=part, compression="gzip", shuffle=True)
    return folder / "a.h5"


def make_mixture(folder):
    write_mixtures(folder / "a.h5", {3: MIXTURE})
    return folder / "a.h5"


def make_cameras(folder):
    write_cameras(folder / "a.h5", np.tile(np.eye(3), (4, 1, 1)))
    return folder / "a.h5"


def make_checkpoint(folder):
    values = {n: np.full(shape, 0.5) for n, shape in parameter_shapes(3).items()}
    write_h5(folder / "a.h5", values | {"epoch": np.int64(4)})
    return folder / "a.h5"


@dataclass
class Progress:
    """How far an invented training is."""

    epoch: int = 0
    error_mm: float = 0.0


class Variable:
    """As much of a variable as a state asks for."""

    def __init__(self, shape):
        self.shape = shape

    def assign(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return np.full(self.shape, 0.5)


def variables():
    return {"parameters/x": Variable((9,)), "optimizer/0": Variable((2, 3))}


def make_state(ending):
    def make(folder):
        write_state(folder / f"a.{ending}", Progress(4, 61.5), {"seed": 1}, variables())
        return folder / f"a.{ending}"

    return make


def read_state(path):
    progress = read_progress(path, {"seed": 1}, Progress)
    found = variables()
    restore_variables(path, found)
    return progress, [variable.value for variable in found.values()]


def make_set(folder):
    made_up.write_set(folder)
    return folder


def make_kept_index(folder):
    make_set(folder)
    (folder / "scale" / "2.txt").unlink()
    assert open_dataset(folder).skipped
    return folder / ".index" / "S1_Directions_0_5.npz"


def read_kept_index(path):
    """A damaged one is made again, without an error."""
    shard = kept_index.read_shard(path)
    if shard is None:
        raise InputError(f"{path}: is made again")
    return shard._replace(arrays=tuple(shard.arrays.values()))


def make_prior(folder):
    write_prior(folder / "a.npz", load_prior())
    return folder / "a.npz"


def read_numbers_of_prior(path):
    prior = read_prior(path)
    names = ("lengths_mm", "shares", "means_mm", "covariances_mm2", "acceleration_mm2")
    return tuple(getattr(prior, name) for name in names)


def make_lifter(folder):
    prior = load_prior()
    save_lifter(folder / "a.npz", CalibratedLifter(prior, prior.skeleton))
    return folder / "a.npz"


def read_weights_of_lifter(path):
    return tuple(variable.numpy() for variable in load_lifter(path).variables)


def make_caffemodel(folder):
    caffemodel.write(folder / "a.caffemodel", BLOBS)
    return folder / "a.caffemodel"


def make_solver_state(folder):
    content = caffemodel.protobuf.varint(1 << 3) + b"\x05"
    content += caffemodel.protobuf.field(2, b"net_iter_5.caffemodel")
    content += make_caffemodel(folder).read_bytes()
    (folder / "a.solverstate").write_bytes(content)
    return folder / "a.solverstate"


def make_archive(folder):
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
        for name in ("cameras.h5", "S1/a.h5"):
            made.writestr(f"h36m/{name}", name.encode() * 99)
    return folder / "a.zip"


def read_archive(path):
    folder = path.with_name("raw")
    shutil.rmtree(folder, ignore_errors=True)
    files = [RawFile("S1/a.h5", "S1/b.h5")]
    archive.unpack(path, folder, files, report=lambda _: None)
    # What it lacks is reported elsewhere.
    found = sorted(part for part in folder.rglob("*.h5"))
    return {part.name: part.read_bytes() for part in found}


def make_stream(folder):
    np.savez(folder / "a.npz", points=np.ones((5, 3)), outliers=np.ones((5, 9)))
    return folder / "a.npz"


def read_stream(path):
    return tuple(RecordedStream(path).take(5))


def text_of(name):
    return lambda folder: make_set(folder) / name / "3.txt"


def make_range(folder):
    return make_set(folder) / "index_range" / "S8_Walking_range.txt"


def make_picture(ending, orientation=6):
    def make(folder):
        pixels = RANDOM.integers(0, 256, (40, 30, 3), np.uint8)
        exif = Image.Exif()
        exif[274] = orientation  # 6 is on its side
        Image.fromarray(pixels).save(folder / f"a.{ending}", exif=exif)
        return folder / f"a.{ending}"

    return make


def make_frame(folder):
    view = folder / "pose" / "a_json"
    detections.write_openpose(view, {"a_0.json": [detections.person()] * 2})
    return view / "a_0.json"


def make_project(folder):
    make_frame(folder)
    text = "[project]\nframe_rate = 60\nframe_range = [0, 1]\n"
    (folder / "Config.toml").write_text(f"{text}[pose]\npose_model = 'COCO_17'\n")
    return folder / "Config.toml"


def make_mmpose(folder):
    values = detections.person()
    people = [{"keypoints": values[:, :2].tolist(), "keypoint_scores": [0.5] * 17}]
    frames = [{"frame_id": number, "instances": people} for number in range(3)]
    (folder / "a.json").write_text(json.dumps(frames))
    return folder / "a.json"


def make_blazepose(folder):
    numbers = RANDOM.uniform(100, 900, (2, 3, 33, 2)), RANDOM.uniform(0, 1, (2, 3, 33))
    arrays = dict(zip(("xy", "visibility"), numbers, strict=True))
    np.savez(folder / "a.npz", names=["a", "b"], fps=60.0, **arrays)
    return folder / "a.npz"


def make_positions(folder):
    positions = {"S1": {"a": [np.full((2, 17, 2), 9.0)] * 2}}
    return detections.write_videopose3d(folder / "a.npz", positions)


def written_by(module, ending, **options):
    """Makes the file that a writer makes of invented detections."""

    def make(folder):
        module.write(folder / f"a{ending}", detections.recording(**options))
        return folder / f"a{ending}"

    return make


def seen(read):
    """What a reader of detections finds."""

    def read_seen(path):
        recording = read(path)
        found = recording.seen
        return recording.joints_2d_px[found], recording.confidence[found]

    return read_seen


def make_network(folder):
    layers = [keras.Input((2,)), keras.layers.Dense(1, name="conv_5_d4")]
    save_network(keras.Sequential(layers), folder / "a.keras")
    return folder / "a.keras"


def read_network(path):
    return load_network(path).get_weights()


def make_video(folder):
    return made_up_videos.write(folder / "v.mp4")


def read_video(path):
    video = probe(path)
    seen = [number for number, _ in read_frames(video)]
    assert seen == sorted(set(seen))
    return [video.times_s, declared_fps(path)]


def make_detector(folder):
    return made_up_networks.rtmpose(folder / "net.onnx")


def confidence_of_detector(path):
    with RTMPose([path]).started() as detect:
        return [
            found.confidence for found in detect(np.full((2, 60, 50, 3), 200, "u1"))
        ]


@dataclass(frozen=True)
class Reader:
    """One kind of files.

    Attributes:
      make: writes a whole one into a folder, and returns its path.
      read: reads it.
      summed: checksums cover it, so that nothing but what was written may be read.
      refused: whether the whole file may be, too.
      mutants: how many are tried.
    """

    make: object
    read: object
    summed: bool = False
    refused: bool = False
    mutants: int = MUTANTS


def make_shard(folder):
    samples = [Good(3, {"a": 1}), Bad(4, "it is"), Good(5, {"a": 2})]
    write_shard(folder / "shard", samples, {"a": Field(dtype="int64")}, "made up")
    return sidecar.sidecar_path(folder / "shard")


def read_sidecar(path):
    return sidecar.read_sidecar(path.with_suffix(""))


def make_lifting_shard(folder):
    poses = read_pose_file(make_pose_file(folder))
    write_lifting_shards(folder, poses, shards=1)
    return next(folder.glob("*-of-00001"))


def make_cdf(folder):
    made_up_h36m.write_cdf(folder / "a.cdf", made_up_h36m.joints_2d_px(5))
    return folder / "a.cdf"


def make_metadata(folder):
    (folder / "metadata.xml").write_text(made_up_h36m.metadata())
    return folder / "metadata.xml"


READERS = {
    "pose file": Reader(make_pose_file, read_pose_file, summed=True),
    "joined pose file": Reader(make_joined, read_pose_file, summed=True),
    "pose file of 0.1": Reader(make_old_pose_file, read_pose_file),
    "mixture": Reader(make_mixture, lambda path: read_mixture(path, 3), summed=True),
    "cameras": Reader(make_cameras, read_cameras, summed=True),
    "checkpoint": Reader(
        make_checkpoint, lambda path: read_checkpoint(path, 3), summed=True
    ),
    "state in h5": Reader(make_state("h5"), read_state, summed=True),
    "state in npz": Reader(make_state("npz"), read_state, summed=True),
    "prior": Reader(make_prior, read_numbers_of_prior, summed=True, mutants=FEW),
    "lifter": Reader(make_lifter, read_weights_of_lifter, summed=True, mutants=FEW),
    "kept index": Reader(make_kept_index, read_kept_index, summed=True),
    "sidecar": Reader(make_shard, read_sidecar, summed=True),
    "frames in a shard": Reader(
        make_lifting_shard,
        lambda path: read_prepared(path.parent, "train"),
        summed=True,
        mutants=FEW,
    ),
    "joints of Human3.6M": Reader(make_cdf, lambda path: read_cdf(path, 2)),
    "metadata of Human3.6M": Reader(make_metadata, read_metadata, mutants=FEW),
    "stream": Reader(make_stream, read_stream, summed=True),
    "archive": Reader(make_archive, read_archive),
    "caffemodel": Reader(make_caffemodel, caffemodel.read),
    "solver state": Reader(make_solver_state, caffemodel.read, refused=True),
    "box": Reader(text_of("bbx_all_new"), layout.read_box),
    "camera": Reader(text_of("camera_all"), layout.read_camera),
    "scale": Reader(text_of("scale"), lambda path: read_numbers(path, 1)),
    "joints 2D": Reader(
        text_of("gt_joint_2d_raw_new"), lambda path: layout.read_joints(path, 2)
    ),
    "joints 3D": Reader(
        text_of("gt_joint_3d_mono_raw"), lambda path: layout.read_joints(path, 3)
    ),
    "picture's name": Reader(
        text_of("image_path_file"),
        lambda path: layout.read_image_path(path, path.parents[1]),
    ),
    "info": Reader(text_of("info_all"), layout.read_info),
    "range": Reader(make_range, lambda path: read_ranges(path.parent)),
    "picture": Reader(lambda folder: make_set(folder) / "images/3.png", check_image),
    "JPEG picture": Reader(make_picture("jpg", orientation=1), check_image),
    "anybody's PNG": Reader(
        lambda folder: make_set(folder) / "images/3.png", read_picture, summed=True
    ),
    **{
        f"anybody's {ending}": Reader(make_picture(ending), read_picture, mutants=FEW)
        for ending in ("jpg", "gif", "bmp", "tif", "webp")
    },
    "OpenPose frame": Reader(
        make_frame, seen(lambda path: openpose.read(path.parent)), mutants=FEW
    ),
    "Pose2Sim project": Reader(
        make_project, seen(lambda path: pose2sim.read(path.parent)), mutants=FEW
    ),
    "COCO results": Reader(
        written_by(coco, ".json", views=("a",)), seen(coco.read), mutants=FEW
    ),
    "MMPose": Reader(make_mmpose, seen(mmpose.read), mutants=FEW),
    "DeepLabCut h5": Reader(
        lambda folder: detections.write_deeplabcut_h5(folder / "a.h5"),
        seen(deeplabcut.FORMATS[0].read),
        mutants=FEW,
    ),
    "DeepLabCut csv": Reader(
        lambda folder: detections.write_deeplabcut_csv(folder / "a.csv"),
        seen(deeplabcut.FORMATS[1].read),
        mutants=FEW,
    ),
    "SLEAP": Reader(
        lambda folder: detections.write_sleap(folder / "a.h5"),
        seen(sleap.read),
        mutants=FEW,
    ),
    "VideoPose3D": Reader(
        make_positions, seen(videopose3d.read), summed=True, mutants=FEW
    ),
    "detections in npz": Reader(
        written_by(plain, ".npz", fps=50), seen(plain.read), mutants=FEW
    ),
    "BlazePose": Reader(
        make_blazepose, seen(plain.read_blazepose), summed=True, mutants=FEW
    ),
    "detections in csv": Reader(
        written_by(plain_csv, ".csv"), seen(plain_csv.read), mutants=FEW
    ),
    "detections in h5": Reader(
        make_pose_file, seen(pose_file.read), summed=True, mutants=FEW
    ),
    "video": Reader(make_video, read_video, mutants=20),
    "detector": Reader(make_detector, confidence_of_detector, mutants=FEW),
    # Small, for Keras is slow, and so no network of ours.
    "network": Reader(make_network, read_network, refused=True, mutants=12),
}


# Text is refused at nearly every change, and these are many: a few of each.
READERS |= {
    kind: Reader(make, read, mutants=60)
    for kind, (make, read) in made_up_motion.FILES.items()
}


def leaves(value):
    """Numbers and texts of any value that a reader gives, in order."""
    if hasattr(value, "__dict__") and not isinstance(value, np.ndarray | type):
        value = vars(value)
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def assert_valid(value):
    for leaf in leaves(value):
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f":
            assert np.isfinite(leaf).all()


@pytest.mark.parametrize("kind", READERS)
def test_damaged_files_are_refused_or_read(kind, tmp_path):
    reader = READERS[kind]
    path = reader.make(tmp_path)
    content = path.read_bytes()
    whole = None if reader.refused else leaves(reader.read(path))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for number, mutant in enumerate(mutants(content, reader.mutants)):
        path.write_bytes(mutant)
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Keras, about what it finds missing
                value = reader.read(path)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error), number
        else:
            if reader.summed:
                for found, expected in zip(leaves(value), whole, strict=True):
                    np.testing.assert_array_equal(found, expected, err_msg=str(number))
            elif kind != "caffemodel":  # whose numbers `assign` checks
                assert_valid(value)
        assert time.perf_counter() - start < MOST_SECONDS, number
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MOST_MEGABYTES * 1024  # kilobytes
    assert refused > reader.mutants / 5
