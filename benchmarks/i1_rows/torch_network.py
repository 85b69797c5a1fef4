"""The two-stage hourglass in PyTorch, layer for layer that of `human_pose.i1`.

Layers are kept under the same names, so that weights go over by name.
"""

import itertools

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

UNIT = 64
REPEATS = 3
_LEVELS = ("level4", "level3", "level2")


class Layers:
    """Makes layers and remembers them by name."""

    def __init__(self) -> None:
        self.named: dict[str, nn.Module] = {}

    def convolution(
        self, name: str, before: int, after: int, size: int = 1, stride: int = 1
    ) -> nn.Module:
        """With bias, padded by half its size."""
        layer = nn.Conv2d(before, after, size, stride, padding=size // 2)
        self.named[name] = layer
        return layer

    def normalized(self, name: str, channels: int) -> nn.Module:
        """Batch normalisation with scale and offset."""
        self.named[name] = nn.BatchNorm2d(channels, eps=1e-5, momentum=0.001)
        return self.named[name]

    def chain(self, prefix: str, *channels: int) -> list[nn.Module]:
        """Normalisation, ReLU and convolution in turn: 1x1 first, then 3x3."""
        result: list[nn.Module] = []
        for number, (before, after) in enumerate(itertools.pairwise(channels), 1):
            result += [
                self.normalized(f"{prefix}_bn{number}", before),
                nn.ReLU(inplace=True),
                self.convolution(
                    f"{prefix}_conv{number}", before, after, 1 if number == 1 else 3
                ),
            ]
        return result


class Residual(nn.Module):
    """The sum of a main branch and a projected skip."""

    def __init__(
        self, make: Layers, name: str, before: int, after: int, main: nn.Module
    ) -> None:
        super().__init__()
        self.main = main
        self.skip = make.convolution(f"{name}_branch2_conv", before, after)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, before, H, W]` to `[B, after, H, W]`."""
        return self.main(x) + self.skip(x)


class Both(nn.Module):
    """Two branches side by side, their channels one after the other."""

    def __init__(self, far: nn.Module, near: nn.Module) -> None:
        super().__init__()
        self.far, self.near = far, near

    def forward(self, x: Tensor) -> Tensor:
        """The branches' channels together."""
        return torch.cat([self.far(x), self.near(x)], dim=1)


class Upsampling(nn.Module):
    """Doubles rows and columns by taps 1/4, 3/4; zeros outside the map."""

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, C, 2H, 2W]`."""
        framed = functional.pad(x, (1, 1, 1, 1))
        doubled = functional.interpolate(framed, scale_factor=2, mode="bilinear")
        return doubled[..., 2:-2, 2:-2]


class Level(nn.Module):
    """Half the resolution and back, beside a skip."""

    def __init__(self, low: list[nn.Module], skip: list[nn.Module]) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.MaxPool2d(2), *low, Upsampling())
        self.skip = nn.Sequential(*skip)

    def forward(self, x: Tensor) -> Tensor:
        """Same size out as in."""
        return self.low(x) + self.skip(x)


def bottleneck(
    make: Layers, name: str, before: int, middle: int, after: int
) -> nn.Module:
    main = f"{name}_branch1"
    layers = make.chain(main, before, middle, middle)
    layers += [make.normalized(f"{main}_bn3", middle), nn.ReLU(inplace=True)]
    layers.append(make.convolution(f"{main}_conv3", middle, after))
    return Residual(make, name, before, after, nn.Sequential(*layers))


def inception(make: Layers, name: str, before: int, middle: int) -> nn.Module:
    main = f"{name}_branch1"
    both = Both(
        nn.Sequential(*make.chain(f"{main}_sub1", before, middle, middle, middle)),
        nn.Sequential(*make.chain(f"{main}_sub2", before, middle, middle)),
    )
    linear = make.convolution(f"{main}_conv_linear", 2 * middle, 2 * middle)
    scaled = make.normalized(f"{main}_linear_batch", 2 * middle)
    main_branch = nn.Sequential(both, linear, scaled)
    return Residual(make, name, before, 2 * middle, main_branch)


def _hourglass(make: Layers, name: str, before: int) -> nn.Module:
    low, channels = [], before
    for number in range(1, REPEATS + 1):
        low.append(inception(make, f"{name}_branch1_res{number}", channels, 2 * UNIT))
        channels = 4 * UNIT
    low.append(_level(make, f"{name}_branch1", _LEVELS))
    low.append(inception(make, f"{name}_branch1_res5", 8 * UNIT, 4 * UNIT))
    skip = []
    for number in range(1, REPEATS + 1):
        middle = (4 if number == REPEATS else 2) * UNIT
        skip.append(inception(make, f"{name}_branch2_res{number}", before, middle))
        before = 2 * middle
    return Level(low, skip)


def _level(make: Layers, parent: str, levels: tuple[str, ...]) -> nn.Module:
    if not levels:
        return bottleneck(make, f"{parent}_level1", 4 * UNIT, 4 * UNIT, 8 * UNIT)
    name = f"{parent}_{levels[0]}"

    def block(place: str, middle: int, before: int = 4) -> nn.Module:
        return bottleneck(
            make, f"{name}_{place}", before * UNIT, middle * UNIT, 2 * middle * UNIT
        )

    numbers = range(1, REPEATS + 1)
    low = [block(f"branch1_res{number}", 2) for number in numbers]
    low.append(_level(make, f"{name}_branch1", levels[1:]))
    low.append(block("branch1_res5", 4, before=8))
    skip = [block(f"branch2_res{n}", 4 if n == REPEATS else 2) for n in numbers]
    return Level(low, skip)


class Network(nn.Module):
    """From `[B, 3, 256, 256]` to heatmaps `[B, J, 64, 64]` and `[B, J D, 64, 64]`."""

    def __init__(self, depth_bins: int, joints: int = 16) -> None:
        super().__init__()
        make = Layers()
        self.early = nn.Sequential(
            make.convolution("conv_1", 3, UNIT, 7, stride=2),
            make.normalized("bn_1", UNIT),
            bottleneck(make, "residual_1", UNIT, UNIT, 2 * UNIT),
            nn.MaxPool2d(2),
        )
        self.features = nn.Sequential(
            bottleneck(make, "residual_2", 2 * UNIT, UNIT, 2 * UNIT),
            bottleneck(make, "residual_3", 2 * UNIT, UNIT, 2 * UNIT),
            bottleneck(make, "residual_4", 2 * UNIT, 2 * UNIT, 4 * UNIT),
        )
        self.first = nn.Sequential(
            _hourglass(make, "hourglass1", 4 * UNIT),
            make.convolution("fc_1", 8 * UNIT, 8 * UNIT),
            make.convolution("fc_2", 8 * UNIT, 4 * UNIT),
        )
        self.heatmap = make.convolution("conv_2_n", 4 * UNIT, joints)
        self.from_heatmap = make.convolution("conv_3_n", joints, 6 * UNIT)
        self.from_features = make.convolution("conv_4", 6 * UNIT, 6 * UNIT)
        self.second = nn.Sequential(
            _hourglass(make, "hourglass2", 6 * UNIT),
            make.convolution("fc_3", 8 * UNIT, 8 * UNIT),
            make.convolution("fc_4", 8 * UNIT, 4 * UNIT),
            make.convolution(f"conv_5_d{depth_bins}", 4 * UNIT, joints * depth_bins),
        )
        self._named = make.named

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Both heatmaps, float32."""
        early = self.early(image)
        second = self.first(self.features(early))
        heatmap = self.heatmap(second)
        x = self.from_heatmap(heatmap)
        x = x + self.from_features(torch.cat([early, second], dim=1))
        return heatmap.float(), self.second(x).float()

    def assign(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes weights `layer/variable` as Keras has them."""
        for name, layer in self._named.items():
            if isinstance(layer, nn.Conv2d):
                kernel = arrays[f"{name}/kernel"].transpose(3, 2, 0, 1)
                values = {"weight": kernel, "bias": arrays[f"{name}/bias"]}
            else:
                values = {
                    "weight": arrays[f"{name}/gamma"],
                    "bias": arrays[f"{name}/beta"],
                }
            for key, value in values.items():
                getattr(layer, key).data.copy_(torch.from_numpy(value.copy()))
