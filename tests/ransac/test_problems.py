import numpy as np
import pytest

from human_pose.files.errors import InputError
from ransac.problems import PICTURE, SETTINGS, DrawnStream, RecordedStream


def test_the_number_taken_at_a_time_does_not_matter():
    whole = DrawnStream(SETTINGS["paper"], 3).take(7)
    stream = DrawnStream(SETTINGS["paper"], 3)
    parts = [stream.take(n) for n in (2, 4, 1)]
    for name in whole._fields:
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))


def test_streams_of_a_seed_differ_and_return():
    def first(seed, index):
        return DrawnStream(SETTINGS["code"], seed, index).take(1).inliers

    np.testing.assert_array_equal(first(3, 1), first(3, 1))
    assert not np.array_equal(first(3, 1), first(3, 0))
    assert not np.array_equal(first(3, 1), first(4, 1))


def test_problems_are_drawn_as_the_original_does():
    inliers, outliers = DrawnStream(SETTINGS["code"], 0).take(20_000)
    assert inliers.shape == (20_000, 10) and outliers.shape == (20_000, 100)
    # Five standard errors of 200,000 numbers.
    assert abs(inliers.mean() - 2) < 5 * 4 / np.sqrt(200_000)
    assert abs(inliers.std() - 4) < 5 * 4 / np.sqrt(400_000)
    assert -60 <= outliers.min() < -59.99 and 19.99 < outliers.max() <= 20


def test_problems_are_drawn_as_the_paper_says():
    inliers, outliers = DrawnStream(SETTINGS["paper"], 0).take(20_000)
    centres = inliers.mean(-1)
    # Uniform on [-40, 40], with the scatter of a mean of ten on top.
    assert abs(centres.std() - np.hypot(80 / np.sqrt(12), 4 / np.sqrt(10))) < 0.3
    assert abs(inliers.std(-1, ddof=1).mean() - 4) < 0.15
    assert -40 <= outliers.min() < -39.99 and 39.99 < outliers.max() <= 40


def test_the_first_picture():
    inliers, outliers = DrawnStream(PICTURE, 0).take(1)
    assert inliers.shape == (1, 100) and outliers.shape == (1, 300)
    assert abs(inliers.mean() - 50) < 5 * 20 / np.sqrt(100)


def test_a_recorded_stream_is_replayed(tmp_path):
    path = tmp_path / "stream.npz"
    points, outliers = np.arange(8).reshape(4, 2), np.arange(12.0).reshape(4, 3)
    np.savez(path, points=points, outliers=outliers, sigma=np.nan)
    stream = RecordedStream(path)
    assert (stream.length, stream.points) == (4, 5)
    first, second = stream.take(3), stream.take(1)
    np.testing.assert_array_equal(first.inliers, points[:3])
    np.testing.assert_array_equal(second.outliers, outliers[3:])
    assert first.inliers.dtype == np.float64


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"points": np.ones((2, 3))}, "must hold outliers; it holds points"),
        (
            {"points": np.ones((2, 3)), "outliers": np.ones((3, 3))},
            r"outliers must have shape \[2, B\]; received \[3, 3\]",
        ),
        (
            {"points": np.ones(3), "outliers": np.ones((3, 3))},
            r"points must have shape \[T, A\]; received \[3\]",
        ),
        (
            {"points": np.ones((2, 0)), "outliers": np.ones((2, 3))},
            r"received \[2, 0\]",
        ),
        (
            {"points": np.full((2, 3), np.nan), "outliers": np.ones((2, 3))},
            "points must be finite",
        ),
        (
            {"points": np.full((2, 3), "a"), "outliers": np.ones((2, 3))},
            "points must be real numbers; received <U1",
        ),
    ],
)
def test_bad_streams_are_refused(tmp_path, arrays, message):
    path = tmp_path / "stream.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message) as error:
        RecordedStream(path)
    assert str(path) in str(error.value)
