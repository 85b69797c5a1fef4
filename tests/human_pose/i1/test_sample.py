"""A picture to a pose: the crop of test time, boxes, and bad input."""

import csv
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from matplotlib.figure import Figure

from human_pose import Sample
from human_pose.commands import flags as settings
from human_pose.commands import shell
from human_pose.datasets.images import open_dataset
from human_pose.files.errors import InputError
from human_pose.i1 import build_network, codec, readout, sample
from human_pose.i1.evaluation import pictures as drawn
from human_pose.i1.evaluation import run as evaluation
from human_pose.i1.input import picture as picture_input
from human_pose.i1.input.picture import cut_out, network_inputs, square_about, whole_box
from human_pose.i1.network import checkpoint
from human_pose.i1.network.checkpoint import save_network
from human_pose.media import pictures
from human_pose.media.pictures import read_picture

SIZE, DEPTH_BINS = 64, 4


def crop(picture, box, size):
    return network_inputs([cut_out(picture, box)], size)[0]


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    made = build_network(
        DEPTH_BINS, input_size=SIZE, preset="tiny", batch_norm="moving"
    )
    # Fresh heatmaps are nearly even; these are not.
    last = made.get_layer(f"conv_5_d{DEPTH_BINS}")
    kernel, bias = last.get_weights()
    image = np.random.default_rng(0).uniform(-0.5, 0.5, (1, SIZE, SIZE, 3))
    gain = 0.2 / np.std(made(image)["heatmap2"])
    last.set_weights([gain * kernel, bias])
    return made


def test_finds_what_the_evaluation_finds(root, network):
    """A stored 224 px picture is its own box: the batch of test time."""
    batch = evaluation.sample(open_dataset(root, part="test"), 10, SIZE)
    outputs = network(batch["image"])
    position = readout.positions(outputs["heatmap2"], DEPTH_BINS, "integral")
    found = sample.find_pose(network, root / "images" / "10.png")
    np.testing.assert_allclose(found.image, batch["image"][0], atol=1e-6)
    np.testing.assert_allclose(found.joints_2d, position[0, :, :2], atol=1e-5)
    assert np.ptp(found.joints_2d) > 0.02
    # 224 px show 1.8 m, 5 m away.
    z_mm = codec.decode_depth(position[..., 2], [5000.0])[0]
    np.testing.assert_allclose(found.joints_3d_mm[:, 2], z_mm, rtol=1e-5)
    px = (position[0, :, :2] * 256 - 28.5) * 1.12
    np.testing.assert_allclose(found.joints_2d_px, px, atol=1e-3)
    expected = (px - 112) / (224 * 5000 / 1800) * z_mm[:, None]
    np.testing.assert_allclose(found.joints_3d_mm[:, :2], expected, rtol=1e-3, atol=0.1)


def test_a_box_in_a_larger_picture_sees_the_same(root, network, tmp_path):
    picture = read_picture(root / "images" / "10.png")
    larger = np.zeros((400, 500, 3), np.uint8)
    larger[60:284, 90:314] = picture
    path = tmp_path / "larger.png"
    path.write_bytes(tf.io.encode_png(larger).numpy())
    whole = sample.find_pose(network, root / "images" / "10.png")
    found = sample.find_pose(network, path, box=(90.0, 60.0, 314.0, 284.0))
    np.testing.assert_array_equal(found.image, whole.image)
    np.testing.assert_allclose(
        found.joints_2d_px, whole.joints_2d_px + np.array([90, 60]), atol=1e-3
    )


def test_joints_of_a_larger_box_are_of_the_middles_of_pixels(root, network):
    """Pixel u of the 224 px picture has its middle at 5 u + 2 of the enlarged one."""
    picture = read_picture(root / "images" / "10.png")
    enlarged = picture.repeat(5, axis=0).repeat(5, axis=1)
    camera = (1400.0, 1400.0, 500.0, 600.0)
    found = sample.find_pose(network, enlarged, camera=camera, root_depth_mm=4000.0)
    px = (found.joints_2d * 256 - 28.5) * 1.12
    np.testing.assert_allclose(found.joints_2d_px, 5 * px + 2, atol=1e-3)
    again = found.joints_3d_mm[:, :2] / found.joints_3d_mm[:, 2:] * camera[:2]
    np.testing.assert_allclose(again + camera[2:], found.joints_2d_px, atol=1e-2)


def test_the_box_of_joints_says_where_the_pixels_are():
    """The mean place of a spot of light, in the picture and in what is cut out."""
    picture = np.zeros((900, 700, 3), np.uint8)
    picture[401:420, 301:312] = 255
    box = (-30, 10, 690, 882)
    levels = cut_out(picture, box).numpy()[..., 0].astype(float)
    place = np.arange(224)
    u = np.array([levels.sum(axis) @ place for axis in (0, 1)]) / levels.sum()
    x1, y1, x2, y2 = picture_input.joints_box(box)
    found = np.array([x1, y1]) + u * np.array([x2 - x1, y2 - y1]) / 224
    np.testing.assert_allclose(found, [306.0, 410.0], atol=0.1)


def test_a_cut_out_person_has_the_proportions_that_the_whole_frame_gives(
    root, network, tmp_path
):
    picture = read_picture(root / "images" / "10.png")
    frame = np.zeros((400, 500, 3), np.uint8)
    frame[88:312, 138:362] = picture  # in the middle: seen from the same direction
    path = tmp_path / "frame.png"
    path.write_bytes(tf.io.encode_png(frame).numpy())
    whole = sample.find_pose(network, root / "images" / "10.png")
    found = sample.find_pose(network, path, box=(138.0, 88.0, 362.0, 312.0))
    np.testing.assert_allclose(found.relative_mm, whole.relative_mm, atol=0.01)


def test_the_given_camera_and_depth_count(root, network):
    camera = (300.0, 320.0, 100.0, 120.0)
    found = sample.find_pose(
        network, root / "images" / "10.png", camera=camera, root_depth_mm=4000.0
    )
    assert (found.camera, found.root_depth_mm) == (camera, 4000.0)
    again = found.joints_3d_mm[:, :2] / found.joints_3d_mm[:, 2:] * camera[:2]
    np.testing.assert_allclose(again + camera[2:], found.joints_2d_px, atol=1e-3)


def test_pads_a_picture_that_is_not_square(root, network):
    picture = read_picture(root / "images" / "10.png")
    box = square_about(100, 224)
    assert box == (-62.0, 0.0, 162.0, 224.0)
    image = crop(picture[:, :100], (-62, 0, 162, 224), SIZE)
    assert image.shape == (SIZE, SIZE, 3)
    np.testing.assert_allclose(image[20, 12], image[20, 9], atol=0.02)  # edge goes on


def test_refuses_a_network_of_a_size_that_crops_cannot_have():
    made = build_network(DEPTH_BINS, input_size=192, preset="tiny")
    picture = np.zeros((300, 200, 3), np.uint8)
    rule = "^input_size must be a divisor of 256, .*; received 192$"
    with pytest.raises(InputError, match=rule):
        sample.find_pose(made, picture)
    with pytest.raises(InputError, match=rule):
        next(sample.find_poses(made, [picture]))


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((10.0, 10.0, 10.0, 50.0), "box must have x1 < x2"),
        ((300.0, 10.0, 400.0, 50.0), "box must meet the picture of 224x224 px"),
        ((-1e13, 0.0, 1e13, 50.0), "box must not leave .* by more than 224 px"),
        ((0.0, 0.0, 10.0, 1e300), "box must not leave .* by more than 224 px"),
    ],
)
def test_refuses_a_box(root, network, box, message):
    with pytest.raises(InputError, match=message):
        sample.find_pose(network, root / "images" / "10.png", box=box)


def test_maps_joints_by_the_box_that_the_network_sees(root, network):
    """Fractions of a pixel change neither: both are of the whole pixels about."""
    path = root / "images" / "10.png"
    whole = sample.find_pose(network, path, box=(20.0, 10.0, 120.0, 90.0))
    found = sample.find_pose(network, path, box=(20.9, 10.9, 119.1, 89.1))
    np.testing.assert_array_equal(found.image, whole.image)
    np.testing.assert_array_equal(found.joints_2d_px, whole.joints_2d_px)
    np.testing.assert_array_equal(found.joints_3d_mm, whole.joints_3d_mm)


def test_resizes_one_axis_after_the_other_as_both_at_once(root, monkeypatch):
    """Both axes are independent: within the rounding to grey levels."""
    picture = read_picture(root / "images" / "10.png")
    box = (-40, -9, 300, 200)
    at_once = cut_out(picture, box).numpy().astype(int)
    monkeypatch.setattr(picture_input, "_MOST_AT_ONCE", 0)
    found = cut_out(picture, box).numpy().astype(int)
    assert np.abs(found - at_once).max() <= 1
    assert np.mean(found != at_once) < 1e-3


def test_a_long_picture_needs_little_memory():
    """Its square has 1.6e9 px, five gigabytes in single precision for each colour."""
    picture = np.full((2, 40_000, 3), 200, np.uint8)
    box = whole_box(square_about(40_000, 2), 40_000, 2)
    np.testing.assert_allclose(
        crop(picture, box, SIZE)[32, 32], (200 - 128) / 256, atol=1e-6
    )


def test_says_that_a_network_finds_no_finite_pose(root, network, request):
    good = network.get_weights()
    request.addfinalizer(lambda: network.set_weights(good))
    network.set_weights([np.full_like(w, np.nan) for w in good])
    message = r"^i1_tiny_d4 finds no finite pose in .*/images/10.png$"
    with pytest.raises(FloatingPointError, match=message):
        sample.find_pose(network, root / "images" / "10.png")
    many = sample.find_poses(network, [root / "images" / "10.png"])
    with pytest.raises(FloatingPointError, match=r"finite pose in picture 0$"):
        next(many)
    # The highest of no numbers would be a pose with all joints in the middle.
    with pytest.raises(FloatingPointError, match=message):
        sample.find_pose(network, root / "images" / "10.png", readout="argmax")


def same(found, expected, mm=1e-4):
    np.testing.assert_array_equal(found.image, expected.image)
    for name in ("heatmap", "heatmap2", "joints_2d", "joints_2d_px", "joints_3d_mm"):
        # Kernels for several pictures round otherwise than those for one.
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=1e-4, atol=mm
        )
    assert found.camera == expected.camera
    assert found.root_depth_mm == expected.root_depth_mm


def test_arrays_and_paths_of_any_kind_are_the_same_picture(root, network):
    path = root / "images" / "10.png"
    expected = sample.find_pose(network, path, readout="argmax")
    for picture in (str(path), read_picture(str(path))):
        same(sample.find_pose(network, picture, readout="argmax"), expected)


def test_many_pictures_have_the_poses_of_each(root, network):
    """Of several sizes, in batches of two and one; some is known of some."""
    paths = [root / "images" / f"{index}.png" for index in (9, 10, 11)]
    pictures = [paths[0], read_picture(paths[1])[:, 10:200], str(paths[2])]
    boxes = [None, (3.5, 9.0, 120.0, 200.0), (20.0, 10.0, 120.0, 90.0)]
    cameras = [(300.0, 320.0, 100.0, 120.0), None, None]
    depths_mm = [None, 4000.0, None]
    found = sample.find_poses(
        network,
        iter(pictures),
        boxes=boxes,
        cameras=cameras,
        root_depths_mm=depths_mm,
        batch_size=2,
    )
    for one, picture, box, camera, depth_mm in zip(
        found, pictures, boxes, cameras, depths_mm, strict=True
    ):
        expected = sample.find_pose(
            network, picture, box=box, camera=camera, root_depth_mm=depth_mm
        )
        same(one, expected)


def test_statistics_of_a_batch_are_those_of_the_pictures_in_it(root):
    network = build_network(4, input_size=SIZE, preset="tiny", seed=0)
    pictures = [root / "images" / f"{index}.png" for index in (9, 10)]
    alone = [sample.find_pose(network, picture) for picture in pictures]
    for one, expected in zip(
        sample.find_poses(network, pictures, batch_size=1), alone, strict=True
    ):
        same(one, expected, mm=0.01)  # statistics of few pixels amplify rounding
    together = list(sample.find_poses(network, pictures))
    assert np.abs(together[0].heatmap - alone[0].heatmap).max() > 1e-4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"readout": "mean"}, "^readout must be integral or argmax; received 'mean'$"),
        ({"batch_size": 0}, "^batch_size must be a whole number, at least 1"),
        ({"boxes": [None]}, "^boxes must hold one for each picture; .* picture 1$"),
        ({"cameras": [None]}, "^cameras must hold one for each picture; "),
        ({"boxes": [None] * 3}, "^boxes must hold one for each of 2 pictures; .* 3$"),
        ({"cameras": (9.0, 9.0, 4.0, 4.0)}, "^cameras must hold one for each of 2 pic"),
        ({"boxes": [None, (0, 0, 0, 9)]}, "^picture 1: box must have x1 < x2"),
        ({"cameras": [None, (1, 2, 3)]}, "^picture 1: camera must be four numbers"),
        ({"root_depths_mm": [None, 1.0]}, "^picture 1: root_depth_mm must be from 100"),
    ],
)
def test_says_which_of_many_pictures_it_refuses(network, options, message):
    picture = np.zeros((50, 40, 3), np.uint8)
    with pytest.raises(InputError, match=message):
        list(sample.find_poses(network, [picture, picture], **options))


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((9, 9, 3)), r"uint8 \[H, W, 3\], red first; received float64"),
        (np.zeros((9, 9), np.uint8), r"received uint8 \[9, 9\]$"),
        (np.zeros((9, 9, 4), np.uint8), r"received uint8 \[9, 9, 4\]$"),
        (np.zeros((0, 9, 3), np.uint8), r"must have pixels; it is \[0, 9, 3\]$"),
        (None, r"must be a file or uint8"),
    ],
)
def test_refuses_arrays_that_are_no_picture(network, picture, message):
    with pytest.raises(InputError, match=f"^picture .*{message}"):
        sample.find_pose(network, picture)


def test_reads_no_pipe_and_no_more_than_a_picture_has(network, tmp_path, monkeypatch):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match=r"pipe\.png: must be a file; it is a device"):
        sample.find_pose(network, pipe)
    monkeypatch.setattr(pictures, "MOST_BYTES", 100)
    (tmp_path / "large.png").write_bytes(bytes(101))
    with pytest.raises(InputError, match=r"large\.png: must have at most 100 bytes"):
        sample.find_pose(network, tmp_path / "large.png")


def test_a_bad_picture_loses_no_other(root, network, tmp_path):
    (tmp_path / "x.png").write_bytes(b"nothing")
    good = root / "images" / "10.png"
    pictures = [good, tmp_path / "x.png", good, tmp_path / "none.png", good, good]
    boxes = [None, None, (0, 0, 0, 9), None, None, (20.0, 10.0, 120.0, 90.0)]
    found = list(sample.try_poses(network, pictures, boxes, batch_size=2))
    errors = [str(one) for one in found if isinstance(one, InputError)]
    assert [type(one).__name__ for one in found] == [
        "Sample", "InputError", "InputError", "InputError", "Sample", "Sample"
    ]  # fmt: skip
    assert "x.png: is no PNG" in errors[0]
    assert errors[1].startswith("box must have")
    assert "none.png: no such file" in errors[2]
    same(found[4], sample.find_pose(network, good))
    assert found[5].box == (20, 10, 120, 90)


def run(*arguments):
    flag_values = flags.FlagValues()
    settings.define_sample_flags(flag_values)
    flag_values(["Sample.py", *map(str, arguments)])
    return shell.guarded(Sample.main, flag_values)


def test_the_command_prints_draws_and_writes(root, network, tmp_path, capsys):
    saved = tmp_path / "net.keras"
    save_network(network, saved)
    image = root / "images" / "10.png"
    code = run(
        f"--image={image}", f"--check_path={saved}", "--noshow",
        f"--results_dir={tmp_path}/out",
    )  # fmt: skip
    assert code == 0
    text = capsys.readouterr().out
    assert (
        "assumed  focal length 622 px, centre 112, 112 (--camera); "
        "hip at 5000 mm (--root_depth_mm)\n"
    ) in text
    assert (tmp_path / "out/sample/10.png").read_bytes()[:4] == b"\x89PNG"
    with (tmp_path / "out/sample/10.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = sample.find_pose(network, image)
    assert [row["joint"] for row in rows][:2] == ["Hips", "RightUpLeg"]
    np.testing.assert_allclose(
        [[float(row[f"{axis}_mm"]) for axis in "xyz"] for row in rows],
        found.relative_mm,
        atol=0.01,
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--camera=622,622,112,112"], "assumed  hip at 4998 mm (--root_depth_mm)\n"),
        (
            ["--root_depth_mm=4000"],
            "assumed  focal length 498 px, centre 112, 112 (--camera)\n",
        ),
        (["--root_depth_mm=4000", "--camera=622,622,112,112"], ""),
    ],
)
def test_the_command_says_what_it_assumed(
    root, network, tmp_path, capsys, arguments, line, monkeypatch
):
    """How files are read and pictures drawn is seen above, and takes longer."""
    (tmp_path / "net.keras").touch()
    small = Figure(figsize=(2, 1), dpi=100)
    monkeypatch.setattr(checkpoint, "load_network", lambda path: network)
    monkeypatch.setattr(drawn, "sample_figure", lambda *_: small)
    assert run(
        f"--image={root / 'images' / '10.png'}", f"--check_path={tmp_path}/net.keras",
        "--noshow", f"--results_dir={tmp_path}", *arguments,
    ) == 0  # fmt: skip
    lines = capsys.readouterr().out.splitlines(keepends=True)
    assert "".join(text for text in lines if text.startswith("assumed")) == line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--image=absent.png", "--check_path=x.keras"), "absent.png not found"),
        (("--image=absent.png",), "--image needs --check_path"),
    ],
)
def test_the_command_names_what_is_missing(arguments, message, capsys):
    assert run(*arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("image", "result"),
    [
        ("out/sample/x.png", "out/sample/x.png"),
        ("out/sample/x.csv", "out/sample/x.csv"),  # a picture with another's suffix
        ("out/../out/sample/x.png", "out/sample/x.png"),
        ("link/x.png", "out/sample/x.png"),
        ("x.png", "out/sample/x.png"),
    ],
)
def test_the_command_never_replaces_its_picture(
    root, tmp_path, capsys, monkeypatch, image, result
):
    content = (root / "images" / "10.png").read_bytes()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "sample").mkdir(parents=True)
    (tmp_path / "link").symlink_to("out/sample")
    (tmp_path / "x.png").symlink_to("out/sample/x.png")
    (tmp_path / result).write_bytes(content)
    (tmp_path / "none.keras").touch()  # is refused when it is read
    code = run(
        f"--image={image}", "--check_path=none.keras", "--noshow",
        f"--results_dir={tmp_path}/out",
    )  # fmt: skip
    assert code == 1
    expected = f"--image={image}: {tmp_path}/{result}, a result, would replace it"
    assert expected in capsys.readouterr().err
    assert (tmp_path / result).read_bytes() == content


@pytest.mark.parametrize(
    "flag",
    [
        "--box=1,2,3",
        "--camera=a,b,c,d",
        "--camera=0,0,0,0",
        "--camera=1e-300,1,0,0",
        "--camera=900,900,1e300,0",
        "--root_depth_mm=1e300",
        "--root_depth_mm=nan",
        "--root_depth_mm=1e-9",
    ],
)
def test_the_command_checks_its_flags(flag):
    with pytest.raises(flags.IllegalFlagValueError, match=f"{flag[2:6]}.*: must be"):
        run("--image=x.png", "--check_path=x.keras", flag)


@pytest.mark.parametrize(
    "flag",
    ["--box=1,2,3,4", "--camera=1,1,1,1", "--root_depth_mm=4000", "--readout=argmax"],
)
def test_the_command_takes_some_flags_only_with_a_picture(flag):
    name = flag.split("=")[0]
    with pytest.raises(flags.IllegalFlagValueError, match=f"{name} needs --image"):
        run(flag)


@pytest.mark.parametrize(
    "flag",
    [
        "--frame=0", "--models=3", "--input_path=x.h5", "--l2_solver",
        "--dtype=float32", "--as_published", "--data_dir=x", "--parameters_dir=x",
        "--evidence=full",
    ],
)  # fmt: skip
def test_the_command_takes_some_flags_only_without_one(flag):
    name = flag.split("=")[0]
    with pytest.raises(
        flags.IllegalFlagValueError, match=f"{name} has no effect beside --image"
    ):
        run("--image=x.png", "--check_path=x.keras", flag)
