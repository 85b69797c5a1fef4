import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.files.h5 import write_h5
from human_pose.lifting.checkpoint import read_checkpoint
from human_pose.lifting.parameters import (
    MixtureParameters,
    read_cameras,
    read_mixture,
    write_cameras,
    write_mixtures,
)
from human_pose.lifting.variables import parameter_shapes


def mixture_of(models, seed=0):
    rng = np.random.default_rng(seed)
    columns, _ = np.linalg.qr(rng.normal(size=(models, 51, 25)))
    return MixtureParameters(
        rng.normal(size=(models, 3, 17)),
        columns.transpose(0, 2, 1).reshape(models, 25, 3, 17),
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


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        (
            "mean_poses_mm",
            1e6,
            "mu_3 must be from -100000 to 100000; received 1e.06",
        ),
        ("bases", -1.1, r"e_3 must be from -1\.001 to 1\.001; received -1\.1 at .2, "),
        ("bases", 0.5, r"e_3 must be orthonormal; its products are wrong by 0\."),
        ("inverse_deviations", 1e-300, "sigma_3 must be from 1e-06 to 1000; received"),
        ("inverse_deviations", 1e4, "sigma_3 must be from 1e-06 to 1000; received"),
    ],
)
def test_numbers_that_are_no_persons_are_refused(tmp_path, part, value, message):
    path = tmp_path / "model_parameters.h5"
    mixture = mixture_of(3)
    getattr(mixture, part).flat[-1] = value
    write_mixtures(path, {3: mixture})
    with pytest.raises(InputError, match=message):
        read_mixture(path, 3)


def test_cameras_beyond_rotations_are_refused(tmp_path):
    cameras = np.tile(np.eye(3), (4, 1, 1))
    cameras[3, 1, 1] = 1.1
    write_cameras(tmp_path / "cams.h5", cameras)
    with pytest.raises(InputError, match=r"cams must be .* received 1\.1 at .3, 1, 1"):
        read_cameras(tmp_path / "cams.h5")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"epoch": np.int64(-1)},
            r"epoch must be from 0 to 1e.09; received -1$",
        ),
        ({"cameras": np.full((4, 3, 3), 1e7)}, "cameras must be from -1e.06 to 1e.06"),
        ({"cameras": np.full((4, 3, 3), np.nan)}, "cameras must be finite"),
    ],
)
def test_checkpoints_that_no_training_wrote_are_refused(tmp_path, changed, message):
    path = tmp_path / "epoch_0.h5"
    values = {name: np.ones(shape) for name, shape in parameter_shapes(3).items()}
    write_h5(path, values | {"epoch": np.int64(4)})
    assert read_checkpoint(str(path), 3).epoch == 4
    write_h5(path, values | {"epoch": np.int64(4)} | changed)
    with pytest.raises(InputError, match=message):
        read_checkpoint(path, 3)


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
    cameras = np.random.default_rng(1).uniform(-1, 1, size=(4, 3, 3))
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


def test_a_network_is_no_checkpoint_of_a_lifter(tmp_path):
    path = tmp_path / "d16.keras"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"d16.keras: must be a lifter's, .h5"):
        read_checkpoint(path)
