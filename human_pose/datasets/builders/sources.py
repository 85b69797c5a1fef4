"""The data sets that can be prepared, by name."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from human_pose.datasets.builders.recordings.source import recording_source
from human_pose.datasets.h36m import metadata
from human_pose.datasets.h36m.video_source import video_source
from human_pose.datasets.images.encoding import Encoding
from human_pose.datasets.images.text_source import text_source
from human_pose.datasets.images.variants import VARIANTS, variant_of
from human_pose.datasets.lifting_sets import videopose3d
from human_pose.datasets.lifting_sets.invented import invented_source
from human_pose.datasets.lifting_sets.pose_tree import tree_source
from human_pose.datasets.lifting_sets.schema import USUAL_STEPS, config_name, every_of
from human_pose.datasets.rendered.dataset import Recipe as Pictures
from human_pose.datasets.rendered.source import rendered_source
from human_pose.datasets.shards.plan import Source
from human_pose.datasets.synthetic.dataset import Recipe as Poses
from human_pose.files.errors import InputError
from human_pose.files.paths import locate

Looked = Callable[[int, int], None]


@dataclass(frozen=True)
class Options:
    """What a source is told beside its place and configuration.

    Attributes:
      encoding: of pictures in the records.
      partial: prepare what is there where the source lacks subjects.
      pictures: what is rendered where there is no source.
      poses: what is invented where there is no source.
      reading: of recordings, see `exchange.formats.read_recording`.
      looked: called with how many files of the source are looked at, of all.
    """

    encoding: Encoding = "jpeg"
    partial: bool = False
    pictures: Pictures = field(default_factory=Pictures)
    poses: Poses = field(default_factory=Poses)
    reading: Mapping[str, Any] = field(default_factory=dict)
    looked: Looked = lambda done, total: None


@dataclass(frozen=True)
class DataSet:
    """One data set.

    Attributes:
      configs: names of its usual configurations, the default first; others of the same
        form are understood.
      open: the source of a folder, None for made-up ones, and a configuration.
      files: which files the folder must hold, in words; empty if it needs none.
    """

    configs: tuple[str, ...]
    open: Callable[[Path | None, str, Options], Source]
    files: str = ""


def open_source(
    name: str,
    root: str | os.PathLike[str] | None = None,
    config: str | None = None,
    options: Options | None = None,
) -> Source:
    """The source of a data set.

    Args:
      name: one of `DATA_SETS`.
      root: the folder of its files; None where they are made.
      config: which form of it; default: the first of its configurations.
      options: see there.

    Raises:
      InputError: naming the argument or file, the rule and what was received.
    """
    if name not in DATA_SETS:
        raise InputError("dataset", f"must be one of {', '.join(DATA_SETS)}", name)
    chosen = DATA_SETS[name]
    if root is None and chosen.files:
        raise InputError(f"{name}: needs a `source`: {chosen.files}")
    found = None if root is None else locate(root)
    return chosen.open(found, config or chosen.configs[0], options or Options())


def _h36m_images(root: Path | None, config: str, options: Options) -> Source:
    assert root is not None  # `open_source` has seen to it
    variant = variant_of(config)
    common: dict[str, Any] = {
        "encoding": options.encoding,
        "partial_set": options.partial,
    }
    if (root / metadata.FILE).exists():
        return video_source(root, variant, looked=options.looked, **common)
    if (root / "index_range").is_dir():
        return text_source(root, variant, **common)
    raise InputError(f"{root}: must hold {_IMAGE_FILES}")


def _h36m_lifting(root: Path | None, config: str, options: Options) -> Source:
    assert root is not None
    every = every_of(config)
    if (root / videopose3d.POSITIONS_FILE).exists():
        return videopose3d.videopose3d_source(root, every, partial_set=options.partial)
    if (root / "training").is_dir() or (root / "testing").is_dir():
        return tree_source(root, every, partial_set=options.partial)
    raise InputError(f"{root}: must hold {_LIFTING_FILES}")


def _synthetic_images(root: Path | None, config: str, options: Options) -> Source:
    variant = variant_of(config)
    if root is None:
        return rendered_source(options.pictures, variant, encoding=options.encoding)
    return text_source(
        root,
        variant,
        encoding=options.encoding,
        partial_set=options.partial,
        data_set="synthetic_images",
    )


def _synthetic_lifting(root: Path | None, config: str, options: Options) -> Source:
    every = every_of(config)
    if root is None:
        return invented_source(options.poses, every)
    return tree_source(
        root, every, partial_set=options.partial, data_set="synthetic_lifting"
    )


def _recordings(root: Path | None, config: str, options: Options) -> Source:
    assert root is not None
    return recording_source(root, config, options.reading)


_IMAGE_FILES: Final = (
    "either, unpacked from the archives of Human3.6M, metadata.xml and, for each of "
    "S1, S5, S6, S7, S8, S9 and S11, S1/Videos/*.mp4, S1/MyPoseFeatures/D2_Positions/"
    "*.cdf and S1/MyPoseFeatures/D3_Positions_mono/*.cdf (or D3_Positions/*.cdf); or "
    "the original's text layout: index_range/, images/, bbx_all_new/, camera_all/, "
    "center_x/, center_y/, scale/, gt_joint_2d_raw_new/, gt_joint_3d_mono_raw/, "
    "image_path_file/ and info_all/"
)
_LIFTING_FILES: Final = (
    "either the pose files that human-pose-h36m makes, training/*_sh.h5 and "
    "testing/*_sh.h5; or VideoPose3D's data_3d_h36m.npz and one data_2d_h36m_*.npz, "
    "with cameras.h5 of the archive"
)
_STEPS: Final = tuple(map(config_name, USUAL_STEPS))

DATA_SETS: Final[Mapping[str, DataSet]] = {
    "h36m_images": DataSet(
        tuple(variant.name for variant in VARIANTS), _h36m_images, _IMAGE_FILES
    ),
    "h36m_lifting": DataSet(_STEPS, _h36m_lifting, _LIFTING_FILES),
    "synthetic_images": DataSet(
        tuple(
            variant.name
            for variant in VARIANTS
            if variant.split == "corrected" and not variant.sound
        ),
        _synthetic_images,
    ),
    "synthetic_lifting": DataSet(_STEPS, _synthetic_lifting),
    "recordings": DataSet(
        ("recording",),
        _recordings,
        "one recording, a file or folder of any format of docs/formats.md",
    ),
}
