"""Random light and colour: contrast, brightness and a gain for each channel."""

from dataclasses import dataclass
from typing import Final, NamedTuple

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


class Change(NamedTuple):
    """New colours of a network input x: factor x + offset, float32 `[..., 3]` each."""

    factor: tf.Tensor
    offset: tf.Tensor


def from_draws(draws: tf.Tensor, jitter: Jitter | None = None) -> Change:
    """The change of light and colours that five uniform draws mean.

    Gains act on light, whose 0 is -0.5 in the input, contrast about middle gray, 0:
    contrast (gain (x + 0.5) - 0.5) + brightness.

    Args:
      draws: `[..., 5]` in [0, 1]: three gains, contrast, brightness.
      jitter: how far.
    """
    jitter = jitter or Jitter()
    signed = tf.cast(2.0 * draws - 1.0, tf.float32)
    gain = 1.0 + jitter.gain * signed[..., :3]
    contrast = 1.0 + jitter.contrast * signed[..., 3:4]
    brightness = jitter.brightness * signed[..., 4:5]
    return Change(contrast * gain, contrast * (0.5 * gain - 0.5) + brightness)


def apply(image: tf.Tensor, change: Change) -> tf.Tensor:
    """Changes network inputs `[..., 3]`, (grey level - 128) / 256.

    Returns:
      As `image`, clipped to the grey levels 0 to 255.
    """
    changed = image * change.factor + change.offset
    return tf.clip_by_value(changed, -0.5, 127.0 / 256.0)
