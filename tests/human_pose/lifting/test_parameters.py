import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.files.h5 import write_h5
from human_pose.lifting.parameters import (
    MixtureParameters,
    read_cameras,
    read_mixture,
    write_cameras,
    write_mixtures,
)


def mixture_of(models, seed=0):
    rng = np.random.default_rng(seed)
    return MixtureParameters(
        rng.normal(size=(models, 3, 17)),
        rng.normal(size=(models, 25, 3, 17)),
        rng.uniform(0.1, 1, size=(models, 26)),
    )


def test_mixtures_return_as_written(tmp_path):
    path = tmp_path / "model_parameters.h5"
    mixtures = {models: mixture_of(models) for models in (3, 6)}
    write_mixtures(path, mixtures)
    for models, expected in mixtures.items():
        mixture = read_mixture(path, models)
        assert mixture.models == models
        np.testing.assert_array_equal(mixture.mean_poses_mm, expected.mean_poses_mm)
        np.testing.assert_array_equal(mixture.bases, expected.bases)
        np.testing.assert_array_equal(
            mixture.inverse_deviations, expected.inverse_deviations
        )


def test_missing_mixture_is_named(tmp_path):
    path = tmp_path / "model_parameters.h5"
    write_mixtures(path, {3: mixture_of(3)})
    with pytest.raises(InputError, match="must hold mu_6, e_6, sigma_6"):
        read_mixture(path, 6)


def test_deviations_must_be_positive(tmp_path):
    path = tmp_path / "model_parameters.h5"
    mixture = mixture_of(3)
    mixture.inverse_deviations[1, 4] = -0.5
    write_mixtures(path, {3: mixture})
    with pytest.raises(InputError, match=r"sigma_3 must be positive.*-0\.5"):
        read_mixture(path, 3)


def test_wrong_shapes_are_refused(tmp_path):
    path = tmp_path / "file.h5"
    with pytest.raises(ValueError, match="mu_6"):
        write_mixtures(path, {6: mixture_of(3)})
    with pytest.raises(ValueError, match="cameras"):
        write_cameras(path, np.zeros((3, 3, 3)))
    assert not path.exists()
    write_h5(path, {"cams": np.zeros((4, 3, 4))})
    with pytest.raises(InputError, match="cams must have shape"):
        read_cameras(path)


def test_cameras_return_as_written(tmp_path):
    cameras = np.random.default_rng(1).normal(size=(4, 3, 3))
    write_cameras(tmp_path / "cams.h5", cameras)
    np.testing.assert_array_equal(read_cameras(tmp_path / "cams.h5"), cameras)


def test_the_published_file_is_read(shared):
    path = shared / "data/tome/model_parameters.h5"
    for models in (3, 6, 10):
        mixture = read_mixture(path, models)
        basis = mixture.bases.reshape(models, 25, 51)
        np.testing.assert_allclose(
            basis @ basis.transpose(0, 2, 1),
            np.broadcast_to(np.eye(25), (models, 25, 25)),
            atol=1e-12,
        )
    assert read_cameras(shared / "data/tome/avg_cameras.h5").shape == (4, 3, 3)
