"""Whatever takes a path takes words and any path-like object, not only `Path`."""

import ast
from importlib import import_module
from pathlib import Path

import made_up_detections as made_up
import numpy as np
import pytest
from made_up_motion import motion, results, rig

from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.files import load_prior
from human_pose.files.errors import InputError

ROOT = Path(__file__).resolve().parent.parent

# Commands alone hand on what they made of their flags.
COMMANDS = ("human_pose/commands", "human_pose/main.py", "human_pose/Sample.py")

# Readers, each with what it takes after the path, and the ending of its files.
READERS = (
    ("human_pose.calibrated.checkpoint:load_lifter", (), ""),
    ("human_pose.calibrated.prior.files:load_prior", (), ""),
    ("human_pose.calibrated.prior.files:read_prior", (), ""),
    ("human_pose.capture.detectors.onnx_model:OnnxModel", (), ""),
    ("human_pose.capture.detectors.yolox:Yolox", (), ""),
    ("human_pose.datasets.h36m.archive:check_archive", (), ""),
    ("human_pose.datasets.builders.recordings.source:recording_source", (), ""),
    ("human_pose.datasets.h36m.build:read_rotations", (1,), ""),
    ("human_pose.datasets.h36m.cdf:read_cdf", (2,), ""),
    ("human_pose.datasets.h36m.metadata:read_metadata", (), ""),
    ("human_pose.datasets.h36m.video_source:video_source", (), ""),
    ("human_pose.datasets.images.text_numbers:read_numbers", (3,), ""),
    ("human_pose.datasets.images.text_source:text_source", (), ""),
    ("human_pose.datasets.lifting_sets.pose_tree:tree_source", (), ""),
    ("human_pose.datasets.lifting_sets.videopose3d:videopose3d_source", (), ""),
    ("human_pose.datasets.shards.sidecar:check_content", (), ""),
    ("human_pose.datasets.shards.sidecar:crc32_of", (), ""),
    ("human_pose.datasets.shards.sidecar:read_sidecar", (), ""),
    ("human_pose.datasets.images:open_dataset", (), ""),
    ("human_pose.datasets.images:open_images", (), ""),
    ("human_pose.datasets.images:open_sharded", (), ""),
    ("human_pose.datasets.images.index_range:read_ranges", (), ""),
    ("human_pose.datasets.images.layout:read_box", (), ""),
    ("human_pose.datasets.images.layout:read_camera", (), ""),
    ("human_pose.datasets.images.layout:read_image_path", ("root",), ""),
    ("human_pose.datasets.images.layout:read_info", (), ""),
    ("human_pose.datasets.images.layout:read_joints", (2,), ""),
    ("human_pose.datasets.images.layout:read_sample", (0,), ""),
    ("human_pose.datasets.images.layout:read_square", (0,), ""),
    ("human_pose.datasets.images.layout:read_texts", (0,), ""),
    ("human_pose.datasets.images.crop:check_shown", (np.zeros(4),), ""),
    ("human_pose.datasets.images.crop:check_as_kept", ((224, 224),), ""),
    ("human_pose.datasets.images.picture_file:check_image", (), ""),
    ("human_pose.datasets.images.picture_file:size_of", (), ""),
    ("human_pose.datasets.pose_files:read_people", (), ""),
    ("human_pose.datasets.pose_files:read_pose_file", (), ""),
    ("human_pose.datasets.pose_shards:read_prepared", ("train",), ""),
    ("human_pose.datasets.shards.folders:find_prepared", ("a",), ""),
    ("human_pose.datasets.shards.reading:open_shards", ("train",), ""),
    ("human_pose.exchange.coco:read", (), ""),
    ("human_pose.exchange.table:calibration_in", (), ""),
    ("human_pose.exchange.formats:read_cameras", (), ""),
    ("human_pose.exchange.formats:read_motion", (), ""),
    ("human_pose.exchange.formats:read_recording", (), ""),
    ("human_pose.exchange.table:recognise", (), ""),
    ("human_pose.exchange.frame_folders:read_views", (list,), ""),
    ("human_pose.exchange.frame_folders:view_folders", (), ""),
    ("human_pose.exchange.mmpose:read", (), ""),
    ("human_pose.exchange.openpose:read", (), ""),
    ("human_pose.exchange.plain:read", (), ""),
    ("human_pose.exchange.plain:read_blazepose", (), ""),
    ("human_pose.exchange.plain_csv:read", (), ""),
    ("human_pose.exchange.pose2sim:read", (), ""),
    ("human_pose.exchange.pose_file:read", (), ""),
    ("human_pose.exchange.sleap:read", (), ""),
    ("human_pose.exchange.sources:read_json", (), ""),
    ("human_pose.exchange.videopose3d:read", (), ""),
    ("human_pose.files.h5:read_h5_table", ("x",), ""),
    ("human_pose.files:check_is_file", (), ""),
    ("human_pose.files:locate", (), ""),
    ("human_pose.files:read_h5", ({},), ""),
    ("human_pose.files:read_npz", ({},), ""),
    ("human_pose.files.paths:read_bytes", (9,), ""),
    ("human_pose.files:read_text", (), ""),
    ("human_pose.i1.caffe.caffemodel:read", (), ""),
    ("human_pose.i1.caffe.convert:convert", ("a.keras", 8), ""),
    ("human_pose.i1.input.picture:pixels_of", (), ""),
    ("human_pose.i1.network.checkpoint:load_network", (), ".keras"),
    ("human_pose.pipeline.checkpoint:load_pipeline", (), ".keras"),
    ("human_pose.lifting:read_cameras", (), ""),
    ("human_pose.lifting:read_checkpoint", (3,), ""),
    ("human_pose.lifting:read_mixture", (3,), ""),
    ("human_pose.exchange.amc:read_amc", (), ".amc"),
    ("human_pose.exchange.anipose:read_anipose", (), ""),
    ("human_pose.exchange.bvh:read_bvh", (), ""),
    ("human_pose.exchange.bvh_file:read_bvh_file", (), ""),
    ("human_pose.exchange.c3d:read_c3d", (), ""),
    ("human_pose.exchange.c3d_file:read_c3d_file", (), ""),
    ("human_pose.exchange.calibrations.file_storage:read_file_storage", (), ".yml"),
    ("human_pose.exchange.calibrations.human36m:read_human36m", (), ""),
    ("human_pose.exchange.calibrations.qualisys:read_qualisys", (), ""),
    ("human_pose.exchange.calibrations.tables:read_toml", (), ""),
    ("human_pose.exchange.motion_npz:read_motion_npz", (), ""),
    ("human_pose.exchange.motion_npz:read_videopose3d_motion", (), ""),
    ("human_pose.exchange.pose_sets:read_pose_motion", (), ""),
    ("human_pose.exchange.poses:read_poses", (), ""),
    ("human_pose.exchange.trc:read_trc", (), ""),
    ("human_pose.media.decoding:first_frame", (), ""),
    ("human_pose.media.headers:oddity", (b"",), ""),
    ("human_pose.media.headers:read_header", (b"\xff\xd8\xff",), ""),
    ("human_pose.media.pictures:check_pixels", (1 << 20, 1 << 20), ""),
    ("human_pose.media.pictures:opened", (b"",), ""),
    ("human_pose.media.pictures:read_picture", (), ""),
    ("human_pose.media.videos:declared_fps", (), ""),
    ("human_pose.media.videos:declared_frames", (), ""),
    ("human_pose.media.videos:probe", (), ""),
    ("ransac.files:read_arrays", ({},), ""),
    ("ransac.problems:RecordedStream", (), ""),
)

# Writers, each with what it takes after the path.
RECORDING = made_up.recording(views=("a",))
PRIOR = load_prior()
WRITERS = (
    (
        "human_pose.calibrated.checkpoint:save_lifter",
        (CalibratedLifter(PRIOR, PRIOR.skeleton),),
    ),
    ("human_pose.calibrated.prior.files:write_prior", (PRIOR,)),
    ("human_pose.exchange.coco:write", (RECORDING,)),
    ("human_pose.exchange.formats:write", (RECORDING, "npz")),
    ("human_pose.exchange.plain:write", (RECORDING,)),
    ("human_pose.exchange.plain_csv:write", (RECORDING,)),
    ("human_pose.files:write_h5", ({"x": 1},)),
    ("human_pose.files:write_npz", ({"x": 1},)),
    ("human_pose.i1.caffe.caffemodel:write", ({"a": [np.ones(2)]},)),
    ("human_pose.lifting:write_cameras", (np.ones((4, 3, 3)),)),
    ("human_pose.lifting:write_mixtures", ({},)),
    ("human_pose.exchange.anipose:write_anipose", (motion(),)),
    ("human_pose.exchange.bvh:write_bvh", (motion(),)),
    ("human_pose.exchange.c3d:write_c3d", (motion(),)),
    ("human_pose.exchange.calibrations.tables:write_anipose", (rig(),)),
    ("human_pose.exchange.calibrations.tables:write_pose2sim", (rig(lens=()),)),
    ("human_pose.exchange.motion_npz:write_motion_npz", (motion(),)),
    ("human_pose.exchange.poses:write_poses", (results(),)),
    ("human_pose.exchange.trc:write_trc", (motion(),)),
    ("ransac.files:write_text", ("text",)),
)


class PathLike:
    """A path of another library's."""

    def __init__(self, path):
        self._path = str(path)

    def __fspath__(self):
        return self._path

    __str__ = __fspath__


KINDS = (str, Path, PathLike)


def function(name):
    module, attribute = name.split(":")
    return getattr(import_module(module), attribute)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "further", "ending"), READERS)
def test_readers_take_any_path(name, further, ending, kind, tmp_path):
    path = tmp_path / f"none{ending}"
    with pytest.raises(InputError, match=str(path)):
        function(name)(kind(path), *further)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "further"), WRITERS)
def test_writers_take_any_path(name, further, kind, tmp_path):
    path = tmp_path / "new" / "file"
    function(name)(kind(path), *further)
    assert path.is_file()


def public_functions(tree):
    """Functions and methods that others call, `__init__` among them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)
        if isinstance(node, ast.FunctionDef):
            if not node.name.startswith("_") or node.name == "__init__":
                yield node


def narrow(path):
    """The parameters of a module's public functions that take `Path` alone."""
    for node in public_functions(ast.parse(path.read_text("utf-8"))):
        parameters = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        for parameter in parameters:
            words = ast.unparse(parameter.annotation) if parameter.annotation else ""
            if (
                words.split(" | ")[0] == "Path"
                or "[Path]" in words.split("Callable")[0]
            ):
                yield f"{path.relative_to(ROOT)}: {node.name}({parameter.arg})"


def test_every_public_parameter_takes_any_path():
    modules = sorted(
        path
        for package in ("human_pose", "ransac", "wiberg_tf")
        for path in (ROOT / package).rglob("*.py")
        if not str(path.relative_to(ROOT)).startswith(COMMANDS)
    )
    assert len(modules) > 100
    assert [one for path in modules for one in narrow(path)] == []
