import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

from human_pose.commands.prepare_h36m import H36MConfig, prepare
from human_pose.datasets.pose_files import read_pose_file
from human_pose.files.errors import InputError
from human_pose.files.h5 import write_h5
from human_pose.lifting import MixtureParameters, write_cameras, write_mixtures
from human_pose.lifting.config import MODEL_COUNTS
from human_pose.lifting.variables import parameter_shapes


@pytest.fixture
def config(tmp_path, archive):
    return H36MConfig(
        folder=tmp_path / "out",
        archive=archive,
        archive_url=(tmp_path / "gone.zip").as_uri(),
        parameters_url="",
        partial=False,
    )


@pytest.fixture
def published_parameters(tmp_path):
    """Invented parameter files, laid out as the original's repository has them."""
    source = tmp_path / "HumanPose"
    mixtures = {
        models: MixtureParameters(
            np.ones((models, 3, 17)),
            np.tile(np.eye(25, 51).reshape(25, 3, 17), (models, 1, 1, 1)),
            np.ones((models, 26)),
        )
        for models in MODEL_COUNTS
    }
    write_mixtures(source / "data/model_parameters.h5", mixtures)
    write_cameras(source / "data/avg_cameras.h5", np.ones((4, 3, 3)))
    checkpoint = {name: np.ones(shape) for name, shape in parameter_shapes(3).items()}
    write_h5(source / "results/trained_model.h5", {**checkpoint, "epoch": 6})
    return source


def _quietly(_):
    pass


def _pose_files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*_sh.h5"))


def test_the_command_prepares_everything(config):
    command = [
        *(sys.executable, "-m", "human_pose.commands.prepare_h36m"),
        f"--archive={config.archive}",
        f"--data_dir={config.folder}",
        "--parameters_url=",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(config.folder) in done.stdout
    names = _pose_files(config.folder)
    assert len(names) == 2 * 30 + 2
    # 209 recordings with one or two frames each, in turn.
    frames = sum(
        len(read_pose_file(config.folder / name))
        for name in ("train_sh.h5", "test_sh.h5")
    )
    assert frames == 209 + 104


def test_a_mistake_is_one_line(config, tmp_path):
    (tmp_path / "h36m.zip").write_text("<html>")
    command = [
        *(sys.executable, "-m", "human_pose.commands.prepare_h36m"),
        f"--archive={tmp_path / 'h36m.zip'}",
        f"--data_dir={config.folder}",
        "--parameters_url=",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "must be a zip archive" in done.stderr
    assert done.stdout == ""


def test_a_downloaded_archive_gives_the_same(config, archive, tmp_path):
    prepare(config, _quietly)
    downloading = replace(
        config, folder=tmp_path / "again", archive=None, archive_url=archive.as_uri()
    )
    prepare(downloading, _quietly)
    assert _pose_files(downloading.folder) == _pose_files(config.folder)
    for name in _pose_files(config.folder):
        first, second = config.folder / name, downloading.folder / name
        assert first.read_bytes() == second.read_bytes()

    # The archive is no longer needed.
    (downloading.folder / "h36m.zip").unlink()
    prepare(replace(downloading, archive_url="nonsense"), _quietly)


def test_an_archive_that_is_gone_says_where_to_get_it(config):
    with pytest.raises(InputError) as error:
        prepare(replace(config, archive=None), _quietly)
    message = str(error.value)
    assert config.archive_url in message
    assert "http://vision.imar.ro/human3.6m" in message
    assert "--archive=FILE" in message
    assert "\n" not in message
    assert not _pose_files(config.folder)


def test_a_damaged_download_says_how_to_go_on(config, archive, tmp_path):
    data = bytearray(archive.read_bytes())
    data[40:2000] = bytes(1960)  # entries at the beginning; the directory is at the end
    (tmp_path / "bad.zip").write_bytes(data)
    url = (tmp_path / "bad.zip").as_uri()
    with pytest.raises(InputError, match=r"delete .*h36m\.zip to download it again"):
        prepare(replace(config, archive=None, archive_url=url), _quietly)


def test_parameter_files_are_fetched(config, published_parameters):
    url = published_parameters.as_uri()
    prepare(replace(config, parameters_url=url), _quietly)
    for published in published_parameters.rglob("*.h5"):
        fetched = config.folder / published.name
        assert fetched.read_bytes() == published.read_bytes()
    # And not again.
    prepare(replace(config, parameters_url="nonsense"), _quietly)


def test_missing_parameter_files_do_not_keep_the_poses(config, tmp_path):
    url = (tmp_path / "nowhere").as_uri()
    with pytest.raises(InputError) as error:
        prepare(replace(config, parameters_url=url), _quietly)
    assert f"{url}/data/model_parameters.h5: download failed" in str(error.value)
    assert "github.com/MatteoT90/WibergianLearning" in str(error.value)
    assert len(_pose_files(config.folder)) == 62


def test_parameter_files_of_another_shape_are_refused(config, published_parameters):
    with h5py.File(published_parameters / "data/avg_cameras.h5", "r+") as file:
        del file["cams"]
        file["cams"] = [[1.0]]
    url = published_parameters.as_uri()
    with pytest.raises(InputError, match="cams must have shape"):
        prepare(replace(config, parameters_url=url), _quietly)
    assert not list(config.folder.glob("avg_cameras*"))
