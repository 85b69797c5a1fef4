"""The comparison of variants over several streams, as a table."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ransac.learning import Record, Variant

# Steps at the end of a run over which the loss is averaged.
LAST: Final = 1000


def compare(variants: Sequence[Variant], record: Record) -> str:
    """A Markdown table: a row for each variant, figures over streams.

    Args:
      variants: of the record.
      record: `[T, N, V]`, N ≥ 2 streams.
    """
    last = min(LAST, len(record.loss))
    head = [
        "variant",
        "largest abs gradient, before clipping: median / worst",
        "largest abs sigma of a run",
        f"mean loss, last {last} steps (sd over streams)",
    ]
    lines = [_row(head), _row(["---"] * len(head))]
    gradient = np.max(np.abs(record.grad), axis=0)  # [N, V]
    sigma = np.max(np.abs(record.sigma), axis=0)
    loss = np.mean(record.loss[-last:], axis=0)
    for column, variant in enumerate(variants):
        g, s, mean = gradient[:, column], sigma[:, column], loss[:, column]
        lines.append(
            _row(
                [
                    variant.name,
                    f"{np.median(g):.0f} / {g.max():.0f}",
                    f"{s.min():.0f} - {s.max():.0f}",
                    f"{mean.mean():.1f} ({mean.std(ddof=1):.0f})",
                ]
            )
        )
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
