"""What both sides of the benchmark are given, as arrays in a folder.

Written by the side that has our library, so that PyTorch's processes need not load
TensorFlow.
"""

from pathlib import Path

import numpy as np

BATCH = 2
SIZE_PX = 256
JOINTS = 16
LEARNING_RATE = 1e-6  # so small that every step of a round costs the same
PICTURES_BATCH = 32
# Outputs may differ by this part of the largest.
TOLERANCE = 1e-4
# The same on a GPU, whose convolutions sum in other ways than the CPU that we ran on.
GPU_TOLERANCE = 1e-3


def batch(size: int = BATCH) -> dict[str, np.ndarray]:
    """A training batch as `datasets.images` gives it, of noise."""
    random = np.random.default_rng(0)

    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return random.uniform(low, high, (size, *shape)).astype("float32")

    return {
        "image": uniform(-0.5, 0.5, SIZE_PX, SIZE_PX, 3),
        "joints_2d": uniform(0.1, 0.9, JOINTS, 2),
        "depth": uniform(0.1, 0.9, JOINTS),
        "z_mm": uniform(4500, 5500, JOINTS),
        "box": np.tile(np.float32([265, 264, 658, 657]), (size, 1)),
        "camera": np.tile(np.float32([1145, 1143, 512, 515]), (size, 1)),
    }


def weights_file(folder: Path, depth_bins: int) -> Path:
    """Weights by layer and variable, and the outputs that they give on `batch()`."""
    return Path(folder) / f"weights_d{depth_bins}.npz"


def annotations_file(folder: Path) -> Path:
    """The arrays of `datasets.images.Annotations` that a sample is made of."""
    return Path(folder) / "annotations.npz"
