"""Labels and the loss "Adaptive I1" in PyTorch: `human_pose.i1.objective`, modern mode.

Positions and depths must lie inside the volume; channels come first.
"""

import torch
from torch import Tensor

_SIGMA, _HALF_WINDOW = 2.0, 6
_FINEST_BINS, _DEPTH_WINDOW = 64, 12
_SOFTMAX_SCALE = 30.0


def loss(heatmap: Tensor, heatmap2: Tensor, joints_2d: Tensor, depth: Tensor) -> Tensor:
    """Of heatmaps `[B, J, S, S]` and `[B, J D, S, S]` and labels of [0, 1]."""
    batch, joints, size, _ = heatmap.shape
    volume = heatmap2.reshape(batch, joints, -1, size, size)
    columns, rows = _plane_factors(joints_2d, size)
    plane = rows[..., :, None] * columns[..., None, :]  # [B, J, S, S]
    depths = _depth_factor(depth, volume.shape[2])
    label = depths[..., None, None] * plane[:, :, None]
    position = integral(volume)
    pairs = [
        (heatmap, plane),
        (volume, label),
        (position[..., :2], joints_2d),
        (position[..., 2], depth),
    ]
    return sum(_adaptive(prediction, target) for prediction, target in pairs)


def integral(volume: Tensor) -> Tensor:
    """Mean voxel centre of softmax(30 volume): `[B, J, D, H, W]` to `[B, J, 3]`."""
    p = torch.softmax(_SOFTMAX_SCALE * volume.flatten(2), dim=-1).view_as(volume)
    marginals = (p.sum((2, 3)), p.sum((2, 4)), p.sum((3, 4)))
    return torch.stack([m @ _centres(m.shape[-1]) for m in marginals], dim=-1)


def _centres(count: int) -> Tensor:
    return (torch.arange(count) + 0.5) / count


def _adaptive(prediction: Tensor, target: Tensor) -> Tensor:
    difference = prediction - target
    weight = 1 / difference.detach().abs().mean()
    return weight * difference.square().sum() / len(difference)


def _plane_factors(joints_2d: Tensor, size: int) -> tuple[Tensor, Tensor]:
    distance = torch.arange(size) - (joints_2d * size - 0.5)[..., None]
    factor = _gaussian(distance, _SIGMA, _HALF_WINDOW)  # [B, J, 2, S]
    return factor[:, :, 0], factor[:, :, 1]


def _depth_factor(depth: Tensor, bins: int) -> Tensor:
    half = int((_DEPTH_WINDOW * bins / _FINEST_BINS + 1) / 2)
    centre = torch.ceil(torch.ceil(depth * _FINEST_BINS) * bins / _FINEST_BINS)
    distance = torch.arange(1, bins + 1) - centre[..., None]
    return _gaussian(distance, (2 * half + 1) / 6, half)


def _gaussian(distance: Tensor, sigma: float, half_window: int) -> Tensor:
    value = torch.exp(-distance.square() / (2 * sigma**2))
    return torch.where(distance.abs() <= half_window, value, 0.0)
