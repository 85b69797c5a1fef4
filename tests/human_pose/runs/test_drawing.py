"""Pictures: what is drawn where and in which colour."""

import os

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from human_pose.files import errors
from human_pose.geometry.skeletons import IMAGE_16, LIFTER_17
from human_pose.lifting.evaluation import pictures
from human_pose.runs import drawing

LIMBS = LIFTER_17.limbs
LEFT_JOINTS, RIGHT_JOINTS = LIFTER_17.left, LIFTER_17.right


@pytest.fixture
def pose():
    return np.random.default_rng(0).normal(0, [200, 200, 500], (17, 3))


@pytest.fixture
def views():
    detections = np.random.default_rng(1).uniform(100, 900, (4, 17, 2))
    detections[:, 9] = 0
    return detections


def points_of(line):
    data = line.get_data_3d() if hasattr(line, "get_data_3d") else line.get_data()
    return np.stack([np.asarray(x) for x in data], axis=-1)


def limbs(axes):
    """The drawn limbs: coordinates of both ends `[2, d]`, and colour."""
    lines = [line for line in axes.lines if line.get_linestyle() != "None"]
    return [(points_of(line), line.get_color()) for line in lines]


def joints(axes):
    """The drawn joints: coordinates `[d]`, and colour."""
    dots = [line for line in axes.lines if line.get_linestyle() == "None"]
    return [(point, line.get_color()) for line in dots for point in points_of(line)]


def colour_of(drawn, a, b):
    [colour] = [c for data, c in drawn if np.array_equal(data, [a, b])]
    return colour


def test_the_undetected_joint_is_not_drawn_and_the_head_stays_on(views):
    figure = Figure()
    axes = list(figure.subplots(1, 4))
    pictures.draw_views(axes, views)
    for k in range(4):
        drawn = np.array([point for point, _ in joints(axes[k])])
        assert len(drawn) == 16
        assert not np.any(np.all(drawn == 0, axis=-1))
        assert len(limbs(axes[k])) == len(LIMBS) - 1  # 8-9 and 9-10 became 8-10
        head = views[k, [8, 10]]
        assert colour_of(limbs(axes[k]), *head) == drawing.MIDDLE_COLOUR
        left, right = axes[k].get_xlim()
        bottom, top = axes[k].get_ylim()
        assert right > left
        assert bottom > top  # image y points down
        assert abs(right - left) == pytest.approx(bottom - top)  # one scale
        assert axes[k].get_aspect() == 1


def test_all_views_have_one_scale(views):
    axes = list(Figure().subplots(1, 4))
    views[2] *= 0.3
    pictures.draw_views(axes, views)
    widths = [np.ptp(a.get_xlim()) for a in axes]
    np.testing.assert_allclose(widths, widths[0])


def test_a_given_visibility_decides(views):
    visibility = np.ones((4, 17))
    visibility[1, 3] = 0
    axes = list(Figure().subplots(1, 4))
    pictures.draw_views(axes, views, visibility)
    assert len(joints(axes[0])) == 17
    assert len(joints(axes[1])) == 16
    assert len(limbs(axes[1])) == len(LIMBS) - 1  # no shin


def test_left_and_right_have_their_colours(pose):
    axes = Figure().add_subplot(projection="3d")
    drawing.draw_poses(axes, pose, skeleton=LIFTER_17)
    drawn = limbs(axes)
    assert len(drawn) == len(LIMBS)
    for a, b in LIMBS:
        expected = drawing.MIDDLE_COLOUR
        if {a, b} & set(LEFT_JOINTS):
            expected = drawing.LEFT_COLOUR
        if {a, b} & set(RIGHT_JOINTS):
            expected = drawing.RIGHT_COLOUR
        assert colour_of(drawn, pose[a], pose[b]) == expected
    for joint, expected in (
        (0, drawing.MIDDLE_COLOUR),
        (3, drawing.RIGHT_COLOUR),
        (13, drawing.LEFT_COLOUR),
    ):
        [colour] = [c for p, c in joints(axes) if np.array_equal(p, pose[joint])]
        assert colour == expected
    assert len({drawing.LEFT_COLOUR, drawing.RIGHT_COLOUR, drawing.MIDDLE_COLOUR}) == 3


def test_poses_are_drawn_where_they_are_at_one_scale(pose):
    truth = pose + 100
    axes = Figure().add_subplot(projection="3d")
    drawing.draw_poses(axes, pose, truth, skeleton=LIFTER_17)
    drawn = limbs(axes)
    assert len(drawn) == 2 * len(LIMBS)
    for a, b in LIMBS:
        colour_of(drawn, pose[a], pose[b])
        colour_of(drawn, truth[a], truth[b])
    ranges = np.ptp([axes.get_xlim(), axes.get_ylim(), axes.get_zlim()], axis=1)
    # Box and data ranges are proportional: a millimetre is as long on every axis.
    ratio = ranges / axes.get_box_aspect()
    np.testing.assert_allclose(ratio, ratio[0])


def test_a_frame_has_views_two_sides_legend_and_title(views, pose):
    figure = pictures.frame_figure(views, pose, pose + 10, title="17.3 mm")
    assert len(figure.axes) == 4 + len(drawing.AZIMUTHS_DEG)
    assert "17.3 mm" in [text.get_text() for text in figure.texts]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["reconstruction", "truth", "left side", "right side"]
    without = pictures.frame_figure(views, pose)
    legend = [text.get_text() for text in without.legends[0].get_texts()]
    assert "truth" not in legend


def test_a_frame_of_another_skeleton_and_other_views():
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 300, (16, 3))
    seen = rng.uniform(0, 500, (3, 16, 2))
    figure = pictures.frame_figure(seen, pose, skeleton=IMAGE_16)
    assert len(figure.axes) == 3 + len(drawing.AZIMUTHS_DEG)
    for axes in figure.axes:
        assert len(limbs(axes)) == len(IMAGE_16.limbs)
        assert len(joints(axes)) == 16


# A `$` was a formula and ended in an error, a Chinese character in a warning.
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("$x_{$.png", r"\$x_{\$.png"),
        ("a$b", r"a\$b"),
        (r"a\$b$", r"a\\$b\$"),
        ("\u732b and caf\u00e9", "\\u732b and caf\u00e9"),
        ("two\nlines\tand \udcff", "two\nlines\\tand \\udcff"),
        ("", ""),
    ],
)
def test_any_text_is_drawn_as_it_stands(name, shown, views, pose):
    assert drawing.plain(name) == shown
    image = drawing.figure_image(pictures.frame_figure(views, pose, title=name))
    bare = drawing.figure_image(pictures.frame_figure(views, pose))
    assert np.any(image != bare) == bool(name)


def test_a_dollar_looks_like_one():
    def drawn(text, **options):
        figure = Figure((2, 1))
        figure.text(0.1, 0.5, text, **options)
        return drawing.figure_image(figure)

    for name in ("a$b$c", r"\$1", "$"):
        np.testing.assert_array_equal(
            drawn(drawing.plain(name)), drawn(name, parse_math=False)
        )


def test_figure_image_is_rgb(views, pose):
    image = drawing.figure_image(pictures.frame_figure(views, pose, pose + 10))
    assert image.dtype == np.uint8
    assert image.shape == (720, 1560, 3)
    for colour in (drawing.LEFT_COLOUR, drawing.RIGHT_COLOUR):
        rgb = (255 * np.array(matplotlib.colors.to_rgb(colour))).round()
        assert np.any(np.all(np.abs(image - rgb) <= 1, axis=-1))


def test_a_collapsed_pose_can_be_drawn(views):
    figure = pictures.frame_figure(0 * views, np.zeros((17, 3)), np.zeros((17, 3)))
    assert drawing.figure_image(figure).min() < 255


def test_an_outlier_far_away_can_be_drawn(views, pose):
    views[1, 3], pose[4] = 1e6, 1e7
    figure = pictures.frame_figure(views, pose)
    figure.draw_without_rendering()
    for axes in figure.axes:
        assert len(axes.get_xticks()) == 0
        assert len(axes.get_yticks()) == 0


def test_save_replaces_the_file_whole(tmp_path, views, pose, monkeypatch):
    path = tmp_path / "images" / "frame.png"
    figure = pictures.frame_figure(views, pose)
    drawing.save(figure, path)
    before = path.read_bytes()
    assert before.startswith(b"\x89PNG")

    def broken(temporary):
        temporary.write_bytes(b"half")
        raise RuntimeError

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(RuntimeError):
        drawing.save(figure, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["frame.png"]


def test_save_where_nothing_can_be_written(tmp_path, views, pose):
    (tmp_path / "file").touch()
    with pytest.raises(errors.InputError, match="cannot be written"):
        drawing.save(
            pictures.frame_figure(views, pose), tmp_path / "file" / "frame.png"
        )
