"""Rendered pictures as a source of shards, made as they are wanted."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from human_pose.datasets.images.encoding import Encoding, check_encoding, encoded
from human_pose.datasets.images.schema import IMAGE_SCHEMA, image_sample
from human_pose.datasets.images.variants import Variant
from human_pose.datasets.protocol import IMAGE_ACTIONS, TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.datasets.rendered.dataset import Block, Recipe, index_ranges
from human_pose.datasets.rendered.shots import Shot, moment
from human_pose.datasets.shards.plan import Piece, Source, stepped
from human_pose.datasets.shards.records import Sample
from human_pose.datasets.shards.writing import Good
from human_pose.datasets.synthetic.rig import CAMERAS
from human_pose.files.errors import InputError


def rendered_source(
    recipe: Recipe | None = None,
    variant: Variant | None = None,
    *,
    encoding: Encoding = "jpeg",
) -> Source:
    """The samples of a recipe, which `dataset.generate` would write as files.

    Numbers are rounded as there, so that both are equal.

    Args:
      recipe: what is made.
      variant: which of it; there is no published split of these.
      encoding: of the pictures in the records.

    Raises:
      InputError: for a bad recipe or variant.
    """
    check_encoding(encoding)
    recipe, variant = recipe or Recipe(), variant or Variant()
    if variant.split != "corrected":
        raise InputError("config", "must be of the corrected split here", variant.name)
    blocks = index_ranges(recipe)
    of_parts = {"train": TRAIN_SUBJECTS, "test": TEST_SUBJECTS}
    parts = {
        part: tuple(
            Piece(block, stepped(block.first, block.last, variant.every))
            for block in blocks
            if block.subject in subjects
        )
        for part, subjects in of_parts.items()
    }
    harder = f", hard: {', '.join(recipe.hard)}" if recipe.hard else ""
    return Source(
        "synthetic_images",
        variant.name,
        IMAGE_SCHEMA,
        f"rendered, {recipe}, {variant.name}, {encoding}{harder}",
        partial(_samples, recipe, encoding),
        parts,
        f"Rendered pictures of invented people: {variant.description}{harder}.",
    )


def _samples(recipe: Recipe, encoding: Encoding, piece: Piece) -> Iterator[Good]:
    block: Block = piece.place
    wanted: dict[int, list[int]] = {}  # by the number of a moment, its views
    for index in piece.indices:
        number, view = divmod(index - block.first, CAMERAS)
        wanted.setdefault(number, []).append(view)
    for number, views in wanted.items():
        shots = moment(
            *(block.subject, block.action, number, views[-1] + 1),
            recipe.seed,
            recipe.hard,
        )
        for view, shot in enumerate(shots):
            if view in views:
                index = block.first + CAMERAS * number + view
                yield Good(index, _sample(index, block, shot, encoding))


def _sample(index: int, block: Block, shot: Shot, encoding: Encoding) -> Sample:
    # As many digits as `record.write_shot` writes.
    return image_sample(
        encoded(shot.picture, encoding),
        index,
        block.subject,
        IMAGE_ACTIONS.index(block.action),
        box=shot.box_px,
        camera=np.round(shot.camera.intrinsics_px, 9),
        joints_2d_px=np.round(shot.joints_2d_px, 6),
        joints_3d_mm=np.round(shot.joints_3d_mm, 6),
    )
