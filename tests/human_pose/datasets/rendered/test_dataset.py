"""The folder: readable by the image data's reader, consistent, whole or not there."""

import filecmp
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from absl import flags
from PIL import Image

from human_pose.commands import make_pictures
from human_pose.datasets.images import ACTIONS, IndexRange, open_dataset, read_sample
from human_pose.datasets.images.index_range import read_ranges
from human_pose.datasets.images.layout import read_camera, read_info
from human_pose.datasets.rendered import ACTIONS as RENDERED_ACTIONS
from human_pose.datasets.rendered import Recipe, generate, index_ranges
from human_pose.datasets.rendered.dataset import RECIPE_FILE
from human_pose.files.errors import InputError

TINY = Recipe(count=130)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "images"
    generate(folder, TINY, processes=2)
    return folder


def _files(folder):
    return sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("count", [105, 106, 130, 12_000])
def test_ranges_are_contiguous_and_in_order(count):
    blocks = index_ranges(Recipe(count=count))
    assert len(blocks) == 105
    assert blocks[0].first == 0 and blocks[-1].last == count - 1
    assert all(b.first == a.last + 1 for a, b in pairwise(blocks))
    assert all(b.first <= b.last for b in blocks)
    assert [b.subject for b in blocks[::15]] == [1, 5, 6, 7, 8, 9, 11]
    assert tuple(b.action for b in blocks[:15]) == ACTIONS == RENDERED_ACTIONS


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"count": 105.5}, "count must be a whole number"),
        ({"seed": -1}, "seed must be a whole number, at least 0"),
        ({"test_share": float("nan")}, "test_share must be from 0 to 1"),
        ({"test_share": 1.5}, "test_share must be from 0 to 1"),
    ],
)
def test_a_recipe_that_cannot_be_made_is_refused(wrong, rule):
    with pytest.raises(InputError, match=f"^{rule}"):
        Recipe(**wrong)


def test_a_tenth_is_for_tests():
    blocks = index_ranges(Recipe())
    test = sum(b.last + 1 - b.first for b in blocks if b.subject in (9, 11))
    assert test == 1200


def test_the_range_files_say_the_same(folder):
    expected = tuple(
        IndexRange(b.subject, b.action, b.first, b.last) for b in index_ranges(TINY)
    )
    assert read_ranges(folder / "index_range") == expected


def test_every_sample_is_good(folder):
    parts = [open_dataset(folder, part=part) for part in ("train", "test")]
    assert [len(part.indices) for part in parts] == [100, 30]
    assert not any(part.skipped for part in parts)


def test_3d_joints_project_onto_the_2d_ones(folder):
    for index in range(TINY.count):
        sample = read_sample(folder, index)
        x, y, z = sample.joints_3d_mm.T
        fx, fy, cx, cy = sample.camera
        x1, y1, x2, y2 = sample.box
        assert x2 - x1 == y2 - y1
        assert z.min() > 2000
        raw = np.stack([fx * x / z + cx, fy * y / z + cy], axis=-1)
        picture = (raw - [x1, y1]) * 224 / (x2 - x1)
        np.testing.assert_allclose(picture, sample.joints_2d_px, atol=1e-3)
        # The box holds the person, with a margin.
        assert sample.joints_2d_px.min() > 8 and sample.joints_2d_px.max() < 216
        assert np.ptp(sample.joints_2d_px, axis=0).max() > 165


def test_cameras_are_rotations_and_the_floor_is_below(folder):
    for index in (0, 1, TINY.count - 1):
        camera = read_camera(folder / f"camera_all/{index}.txt")
        unity = camera.rotation @ camera.rotation.T
        np.testing.assert_allclose(unity, np.eye(3), atol=1e-6)  # float32
        assert np.linalg.det(camera.rotation) > 0
        assert not camera.radial.any() and not camera.tangential.any()
        sample = read_sample(folder, index)
        joints = sample.joints_3d_mm
        world = joints @ camera.rotation + camera.centre_mm
        frame_px = sample.joints_2d_px * (sample.box[2] - sample.box[0]) / 224
        np.testing.assert_allclose(
            camera.camera().project(world), frame_px + sample.box[:2], atol=0.01
        )
        assert 0 < world[:, 2].min() < 150
        assert np.abs(world[:, :2]).max() < 2500


def test_info_names_the_video(folder):
    first = index_ranges(TINY)[-1].first
    info = read_info(folder / f"info_all/{first}.txt")
    assert info.video == "S11 WalkingTogether.54138969"
    assert (info.action, info.action_number, info.camera) == ("WalkingTogether", 16, 1)


def test_pictures_have_contrast(folder):
    for index in range(0, TINY.count, 10):
        pixels = np.asarray(Image.open(folder / f"images/{index}.png"))
        assert pixels.shape == (224, 224, 3)
        assert pixels.std() > 10


@pytest.mark.large
def test_the_number_of_processes_changes_nothing(folder, tmp_path):
    generate(tmp_path / "again", TINY, processes=1)
    names = [str(name) for name in _files(tmp_path / "again")]
    _, different, missing = filecmp.cmpfiles(folder, tmp_path / "again", names, False)
    assert not different and not missing
    assert len(names) == TINY.count * 10 + 105 + 2


def test_what_is_there_is_kept(folder, tmp_path):
    with pytest.raises(InputError, match="`overwrite` replaces it"):
        generate(folder, TINY)
    (tmp_path / "images").mkdir()
    (tmp_path / "images/mine.png").touch()
    with pytest.raises(InputError, match="was not made by this command"):
        generate(tmp_path / "images", TINY, overwrite=True)
    assert _files(tmp_path) == [(tmp_path / "images/mine.png").relative_to(tmp_path)]


def test_a_failure_leaves_nothing_and_success_replaces(tmp_path):
    place = tmp_path / "images"
    place.mkdir()
    (place / RECIPE_FILE).touch()

    def stop(done, total):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        generate(place, TINY, overwrite=True, processes=1, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["images"]
    assert [p.name for p in place.iterdir()] == [RECIPE_FILE]
    generate(place, Recipe(count=105, seed=1), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["images"]
    assert len(list((place / "images").iterdir())) == 105


def made_by_command(*words):
    flag_values = flags.FlagValues()
    make_pictures.define_flags(flag_values)
    flag_values(["make_pictures", *words])
    before = signal.getsignal(signal.SIGTERM)
    try:
        make_pictures.work(flag_values)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_command_makes_pictures_hard(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        make_pictures, "generate", lambda folder, recipe, **rest: asked.append(recipe)
    )
    made_by_command(f"--data_dir={tmp_path}", "--hard=blur,occluders", "--seed=4")
    assert asked == [Recipe(seed=4, hard=("occluders", "blur"))]
    with pytest.raises(InputError, match=r"^hard must be of occluders, .*; received"):
        made_by_command(f"--data_dir={tmp_path}", "--hard=fog")


def test_the_command_names_a_mistake(tmp_path):
    command = [sys.executable, "-m", "human_pose.commands.make_pictures"]
    done = subprocess.run(
        [*command, f"--data_dir={tmp_path}", "--count=50"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("make_pictures.py: --count must be at least 105")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
