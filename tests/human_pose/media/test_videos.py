"""Videos are numbered, upright frames with their own times."""

import av
import made_up_videos
import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.media import decoding, videos
from human_pose.media.videos import probe, read_frames


@pytest.mark.parametrize("ending", ["mp4", "avi", "mkv"])
def test_frames_come_with_their_numbers_and_times(ending, tmp_path):
    path = made_up_videos.write(tmp_path / f"c 1%ä.{ending}")
    video = probe(path)
    assert (len(video), video.width_px, video.height_px) == (20, 64, 48)
    assert videos.declared_frames(path) == 20
    assert (video.name, video.rotation_deg) == ("c 1%ä", 0)
    np.testing.assert_allclose(video.times_s, np.arange(20) / 20, atol=1e-3)
    assert video.fps == pytest.approx(20, rel=1e-3)
    found = [(n, made_up_videos.number_of(p)) for n, p in read_frames(video)]
    assert found == [(n, n) for n in range(20)]
    part = [
        (n, made_up_videos.number_of(p)) for n, p in read_frames(video, slice(7, 9))
    ]
    assert part == [(7, 7), (8, 8)]
    assert not list(read_frames(video, slice(30, None)))


def test_a_name_has_its_accents_within(tmp_path):
    """As views and cameras of that name have."""
    assert probe(made_up_videos.write(tmp_path / "a\u0308.mp4")).name == "\u00e4"


def test_a_single_frame_and_grey_are_videos(tmp_path):
    one = probe(made_up_videos.write(tmp_path / "one.mp4", [0]))
    assert (len(one), one.fps, one.times_s.tolist()) == (1, None, [0.0])
    assert [number for number, _ in read_frames(one)] == [0]
    path = tmp_path / "grey.avi"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray"
        for level in (10, 200):
            pixels = np.full((48, 64), level, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="gray")))
        file.mux(stream.encode(None))
    shown = [pixels for _, pixels in read_frames(probe(path))]
    assert [pixels.shape for pixels in shown] == [(48, 64, 3)] * 2
    assert [(pixels.min(), pixels.max()) for pixels in shown] == [(10, 10), (200, 200)]
    assert videos.declared_fps(path) == 10


def test_variable_rates_are_those_of_the_time_stamps(tmp_path):
    stamps = [0, 1, 2, 5, 6, 9]
    video = probe(made_up_videos.write(tmp_path / "v.mkv", stamps))
    np.testing.assert_allclose(video.times_s, np.array(stamps) / 20, atol=1e-3)
    found = [
        (n, made_up_videos.number_of(p)) for n, p in read_frames(video, slice(3, 5))
    ]
    assert found == [(3, 3), (4, 4)]


def test_a_second_frame_of_a_time_is_told_and_left_out(tmp_path, caplog):
    """As of 1200 frames a second, whose stamps in Matroska are milliseconds."""
    path = made_up_videos.write(tmp_path / "a.mkv", range(13), rate=1200)
    with caplog.at_level("WARNING"):
        video = probe(path)
    assert "2 frames have the time of another one and are left out" in caplog.text
    numbers = [number for number, _ in read_frames(video)]
    assert numbers == list(range(len(video))) == list(range(11))
    some = [number for number, _ in read_frames(video, slice(3, 9))]
    assert some == list(range(3, 9))


@pytest.mark.parametrize(
    ("degrees", "corner"), [(90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))]
)
def test_a_turned_camera_gives_upright_frames(degrees, corner, tmp_path):
    path = made_up_videos.write(tmp_path / "v.mp4")
    made_up_videos.turn(path, degrees)
    video = probe(path)
    sides = (64, 48) if degrees == 180 else (48, 64)
    assert (video.width_px, video.height_px) == sides
    _, picture = next(read_frames(video))
    assert picture.shape == (*sides[::-1], 3)
    row, column = (np.s_[4:8] if end == 0 else np.s_[-8:-4] for end in corner)
    red, green, blue = picture[row, column].reshape(-1, 3).mean(axis=0)
    assert red > 200 and green < 60 and blue < 60


@pytest.mark.parametrize("how", ["mirrored", "mirrored, 90"])
def test_a_mirrored_video_is_refused(how, tmp_path):
    """By its angle alone it would be upside down."""
    path = made_up_videos.write(tmp_path / "v.mp4")
    made_up_videos.turn(path, how)
    with pytest.raises(InputError, match="must not be mirrored"):
        probe(path)


def test_a_cut_off_video_is_read_as_far_as_it_goes(tmp_path, caplog):
    whole = made_up_videos.write(tmp_path / "v.mkv", range(200)).read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    video = probe(path)
    assert 20 < len(video) < 180
    numbers = [n for n, _ in read_frames(video)]
    assert numbers == list(range(len(numbers))) and len(numbers) >= len(video) - 2


def make_sound(path):
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44100)
        silence = np.zeros((1, 1024), np.float32)
        sound = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        sound.rate = 44100
        file.mux(stream.encode(sound))
        file.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "must be a file; it is a folder"),
        (lambda path: path.write_text("words"), "is no video that can be read"),
        (lambda path: path.write_bytes(b""), "is no video that can be read"),
        (make_sound, "holds no video, only sound"),
        (
            lambda path: path.write_bytes(
                made_up_videos.write(path.with_name("w.mp4")).read_bytes()[:900]
            ),
            "is no video that can be read",
        ),
    ],
)
def test_what_is_no_video_is_named(make, words, tmp_path):
    path = tmp_path / "v.mp4"
    make(path)
    with pytest.raises(InputError, match=words) as error:
        probe(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_the_library_that_is_missing_is_named(tmp_path, monkeypatch):
    path = made_up_videos.write(tmp_path / "v.mp4")

    def needed(module, by, extra):
        raise InputError(f"{by}: needs the package {module}; {extra} installs it")

    monkeypatch.setattr(decoding, "needed", needed)
    with pytest.raises(InputError, match="needs the package av; video installs it"):
        probe(path)
