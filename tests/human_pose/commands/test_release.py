"""The committed files, and the command that makes them."""

import numpy as np
import pytest

from human_pose.commands import release
from human_pose.datasets.pose_files import read_pose_file
from human_pose.datasets.protocol import ACTIONS
from human_pose.datasets.synthetic import Recipe, generate
from human_pose.files.errors import InputError
from human_pose.files.paths import PROJECT_ROOT
from human_pose.lifting import comparison
from human_pose.lifting.build import build_lifter
from human_pose.lifting.config import MODEL_COUNTS, LifterConfig
from human_pose.lifting.evaluation.run import reconstruct
from human_pose.lifting.parameters import read_cameras, read_mixture

DATA = PROJECT_ROOT / "data"
TRAINED = PROJECT_ROOT / "results" / "trained_model.h5"
SMALL = ("model_parameters.h5", "avg_cameras.h5", "pose_prior.npz", "sample.h5")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    release.release(folder, folder, train=False)
    return folder


def test_committed_files_are_small():
    sizes = [(DATA / name).stat().st_size for name in SMALL]
    assert sum(sizes) + TRAINED.stat().st_size < 600_000


@pytest.mark.large
def test_the_command_makes_the_committed_files(made):
    assert sorted(path.name for path in made.iterdir()) == sorted(SMALL)
    # EM enlarges what processors round differently.
    tolerance = {"rtol": 1e-4, "atol": 1e-4}
    for models in MODEL_COUNTS:
        mine = read_mixture(made / "model_parameters.h5", models)
        committed = read_mixture(DATA / "model_parameters.h5", models)
        np.testing.assert_allclose(
            mine.mean_poses_mm, committed.mean_poses_mm, **tolerance
        )
        np.testing.assert_allclose(
            mine.inverse_deviations, committed.inverse_deviations, **tolerance
        )
    np.testing.assert_allclose(
        read_cameras(made / "avg_cameras.h5"),
        read_cameras(DATA / "avg_cameras.h5"),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        read_pose_file(made / "sample.h5").joints_2d_px,
        read_pose_file(DATA / "sample.h5").joints_2d_px,
        atol=1e-6,
    )


def test_a_failed_training_leaves_the_trained_model_alone(tmp_path):
    trained = tmp_path / "trained_model.h5"
    trained.write_text("trained")
    with pytest.raises(InputError, match="training failed with exit code 1"):
        release.write_trained_model(tmp_path, tmp_path / "nowhere", trained)
    assert trained.read_text() == "trained"


def test_the_sample_has_a_frame_of_every_action():
    assert len(read_pose_file(DATA / "sample.h5")) == len(ACTIONS)


@pytest.mark.parametrize("models", MODEL_COUNTS)
def test_parameters_are_in_the_regime_of_the_published_ones(models):
    mixture = read_mixture(DATA / "model_parameters.h5", models)
    assert 100 < np.abs(mixture.mean_poses_mm).mean() < 250
    deviations_mm = 1 / mixture.inverse_deviations
    assert np.all(deviations_mm[:, 0] > 100)
    assert np.all(deviations_mm < 1000)
    assert np.all((deviations_mm[:, 25] >= 9.9) & (deviations_mm[:, 25] < 20))


def test_average_cameras_are_nearly_rotations():
    cameras = read_cameras(DATA / "avg_cameras.h5")
    gram = cameras @ cameras.transpose(0, 2, 1)
    error = np.abs(gram - np.eye(3)).max()
    assert 1e-6 < error < 0.01  # averaged, so not exactly
    assert np.all(cameras[:, 1, 2] < -0.9)  # image y points down


@pytest.mark.large
def test_errors_before_and_after_training(tmp_path):
    generate(tmp_path, Recipe())
    frames = read_pose_file(tmp_path / "test_sh.h5")[::40]

    def error_mm(check_path):
        config = LifterConfig(
            models=3,
            solver="huber",
            derivative="trust_region",
            damping=0.0,
            dtype="float64",
            mixture_path=DATA / "model_parameters.h5",
            cameras_path=DATA / "avg_cameras.h5",
            check_path=check_path,
            as_published=False,
        )
        truth, pose = reconstruct(build_lifter(config), frames)
        return float(np.mean(comparison.training_error(truth, pose, 2)))

    before, after = error_mm(None), error_mm(TRAINED)
    assert 30 < before < 90
    assert after < 0.9 * before
