"""`Sample.py` with boxes that a detector finds: the same as given ones, none lost."""

import csv
from contextlib import contextmanager

import made_up_networks
import made_up_videos
import numpy as np
import pytest
from absl import flags
from PIL import Image

from human_pose.capture.config import DetectorConfig
from human_pose.capture.detectors import environment
from human_pose.capture.detectors.boxes import boxed
from human_pose.capture.detectors.protocol import Found
from human_pose.commands import flags as settings
from human_pose.commands import found_boxes
from human_pose.datasets.rendered import Recipe, generate
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import COCO_17
from human_pose.media.pictures import read_picture

SAID = "made-up 1.0"


class MadeUp:
    """Finds whoever is red; the more pictures of a video went before, the farther up.

    Attributes:
      starts: how often it was started.
      shown: the pictures of each video.
    """

    name, version, skeleton, parallel = "made-up", "1.0", COCO_17, 1

    def __init__(self):
        self.starts = 0
        self.shown = []
        self.fails_at = None

    @contextmanager
    def started(self):
        self.starts += 1
        yield self.detect

    def detect(self, pictures):
        video = []
        self.shown.append(video)
        for before, picture in enumerate(pictures):
            video.append(picture)
            if sum(map(len, self.shown)) == self.fails_at:
                raise InputError("detector: made-up's process ended; it fell over")
            red = (picture[..., 0] > 180) & (picture[..., 1:] < 60).all(axis=-1)
            y, x = np.nonzero(red)
            joints = np.full((17, 2), np.nan)
            if len(x):
                joints[:2] = (x.min(), y.min() - before), (x.max(), y.max() - before)
            sure = np.where(np.isfinite(joints[:, 0]), 0.9, 0.0)
            joints[2], sure[2] = (0, 0), 0.4  # not sure enough to count
            yield Found(joints[None], sure[None])


@pytest.fixture
def detector(monkeypatch):
    made_up = MadeUp()
    monkeypatch.setattr(found_boxes, "find_detector", lambda config: made_up)
    return made_up


def scene(red=(10, 12, 29, 41), width=64, height=48):
    """Grey in which somebody red stands, from x1, y1 to x2, y2; or nobody."""
    pixels = np.full((height, width, 3), 120, np.uint8)
    pixels[::3] = 100
    if red is not None:
        x1, y1, x2, y2 = red
        pixels[y1 : y2 + 1, x1 : x2 + 1] = 230, 0, 10
    return pixels


def make(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)


def square(x1, y1, x2, y2):
    """The box about joints at two corners, as it is cut out."""
    side = 1.21 * max(x2 - x1, y2 - y1)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    ends = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    return [*np.floor(ends[:2]), *np.ceil(ends[2:])]


def poses(tmp_path, name="out/poses.npz"):
    with np.load(tmp_path / name) as arrays:
        return dict(arrays)


def test_whoever_is_in_a_picture_is_found_by_it_alone(run, detector, tmp_path, capsys):
    """In pictures of any sizes; whoever is not found loses none of the others."""
    people = {
        "set/1.png": (10, 12, 29, 41),
        "set/2.png": (0, 3, 20, 13),
        "set/3.png": None,
        "set/4.png": (40, 20, 63, 47),
    }
    for name, red in people.items():
        make(tmp_path / name, scene(red))
    make(tmp_path / "set/5.png", scene((70, 10, 90, 60), 100, 80))
    (tmp_path / "set/6.png").write_bytes(b"nothing")
    assert run("--image=set", "--detector=blazepose", "--draw=0") == 0
    printed = capsys.readouterr()
    assert "found    4 poses in 6 pictures\nskipped  2, named above\n" in printed.out
    assert f"\nboxes    found by {SAID}\n" in printed.out
    assert "people" not in printed.out
    assert "set/3.png: nobody was found in it" in printed.err
    assert "set/6.png: is no PNG" in printed.err
    found = poses(tmp_path)
    assert found["names"].tolist() == ["1", "2", "4", "5"]
    assert str(found["boxes_found_by"]) == SAID
    expected = [square(*red) for red in people.values() if red]
    assert found["boxes"].tolist() == [*expected, square(70, 10, 90, 60)]
    # One process for all; each picture a video of its own.
    assert detector.starts == 1
    assert [len(video) for video in detector.shown] == [1] * 5
    # Alone, and in another order, the same.
    assert run("--image=set/5.png,set/2.png", "--detector=blazepose", "--draw=0") == 0
    (other,) = (tmp_path / "out").glob("poses_*.npz")
    again = poses(tmp_path, f"out/{other.name}")
    assert again["boxes"].tolist() == [found["boxes"][n].tolist() for n in (3, 1)]
    assert np.abs(again["joints_2d_px"] - found["joints_2d_px"][[3, 1]]).max() < 0.01


KINDS = {
    "turned.jpg": lambda rgb: (rgb, {"quality": 95, "exif": turned()}),
    "palette.gif": lambda rgb: (rgb.quantize(16), {}),
    "printed.tif": lambda rgb: (rgb.convert("CMYK"), {}),
    "deep.png": lambda rgb: (deep(rgb), {}),
    "clear.webp": lambda rgb: (clear(rgb), {"lossless": True}),
}


def turned():
    exif = Image.Exif()
    exif[274] = 6
    return exif


def deep(rgb):
    return Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 257)


def clear(rgb):
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, 50:] = 0
    rgba = rgb.convert("RGBA")
    rgba.putalpha(Image.fromarray(alpha))
    return rgba


@pytest.mark.parametrize("name", KINDS)
def test_detectors_see_what_the_network_sees(name, run, detector, tmp_path, capsys):
    picture, options = KINDS[name](Image.fromarray(scene()))
    make(tmp_path / name, picture, **options)
    upright = read_picture(tmp_path / name)
    run(f"--image={name}", "--detector=blazepose", "--draw=0")
    ((seen,),) = detector.shown
    np.testing.assert_array_equal(seen, upright)
    assert seen.dtype == np.uint8 and seen.shape[2] == 3
    if name == "deep.png":  # without colour nobody is red
        assert "none of the 1 pictures can be used" in capsys.readouterr().err
        return
    (box,) = poses(tmp_path)["boxes"]
    x1, y1, x2, y2 = (10, 12, 29, 41)
    corners = (48 - y2, x1, 47 - y1, x2) if name == "turned.jpg" else (x1, y1, x2, y2)
    # The JPEG's edges are blurred by some pixels.
    np.testing.assert_allclose(box, square(*corners), atol=3)


def test_a_box_that_is_found_and_then_given_is_the_same(
    run, detector, tmp_path, capsys
):
    make(tmp_path / "a.png", scene())
    assert run("--image=a.png", "--detector=blazepose", "--noshow") == 0
    printed = capsys.readouterr().out
    (line,) = [line for line in printed.splitlines() if line.startswith("box ")]
    box, by = line.removeprefix("box").strip().split(", ", 1)
    assert by == f"found by {SAID}"
    assert [float(x) for x in box.split(",")] == square(10, 12, 29, 41)
    found = (tmp_path / "out" / "a.csv").read_bytes()
    assert run("--image=a.png", f"--box={box}", "--noshow") == 0
    assert (tmp_path / "out" / "a.csv").read_bytes() == found
    assert "found by" not in capsys.readouterr().out
    assert run("--image=a.png", "--noshow") == 0
    assert (tmp_path / "out" / "a.csv").read_bytes() != found  # of the whole picture
    # Of many, by a table made of what was found.
    make(tmp_path / "b.png", scene((30, 5, 60, 25)))
    assert run("--image=a.png,b.png", "--detector=blazepose") == 0
    found = poses(tmp_path)
    with (tmp_path / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", "x1", "y1", "x2", "y2"])
        for name, box in zip("ab", found["boxes"].tolist(), strict=True):
            writer.writerow([f"{name}.png", *box])
    assert run("--image=a.png,b.png", "--box=boxes.csv", "--draw=0") == 0
    given = poses(tmp_path)
    assert set(found) - set(given) == {"boxes_found_by"}
    for key, values in given.items():
        np.testing.assert_array_equal(values, found[key])


def test_in_a_video_people_are_followed(run, detector, tmp_path, capsys, monkeypatch):
    made_up_videos.write(tmp_path / "film.mp4", range(6))
    frame = made_up_videos.frame
    monkeypatch.setattr(
        made_up_videos, "frame", lambda n, *size: frame(n, *size) * np.uint8(n != 2)
    )
    made_up_videos.write(tmp_path / "gap.mp4", range(6))
    assert run("--video=gap.mp4", "--frames=1:5", "--detector=blazepose") == 0
    printed = capsys.readouterr()
    assert "found    3 poses in 4 frames\nskipped  1, named above\n" in printed.out
    assert f"boxes    found by {SAID}" in printed.out
    assert "gap.mp4, frame 2: nobody was found in it" in printed.err
    found = poses(tmp_path, "out/gap/poses.npz")
    assert found["frames"].tolist() == [1, 3, 4]
    assert [len(video) for video in detector.shown] == [4]
    # The detector's answers follow from the frames before.
    tops = found["boxes"][:, 1]
    assert (np.diff(tops) < 0).all() and abs(tops[0] - tops[2] - 3) <= 1


def test_a_change_of_the_person_in_a_video_is_told():
    def detect(pictures):
        for _, ends in zip(pictures, ([(5, 25), (40, 60)], [(41, 61)]), strict=True):
            joints = [[(low, 5.0), (high, 30.0)] for low, high in ends]
            yield Found(np.array(joints), np.ones((len(ends), 2)))

    finder = found_boxes.Finder(MadeUp(), detect)
    boxes = [box for _, box in finder.in_video([scene(), scene()])]
    assert boxes[0][0] < 5 and boxes[1][0] > 30
    assert finder.told().splitlines() == [
        f"boxes    found by {SAID}",
        "people   several in 1 pictures; the detector's first was followed",
        "changes  1: nobody was where the person had been; the detector's first was "
        "taken",
    ]


def test_poses_that_were_found_stay_where_the_detector_fails(
    run, detector, tmp_path, capsys
):
    for number in range(60):
        make(tmp_path / "set" / f"{number}.png", scene())
    detector.fails_at = 55
    assert run("--image=set", "--detector=blazepose", "--draw=0") == 1
    said = "detector: made-up's process ended; it fell over"
    assert capsys.readouterr().err.splitlines()[-1].endswith(said)
    assert 16 <= len(poses(tmp_path)["names"]) < 55


def test_pictures_are_not_read_long_before_they_are_due(detector, tmp_path):
    for number in range(40):
        make(tmp_path / f"{number:02d}.png", scene())
    with found_boxes.started(DetectorConfig()) as finder:
        for number, _ in enumerate(finder.in_pictures(sorted(tmp_path.glob("*.png")))):
            assert len(detector.shown) <= number + 5


def test_no_more_pictures_of_a_video_are_held_than_the_detector_holds():
    made, alive = [], []

    class Picture(np.ndarray):
        def __del__(self):
            alive.remove(self.number)

    def pictures():
        for number in range(200):
            picture = scene().view(Picture)
            picture.number = number
            alive.append(number)
            made.append(number)
            yield picture
            del picture
            assert len(alive) <= 3

    def detect(given):
        for _ in given:
            yield Found(np.full((1, 17, 2), 5.0), np.ones((1, 17)))

    assert sum(each.people for each in boxed(detect, pictures())) == len(made) == 200


def test_of_several_people_the_detectors_first_is_taken(run, tmp_path, capsys):
    """RTMPose by its files, with made-up networks."""
    boxes = [[5, 5, 25, 40], [35, 5, 60, 45]]
    made_up_networks.sorted_out(tmp_path / "yolox.onnx", boxes, [0, 0])
    made_up_networks.rtmpose(tmp_path / "net.onnx")
    pixels = np.zeros((128, 128, 3), np.uint8)
    for x, y, channel in ((20, 20, 0), (40, 70, 1), (80, 20, 0), (110, 80, 1)):
        pixels[y - 2 : y + 3, x - 2 : x + 3, channel] = 240
    pixels[:4, :4, 2] = 255  # there is somebody
    make(tmp_path / "two.png", pixels)
    detector = ("--detector=rtmpose", "--detector_files=yolox.onnx,net.onnx")
    assert run("--image=two.png", *detector, "--noshow") == 0
    printed = capsys.readouterr().out
    assert "\npeople   several; the detector's first was taken\n" in printed
    assert ", found by rtmpose " in printed and ", found by yolox " in printed
    assert run("--image=two.png", *detector, "--draw=0") == 0
    printed = capsys.readouterr().out
    assert "people   several in 1 pictures; the detector's first was tak" in printed
    np.testing.assert_allclose(
        poses(tmp_path)["boxes"][0], square(20, 20, 40, 70), atol=3
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--detector=blazepose", "--box=1,2,3,4"], "--box and --detector exclude"),
        (["--detector=blazepose", "--box=a.csv"], "--box and --detector exclude"),
        (
            ["--detector=rtmpose"],
            "--detector_files must name RTMPose's .onnx file, after YOLOX's if people "
            "are found",
        ),
        (["--detector=rtmpose", "--detector_files=no.onnx"], "no.onnx not found"),
        (["--detector_files=a.png"], "--detector_files needs --detector=rtmpose"),
        (
            ["--detector=blazepose", "--detector_files=a.png"],
            "--detector_files needs --detector=rtmpose",
        ),
        (["--detector=blazepose"], "detector: blazepose needs an environment of its"),
    ],
)
@pytest.mark.parametrize("draw", ["--noshow", "--draw=0"])  # one picture, or many
def test_mistakes_are_one_line(
    arguments, message, draw, run, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(environment, "FOLDER", tmp_path / "none")
    make(tmp_path / "a.png", scene())
    (tmp_path / "a.csv").write_text("picture,x1,y1,x2,y2\na.png,0,0,9,9\n")
    assert run("--image=a.png", draw, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line and "received ''" not in line
    assert not (tmp_path / "out").exists()


def test_one_picture_of_nobody_is_named(run, detector, tmp_path, capsys):
    make(tmp_path / "a.png", scene(None))
    assert run("--image=a.png", "--detector=blazepose", "--noshow") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("a.png: nobody was found in it")


def test_frames_of_a_pose_file_need_no_detector():
    flag_values = flags.FlagValues()
    settings.define_sample_flags(flag_values)
    with pytest.raises(flags.IllegalFlagValueError, match="--detector needs --image"):
        flag_values(["Sample.py", "--detector=blazepose"])


@pytest.mark.large
def test_blazepose_finds_rendered_people(run, tmp_path, capsys):
    if not environment.is_made():
        pytest.skip("needs ./set.sh detector")
    generate(tmp_path / "set", Recipe(count=105), processes=1)
    names = sorted((tmp_path / "set" / "images").iterdir())[:16]
    images = [f"--image={name}" for name in names]
    assert run(*images, "--detector=blazepose", "--draw=0") == 0
    assert "boxes    found by blazepose mediapipe" in capsys.readouterr().out
    found = poses(tmp_path)
    assert len(found["names"]) > 10
    # Everybody fills the 224 px of such a picture.
    side = np.median(found["boxes"][:, 2:] - found["boxes"][:, :2])
    assert 170 < side < 260
