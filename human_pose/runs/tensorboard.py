"""Events for TensorBoard: scalars, histograms and pictures of the steps of a run."""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np
import tensorflow as tf


class Events:
    """One file of events, made when the first is written; to be closed.

    What is written can be read at once, also while the training goes on.

    Args:
      folder: where the file goes.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        # As bytes, because a name may be no UTF-8, which TensorFlow's strings are.
        self._writer = tf.summary.create_file_writer(os.fsencode(folder))

    def write(
        self,
        step: int,
        scalars: Mapping[str, float],
        histograms: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes values of one step.

        Args:
          step: steps taken so far.
          scalars: by tag.
          histograms: arrays of any shape by tag.
        """
        with self._writer.as_default(step):
            for tag, scalar in scalars.items():
                tf.summary.scalar(tag, scalar)
            for tag, values in (histograms or {}).items():
                tf.summary.histogram(tag, values)
        self._writer.flush()

    def write_picture(self, step: int, tag: str, image: np.ndarray) -> None:
        """Writes a picture.

        Args:
          step: steps taken so far.
          tag: its name.
          image: the picture, uint8 `[H, W, 3]`.
        """
        with self._writer.as_default(step):
            tf.summary.image(tag, image[None])
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()

    def __enter__(self) -> "Events":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
