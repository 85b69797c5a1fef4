"""TensorBoard curves of a run: a sub-folder for each variant, so that they overlay."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf

from ransac.learning import Record, Variant

# Steps that one point of a curve stands for: writing every step takes longer than it.
WINDOW: Final = 20


def curves(folder: str | os.PathLike[str]) -> list[Path]:
    """The files of curves that are in a folder, of variants of any names."""
    return sorted(Path(folder).glob("*/events.out.tfevents.*"))


class Summaries:
    """Writes the curves of one stream's run, within a `with` block.

    Those of another run in the same folder would be drawn through them: see `curves`.

    Args:
      folder: where the variants' sub-folders go.
      variants: of the records to come.
    """

    def __init__(
        self, folder: str | os.PathLike[str], variants: Sequence[Variant]
    ) -> None:
        self._writers = []
        for variant in variants:
            own = Path(folder) / variant.name.replace(" ", "_")
            # As bytes, because a name may be no UTF-8, which TensorFlow's strings are.
            self._writers.append(tf.summary.create_file_writer(os.fsencode(own)))

    def write(self, done: int, record: Record) -> None:
        """Adds some steps.

        Args:
          done: steps done so far, those of the record included.
          record: of the last steps, `[T, 1, V]`.
        """
        first = done - len(record.loss)
        for column, writer in enumerate(self._writers):
            sigma, loss, gradient = (
                entry[:, 0, column]
                for entry in (record.sigma, record.loss, record.grad)
            )
            for start in range(0, len(loss), WINDOW):
                window = slice(start, start + WINDOW)
                with writer.as_default(first + start):
                    tf.summary.scalar("sigma_squared", sigma[start] ** 2)
                    tf.summary.scalar("loss_mean", np.mean(loss[window]))
                    largest = np.max(np.abs(gradient[window]))
                    tf.summary.scalar("gradient_largest", largest)
            writer.flush()

    def __enter__(self) -> "Summaries":
        return self

    def __exit__(self, *error: object) -> None:
        for writer in self._writers:
            writer.close()
