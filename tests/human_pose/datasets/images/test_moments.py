"""Moments of several views: which pictures, which cameras, where the joints are."""

import dataclasses
import shutil

import numpy as np
import pytest
from made_up_shards import write_shards

from human_pose.datasets.images import moments_of, open_dataset, open_images
from human_pose.datasets.images.crop import to_picture
from human_pose.datasets.images.writing import FOLDERS, write_range
from human_pose.datasets.protocol import IMAGE_ACTIONS
from human_pose.datasets.rendered import record
from human_pose.datasets.rendered.shots import moment
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import JOINTS_16_OF_32
from human_pose.i1.input import Stream, batches

# Subject, action, and the views of its moments: all, all, the first two.
BLOCKS = ((1, "Directions", (4, 4, 2)), (8, "Sitting", (4, 2)))
FIRST = (0, 10)


def write(root, *, shift_mm=0.0):
    """Writes the blocks; sample 5's camera stands `shift_mm` aside."""
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    index = 0
    for subject, action, sizes in BLOCKS:
        write_range(root, subject, action, index, index + sum(sizes) - 1)
        for number, views in enumerate(sizes):
            for shot in moment(subject, action, number, views, 0):
                if index == 5 and shift_mm:
                    camera = shot.camera
                    aside = camera.translation_mm + np.array([shift_mm, 0, 0])
                    camera = dataclasses.replace(camera, translation_mm=aside)
                    shot = dataclasses.replace(shot, camera=camera)
                record.write_shot(root, index, subject, action, number, shot)
                index += 1
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("moments") / "images")


@pytest.fixture(scope="module")
def dataset(folder):
    return open_dataset(folder)


def test_finds_the_whole_moments(dataset):
    found = moments_of(dataset)
    assert found.views == (0, 1, 2, 3)
    assert found.rows.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [10, 11, 12, 13]]
    assert found.subject.tolist() == [1, 1, 8]
    assert [IMAGE_ACTIONS[a] for a in found.action] == [BLOCKS[i][1] for i in (0, 0, 1)]
    assert found.number.tolist() == [0, 1, 0]
    assert [len(moments_of(dataset, views)) for views in (1, 2, 3)] == [5, 5, 3]


def test_views_may_be_numpys_numbers(dataset):
    assert moments_of(dataset, np.int64(2)).views == (0, 1)
    assert moments_of(dataset, np.array([2, 0])).views == (2, 0)


def test_views_are_in_the_order_asked_for(dataset):
    whole, some = moments_of(dataset), moments_of(dataset, (3, 0))
    assert some.views == (3, 0)
    np.testing.assert_array_equal(some.rows, whole.rows[:, [3, 0]])
    np.testing.assert_array_equal(some.projection, whole.projection[:, [3, 0]])


def test_world_joints_project_onto_those_of_every_picture(dataset):
    found, numbers = moments_of(dataset), dataset.annotations
    joints = np.concatenate([found.joints_3d_mm, np.ones((3, 16, 1))], axis=-1)
    images = np.einsum("nvij,nkj->nvki", found.projection, joints)
    frame_px = images[..., :2] / images[..., 2:]
    for row, points in zip(
        found.rows.ravel(), frame_px.reshape(-1, 16, 2), strict=True
    ):
        np.testing.assert_allclose(
            to_picture(points, numbers.box[row]), numbers.joints_2d_px[row], atol=2e-3
        )
    truth = next(moment(8, "Sitting", 0, 1, 0))
    cameras = truth.joints_3d_mm[list(JOINTS_16_OF_32)] - truth.camera.translation_mm
    np.testing.assert_allclose(
        found.joints_3d_mm[2], cameras @ truth.camera.rotation, atol=2e-3
    )


def test_a_moment_of_which_no_view_is_chosen_is_left_out(folder):
    found = moments_of(open_dataset(folder, indices=[0, 1, 4, 11, 10]), 2)
    assert found.rows.tolist() == [[0, 1], [3, 4]]


def test_a_camera_that_was_moved_is_noticed(tmp_path):
    write(tmp_path, shift_mm=0.9)
    moments_of(open_dataset(tmp_path))
    shutil.rmtree(tmp_path)
    write(tmp_path, shift_mm=1.1)
    rule = r"samples 4 and 5 are of one moment; .* within 1 mm; received 1\.1 mm"
    with pytest.raises(InputError, match=rule):
        moments_of(open_dataset(tmp_path))


def test_two_pictures_of_one_camera_are_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "images")
    info = tmp_path / "images/info_all"
    shutil.copy(info / "1.txt", info / "2.txt")
    with pytest.raises(InputError, match="samples 1 and 2 are of one moment and "):
        moments_of(open_dataset(tmp_path / "images"))


def test_a_lens_is_warned_of(folder, tmp_path, caplog):
    shutil.copytree(folder, tmp_path / "images")
    path = tmp_path / "images/camera_all/3.txt"
    path.write_text(path.read_text().replace("k: 0.0", "k: 0.1"))
    moments_of(open_dataset(tmp_path / "images"))
    assert "the lenses of 1 pictures distort" in caplog.text


@pytest.mark.parametrize(
    ("views", "rule"),
    [
        (5, r"images: must have pictures of one moment by each of the cameras 0, 1, 2"),
        (0, "^views must be a whole number, at least 1"),
        ((), "^views must name at least one"),
        ((1, 1), "^views must name each camera once"),
        ((-1,), "^views must be whole numbers, at least 0"),
        ("ab", "^views must be whole numbers, at least 0"),
        ((0, float("nan")), "^views must be whole numbers, at least 0"),
        (2.0, "^views must be a whole number, at least 1"),
    ],
)
def test_views_are_checked(dataset, views, rule):
    with pytest.raises(InputError, match=rule):
        moments_of(dataset, views)


def test_a_prepared_set_has_no_places_of_cameras(root, tmp_path):
    prepared = open_images(write_shards(root, tmp_path / "shards"))
    with pytest.raises(InputError, match="does not hold where cameras stand"):
        moments_of(prepared)


def visited(found):
    """Positions of groups, and the sample indices, batch by batch."""
    return [
        [batch[name].numpy().tolist() for name in ("group", "index")] for batch in found
    ]


def test_batches_consist_of_whole_moments(dataset):
    groups = moments_of(dataset, (1, 0)).rows
    stream = Stream(4, shuffle=True, seed=3, input_size=32)
    found = visited(batches(dataset, stream, groups=groups))
    assert [len(numbers) for numbers, _ in found] == [4, 4, 2]
    numbers, indices = (np.concatenate(column) for column in zip(*found, strict=True))
    assert sorted(numbers[::2]) == list(range(5)) != numbers[::2].tolist()
    np.testing.assert_array_equal(numbers[::2], numbers[1::2])
    expected = dataset.annotations.index[groups[numbers[::2]]]
    np.testing.assert_array_equal(indices, expected.ravel())


def test_workers_share_batches_by_moments(dataset):
    groups = moments_of(dataset, 2).rows
    whole = Stream(4, "mild", shuffle=True, input_size=32, start_step=1)
    halves = [dataclasses.replace(whole, workers=2, worker=w) for w in (0, 1)]
    parts = [visited(batches(dataset, half, groups=groups)) for half in halves]
    expected = visited(batches(dataset, whole, groups=groups))
    for one, other, both in zip(*parts, expected, strict=True):
        assert [one[i] + other[i] for i in (0, 1)] == both


@pytest.mark.parametrize(
    ("groups", "options", "rule"),
    [
        (
            [[0, 1, 2]],
            {},
            "^batch_size must be a multiple of 3, the pictures of a group;",
        ),
        ([[0, 1, 2, 3]], {"workers": 2}, "^batch_size must be .* of 4, .* 2 workers; "),
        ([[0, 16]], {}, "^groups must be rows of the 16 samples, from 0; received 16"),
        ([[0, -1]], {}, "^groups must be rows of the 16 samples"),
        ([[0.0]], {}, "^groups must be whole numbers of shape"),
        (np.zeros((0, 2), int), {}, "^groups must be whole numbers of shape"),
    ],
)
def test_groups_are_checked(dataset, groups, options, rule):
    with pytest.raises(InputError, match=rule):
        batches(dataset, Stream(4, **options), groups=np.array(groups))
