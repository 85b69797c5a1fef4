"""The page holds the numbers that it was given, and works in a real browser."""

import base64
import dataclasses
import json
import re
import shutil
import subprocess

import made_up_recording
import numpy as np
import pytest
from PIL import Image

from human_pose.calibrated.evaluation.movie import write_movie
from human_pose.calibrated.evaluation.viewer import write_viewer
from human_pose.files.errors import InputError
from human_pose.files.extras import needed
from human_pose.geometry.skeletons import LIFTER_17

TRUTH = made_up_recording.truth_mm()
NOISY = made_up_recording.recording(TRUTH, noise_px=3.0)
LOST = TRUTH.copy()
LOST[4, 7] = np.nan
POSES = made_up_recording.poses(NOISY, LOST)


def content(page):
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found[1])


def numbers(text, *shape):
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "viewer.html"
    return write_viewer(path, POSES, NOISY, title="</script><b>a & b")


def test_the_page_holds_the_results_and_needs_no_net(page):
    text = page.read_text("utf-8")
    assert not re.search(r'(?:src|href)="', text.split('id="data"')[0])
    held = content(text)
    assert held["title"] == "</script><b>a & b" and held["thinned"] == ""
    assert (held["frames"], held["rate"]) == (list(range(24)), 12.5)
    points = numbers(held["points"], 24, 17, 3)
    np.testing.assert_allclose(points, LOST, atol=1e-3)
    # Balls of 5 mm: L is 5 I.
    shapes = numbers(held["shapes"], 24, 17, 6)
    np.testing.assert_allclose(shapes[0, 0], [5, 0, 5, 0, 0, 5], atol=1e-4)
    assert np.isnan(shapes[4, 7]).all()
    shown = numbers(held["shown"], 24, 4, 17, 2)
    detected = numbers(held["detected"], 24, 4, 17, 2)
    np.testing.assert_allclose(detected, NOISY.joints_2d_px[:, :, 0], atol=1e-3)
    np.testing.assert_allclose(shown[0, 1], NOISY.cameras[1].project(TRUTH[0]), 1e-5)
    assert held["swapped"][1][2:7] == ["", "legs", "legs", "legs", ""]
    assert not any(map(any, (held["swapped"][v] for v in (0, 2, 3))))


def test_cameras_are_drawn_where_they_are(page):
    held = content(page.read_text("utf-8"))
    for view, camera in zip(held["views"], NOISY.cameras, strict=True):
        path = np.array([view["pyramid"][axis] for axis in "xyz"], float).T
        np.testing.assert_allclose(path[0], camera.position_mm, atol=1e-6)
        np.testing.assert_allclose(
            camera.project(path[[1, 4]])[0] + camera.project(path[[1, 4]])[1],
            2 * camera.centre_px,
            atol=40,  # the lens bends the corners
        )
        assert view["size"] == [1024, 1024]
        low, high = np.transpose(held["room"])
        assert (camera.position_mm > low).all() and (camera.position_mm < high).all()


def test_long_recordings_are_thinned_and_say_so(tmp_path):
    path = write_viewer(tmp_path / "page.html", POSES, NOISY, most_bytes=30_000)
    held = content(path.read_text("utf-8"))
    every = held["frames"][1]
    assert held["thinned"] == f"Long recording: one frame in {every} is shown."
    assert every > 1 and held["rate"] == pytest.approx(12.5 / every)
    assert len(json.dumps(held)) < 30_000 + 6_000  # and what does not grow with frames
    points = numbers(held["points"], len(held["frames"]), 17, 3)
    np.testing.assert_allclose(points, LOST[::every], atol=1e-3)


def test_times_are_of_the_frames_that_are_there(tmp_path):
    """Those of every fifth frame; three of them lack before the last one."""
    numbers = 100 + 5 * np.append(np.arange(23), 26)
    poses = dataclasses.replace(POSES, frames=numbers)
    path = write_viewer(tmp_path / "page.html", poses, NOISY.replace(frames=numbers))
    text = path.read_text("utf-8")
    assert content(text)["moments"] == [*range(23), 26]
    assert "data.moments[now] / data.fps" in text


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_films_show_the_frames(suffix, tmp_path):
    few = dataclasses.replace(
        POSES,
        **{
            name: value[:4]
            for name, value in vars(POSES).items()
            if isinstance(value, np.ndarray)
        },
    )
    path = write_movie(str(tmp_path / f"film{suffix}"), few, speed=0.5)
    if suffix == ".gif":
        with Image.open(path) as film:
            assert (film.n_frames, film.size) == (4, (768, 448))
            assert film.info["duration"] == 160
    else:
        count, seconds = needed("imageio_ffmpeg", "film").count_frames_and_secs(path)
        assert (count, seconds) == (4, pytest.approx(4 / 6.25))


@pytest.mark.parametrize("fps", [24.0, 30000 / 1001, 44.0, 60.0])
def test_films_last_as_long_as_the_recording(fps, tmp_path):
    """GIF counts hundredths of a second: rounded down, all went faster."""
    path = write_movie(tmp_path / "film.gif", dataclasses.replace(POSES, fps=fps))
    with Image.open(path) as film:
        times_ms = []
        for number in range(film.n_frames):
            film.seek(number)
            times_ms.append(film.info["duration"])
    assert min(times_ms) >= 20
    assert sum(times_ms) == pytest.approx(1000 * len(POSES) / fps, abs=10)


@pytest.mark.parametrize(
    ("name", "speed", "words"),
    [
        ("film.avi", 1.0, "must end in .gif or .mp4"),
        ("film.gif", 0.0, "speed must be positive"),
    ],
)
def test_films_that_cannot_be_are_refused(name, speed, words, tmp_path):
    with pytest.raises(InputError, match=words):
        write_movie(tmp_path / name, POSES, speed)
    assert not list(tmp_path.iterdir())


@pytest.mark.large
def test_a_browser_shows_it(page):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium")
    options = "--headless --no-sandbox --virtual-time-budget=20000".split()
    options += ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    shown = subprocess.run(
        [browser, *options, "--dump-dom", f"file://{page}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    assert 'data-ready="yes"' in shown
    assert re.search(r'<span id="frame">frame 0, 0.00 s</span>', shown)
    assert shown.count("<figcaption>") == 4 and "&lt;/script&gt;" in shown
    assert LIFTER_17.names[0] in shown
