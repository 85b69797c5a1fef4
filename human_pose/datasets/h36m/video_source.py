"""Human3.6M's own archives, videos and joints, as a source of shards of pictures."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from human_pose.datasets.h36m.clips import (
    IN_CAMERA,
    Clip,
    clips_in,
    ranges_of,
    subjects_in,
)
from human_pose.datasets.h36m.metadata import FILE, read_metadata
from human_pose.datasets.images.crop import box_of, cropped, to_picture
from human_pose.datasets.images.encoding import Encoding, check_encoding, encoded
from human_pose.datasets.images.schema import IMAGE_SCHEMA, image_sample
from human_pose.datasets.images.text_source import check_subjects, pieces_of
from human_pose.datasets.images.variants import Variant
from human_pose.datasets.shards.plan import Piece, Source, summary_of
from human_pose.datasets.shards.records import Sample
from human_pose.datasets.shards.writing import Bad, Good
from human_pose.files.errors import InputError
from human_pose.files.paths import locate
from human_pose.media.videos import probe, read_frames


def video_source(
    root: str | os.PathLike[str],
    variant: Variant | None = None,
    *,
    encoding: Encoding = "jpeg",
    partial_set: bool = False,
    looked: Callable[[int, int], None] = lambda done, total: None,
) -> Source:
    """The samples of the unpacked archives; see `clips` for the files.

    Indices run through subjects, actions, takes, cameras and frames, damaged takes
    included, so that a sample has the same index in every variant.

    Args:
      root: the folder that holds `metadata.xml`, `S1`, `S5` ...
      variant: which samples; default: all, split by subject.
      encoding: of the pictures in the records.
      partial_set: also where subjects are missing; then indices are others.
      looked: called with the clips looked at, of all.

    Raises:
      InputError: naming the file or argument and the rule; a missing subject, too,
        unless `partial_set`.
    """
    check_encoding(encoding)
    variant = variant or Variant()
    root = locate(root)
    metadata = read_metadata(root / FILE)
    subjects = subjects_in(root)
    check_subjects(root, subjects, partial_set)
    clips = clips_in(root, metadata, subjects, looked)
    summary = summary_of(_told(clip, root) for clip in clips)
    return Source(
        "h36m_images",
        variant.name,
        IMAGE_SCHEMA,
        f"videos {summary}, {variant.name}, {encoding}",
        partial(_samples, root, encoding),
        _pieces(clips, variant),
        f"Pictures of people with 3D joints: {variant.description}.",
        partial(_files, root),
    )


def _told(clip: Clip, root: Path) -> str:
    """What tells a clip from others beside the times of its files.

    Which of the files of 3D joints is read is told, too: a better one that is unpacked
    later bears the time that it had in the archive.
    """
    held = f"{clip.video_name} {clip.frames}"
    kind = clip.kind_of_joints_3d(root)
    return held if kind == IN_CAMERA else f"{held} {kind}"


def _pieces(clips: Sequence[Clip], variant: Variant) -> dict[str, tuple[Piece, ...]]:
    """The pieces of each part, cut where a clip ends."""
    wanted = [clip for clip in clips if variant.holds(clip.video_name)]
    parts = {}
    for part, pieces in pieces_of(ranges_of(clips), variant).items():
        held = (
            Piece(clip, _common(piece.indices, clip))
            for piece in pieces
            for clip in wanted
            if (clip.subject, clip.action)
            == (piece.place.subject, piece.place.action_number)
        )
        parts[part] = tuple(piece for piece in held if len(piece))
    return parts


def _common(indices: range, clip: Clip) -> range:
    """Those of some indices that are of a clip."""
    first = max(clip.first, indices.start)
    start = indices.start + -(-(first - indices.start) // indices.step) * indices.step
    return range(start, min(clip.first + clip.frames, indices.stop), indices.step)


def _files(root: Path, piece: Piece) -> Iterator[Path]:
    clip: Clip = piece.place
    yield root / FILE
    yield from clip.files(root)


def _samples(root: Path, encoding: Encoding, piece: Piece) -> Iterator[Good | Bad]:
    clip: Clip = piece.place
    start = os.path.join(root, "")
    try:
        joints_2d, joints_3d = clip.joints_2d_px(root), clip.joints_3d_mm(root)
        video = probe(clip.video(root))
    except InputError as error:
        reason = str(error).replace(start, "")
        yield from (Bad(index, reason) for index in piece.indices)
        return
    left = iter(piece.indices)
    last = piece.indices[-1] - clip.first
    undecoded = f"{clip.video_name}: the frame is missing or damaged in the video"
    wanted = next(left, None)
    frames = read_frames(video, slice(piece.indices[0] - clip.first, last + 1))
    for number, frame in frames:
        while wanted is not None and wanted - clip.first < number:
            yield Bad(wanted, undecoded)
            wanted = next(left, None)
        if wanted is not None and wanted - clip.first == number:
            yield _sample(
                clip, wanted, frame, joints_2d[number], joints_3d[number], encoding
            )
            wanted = next(left, None)
    while wanted is not None:
        yield Bad(wanted, undecoded)
        wanted = next(left, None)


def _sample(
    clip: Clip,
    index: int,
    frame: np.ndarray,
    joints_2d_px: np.ndarray,
    joints_3d_mm: np.ndarray,
    encoding: Encoding,
) -> Good | Bad:
    height, width = frame.shape[:2]
    try:
        box = box_of(joints_2d_px, width, height)
    except InputError as error:
        return Bad(index, f"{clip.video_name}: {error}")
    sample: Sample = image_sample(
        encoded(cropped(frame, box), encoding),
        index,
        clip.subject,
        clip.action,
        box=box,
        camera=clip.camera.intrinsics_px,
        joints_2d_px=to_picture(joints_2d_px, box),
        joints_3d_mm=joints_3d_mm,
    )
    return Good(index, sample)
