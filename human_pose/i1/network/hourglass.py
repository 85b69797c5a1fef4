"""The two-stage hourglass: an image to a 2D and a volumetric heatmap of every joint.

Stage 1 gives 2D heatmaps, stage 2 volumetric ones from the features, the heatmaps and
the stem (int-3dhuman-I1; Sun et al., ECCV 2018). Layer names are the original's.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import keras

from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError
from human_pose.i1.network.blocks import (
    BatchNorm,
    BilinearUpsampling,
    Blocks,
    Initializer,
)

# The innermost of the four levels is one block.
_INNER_LEVELS: Final = ("level4", "level3", "level2")
_HEATMAP_STD: Final = 0.01  # int-3dhuman-I1's filler
_SMALLEST_INPUT: Final = 64  # the stem and four levels halve it six times


@dataclass(frozen=True)
class Preset:
    """Sizes of a network; the topology is one.

    Attributes:
      unit: channels per unit, of which layers have 1 to 8.
      repeats: blocks in a row, on every level and every skip.
    """

    unit: int
    repeats: int


PRESETS: Final = {"published": Preset(64, 3), "tiny": Preset(8, 1)}


def build_network(
    depth_bins: int,
    joints: int = 16,
    input_size: int = 256,
    preset: Literal["published", "tiny"] = "published",
    batch_norm: BatchNorm = "batch",
    initializer: Initializer = "published",
    last_layer_std: float = _HEATMAP_STD,
) -> keras.Model:
    """Builds the network, with fresh weights.

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

    Returns:
      From `[B, S, S, 3]`, blue first, (grey level - 128) / 256, to
      `{"heatmap": [B, S/4, S/4, J], "heatmap2": [B, S/4, S/4, J D]}`, float32, channel
      `j D + d`.

    Raises:
      InputError: naming the argument and the rule.
    """
    _check(depth_bins, joints, input_size, preset, batch_norm, initializer)
    make = Blocks(PRESETS[preset].unit, batch_norm, initializer)
    return assemble(make, depth_bins, joints, input_size, preset, last_layer_std)


def assemble(
    make: Blocks,
    depth_bins: int,
    joints: int,
    input_size: int,
    preset: str,
    last_layer_std: float = _HEATMAP_STD,
) -> keras.Model:
    """The network of the layers that `make` gives; see `build_network`."""
    sizes = PRESETS[preset]
    unit = sizes.unit
    image = keras.Input((input_size, input_size, 3), name="image")
    early, features = _stem(make, image, unit)
    x = _hourglass(make, features, "hourglass1", sizes.repeats)
    x = make.convolution(x, "fc_1", 8 * unit)
    second = make.convolution(x, "fc_2", 4 * unit)
    heatmap = make.convolution(second, "conv_2_n", joints, std=_HEATMAP_STD)
    x = keras.layers.Add(name="eltwise")(
        [
            make.convolution(heatmap, "conv_3_n", 6 * unit),
            make.convolution(
                keras.layers.Concatenate(name="concat_1")([early, second]),
                "conv_4",
                6 * unit,
            ),
        ]
    )
    x = _hourglass(make, x, "hourglass2", sizes.repeats)
    x = make.convolution(x, "fc_3", 8 * unit)
    x = make.convolution(x, "fc_4", 4 * unit)
    heatmap2 = make.convolution(
        x, f"conv_5_d{depth_bins}", joints * depth_bins, std=last_layer_std
    )
    outputs = {"heatmap": heatmap, "heatmap2": heatmap2}
    return keras.Model(
        image,
        {
            # Losses and readouts need float32, whatever the layers compute in.
            name: keras.layers.Activation("linear", dtype="float32", name=name)(tensor)
            for name, tensor in outputs.items()
        },
        name=f"i1_{preset}_d{depth_bins}",
    )


def _stem(make: Blocks, image: Any, unit: int) -> tuple[Any, Any]:
    """Features at a quarter of the image's size, after the pooling and at the end."""
    # Caffe pads both sides alike, TensorFlow's "same" does not.
    x = keras.layers.ZeroPadding2D(3, name="conv_1_padding")(image)
    x = make.convolution(x, "conv_1", unit, 7, strides=2, padding="valid")
    x = make.normalized(x, "bn_1")
    x = make.bottleneck(x, "residual_1", 1, 2)
    early = keras.layers.MaxPooling2D(name="pooling")(x)
    x = make.bottleneck(early, "residual_2", 1, 2)
    x = make.bottleneck(x, "residual_3", 1, 2)
    return early, make.bottleneck(x, "residual_4", 2, 4)


def _hourglass(make: Blocks, x: Any, name: str, repeats: int) -> Any:
    """The outermost level, of inception blocks, around three of bottlenecks."""
    low = keras.layers.MaxPooling2D(name=f"{name}_pooling")(x)
    for number in range(1, repeats + 1):
        low = make.inception(low, f"{name}_branch1_res{number}", 2)
    low = _level(make, low, f"{name}_branch1", _INNER_LEVELS, repeats)
    low = make.inception(low, f"{name}_branch1_res5", 4)
    skip = x
    for number in range(1, repeats + 1):
        middle = 4 if number == repeats else 2
        skip = make.inception(skip, f"{name}_branch2_res{number}", middle)
    return _joined(low, skip, name)


def _level(
    make: Blocks, x: Any, parent: str, levels: tuple[str, ...], repeats: int
) -> Any:
    if not levels:
        return make.bottleneck(x, f"{parent}_level1", 4, 8)
    name = f"{parent}_{levels[0]}"
    low = keras.layers.MaxPooling2D(name=f"{name}_pooling")(x)
    for number in range(1, repeats + 1):
        low = make.bottleneck(low, f"{name}_branch1_res{number}", 2, 4)
    low = _level(make, low, f"{name}_branch1", levels[1:], repeats)
    low = make.bottleneck(low, f"{name}_branch1_res5", 4, 8)
    skip = x
    for number in range(1, repeats + 1):
        middle = 4 if number == repeats else 2
        skip = make.bottleneck(skip, f"{name}_branch2_res{number}", middle, 2 * middle)
    return _joined(low, skip, name)


def _joined(low: Any, skip: Any, name: str) -> Any:
    low = BilinearUpsampling(name=f"{name}_upsampling")(low)
    return keras.layers.Add(name=name)([low, skip])


def _check(
    depth_bins: int,
    joints: int,
    input_size: int,
    preset: str,
    batch_norm: str,
    initializer: str,
) -> None:
    check_whole("depth_bins", depth_bins, 1)
    check_whole("joints", joints, 1)
    check_whole("input_size", input_size, _SMALLEST_INPUT)
    rules = (
        (
            "input_size",
            input_size,
            input_size % _SMALLEST_INPUT == 0,
            f"a multiple of {_SMALLEST_INPUT}",
        ),
        ("preset", preset, preset in PRESETS, f"one of {', '.join(PRESETS)}"),
        (
            "batch_norm",
            batch_norm,
            batch_norm in ("batch", "moving"),
            "batch or moving",
        ),
        (
            "initializer",
            initializer,
            initializer in ("published", "scaled"),
            "published or scaled",
        ),
    )
    for name, value, holds, rule in rules:
        if not holds:
            raise InputError(f"{name} must be {rule}; received {value!r}")
