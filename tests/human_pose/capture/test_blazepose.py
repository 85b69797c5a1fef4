"""What is said to the worker, and what it answers; MediaPipe itself where it is."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from human_pose.capture.detectors import blazepose, environment
from human_pose.capture.detectors.blazepose import BlazePose
from human_pose.datasets.rendered import Recipe, generate
from human_pose.files.errors import InputError
from human_pose.files.paths import PROJECT_ROOT
from human_pose.geometry.known_skeletons import BLAZEPOSE_33
from human_pose.media.pictures import read_picture

# In place of MediaPipe: where the brightest pixel is, and how many frames went before.
MEDIAPIPE = """
import sys, types
import numpy as np

class Pose:
    made = 0

    def __init__(self, static_image_mode, model_complexity, smooth_landmarks):
        assert not smooth_landmarks
        Pose.made += 1
        self.frames, self.single = 0, static_image_mode

    def process(self, picture):
        print("said on the standard output")
        height, width, _ = picture.shape
        self.frames += 1
        if picture.max() == 13:
            sys.exit("it fell over")
        if picture.max() == 0:
            return types.SimpleNamespace(pose_landmarks=None)
        y, x = np.unravel_index(picture[..., 0].argmax(), picture.shape[:2])
        mark = types.SimpleNamespace(
            x=x / width,
            y=y / height,
            visibility=Pose.made / 10 if self.single else self.frames / 100,
        )
        return types.SimpleNamespace(
            pose_landmarks=types.SimpleNamespace(landmark=[mark] * 33)
        )

solutions = types.SimpleNamespace(pose=types.SimpleNamespace(Pose=Pose))
"""


@pytest.fixture
def detector(tmp_path, monkeypatch):
    (tmp_path / "mediapipe.py").write_text(MEDIAPIPE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(environment, "python", lambda: sys.executable)
    return BlazePose()


def picture(x, y, width=40, height=30, level=200):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[y, x, 0] = level
    return pixels


def test_answers_come_in_order_whatever_the_sizes(detector):
    places = [(1, 2), (30, 9), (5, 5), (39, 29), (0, 1)]
    pictures = [picture(x, y) for x, y in places]
    pictures += [picture(70, 3, 80, 50), picture(2, 3, 4, 5), np.zeros((9, 9, 3), "u1")]
    places += [(70, 3), (2, 3), (np.nan, np.nan)]
    with detector.started() as detect:
        for _ in range(2):  # a new video each: nobody is followed from the last one
            found = list(detect(iter(pictures)))
            got = [tuple(each.joints_2d_px[0, 7]) for each in found]
            np.testing.assert_allclose(got, places, atol=1e-4)
            sure = [float(each.confidence[0, 0]) for each in found]
            np.testing.assert_allclose(sure, [*(np.arange(1, 8) / 100), 0.0], atol=1e-6)
        assert list(detect([])) == []
    assert found[0].joints_2d_px.shape == (1, len(BLAZEPOSE_33), 2)


def test_a_video_that_was_left_early_answers_for_no_other(detector):
    with detector.started() as detect:
        next(detect(picture(x, 1) for x in range(9)))
        found = [each.joints_2d_px[0, 0, 0] for each in detect([picture(30, 1)] * 3)]
    np.testing.assert_allclose(found, 30, atol=1e-4)


def test_for_single_pictures_nothing_is_made_anew(detector):
    with BlazePose(single=True).started() as detect:
        for x, size in ((3, 40), (5, 40), (60, 70)):
            (found,) = detect([picture(x, 2, size)])
            np.testing.assert_allclose(found.joints_2d_px[0, 0], (x, 2), atol=1e-4)
            assert found.confidence[0, 0] == pytest.approx(0.1)  # one for all
    assert BlazePose(single=True).version == BlazePose().version


def test_a_worker_that_ends_is_named_with_what_it_said(detector):
    pictures = [picture(1, 1), picture(1, 1, level=13), picture(1, 1), picture(1, 1)]
    with (
        pytest.raises(InputError, match="process ended; it fell over"),
        detector.started() as detect,
    ):
        list(detect(pictures))


def test_pictures_for_which_the_disk_has_no_room_are_told_of(detector, monkeypatch):
    """They ended the process with a bus error."""
    with detector.started() as detect:
        with open("/dev/full", "r+b", buffering=0) as full:
            monkeypatch.setattr(detect, "_shared", full)
            with pytest.raises(
                InputError, match="/dev/full: has no room for two pictures; No space"
            ):
                list(detect([picture(1, 1)]))


def test_the_room_for_pictures_is_written_to_the_last_byte(tmp_path):
    written = []

    class Slow(io.FileIO):
        def write(self, content):
            written.append(super().write(content[:1000]))
            return written[-1]

    (tmp_path / "room").touch()
    for size in (2500, 700):
        with Slow(tmp_path / "room", "r+") as file:
            blazepose._fill(file, size)
            assert os.fstat(file.fileno()).st_size == size
    assert written == [1000, 1000, 500, 700]


def test_a_worker_that_never_answers_is_of_an_environment_to_be_made_anew(
    detector, tmp_path, monkeypatch
):
    """One that had ended when it was asked ended the run without a word."""
    (tmp_path / "mediapipe.py").write_text("raise SystemExit('half made')")
    start = subprocess.Popen

    def ended(*arguments, **options):
        process = start(*arguments, **options)
        process.wait()
        return process

    monkeypatch.setattr(blazepose.subprocess, "Popen", ended)
    with (
        pytest.raises(InputError, match=r"ended; half made; `\./set\.sh detector`"),
        detector.started() as detect,
    ):
        list(detect([picture(1, 1), picture(1, 1)]))


def test_a_python_that_is_none_is_named(detector, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("x")
    monkeypatch.setattr(environment, "python", lambda: python)
    with (
        pytest.raises(
            InputError, match=f"{python}: cannot be started; .* makes it anew"
        ),
        detector.started(),
    ):
        pass


def test_a_worker_ends_with_a_process_that_is_killed(detector, tmp_path):
    code = (
        "import os, signal, sys\n"
        "import numpy as np\n"
        "from human_pose.capture.detectors import blazepose, environment\n"
        "environment.python = lambda: sys.executable\n"
        "with blazepose.BlazePose().started() as detect:\n"
        "    next(detect(np.ones((3, 9, 9, 3), np.uint8)))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with (tmp_path / "mediapipe.py").open("a") as file:
        note = str(tmp_path / "id")
        file.write(f"import os; open({note!r}, 'w').write(str(os.getpid()))")
    paths = os.pathsep.join([str(tmp_path), str(PROJECT_ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}
    )
    assert done.returncode == -signal.SIGKILL
    worker = Path("/proc", (tmp_path / "id").read_text(), "stat")
    end = time.monotonic() + 10
    while alive(worker):
        assert time.monotonic() < end
        time.sleep(0.01)


def alive(stat):
    """Whether a process runs, by its file in /proc: not if nobody fetched its end."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_how_the_environment_is_made_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "FOLDER", tmp_path / "none")
    with (
        pytest.raises(InputError, match=r"set\.sh detector` or `human-pose-detector`"),
        BlazePose().started(),
    ):
        pass


@pytest.mark.large
def test_mediapipe_itself_answers():
    if not environment.is_made():
        pytest.skip("needs ./set.sh detector")
    assert "0.10.21" in BlazePose().version
    noise = np.random.default_rng(0).integers(0, 255, (90, 70, 3), np.uint8)
    with blazepose.BlazePose().started() as detect:
        found = list(detect([noise, noise]))
    assert len(found) == 2 and found[0].confidence.shape == (1, 33)


@pytest.mark.large
def test_mediapipe_says_of_single_pictures_what_it_says_of_new_videos(tmp_path):
    if not environment.is_made():
        pytest.skip("needs ./set.sh detector")
    generate(tmp_path / "set", Recipe(count=105), processes=1)
    names = sorted((tmp_path / "set" / "images").iterdir())[:8]
    pictures = [read_picture(name) for name in names]
    answers = []
    for single in (False, True):
        with BlazePose(single=single).started() as detect:
            answers.append([next(iter(detect([each]))) for each in pictures])
    for video, alone in zip(*answers, strict=True):
        np.testing.assert_array_equal(alone.joints_2d_px, video.joints_2d_px)
        np.testing.assert_array_equal(alone.confidence, video.confidence)
    assert sum(each.confidence.any() for each in answers[0]) > 4  # of the rendered
