"""`Sample.py` on many pictures and on videos: named, skipped, counted, none lost."""

import json

import numpy as np
import pytest
from absl import flags
from PIL import Image

from human_pose.commands import flags as settings


def make(path, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(pixels).save(path, **options)


def poses(tmp_path, name="out/poses.npz"):
    with np.load(tmp_path / name) as arrays:
        return dict(arrays)


def test_pictures_of_every_kind_in_one_call(run, tmp_path, capsys):
    """Names that repeat, bad pictures, and a second call with other pictures."""
    for number, folder in enumerate(("cam1", "cam2", "cam2/deeper")):
        make(tmp_path / folder / "0001.png", number)
    make(tmp_path / "a,b.jpg", 3, quality=95)
    exif = Image.Exif()
    exif[274] = 6
    make(tmp_path / "side.jpg", 3, quality=95, exif=exif)
    (tmp_path / "cam1" / "bad.png").write_bytes(b"nothing")
    (tmp_path / "cam1" / "notes.txt").write_text("x")
    (tmp_path / "cam1" / ".hidden.png").write_bytes(b"nothing")
    words = ("--image=cam1,cam2", "--image=a,b.jpg", "--image=*.jpg", "--image=no.png")
    assert run(*words, "--draw=0") == 0
    printed = capsys.readouterr()
    assert "found    5 poses in 7 pictures\nskipped  2, named above" in printed.out
    assert "1 files, no pictures by name: notes.txt" in printed.out
    assert "skipped  no.png not found; looked for" in printed.err
    assert "cam1/bad.png: is no PNG" in printed.err
    found = poses(tmp_path)
    assert [name[:9] for name in found["names"]] == [
        "0001", "0001_cam2", "0001_deep", "a,b", "side"
    ]  # fmt: skip
    assert found["files"].tolist()[0] == str(tmp_path / "cam1" / "0001.png")
    assert found["boxes"][0].tolist() == [0, -8, 64, 56]
    assert found["boxes"][4].tolist() == [-8, 0, 56, 64]  # upright
    np.testing.assert_allclose(
        found["joints_3d_mm"] - found["joints_3d_mm"][:, :1], found["relative_mm"]
    )
    tables = {path.stem for path in (tmp_path / "out").glob("*.csv")}
    assert tables == set(found["names"])
    # The same again replaces its own; other pictures of a name that is there do not.
    assert run(*words, "--draw=0") == 0
    again = poses(tmp_path)
    assert again["names"].tolist() == found["names"].tolist()
    make(tmp_path / "new" / "side.png", 9)
    make(tmp_path / "new" / "other.png", 9)
    before = (tmp_path / "out" / "side.csv").read_bytes()
    assert run("--image=new", "--draw=0") == 0
    assert (tmp_path / "out" / "side.csv").read_bytes() == before
    (other,) = (tmp_path / "out").glob("poses_*.npz")
    assert poses(tmp_path, f"out/{other.name}")["names"][1].startswith("side_new_")
    assert poses(tmp_path)["names"].tolist() == found["names"].tolist()


def test_one_picture_of_many_is_found_as_alone(run, tmp_path):
    for number in range(3):
        make(tmp_path / "set" / f"{number}.png", number)
    assert run("--image=set") == 0
    many = (tmp_path / "out" / "1.csv").read_text().splitlines()
    assert (tmp_path / "out" / "1.png").read_bytes()[:4] == b"\x89PNG"  # few are drawn
    assert run("--image=set/1.png", "--noshow") == 0  # replaces its own
    alone = (tmp_path / "out" / "1.csv").read_text().splitlines()
    for line, expected in zip(many[1:], alone[1:], strict=True):
        np.testing.assert_allclose(
            [float(x) for x in line.split(",")[1:]],
            [float(x) for x in expected.split(",")[1:]],
            atol=0.02,
        )


def test_an_old_drawing_does_not_stay_beside_new_joints(run, tmp_path):
    for number in range(2):
        make(tmp_path / "set" / f"{number}.png", number)
    assert run("--image=set") == 0
    other = tmp_path / "out" / "mine.png"
    (tmp_path / "out" / "1.png").rename(other)
    make(tmp_path / "out" / "1.png", 7)  # somebody's own
    assert run("--image=set", "--box=0,0,40,40", "--draw=0") == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [
        "1.png", "mine.png",
    ]  # fmt: skip


def test_boxes_are_those_of_the_names(run, tmp_path, capsys):
    for folder in ("cam1", "cam2", "cam3"):
        make(tmp_path / folder / "1.png")
    table = {"cam2/1.png": [4, 5, 40, 41], "cam1/1.png": [0.5, 0, 30, 30]}
    (tmp_path / "boxes.json").write_text(json.dumps(table))
    assert run("--image=cam1,cam2,cam3", "--box=boxes.json", "--draw=0") == 0
    assert poses(tmp_path)["boxes"].tolist() == [[0, 0, 30, 30], [4, 5, 40, 41]]
    assert "cam3/1.png: has no box in the table" in capsys.readouterr().err
    assert run("--image=cam1,cam2", "--box=0,0,0,9") == 1
    printed = capsys.readouterr().err.splitlines()
    said = "must have x1 < x2 and y1 < y2, at least 1 px apart"
    assert printed[0].endswith(f"1.png: box {said}; received (0.0, 0.0, 0.0, 9.0)")
    assert "none of the 2 pictures can be used; the first: " in printed[-1]


def test_frames_of_a_video(run, tmp_path, capsys):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        for number in range(6):
            pixels = np.full((48, 64, 3), 40 * number, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    assert run("--video=film.mp4", "--frames=2:5", "--draw=1") == 0
    assert "found    3 poses in 3 frames" in capsys.readouterr().out
    found = poses(tmp_path, "out/film/poses.npz")
    assert found["frames"].tolist() == [2, 3, 4]
    np.testing.assert_allclose(found["times_s"], [0.08, 0.12, 0.16])
    assert sorted(path.name for path in (tmp_path / "out" / "film").iterdir()) == [
        "000002.png", "000003.png", "000004.png", "poses.npz"
    ]  # fmt: skip
    assert run("--video=film.mp4", "--frames=9:") == 1
    assert "--frames must name some of the 6 frames" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image=set,", "--show"], "--show needs --image with one file"),
        (["--image=empty"], "empty: holds no pictures"),
        (["--image=set/*.tif"], r"set/*.tif: no file's name is like this"),
        (["--image=set", "--box=none.csv"], "none.csv not found"),
        (["--image=" + ",".join(["none.png"] * 60)], "none of the 60 pictures can be"),
        (["--video=none.mp4"], "none.mp4 not found"),
        (["--video=set/1.png", "--box=a.csv"], "--box must be four numbers with --vid"),
    ],
)
def test_mistakes_are_one_line(arguments, message, run, tmp_path, capsys):
    make(tmp_path / "set" / "1.png")
    (tmp_path / "empty").mkdir()
    assert run(*arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "flag", ["--image=", "--frames=3", "--frames=-1:", "--box=1,2,3", "--image=,"]
)
def test_flags_are_checked(flag, run):
    base = "--video=x" if flag.startswith("--frames") else "--image=x"
    with pytest.raises(flags.IllegalFlagValueError, match=f"{flag[2:4]}.*: must"):
        run(base, flag)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--frames=1:"], "--frames needs --video"),
        (["--image=x", "--frames=1:"], "--frames has no effect beside --image"),
        (["--image=x", "--video=x"], "--image has no effect beside --video"),
        (["--draw"], "--draw needs --image"),
        (["--out=x"], "--out needs --image"),
    ],
)
def test_flags_that_would_have_no_effect_are_refused(arguments, message):
    flag_values = flags.FlagValues()
    settings.define_sample_flags(flag_values)
    with pytest.raises(flags.IllegalFlagValueError, match=message):
        flag_values(["Sample.py", *arguments])


def test_links_to_one_picture_have_results_of_their_own(run, tmp_path):
    """They bore the name of what they lead to; the second replaced the first."""
    make(tmp_path / "cam" / "a.png")
    (tmp_path / "cam" / "b.png").symlink_to("a.png")
    boxes = {"a.png": [0, 0, 30, 30], "b.png": [20, 10, 60, 40]}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    assert run("--image=cam", "--box=boxes.json", "--draw=0") == 0
    found = poses(tmp_path)
    assert found["names"].tolist() == ["a", "b"]
    assert {path.name for path in (tmp_path / "out").glob("*.csv")} == {
        "a.csv",
        "b.csv",
    }
    assert (tmp_path / "out/a.csv").read_text() != (tmp_path / "out/b.csv").read_text()
