"""Human3.6M's own archives: names, cameras, crops; what is damaged is listed."""

import io
import os
import shutil

import made_up_h36m as made_up
import made_up_videos
import numpy as np
import pytest
from PIL import Image

from human_pose.datasets.h36m.cdf import read_cdf
from human_pose.datasets.h36m.clips import clips_in, ranges_of
from human_pose.datasets.h36m.metadata import read_metadata
from human_pose.datasets.h36m.video_source import video_source
from human_pose.datasets.images.variants import Variant
from human_pose.datasets.shards.plan import Piece
from human_pose.datasets.shards.writing import Bad, Good
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import JOINTS_16_OF_32

FRAMES = 3
CLIPS = 15 * 2 * 4


@pytest.fixture(scope="module")
def _archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    return made_up.write_archives(folder, frames=FRAMES)


@pytest.fixture
def archives(_archives, tmp_path):
    """Archives of the test's own; files are links, to be replaced."""
    folder = tmp_path / "archives"
    shutil.copytree(_archives, folder, copy_function=os.link)
    return folder


def open_source(folder, **options):
    return video_source(folder, partial_set=True, **options)


def samples(source, clip):
    """The samples of a part's clip, by its place among them."""
    return [*source.make(source.parts["train"][clip])]


def files_of(folder, name="Directions.54138969", subject=1):
    root = folder / f"S{subject}"
    return (
        root / "Videos" / f"{name}.mp4",
        root / "MyPoseFeatures" / "D2_Positions" / f"{name}.cdf",
        root / "MyPoseFeatures" / "D3_Positions_mono" / f"{name}.cdf",
    )


def test_cameras_are_those_of_the_numbers(_archives):
    camera = read_metadata(_archives / "metadata.xml").camera(5, 2)
    place = (made_up.CENTRE_MM[0] + 400, *made_up.CENTRE_MM[1:])
    np.testing.assert_allclose(camera.position_mm, place, atol=1e-9)
    # R = Rx Ry Rz, written out for the axis that all but the first leave alone.
    x, y, z = made_up.ANGLES[0] + 0.2, *made_up.ANGLES[1:]
    first = (np.cos(y) * np.cos(z), -np.cos(y) * np.sin(z), np.sin(y))
    np.testing.assert_allclose(camera.rotation[0], first, atol=1e-12)
    last = np.array([-np.sin(x), np.cos(x)]) * np.cos(y)
    np.testing.assert_allclose(camera.rotation[1:, 2], last, atol=1e-12)
    np.testing.assert_allclose(camera.intrinsics_px, (1147, 1143, 512.5, 515.5))
    k1, k2, k3, p1, p2 = made_up.LENS[4:]
    assert camera.distortion == (k1, k2, p1, p2, k3)


def test_takes_are_numbered_through(_archives):
    metadata = read_metadata(_archives / "metadata.xml")
    assert metadata.takes[9, 3, 2] == "Greeting 1"
    clips = clips_in(_archives, metadata, {9, 1})
    assert [clip.frames for clip in clips] == [FRAMES] * 2 * CLIPS
    assert [clip.first for clip in clips] == [*range(0, 2 * CLIPS * FRAMES, FRAMES)]
    assert [clip.video_name for clip in clips[3:6]] == [
        "S1 Directions.60457274",
        "S1 Directions 1.54138969",
        "S1 Directions 1.55011271",
    ]
    ranges = ranges_of(clips)
    assert (ranges[0].first, ranges[0].last) == (0, 8 * FRAMES - 1)
    assert (ranges[-1].name, ranges[-1].last) == (
        "S9_WalkingTogether",
        2 * CLIPS * FRAMES - 1,
    )


def test_samples_are_cut_out_of_frames(archives):
    source = open_source(archives, encoding="png")
    found = samples(source, 5)
    assert [item.index for item in found] == [15, 16, 17]
    # The video has four frames, the joints three: the shorter counts.
    for number, item in enumerate(found):
        sample = item.sample
        assert (sample["subject"], sample["action"]) == (1, 0)
        x1, y1, x2, _ = sample["box"]
        joints_px = made_up.joints_2d_px(FRAMES)[number]
        extent = np.ptp(joints_px, axis=0).max()
        assert x2 - x1 == np.rint(1.16 * extent)
        np.testing.assert_allclose(
            sample["joints_2d_px"],
            ((joints_px - [x1, y1]) * 224 / (x2 - x1))[list(JOINTS_16_OF_32)],
            atol=1e-3,
        )
        np.testing.assert_allclose(
            sample["joints_3d_mm"],
            made_up.joints_3d_mm(FRAMES)[number][list(JOINTS_16_OF_32)],
            rtol=1e-6,
        )
        pixels = np.asarray(Image.open(io.BytesIO(sample["image"])))
        assert pixels.shape == (224, 224, 3)
        # The frame says its number by its grey, in the middle of the picture, too.
        grey = pixels[100:124, 100:124].mean()
        assert round(float(grey) / made_up_videos.STEP) == number


def test_joints_of_the_world_are_seen_by_the_camera(archives):
    source = open_source(archives)
    clip = source.parts["train"][0].place
    _, _, path = files_of(archives)
    camera_frame = read_cdf(path, 3)
    world = (camera_frame - clip.camera.translation_mm) @ clip.camera.rotation
    path.unlink()
    folder = archives / "S1" / "MyPoseFeatures" / "D3_Positions"
    made_up.write_cdf(folder / "Directions.cdf", world)
    np.testing.assert_allclose(clip.joints_3d_mm(archives), camera_frame, atol=1e-2)


def test_damaged_takes_are_left_out(_archives):
    counts = {
        sound: {part: sum(map(len, pieces)) for part, pieces in parts.items()}
        for sound in (False, True)
        for parts in [open_source(_archives, variant=Variant(sound=sound)).parts]
    }
    whole = CLIPS * FRAMES
    assert counts[False] == {"train": whole, "test": whole}
    assert counts[True] == {"train": whole, "test": whole - 3 * 4 * FRAMES}


@pytest.mark.parametrize("every", [2, 5, 64])
def test_every_so_many_by_index(_archives, every):
    source = open_source(_archives, variant=Variant(every=every))
    indices = [i for piece in source.parts["train"] for i in piece.indices]
    assert indices == [*range(0, CLIPS * FRAMES, every)]
    piece = source.parts["train"][-1]
    assert [item.index for item in source.make(piece)] == [*piece.indices]


def test_missing_subjects_are_named(_archives):
    with pytest.raises(InputError, match="lacks S5, S6, S7, S8, S11 of 7 subjects"):
        video_source(_archives)
    with pytest.raises(InputError, match="published is two literal index ranges"):
        open_source(_archives, variant=Variant("published"))


def test_files_whose_changes_are_noticed(archives):
    source = open_source(archives)
    first, second = ([*source.files(source.parts["train"][n])] for n in (0, 1))
    assert {archives / "metadata.xml", *files_of(archives)} <= {*first}
    assert not {*files_of(archives)} & {*second}


def test_better_joints_are_noticed_whatever_their_time(archives):
    """Unpacked later, they bear the time of the archive, before that of any shard."""
    before = open_source(archives).source
    *_, path = files_of(archives)
    better = path.rename(path.with_suffix(".kept"))
    universal = path.parent.with_name("D3_Positions_mono_universal") / path.name
    made_up.write_cdf(universal, 2 * read_cdf(better, 3))
    assert open_source(archives).source != before
    better.rename(path)
    assert open_source(archives).source == before


def test_a_truncated_video_is_listed(archives):
    video, *_ = files_of(archives)
    content = video.read_bytes()
    video.unlink()
    video.write_bytes(content[: len(content) // 2])
    found = samples(open_source(archives), 0)
    assert [type(item) for item in found] == [Bad] * FRAMES
    assert found[0].reason.startswith("S1/Videos/Directions.54138969.mp4: ")
    assert isinstance(samples(open_source(archives), 1)[0], Good)


def test_frames_that_a_video_lacks_are_listed(archives):
    source = open_source(archives)
    video, *_ = files_of(archives)
    video.unlink()
    made_up_videos.write(video, range(2), size=made_up.SIZE)
    found = samples(source, 0)
    assert [type(item) for item in found] == [Good, Good, Bad]
    assert found[2].index == 2
    assert "missing or damaged in the video" in found[2].reason


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("joints", r"Pose must have shape \[1, F, 64\], 32 joints of 2 numbers; rec"),
        ("cut", "is no readable .cdf file"),
        ("gone", "no such file"),
        ("not finite", "Pose must be finite numbers"),
        ("one point", "the joints' box must have a side from 1 to 384 px; it has 0"),
        ("far", "the joints' box must show some of the 96 x 80 px frame"),
    ],
)
def test_joints_that_cannot_be_used_are_listed(archives, damage, reason):
    _, path, _ = files_of(archives)
    content = path.read_bytes()
    path.unlink()
    joints = made_up.joints_2d_px(FRAMES)
    if damage == "joints":
        made_up.write_cdf(path, made_up.joints_2d_px(FRAMES, 17))
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    if damage == "not finite":
        made_up.write_cdf(path, np.where(joints > 60, np.nan, joints))
    if damage == "one point":
        made_up.write_cdf(path, np.zeros_like(joints))
    if damage == "far":
        made_up.write_cdf(path, joints + 1000)
    found = samples(open_source(archives), 0)
    assert [type(item) for item in found] == [Bad] * FRAMES
    with pytest.raises(InputError, match=reason):
        raise InputError(found[0].reason)


def test_a_take_of_which_nothing_can_be_read_has_no_length(archives):
    for path in files_of(archives):
        path.unlink()
    with pytest.raises(InputError, match=r"Directions.54138969.mp4: no such file"):
        open_source(archives)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-20], "is no metadata.xml of Human3.6M"),
        (lambda text: "<metadata/>", "is no metadata.xml of Human3.6M"),
        (lambda text: text.replace("</w0>", "").replace("]", "] 5</w0>"), "metadata"),
        (lambda text: text.replace("[", "[7 "), "w0 must be 300 finite numbers"),
    ],
)
def test_another_metadata_file_is_refused(archives, change, message):
    path = archives / "metadata.xml"
    text = path.read_text()
    path.unlink()
    path.write_text(change(text))
    with pytest.raises(InputError, match=message):
        read_metadata(path)


def test_pieces_can_begin_in_the_middle(archives):
    source = open_source(archives, encoding="png")
    whole = samples(source, 0)
    place = source.parts["train"][0].place
    (last,) = source.make(Piece(place, range(2, 3)))
    assert last.sample["image"] == whole[2].sample["image"]
