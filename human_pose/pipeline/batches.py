"""Batches of moments: pictures of all views, their cameras, and the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from human_pose.datasets.images import open_images
from human_pose.datasets.images.moments import Moments, moments_of
from human_pose.datasets.images.opening import ImageSet
from human_pose.datasets.protocol import Part, Split
from human_pose.files.errors import InputError
from human_pose.i1.input import Stream
from human_pose.i1.input import batches as picture_batches


@dataclass(frozen=True, eq=False)
class MomentSet:
    """The moments of a part of a set of pictures; made by `open_moments`.

    Attributes:
      pictures: the set.
      moments: which of its samples belong together.
      skip_bad: leave out samples that break a rule.
    """

    pictures: ImageSet
    moments: Moments
    skip_bad: bool = False

    def __len__(self) -> int:
        return len(self.moments)

    def some(self, count: int) -> "MomentSet":
        """`count` moments at even distances, or all if there are fewer."""
        return self.some_of(np.unique(np.linspace(0, len(self) - 1, count).astype(int)))

    def some_of(self, numbers: Sequence[int] | np.ndarray) -> "MomentSet":
        """The moments of some numbers, in their order."""
        places = np.asarray(numbers)
        chosen = {
            name: value[places]
            for name, value in vars(self.moments).items()
            if isinstance(value, np.ndarray)
        }
        return replace(self, moments=replace(self.moments, **chosen))

    def batches(self, stream: Stream) -> tf.data.Dataset:
        """Batches of F moments.

        Args:
          stream: whose `batch_size` counts moments.

        Returns:
          Those of `i1.input.batches` for F V pictures, moment by moment, with

          - `projection` float64 `[F, V, 3, 4]`, world mm to homogeneous px
          - `joints_world_mm` float64 `[F, 16, 3]`
          - `moment` int64 `[F]`, numbers of the moments
        """
        moments = self.moments
        views = len(moments.views)
        stream = replace(
            stream, batch_size=stream.batch_size * views, skip_bad=self.skip_bad
        )
        projection = tf.constant(moments.projection)
        joints = tf.constant(moments.joints_3d_mm)

        def with_truth(batch: dict[str, Any]) -> dict[str, Any]:
            number = batch.pop("group")[::views]
            return batch | {
                "projection": tf.gather(projection, number),
                "joints_world_mm": tf.gather(joints, number),
                "moment": number,
            }

        pictures = picture_batches(self.pictures, stream, groups=moments.rows)
        return pictures.map(with_truth, num_parallel_calls=1).prefetch(2)


def open_moments(
    data_dir: Any,
    split: Split,
    part: Part,
    views: Sequence[int],
    *,
    skip_bad: bool = False,
) -> MomentSet:
    """The moments of a part of a set on disk.

    Views are in the order of the cameras' numbers, whatever that of `views`: the
    published lifter knows its average cameras by their places alone.

    Raises:
      InputError: for a single view, which does not show how far away a person is; or as
        of `open_images` and `moments_of`.
    """
    if len(views) < 2:
        raise InputError("views", "must be 2 cameras or more", list(views))
    pictures = open_images(data_dir, split, part)
    found = moments_of(pictures, sorted(views), skip_bad=skip_bad)
    return MomentSet(pictures, found, skip_bad)
