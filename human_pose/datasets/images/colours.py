"""Random light and colour: contrast, brightness and a gain for each channel."""

from dataclasses import dataclass
from typing import Final

import tensorflow as tf

DRAWS: Final = 5


@dataclass(frozen=True)
class Jitter:
    """How far each may go; our choice, common in pose estimation.

    Attributes:
      gain: each channel's factor is 1 - gain to 1 + gain.
      contrast: likewise, about middle gray.
      brightness: added, of the range of 256 levels.
    """

    gain: float = 0.2
    contrast: float = 0.2
    brightness: float = 0.1


def jitter_colours(
    image: tf.Tensor, draws: tf.Tensor, jitter: Jitter | None = None
) -> tf.Tensor:
    """Changes light and colours of network inputs.

    Args:
      image: float `[B, S, S, 3]`, (grey level - 128) / 256.
      draws: `[B, 5]` uniform in [0, 1]: three gains, contrast, brightness.
      jitter: how far.

    Returns:
      As `image`, clipped to the range of grey levels, -0.5 to 127/256.
    """
    jitter = jitter or Jitter()
    signed = tf.cast(2.0 * draws - 1.0, image.dtype)[:, None, None, :]
    gain = 1.0 + jitter.gain * signed[..., :3]
    contrast = 1.0 + jitter.contrast * signed[..., 3:4]
    brightness = jitter.brightness * signed[..., 4:]
    # Gains act on light, which is 0 at -0.5 here, contrast about middle gray, which is
    # 0: contrast * (gain * (image + 0.5) - 0.5) + brightness.
    factor = contrast * gain
    offset = contrast * (0.5 * gain - 0.5) + brightness
    return tf.clip_by_value(image * factor + offset, -0.5, 127.0 / 256.0)
