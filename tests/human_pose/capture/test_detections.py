"""Detections of videos: kept in parts, made once, gone on with, and of equal bytes."""

import os
from contextlib import contextmanager
from dataclasses import dataclass, field

import made_up_videos
import numpy as np
import pytest

from human_pose.capture import detecting, detections
from human_pose.capture.detecting import detect_videos
from human_pose.capture.detectors.protocol import Found
from human_pose.exchange.formats import read_recording
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import COCO_17
from human_pose.media.videos import probe


@dataclass
class Seeing:
    """Finds the number of each frame, and one person more in every third."""

    version: str = "1"
    fails_at: int | None = None
    seen: list = field(default_factory=list)

    name = "seeing"
    skeleton = COCO_17
    parallel = 2

    @contextmanager
    def started(self):
        yield self.detect

    def detect(self, pictures):
        # What is known of the frames before must not depend on where a run began.
        for place, picture in enumerate(pictures):
            number = made_up_videos.number_of(picture)
            self.seen.append(number)
            if number == self.fails_at:
                raise KeyboardInterrupt
            people = 2 if number % 3 == 0 else 1
            joints = np.full((people, len(COCO_17), 2), float(number + 1))
            joints[..., 1] = place
            yield Found(joints, np.full(joints.shape[:2], 0.5))


@pytest.fixture
def filmed(tmp_path, monkeypatch):
    monkeypatch.setattr(detections, "PART_FRAMES", 8)
    paths = [made_up_videos.write(tmp_path / f"cam{v}.mp4") for v in (1, 2)]
    return [probe(path) for path in paths]


def files(folder):
    found = {p.relative_to(folder): p for p in folder.rglob("*") if p.is_file()}
    return {str(name): path.read_bytes() for name, path in found.items()}


def test_they_are_those_of_the_frames_and_made_once(filmed, tmp_path):
    detector = Seeing()
    first, second = detect_videos(filmed, detector, spare=tmp_path / "spare")
    assert first.name == "cam1" and len(first) == 20 and len(detector.seen) == 40
    assert first.joints_2d_px[:, 0, 0, 0].tolist() == list(range(1, 21))
    assert first.joints_2d_px[:, 0, 0, 1].tolist() == [n % 8 for n in range(20)]
    np.testing.assert_array_equal(
        np.isfinite(first.joints_2d_px[:, 1, 0, 0]), np.arange(20) % 3 == 0
    )
    np.testing.assert_allclose(first.times_s, np.arange(20) / 20)
    again, _ = detect_videos(filmed, detector, spare=tmp_path, chosen=slice(5, 18))
    assert len(detector.seen) == 40 and second.name == "cam2"
    np.testing.assert_array_equal(again.joints_2d_px, first.joints_2d_px[5:18])
    np.testing.assert_array_equal(again.times_s, first.times_s[5:18])
    # Each part is a recording that every tool here reads.
    part = read_recording(tmp_path / "cam1.seeing" / "0000008.npz")
    assert part.view_names == ("cam1",) and part.frames.tolist() == list(range(8, 16))


def test_a_range_makes_the_parts_that_it_needs(filmed, tmp_path):
    detector = Seeing()
    detect_videos(filmed[:1], detector, spare=tmp_path, chosen=slice(9, 12))
    assert detector.seen == list(range(8, 16))


def test_others_are_made_again(filmed, tmp_path):
    detect_videos(filmed, Seeing(), spare=tmp_path)
    for detector, redo, count in (
        (Seeing(), False, 0),
        (Seeing(), True, 40),
        (Seeing(version="2"), False, 40),
    ):
        detect_videos(filmed, detector, spare=tmp_path, redo=redo)
        assert len(detector.seen) == count
    made_up_videos.write(filmed[0].path, rate=25)
    detector = Seeing(version="2")
    detect_videos([probe(filmed[0].path), filmed[1]], detector, spare=tmp_path)
    assert len(detector.seen) == 20


def test_those_of_a_video_that_is_turned_in_place_are_made_again(
    filmed, tmp_path, monkeypatch
):
    """What says so may be far from both ends of a large file, and of the same size."""
    monkeypatch.setattr(detections, "_SAMPLE_BYTES", 8)
    before = filmed[0].path.stat().st_size
    detect_videos(filmed, Seeing(), spare=tmp_path)
    made_up_videos.turn(filmed[0].path, 180)
    turned = [probe(video.path) for video in filmed]
    assert filmed[0].path.stat().st_size == before
    detector = Seeing()
    detect_videos(turned, detector, spare=tmp_path)
    assert len(detector.seen) == 20


def test_an_ended_run_goes_on_and_ends_with_the_same_bytes(filmed, tmp_path):
    detect_videos(filmed, Seeing(), spare=tmp_path)
    whole = files(tmp_path)
    for name in whole:
        if "seeing" in name:
            (tmp_path / name).unlink()
    ended = Seeing(fails_at=17)
    with pytest.raises(KeyboardInterrupt):
        detect_videos(filmed, ended, spare=tmp_path)
    left = files(tmp_path)
    assert set(left) < set(whole) and len(left) > 2
    assert all(whole[name] == content for name, content in left.items())
    rest = Seeing()
    detect_videos(filmed, rest, spare=tmp_path)
    assert files(tmp_path) == whole
    assert 0 < len(rest.seen) < 40


def test_what_a_killed_run_has_left_is_swept(filmed, tmp_path):
    """What another one writes now, and others' files, stay."""
    folder = tmp_path / "cam1.seeing"
    folder.mkdir()
    left, written = (folder / f".0000008.{n}bcd_123.part.npz" for n in "ax")
    for path in (left, written, folder / "notes.txt"):
        path.touch()
    os.utime(left, (0, 0))
    os.utime(folder / "notes.txt", (0, 0))
    detect_videos(filmed, Seeing(), spare=tmp_path / "spare")
    assert not left.exists()
    assert written.exists() and (folder / "notes.txt").exists()


def test_a_damaged_part_is_made_again(filmed, tmp_path):
    detect_videos(filmed[:1], Seeing(), spare=tmp_path)
    whole = files(tmp_path)
    part = tmp_path / "cam1.seeing" / "0000000.npz"
    part.write_bytes(part.read_bytes()[:-40])
    detector = Seeing()
    detect_videos(filmed[:1], detector, spare=tmp_path)
    assert detector.seen == list(range(8)) and files(tmp_path) == whole


def test_those_beside_which_nothing_can_be_written_go_elsewhere(
    filmed, tmp_path, monkeypatch
):
    monkeypatch.setattr(detecting.os, "access", lambda folder, mode: False)
    spare = tmp_path / "results" / "detections"
    detect_videos(filmed, Seeing(), spare=spare)
    assert sorted(p.name for p in spare.iterdir()) == ["cam1.seeing", "cam2.seeing"]
    assert not (tmp_path / "cam1.seeing").exists()


def test_those_that_are_there_are_taken_where_nothing_can_be_written(
    filmed, tmp_path, monkeypatch
):
    detect_videos(filmed, Seeing(), spare=tmp_path / "spare")
    monkeypatch.setattr(detecting.os, "access", lambda folder, mode: False)
    (tmp_path / "cam2.seeing" / "0000008.npz").unlink()
    for redo, count, made in ((False, 20, ["cam2.seeing"]), (True, 40, None)):
        detector = Seeing()
        detect_videos(filmed, detector, redo=redo, spare=tmp_path / "spare")
        assert len(detector.seen) == count
        names = sorted(p.name for p in (tmp_path / "spare").iterdir())
        assert names == (made or ["cam1.seeing", "cam2.seeing"])


def test_frames_that_are_not_there_are_named(filmed, tmp_path):
    detector = Seeing()
    with pytest.raises(InputError, match=r"must name some of the 20 frames.*cam1\.mp4"):
        detect_videos(filmed, detector, spare=tmp_path, chosen=slice(90, 95))
    assert not detector.seen


@pytest.mark.parametrize("alone", [range(8), range(8, 16)])
def test_parts_without_anybody_take_no_covariances_from_others(alone, filmed, tmp_path):
    class Sure(Seeing):
        def detect(self, pictures):
            for each in super().detect(pictures):
                there = self.seen[-1] not in alone
                shape = (len(COCO_17), 2, 2)
                spread = np.broadcast_to(np.eye(2), (len(each.confidence), *shape))
                nobody = Found(each.joints_2d_px[:0], each.confidence[:0])
                yield (
                    Found(each.joints_2d_px, each.confidence, spread)
                    if there
                    else nobody
                )

    (found,) = detect_videos(filmed[:1], Sure(), spare=tmp_path)
    known = np.isfinite(found.covariance_px2[:, 0]).all(axis=(1, 2, 3))
    assert np.flatnonzero(~known).tolist() == list(alone)
