"""Drawn videos: a picture for each frame of the results, with the joints in place."""

import made_up_recording
import made_up_videos
import numpy as np
import pytest

from human_pose.capture.overlay import Shown, film, write_overlays
from human_pose.media.videos import probe, read_frames

SIZE = (510, 406)  # half of the cameras' pixels, cropped; odd when halved again


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    truth = made_up_recording.truth_mm(6)
    recording = made_up_recording.recording(truth)
    poses = made_up_recording.poses(recording, truth)
    video = probe(made_up_videos.write(folder / "v.mp4", range(9), size=SIZE))
    numbers = np.array([3, 3, 4, -1, 6, 8])
    shown = [Shown(video, numbers)] * 4
    files = write_overlays(folder, poses, recording, shown)
    return poses, recording, files


def test_each_frame_has_its_picture(drawn):
    poses, _, files = drawn
    assert [path.name for path in files] == [f"{v}.mp4" for v in poses.view_names]
    for path in files:
        video = probe(path)
        assert len(video) == len(poses)
        assert (video.width_px, video.height_px) == SIZE
        assert video.fps == pytest.approx(poses.fps, rel=1e-3)
    grey = [made_up_videos.number_of(picture) for _, picture in read_frames(video)]
    # Frame 3 of the results is of no frame of the video: it is black.
    assert grey == [3, 3, 4, 0, 6, 8]


def test_joints_are_drawn_where_they_were_seen(drawn):
    poses, recording, files = drawn
    pictures = [picture for _, picture in read_frames(probe(files[0]))]
    inside = 0
    for f, picture in enumerate(pictures):
        for j, place in enumerate(recording.joints_2d_px[f, 0, 0]):
            x, y = np.rint(place).astype(int)
            if not (40 < x < SIZE[0] - 40 and 40 < y < SIZE[1] - 40):
                continue
            inside += 1
            dot = picture[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(axis=0)
            # The frames' own grey is below 70.
            assert dot.max() > 130, (f, poses.skeleton.names[j])
    assert inside > 5


def test_the_viewer_is_told_where_they_are(drawn, tmp_path):
    video = probe(made_up_videos.write(tmp_path / "a b.mp4", range(2)))
    assert film("a b", video) == ("videos/a b.mp4", (64, 48))
