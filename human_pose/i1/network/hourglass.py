"""The two-stage hourglass: an image to a 2D and a volumetric heatmap of every joint.

Stage 1 gives 2D heatmaps, stage 2 volumetric ones from the features, the heatmaps and
the stem (int-3dhuman-I1; Sun et al., ECCV 2018). Layer names are the original's.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, get_args

import keras
import tensorflow as tf

from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError
from human_pose.i1.config import PRESETS, Preset
from human_pose.i1.network.blocks import Blocks, Initializer
from human_pose.i1.network.normalization import BatchNorm

# The innermost of the four levels is one block.
_INNER_LEVELS: Final = ("level4", "level3", "level2")
_HEATMAP_STD: Final = 0.01  # int-3dhuman-I1's filler
_SMALLEST_INPUT: Final = 64  # the stem and four levels halve it six times
_MOST_CHANNELS: Final = 2**16  # of the last layer: 64 times the original's most
# The layer whose name says D.
LAST_LAYER: Final = re.compile(r"conv_5_d(\d+)")
# Keras's policies by which the weights, statistics and heatmaps are float32.
DTYPES: Final = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class Sizes:
    """What a preset makes of the network; the topology is one.

    Attributes:
      unit: channels per unit, of which layers have 1 to 8.
      repeats: blocks in a row, on every level and every skip.
    """

    unit: int
    repeats: int


SIZES: Final[dict[Preset, Sizes]] = {
    "published": Sizes(64, 3),
    "tiny": Sizes(8, 1),
}


@keras.saving.register_keras_serializable("human_pose")
class PoseNetwork(keras.Model):
    """The network; knows what it was made with, and so do its files.

    From `[B, S, S, 3]`, blue first, (grey level - 128) / 256, to
    `{"heatmap": [B, S/4, S/4, J], "heatmap2": [B, S/4, S/4, J D]}`, float32, channel
    `j D + d`.

    Args:
      depth_bins: D.
      joints: J.
      input_size: S, px, a multiple of 64.
      preset: "published", or "tiny" for one CPU: fewer channels and blocks.
      batch_norm: what normalises in inference: the statistics of the "batch", as in the
        original, or "moving" ones.
      initializer: of all weights but the heatmaps': "published", or "scaled" to learn
        from nothing (see `Blocks`).
      last_layer_std: of the weights behind "heatmap2", N(0, std²); see
        `curriculum.Stage`.
      dtype: what layers compute in, one of `DTYPES`; weights are float32.
      seed: of the weights, see `Blocks`; not a part of the configuration.
      name: of the model.

    Attributes:
      depth_bins: see above, as are `joints`, `input_size`, `preset`, `batch_norm`,
        `initializer` and `last_layer_std`.

    Raises:
      InputError: naming the argument and the rule.
    """

    def __init__(
        self,
        depth_bins: int,
        joints: int = 16,
        input_size: int = 256,
        preset: Preset = "published",
        batch_norm: BatchNorm = "batch",
        initializer: Initializer = "published",
        last_layer_std: float = _HEATMAP_STD,
        *,
        dtype: str = "float32",
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        for argument, value, least in (
            ("depth_bins", depth_bins, 1),
            ("joints", joints, 1),
            ("input_size", input_size, _SMALLEST_INPUT),
        ):
            check_whole(argument, value, least)
        if seed is not None:
            check_whole("seed", seed, 0)
        if depth_bins * joints > _MOST_CHANNELS:
            rule = f"must be at most {_MOST_CHANNELS}"
            raise InputError("depth_bins times joints", rule, depth_bins * joints)
        _check(
            input_size=input_size,
            preset=preset,
            batch_norm=batch_norm,
            initializer=initializer,
            last_layer_std=last_layer_std,
            dtype=dtype,
        )
        # === Functional Model ===
        make = Blocks(
            SIZES[preset].unit, batch_norm, initializer, dtype=dtype, seed=seed
        )
        image, heatmaps = assemble(
            make, depth_bins, joints, input_size, preset, last_layer_std
        )
        super().__init__(
            inputs=image, outputs=heatmaps, name=name or f"i1_{preset}_d{depth_bins}"
        )
        self.dtype_policy = keras.dtype_policies.get(dtype)

        # === Config ===
        self.depth_bins = int(depth_bins)
        self.joints = int(joints)
        self.input_size = int(input_size)
        self.preset = preset
        self.batch_norm = batch_norm
        self.initializer = initializer
        self.last_layer_std = float(last_layer_std)

    @cached_property
    def graph(self) -> Callable[[Any], dict[str, Any]]:
        """Calls the network, not training, as one graph for batches of all sizes.

        Ten times as fast on small pictures, after two seconds.
        """
        image = tf.TensorSpec([None, self.input_size, self.input_size, 3], tf.float32)

        @tf.function(input_signature=[image], autograph=False)
        def call(images: tf.Tensor) -> dict[str, tf.Tensor]:
            return self(images, training=False)

        return call

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal network, its weights aside."""
        return {
            "depth_bins": self.depth_bins,
            "joints": self.joints,
            "input_size": self.input_size,
            "preset": self.preset,
            "batch_norm": self.batch_norm,
            "initializer": self.initializer,
            "last_layer_std": self.last_layer_std,
            "dtype": self.dtype_policy.name,
            "name": self.name,
        }


# A verb for it.
build_network = PoseNetwork


def assemble(
    make: Blocks,
    depth_bins: int,
    joints: int,
    input_size: int,
    preset: Preset,
    last_layer_std: float = _HEATMAP_STD,
) -> tuple[Any, dict[str, Any]]:
    """Input and outputs of the layers that `make` gives; see `PoseNetwork`."""
    sizes = SIZES[preset]
    unit = sizes.unit
    image = keras.Input((input_size, input_size, 3), dtype="float32", name="image")
    early, features = _stem(make, image, unit)
    x = _hourglass(make, features, "hourglass1", sizes.repeats)
    x = make.convolution(x, "fc_1", 8 * unit)
    second = make.convolution(x, "fc_2", 4 * unit)
    heatmap = make.convolution(second, "conv_2_n", joints, std=_HEATMAP_STD)
    x = make.added(
        [
            make.convolution(heatmap, "conv_3_n", 6 * unit),
            make.convolution(
                make.concatenated([early, second], "concat_1"), "conv_4", 6 * unit
            ),
        ],
        "eltwise",
    )
    x = _hourglass(make, x, "hourglass2", sizes.repeats)
    x = make.convolution(x, "fc_3", 8 * unit)
    x = make.convolution(x, "fc_4", 4 * unit)
    heatmap2 = make.convolution(
        x, f"conv_5_d{depth_bins}", joints * depth_bins, std=last_layer_std
    )
    return image, {
        # Losses and readouts need float32, whatever the layers compute in.
        name: keras.layers.Activation("linear", dtype="float32", name=name)(tensor)
        for name, tensor in (("heatmap", heatmap), ("heatmap2", heatmap2))
    }


def _stem(make: Blocks, image: Any, unit: int) -> tuple[Any, Any]:
    """Features at a quarter of the image's size, after the pooling and at the end."""
    # Caffe pads both sides alike, TensorFlow's "same" does not.
    x = make.padded(image, "conv_1_padding", 3)
    x = make.convolution(x, "conv_1", unit, 7, strides=2, padding="valid")
    x = make.normalized(x, "bn_1")
    x = make.bottleneck(x, "residual_1", 1, 2)
    early = make.pooled(x, "pooling")
    x = make.bottleneck(early, "residual_2", 1, 2)
    x = make.bottleneck(x, "residual_3", 1, 2)
    return early, make.bottleneck(x, "residual_4", 2, 4)


def _hourglass(make: Blocks, x: Any, name: str, repeats: int) -> Any:
    """The outermost level, of inception blocks, around three of bottlenecks."""
    low = make.pooled(x, f"{name}_pooling")
    for number in range(1, repeats + 1):
        low = make.inception(low, f"{name}_branch1_res{number}", 2)
    low = _level(make, low, f"{name}_branch1", _INNER_LEVELS, repeats)
    low = make.inception(low, f"{name}_branch1_res5", 4)
    skip = x
    for number in range(1, repeats + 1):
        middle = 4 if number == repeats else 2
        skip = make.inception(skip, f"{name}_branch2_res{number}", middle)
    return _joined(make, low, skip, name)


def _level(
    make: Blocks, x: Any, parent: str, levels: tuple[str, ...], repeats: int
) -> Any:
    if not levels:
        return make.bottleneck(x, f"{parent}_level1", 4, 8)
    name = f"{parent}_{levels[0]}"
    low = make.pooled(x, f"{name}_pooling")
    for number in range(1, repeats + 1):
        low = make.bottleneck(low, f"{name}_branch1_res{number}", 2, 4)
    low = _level(make, low, f"{name}_branch1", levels[1:], repeats)
    low = make.bottleneck(low, f"{name}_branch1_res5", 4, 8)
    skip = x
    for number in range(1, repeats + 1):
        middle = 4 if number == repeats else 2
        skip = make.bottleneck(skip, f"{name}_branch2_res{number}", middle, 2 * middle)
    return _joined(make, low, skip, name)


def _joined(make: Blocks, low: Any, skip: Any, name: str) -> Any:
    low = make.doubled(low, f"{name}_upsampling")
    return make.added([low, skip], name)


def _check(**values: Any) -> None:
    """Checks what is a choice, or a number with a further rule."""
    choices: tuple[tuple[str, tuple[str, ...], str], ...] = (
        ("preset", PRESETS, f"one of {', '.join(PRESETS)}"),
        ("batch_norm", get_args(BatchNorm), "batch or moving"),
        ("initializer", get_args(Initializer), "published or scaled"),
        ("dtype", DTYPES, f"one of {', '.join(DTYPES)}"),
    )
    for name, known, rule in choices:
        if values[name] not in known:
            raise InputError(name, f"must be {rule}", values[name])
    std = values["last_layer_std"]
    if not (isinstance(std, int | float) and 0 < std < math.inf):
        raise InputError("last_layer_std", "must be a number above 0", std)
    if values["input_size"] % _SMALLEST_INPUT:
        rule = f"must be a multiple of {_SMALLEST_INPUT}"
        raise InputError("input_size", rule, values["input_size"])
