"""What a capture takes of its videos and calibration, and what it refuses."""

import dataclasses
import json
import shutil
import types
from contextlib import contextmanager

import made_up_videos
import numpy as np
import pytest

from human_pose.capture import mono, run
from human_pose.capture.config import CaptureConfig, DetectorConfig
from human_pose.capture.detectors import environment
from human_pose.capture.detectors.protocol import Found
from human_pose.exchange import formats
from human_pose.exchange.poses import read_poses
from human_pose.files.errors import InputError
from human_pose.geometry.cameras import Camera
from human_pose.geometry.known_skeletons import BLAZEPOSE_33

SIZE = (64, 48)


def camera(name, x_mm=0.0, size=SIZE):
    place = np.array([x_mm, 0.0, 5000.0])
    return Camera(np.eye(3), place, (90, 90), (32, 24), size_px=size, name=name)


class Seeing:
    """Puts every joint at the frame's number, if it sees anybody."""

    name, version, skeleton, parallel = "seeing", "1", BLAZEPOSE_33, 2

    def __init__(self, people=1):
        self.people = people

    @contextmanager
    def started(self):
        def detect(pictures):
            for picture in pictures:
                number = float(made_up_videos.number_of(picture) + 1)
                shape = (self.people, len(BLAZEPOSE_33))
                yield Found(np.full((*shape, 2), number), np.ones(shape))

        yield detect


@pytest.fixture
def filmed(tmp_path, monkeypatch):
    folder = tmp_path / "my videos"
    folder.mkdir()
    for name in ("a", "b"):
        made_up_videos.write(folder / f"{name}.mp4", size=SIZE)
    formats.write(tmp_path / "rig.toml", [camera("b", 900), camera("a"), camera("c")])
    monkeypatch.setattr(run, "find_detector", lambda config: Seeing())
    paths = sorted(folder.iterdir())
    return CaptureConfig(videos=tuple(paths), cameras=tmp_path / "rig.toml")


class Spread(Seeing):
    """Says of each joint how far it may be off, the more the later it is numbered."""

    @contextmanager
    def started(self):
        variances = np.arange(1.0, 1 + len(BLAZEPOSE_33))[:, None, None]
        covariance = variances * np.array([[4.0, 1.0], [1.0, 2.0]])
        with super().started() as detect:
            yield lambda pictures: (
                Found(f.joints_2d_px, f.confidence, covariance[None])
                for f in detect(pictures)
            )


def seen(config, folder):
    return run._seen(config, folder)


def test_views_bear_the_videos_names_and_their_own_cameras(filmed, tmp_path):
    found = seen(filmed, tmp_path)
    recording = found.recording
    assert recording.view_names == ("a", "b") and recording.fps == pytest.approx(20)
    assert [c.translation_mm[0] for c in recording.cameras] == [0, 900]
    below = seen(replaced(filmed, up="-y"), tmp_path).recording.cameras
    assert below[0].rotation[:, 2].tolist() == [0, -1, 0]
    assert recording.joints_2d_px[:, 1, 0, 0, 0].tolist() == list(range(1, 21))
    assert [shown.numbers.tolist() for shown in found.shown] == [list(range(20))] * 2
    # Faces and hands are left to the files of detections.
    assert len(recording.skeleton) == 21 and "left_heel" in recording.skeleton.names


def test_what_a_detector_knows_of_its_errors_is_lifted_with(
    filmed, tmp_path, monkeypatch
):
    monkeypatch.setattr(run, "find_detector", lambda config: Spread())
    recording = seen(filmed, tmp_path).recording
    for joint, name in enumerate(recording.skeleton.names):
        size = 1 + BLAZEPOSE_33.names.index(name)
        spread = recording.covariance_px2[:, :, 0, joint] / size
        np.testing.assert_array_equal(
            spread, np.broadcast_to([[4, 1], [1, 2]], spread.shape)
        )


def test_ranges_and_known_offsets_move_frames(filmed, tmp_path):
    changes = {"frames": slice(4, 16), "sync": "offsets", "offsets_frames": {"b": 3}}
    found = seen(replaced(filmed, **changes), tmp_path)
    recording = found.recording
    numbers = recording.joints_2d_px[:, :, 0, 0, 0]
    # What a shows in frame n is in frame n + 3 of b.
    both = np.isfinite(numbers).all(axis=1)
    assert both.sum() == 9
    np.testing.assert_allclose(numbers[both, 1] - numbers[both, 0], 3, atol=1e-9)
    shown = np.stack([each.numbers for each in found.shown], axis=1)[both]
    np.testing.assert_allclose(shown[:, 1] - shown[:, 0], 3)
    assert shown[0, 0] == 4 and numbers[both][0, 0] == 5
    # By them results and a truth are matched: they are the videos', not the range's.
    assert recording.frames[both].tolist() == shown[:, 0].tolist()
    straight = seen(replaced(filmed, frames=slice(4, 16)), tmp_path).recording
    assert straight.frames.tolist() == list(range(4, 16))


def test_a_single_frame_of_each_video_is_a_recording(filmed, tmp_path):
    found = seen(replaced(filmed, frames=slice(3, 4)), tmp_path)
    assert found.recording.fps is None and found.recording.frames.tolist() == [3]
    assert found.recording.joints_2d_px[0, :, 0, 0, 0].tolist() == [4, 4]
    assert [each.numbers.tolist() for each in found.shown] == [[3], [3]]
    late = {"sync": "offsets", "offsets_frames": {"b": 1}}
    with pytest.raises(InputError, match="view a must have two frames or more"):
        seen(replaced(filmed, frames=slice(3, 4), **late), tmp_path)


def replaced(config, **changes):
    import dataclasses

    return dataclasses.replace(config, **changes)


def test_what_cannot_be_is_refused_before_anything_is_detected(
    filmed, tmp_path, monkeypatch
):
    def never(config):
        raise AssertionError("asked for a detector")

    monkeypatch.setattr(run, "find_detector", never)
    rigs = {
        "missing": ([camera("a")], r"no camera is named b; views: a, b; cameras: a"),
        "turned": (
            [camera("a", size=SIZE[::-1]), camera("b")],
            r"of the size of camera a",
        ),
        "scaled": ([camera("a"), camera("b", size=(128, 96))], r"128 x 96 px.*64 x 48"),
    }
    for name, (rig, words) in rigs.items():
        path = tmp_path / f"{name}.toml"
        formats.write(path, rig)
        with pytest.raises(InputError, match=words):
            seen(replaced(filmed, cameras=path), tmp_path)
    with pytest.raises(InputError, match="cameras must name a calibration"):
        seen(replaced(filmed, cameras=None), tmp_path)
    shutil.copy(filmed.videos[0], tmp_path / "a.avi")
    with pytest.raises(InputError, match="must differ in their names; twice: a"):
        seen(replaced(filmed, videos=(*filmed.videos, tmp_path / "a.avi")), tmp_path)
    # Names that look alike are one, however their letters are put together.
    alike = [tmp_path / f"{name}.avi" for name in ("caf\u00e9", "cafe\u0301")]
    for path in alike:
        shutil.copy(filmed.videos[0], path)
    with pytest.raises(InputError, match="must differ in their names"):
        seen(replaced(filmed, videos=tuple(alike)), tmp_path)


@pytest.mark.parametrize("argument", ["truth", "prior", "checkpoint"])
def test_what_is_needed_after_detecting_is_read_before(
    argument, filmed, tmp_path, monkeypatch
):
    def never(config):
        raise AssertionError("asked for a detector")

    monkeypatch.setattr(run, "find_detector", never)
    named = tmp_path / "damaged.npz"
    named.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"damaged\.npz"):
        run.capture(replaced(filmed, **{argument: named}), tmp_path / "results")
    assert not list((tmp_path / "results").glob("*.npz"))


def test_results_never_replace_the_videos(filmed, tmp_path):
    """As those of a run that bears its project's name, beside it."""
    project = tmp_path / "project"
    shutil.copytree(filmed.videos[0].parent, project / "videos")
    own = tuple(sorted((project / "videos").iterdir()))
    before = [path.read_bytes() for path in own]
    alone = CaptureConfig(videos=own[:1], alone=True)
    for config, work, words in (
        (CaptureConfig(project=project), run.capture, f"{project}: results would lie"),
        (replaced(filmed, videos=own), run.capture, f"{own[0]}: a result would"),
        (alone, mono.capture_one, f"{own[0]}: a result would replace it"),
    ):
        with pytest.raises(InputError, match=f"^{words}"):
            work(config, project)
    linked = tmp_path / "results" / "session"
    linked.mkdir(parents=True)
    (linked / "videos").symlink_to(project / "videos")
    with pytest.raises(InputError, match=f"^{project / 'videos'}: results would lie"):
        run.capture(CaptureConfig(project=project), linked)
    assert [path.read_bytes() for path in own] == before


def test_videos_without_people_are_named(filmed, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "find_detector", lambda config: Seeing(people=0))
    with pytest.raises(InputError, match="nobody was found in any of a, b"):
        seen(filmed, tmp_path)


def test_a_projects_own_detections_count(filmed, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(filmed.videos[0].parent, project / "videos")
    (project / "calibration").mkdir()
    shutil.copy(filmed.cameras, project / "calibration" / "Calib.toml")
    config = CaptureConfig(project=project)
    assert seen(config, tmp_path).made[0] == "Detector: seeing, 1"
    for view in ("a", "b"):
        folder = project / "pose" / f"{view}_json"
        folder.mkdir(parents=True)
        for number in range(4):
            people = [{"pose_keypoints_2d": [7.0, 9.0, 0.5] * 17}]
            text = json.dumps({"people": people})
            (folder / f"{view}_{number:06d}.json").write_text(text)
    (project / "Config.toml").write_text("[pose]\npose_model = 'COCO_17'\n")
    given = seen(config, tmp_path)
    assert given.made == ["Detections: those of the project, in `pose/`"]
    assert len(given.recording) == 4 and given.recording.fps == pytest.approx(20)
    assert given.shown[1].numbers.tolist() == [0, 1, 2, 3]
    assert len(seen(replaced(config, redo=True), tmp_path).recording) == 20
    (project / "pose").rename(project / "pose-sync")
    assert "may have been moved" in seen(config, tmp_path).made[0]
    with pytest.raises(InputError, match="sync needs the videos' detections"):
        seen(replaced(config, sync="motion"), tmp_path)
    asked = replaced(config, detector=DetectorConfig("i1", (tmp_path / "a.keras",)))
    with pytest.raises(InputError, match="detector needs the videos' detections"):
        seen(asked, tmp_path)


@pytest.mark.large
def test_a_real_recording_is_captured_twice_alike(shared, tmp_path):
    if not environment.is_made():
        pytest.skip("needs ./set.sh detector")
    project = tmp_path / "project"
    source = shared / "data" / "recording" / "single"
    shutil.copytree(source, project, ignore=shutil.ignore_patterns("pose"))
    config = CaptureConfig(project=project)
    for name in ("one", "two"):
        run.capture(config, tmp_path / name)
    files = sorted(p for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(files) > 10
    for path in files:
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes(), path.name
    poses = read_poses(tmp_path / "one" / "poses.npz")
    given = np.load(source.parent / "blazepose33.npz")
    part = np.load(project / "videos" / "cam01.blazepose" / "0000000.npz")
    assert len(poses) == 100
    np.testing.assert_array_equal(part["joints_2d_px"][:, 0], given["xy"][0])


@pytest.mark.parametrize("offsets", [{"B": 1.0}, {"b": float("nan")}])
def test_offsets_are_refused_before_videos_are_looked_at(
    filmed, tmp_path, monkeypatch, offsets
):
    config = dataclasses.replace(filmed, sync="offsets", offsets_frames=offsets)
    monkeypatch.setattr(run, "detect_videos", None)
    with pytest.raises(InputError, match="offsets must be"):
        seen(config, tmp_path)


@pytest.mark.parametrize("cause", ["nothing", "pose"])
def test_cameras_stand_where_refining_them_gains_nothing(
    filmed, tmp_path, monkeypatch, capsys, cause
):
    found = seen(filmed, tmp_path)
    names = found.recording.view_names
    others = tuple(camera(name, x) for name, x in zip(names, (5.0, 905.0), strict=True))
    refined = types.SimpleNamespace(cameras=others, cause=cause, lines=("moved",))
    monkeypatch.setattr(run, "refine_cameras", lambda recordings: refined)
    after = run._refined(found)
    kept = cause == "nothing"
    wanted = found.recording.cameras if kept else others
    assert after.recording.cameras == wanted and after.refined is not kept
    assert ("the calibration stands" in capsys.readouterr().out) is kept
    # What is written beside results, by which cameras these are.
    written = []
    monkeypatch.setattr(run, "write_overlays", lambda *given: written.append(given))
    for place in (tmp_path, tmp_path / "person_1"):
        run._write_beside(after, run.Done(place, after.recording, None), tmp_path)
    assert len(written) == 2 and not (tmp_path / "person_1").exists()
    assert (tmp_path / "cameras.toml").exists() is not kept
