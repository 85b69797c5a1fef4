"""Frames bear their own numbers, wherever reading begins, however they are stored."""

import av
import made_up_videos
import numpy as np
import pytest
from made_up_videos import number_of

from human_pose.files.errors import InputError
from human_pose.media.videos import probe, read_frames

GROUPS = "keyint=10:min-keyint=10:scenecut=0:bframes=3:b-adapt=0"
# Every tenth frame is a key frame, and no other.
TENTH = {"g": "10", "sc_threshold": "1000000000"}
STORED = {
    "plain": ("libx264", {"x264-params": GROUPS}),
    "leading frames": ("libx264", {"x264-params": f"{GROUPS}:open-gop=1"}),
    "refreshed bit by bit": ("libx264", {"x264-params": "keyint=10:intra-refresh=1"}),
    "mpeg4": ("mpeg4", {"bf": "2", **TENTH}),
    "mpeg2": ("mpeg2video", {"bf": "2", **TENTH}),
}


def numbers(video, chosen=None):
    return [(n, number_of(p)) for n, p in read_frames(video, chosen)]


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("ending", ["mp4", "avi", "mkv", "mts"])
def test_every_frame_is_the_same_wherever_reading_begins(ending, stored, tmp_path):
    """AVI has no times of presentation, and in MTS seeking ends anywhere."""
    codec, options = STORED[stored]
    path = made_up_videos.write(
        *(tmp_path / f"v.{ending}", range(30)), rate=25, codec=codec, options=options
    )
    video = probe(path)
    assert len(video) == 30 and video.fps == pytest.approx(25, rel=1e-3)
    np.testing.assert_allclose(np.diff(video.times_s), 1 / 25, atol=2e-3)
    assert numbers(video) == [(n, n) for n in range(30)]
    for first in (1, 7, 8, 9, 10, 11, 12, 19, 20, 29):
        part = range(first, min(first + 3, 30))
        assert numbers(video, slice(part.start, part.stop)) == [(n, n) for n in part]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mts"])
def test_what_comes_before_the_first_key_frame_is_missing(ending, tmp_path):
    """A decoder shows grey there."""
    path = made_up_videos.write(
        *(tmp_path / f"v.{ending}", range(30)),
        codec="mpeg4",
        options=TENTH,
        lost=range(3),
    )
    video = probe(path)
    assert len(video) == 27
    # The next key frame is the tenth of those written.
    assert numbers(video) == [(n, n + 3) for n in range(7, 27)]


def test_a_trimmed_video_begins_with_what_is_shown_and_is_whole(tmp_path, caplog):
    """Phones trim by an edit list."""
    codec, options = STORED["plain"]
    path = made_up_videos.write(
        tmp_path / "v.mp4", range(-5, 25), codec=codec, options=options
    )
    video = probe(path)
    assert len(video) == 25 and video.times_s[0] == 0
    assert numbers(video) == [(n, n + 5) for n in range(25)]
    assert not caplog.records


def test_recordings_one_behind_the_other_are_refused(tmp_path):
    """Their times begin anew, and frames would take the numbers of others."""
    path = tmp_path / "v.mts"
    one = made_up_videos.write(path, range(30), codec="mpeg2video").read_bytes()
    path.write_bytes(one + one)
    with pytest.raises(InputError, match="must not go back, as they do at frame 30 of"):
        probe(path)


def test_the_cover_of_an_album_is_no_video(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as file:
        sound = file.add_stream("aac", rate=44100)
        cover = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(made_up_videos.frame(1), format="rgb24")
        picture.pts = 0
        file.mux(cover.encode(picture))
        file.mux(cover.encode(None))
        silence = np.zeros((1, 1024), np.float32)
        heard = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        heard.rate = 44100
        file.mux(sound.encode(heard))
        file.mux(sound.encode(None))
    with pytest.raises(InputError, match="holds no video, only sound"):
        probe(path)
