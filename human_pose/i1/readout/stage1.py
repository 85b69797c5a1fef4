"""Joints read from the 2D heatmap of the first stage: the fifth pair of d8_ada.

Only that stage of the published curriculum trains on it, through a backward pass that
is not the derivative of its forward (docs/fidelity.md); "true" is the derivative.
"""

from collections.abc import Callable
from typing import Final, Literal

import tensorflow as tf

# int-3dhuman-I1, `NormalizationResponseV0`: smaller responses are noise.
_THRESHOLD: Final = 0.003
_MARGIN: Final = 1e-6


def integral(
    heatmap: tf.Tensor, gradient: Literal["published", "true"] = "published"
) -> tf.Tensor:
    """Mean position of every joint's responses above a threshold.

    A joint without any response, and in the original every joint before it, counts as
    spread evenly. Bin k of n lies at k / n here, its left edge.

    Args:
      heatmap: floating `[B, H, W, J]`.
      gradient: of the forward, or the original's.

    Returns:
      `[B, J, 2]`: x, y in [0, 1), dtype of `heatmap`.

    Raises:
      ValueError: if `gradient` is neither.
    """
    if gradient == "true":
        return coordinates(normalize(heatmap))
    if gradient == "published":
        return _published(tf.convert_to_tensor(heatmap))
    raise ValueError(f"gradient must be published or true; received {gradient!r}")


def normalize(heatmap: tf.Tensor) -> tf.Tensor:
    """Responses above the threshold as parts of their sum, `[B, H, W, J]`."""
    _, height, width, _ = tf.unstack(tf.shape(heatmap))
    zero = tf.zeros_like(heatmap)
    counted = tf.where(heatmap - _THRESHOLD > _MARGIN, heatmap, zero)
    total = tf.reduce_sum(counted, [1, 2], keepdims=True)
    empty = tf.abs(total) < _MARGIN
    # The original fills every map of a sample when it finds an empty one, and then goes
    # on with the maps behind it.
    filled = tf.cumsum(tf.cast(empty, tf.int32), axis=-1, reverse=True) > 0
    shown = tf.where(heatmap > _THRESHOLD, heatmap, zero)
    even = 1 / tf.cast(height * width, heatmap.dtype)
    return tf.where(filled, even, shown / tf.where(empty, tf.ones_like(total), total))


def coordinates(normalized: tf.Tensor) -> tf.Tensor:
    """Mean of k / n over columns and rows: `[B, H, W, J]` to `[B, J, 2]`."""
    columns, rows = _places(normalized)
    return tf.stack(
        [
            tf.reduce_sum(normalized * columns, [1, 2]),
            tf.reduce_sum(normalized * rows, [1, 2]),
        ],
        axis=-1,
    )


@tf.custom_gradient
def _published(heatmap: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
    def backward(upstream: tf.Tensor) -> tf.Tensor:
        return normalize_backward(heatmap, coordinates_backward(heatmap, upstream))

    return coordinates(normalize(heatmap)), backward


def coordinates_backward(heatmap: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """The original's: only the last joint's gradient, written to the first joint's map.

    Args:
      heatmap: `[B, H, W, J]`, for its size.
      upstream: `[B, J, 2]`.
    """
    columns, rows = _places(heatmap)
    last = upstream[:, -1, None, None, None, :]
    first_map = columns * last[..., 0] + rows * last[..., 1]  # [B, H, W, 1]
    others = tf.zeros_like(heatmap[..., 1:])
    return tf.concat([first_map, others], axis=-1)


def normalize_backward(heatmap: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """The original's: the diagonal only, over the sum of all responses."""
    total = tf.reduce_sum(heatmap, [1, 2], keepdims=True)
    return tf.math.divide_no_nan(upstream * (total - heatmap), tf.square(total))


def _places(heatmap: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    _, height, width, _ = tf.unstack(tf.shape(heatmap))
    columns = tf.range(width) / width
    rows = tf.range(height) / height
    return (
        tf.cast(columns, heatmap.dtype)[None, None, :, None],
        tf.cast(rows, heatmap.dtype)[None, :, None, None],
    )
