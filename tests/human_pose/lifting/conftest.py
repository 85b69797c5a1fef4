"""Lifters from the golden files and from invented parameters."""

from pathlib import Path

import numpy as np
import pytest

from human_pose.lifting import (
    MixtureParameters,
    PPCALifter,
    load_checkpoint,
    read_cameras,
    read_checkpoint,
    read_mixture,
)

_GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="session")
def golden():
    """Numbers of the original code with invented parameters."""
    return np.load(_GOLDEN / "golden_synthetic.npz")


@pytest.fixture(scope="session")
def mixture():
    return read_mixture(_GOLDEN / "model_parameters.h5", 3)


@pytest.fixture(scope="session")
def cameras():
    return read_cameras(_GOLDEN / "avg_cameras.h5")


@pytest.fixture(scope="session")
def larger_mixture(mixture):
    """Makes a mixture of more models by moving the three."""

    def make(models):
        rng = np.random.default_rng(models)
        pick = np.arange(models) % 3
        means = mixture.mean_poses_mm[pick]
        means = means + rng.normal(0, 20, means.shape) * (np.arange(17) > 0)
        flat = mixture.bases[pick].reshape(models, 25, 51)
        flat = flat + rng.normal(0, 0.01, flat.shape)
        bases = [np.linalg.qr(b.T)[0].T.reshape(25, 3, 17) for b in flat]
        deviations = mixture.inverse_deviations[pick]
        deviations = deviations * rng.uniform(0.8, 1.2, deviations.shape)
        return MixtureParameters(means, np.array(bases), deviations)

    return make


@pytest.fixture(scope="session")
def published(shared):
    """Makes a lifter with the original's parameters."""

    def make(models=3, *, checkpoint=False, as_published=False, **options):
        tome = shared / "data" / "tome"
        lifter = PPCALifter(
            read_mixture(tome / "model_parameters.h5", models),
            read_cameras(tome / "avg_cameras.h5"),
            **options,
        )
        if checkpoint:
            values = read_checkpoint(tome / "trained_model.h5", models)
            load_checkpoint(lifter, values, as_published=as_published)
        return lifter

    return make


def joints_last(poses):
    """The files' `[..., 3, 17]` as `[..., 17, 3]`."""
    return np.swapaxes(poses, -1, -2)


@pytest.fixture(scope="session")
def visibility():
    """The standard mask, `[4, 17]`."""
    mask = np.ones((4, 17))
    mask[:, 9] = 0
    return mask
