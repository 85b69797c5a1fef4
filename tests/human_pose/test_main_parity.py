"""Evaluation through the command line gives the original's numbers."""

import numpy as np
import pytest
from absl import flags
from default_cases import large_unless
from matplotlib.figure import Figure

from human_pose import main
from human_pose.commands import flags as settings
from human_pose.commands import shell
from human_pose.datasets.pose_files import PoseSet, action_file_names, write_pose_file
from human_pose.files.paths import PROJECT_ROOT
from human_pose.lifting.evaluation import run as evaluation

GOLDEN = PROJECT_ROOT / "tests" / "golden"
TOLERANCE_MM = 1e-5

PUBLISHED = {
    "huber-default-3models": [],
    "huber-trained": ["--check_path=trained_model.h5", "--as_published"],
    "huber-trained-hlloaded": ["--check_path=trained_model.h5"],
    "l2-default-3models": ["--l2_solver=1"],
    "l2-trained": ["--l2_solver=1", "--check_path=trained_model.h5"],
    "huber-default-6models": ["--models=6"],
    "huber-default-10models": ["--models=10"],
}
# Every option, and every metric; the lifter's own tests have all of them
# (tests/human_pose/lifting/test_parity.py).
_QUICK = (
    "huber-trained",
    "huber-trained-hlloaded",
    "l2-default-3models",
    "huber-default-6models",
)


def evaluate(tmp_path, golden, parameters_dir, metric, arguments):
    """Runs the command on the golden frames, as the two takes of Directions."""
    joints_2d_px, joints_3d_mm = golden["poses_2d"], golden["poses_3d_gt"]
    half = len(joints_2d_px) // 2
    for name, rows in zip(
        action_file_names("Directions"), (slice(half), slice(half, None)), strict=True
    ):
        cameras = np.tile(np.eye(3), (half, 4, 1, 1))
        poses = PoseSet(joints_2d_px[rows], joints_3d_mm[rows], cameras)
        write_pose_file(tmp_path / "data" / "testing" / name, poses)
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    flag_values(
        [
            "main.py",
            f"--data_dir={tmp_path / 'data'}",
            f"--parameters_dir={parameters_dir}",
            f"--results_dir={tmp_path / 'results'}",
            "--subsample=1",
            f"--metric={metric}",
            "--name=parity",
            *arguments,
        ]
    )
    assert shell.guarded(main.main, flag_values) == 0
    return tmp_path / "results" / "parity"


def assert_original(folder, golden, configuration, metric):
    errors = golden[f"{configuration}/errors"][:, metric]
    frames = len(errors)
    expected = {
        "errors": errors,
        "poses": golden[f"{configuration}/reconstruction"].reshape(frames, 1, 3, 17),
        "truth": golden[f"{configuration}/truth"].reshape(frames, 1, 3, 17),
        # Directions is the first action; the others have no files.
        "tabled_res": [errors.mean(), *14 * [np.nan], errors.mean()],
    }
    for name, values in expected.items():
        found = np.load(folder / f"{name}.npy")
        np.testing.assert_allclose(
            found, values, rtol=0, atol=TOLERANCE_MM, err_msg=name
        )


@pytest.fixture(autouse=True)
def soon_drawn(monkeypatch):
    """Pictures take as long as all the rest, and are not looked at here."""
    small = Figure(figsize=(2, 1), dpi=100)
    monkeypatch.setattr(evaluation, "frame_figure", lambda *_, **__: small)


@pytest.fixture(scope="module")
def lifted():
    """What each configuration makes of the frames, whatever the metric."""
    return {}


@pytest.mark.parametrize("metric", [0, 1, 2])
@pytest.mark.parametrize("configuration", ["huber-default", "l2-default"])
def test_invented_parameters(
    configuration, metric, tmp_path, capsys, lifted, monkeypatch
):
    reconstruct = evaluation.reconstruct

    def once(*arguments, **options):
        if configuration not in lifted:
            lifted[configuration] = reconstruct(*arguments, **options)
        return lifted[configuration]

    monkeypatch.setattr(evaluation, "reconstruct", once)
    golden = np.load(GOLDEN / "golden_synthetic.npz")
    arguments = [f"--l2_solver={configuration == 'l2-default'}"]
    folder = evaluate(tmp_path, golden, GOLDEN, metric, arguments)
    assert_original(folder, golden, configuration, metric)
    out = capsys.readouterr().out
    assert "Discussion" in out
    assert "Walking" in out


@pytest.mark.parametrize("configuration", large_unless(_QUICK, PUBLISHED))
def test_published_parameters(configuration, shared, tmp_path):
    golden = np.load(shared / "reference" / "lift_dev.npz")
    tome = shared / "data" / "tome"
    arguments = [
        argument.replace("trained_model.h5", str(tome / "trained_model.h5"))
        for argument in PUBLISHED[configuration]
    ]
    # One metric each, so that all three are met.
    metric = list(PUBLISHED).index(configuration) % 3
    folder = evaluate(tmp_path, golden, tome, metric, arguments)
    assert_original(folder, golden, configuration, metric)
