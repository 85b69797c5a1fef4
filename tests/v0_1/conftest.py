"""The pictures that the image network's run was made with."""

import made_up_images
import pytest


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    made_up_images.write_set(folder, made_up_images.unrelated_joints_3d)
    return folder
