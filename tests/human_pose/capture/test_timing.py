import numpy as np
import pytest
from made_up_detections import recording
from made_up_views import JOINTS, joints_mm, views

from human_pose.capture.interpolation import sampled
from human_pose.capture.synchronise import given
from human_pose.capture.timing import resample, shown_frames, time_base
from human_pose.capture.views import View, views_of
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import COCO_17

FLIP = list(COCO_17.flip_order)


def cubic(times_s):
    """Joints `[F, 17, 2]` that cubics describe exactly."""
    t = np.asarray(times_s)[:, None, None]
    place = 100 + 40 * np.arange(JOINTS * 2.0).reshape(JOINTS, 2)
    return place + 30 * t - 20 * t**2 + 9 * t**3


def view(name, times_s, points=None, confidence=None, **more):
    points = cubic(times_s) if points is None else points
    sure = np.ones(points.shape[:-1]) if confidence is None else confidence
    return View(name, points, sure, times_s, COCO_17, **more)


@pytest.mark.parametrize("people", [1, 3])
def test_views_of_the_same_times_stay_bit_for_bit(people):
    tracks = np.arange(5 * 2 * people).reshape(5, 2, people)
    found = recording(5, people=people, fps=30.0, tracks=tracks)
    again = resample(views_of(found), source=found.source)
    for name in ("joints_2d_px", "confidence", "tracks", "frames"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert (again.fps, again.view_names) == (found.fps, found.view_names)


def test_frames_that_all_views_miss_are_missing_in_the_results():
    """Time would be pressed together, and motion faster."""
    times = np.delete(np.arange(40) / 60, range(10, 30))
    found = resample([view("a", times), view("b", times)])
    np.testing.assert_array_equal(found.frames, np.arange(40))
    seen = found.seen[:, :, 0].any(axis=-1)
    np.testing.assert_array_equal(
        seen, np.isin(np.arange(40), np.r_[:10, 30:40])[:, None] & np.ones(2, bool)
    )


@pytest.mark.parametrize("count", [1, 2])
def test_one_rate_that_varies_is_made_even(count):
    """As of a phone in the dusk: by numbers motion would be slower, then faster."""
    times = np.cumsum(np.append(0.0, np.repeat([1 / 30, 1 / 24], 60)))
    found = resample([view(name, times) for name in "ab"[:count]])
    inner = found.frames[2:-2]
    np.testing.assert_array_equal(found.frames, np.arange(len(found)))
    expected = cubic(inner / found.fps)
    for v in range(count):
        np.testing.assert_allclose(
            found.joints_2d_px[2:-2, v, 0], expected, rtol=0, atol=0.1
        )
    # Steps that are off by less than a frame stay.
    shaken = times[:60] + np.resize([0.0, 0.01, -0.01], 60)
    kept = resample([view("a", shaken)])
    np.testing.assert_array_equal(kept.joints_2d_px[:, 0, 0], cubic(shaken))


def test_other_rates_and_variable_ones_come_onto_one_base_as_cubics_say():
    rng = np.random.default_rng(0)
    own = np.arange(80) / 60
    uneven = (np.arange(70) + rng.uniform(-0.1, 0.1, 70)) / 50 + 0.3
    offsets = [0.0, 0.25]
    made = [view("a", own), view("b", uneven, cubic(uneven - offsets[1]))]
    found = resample(made, offsets)
    assert found.fps == 60
    # From when the second view begins: 0.05 s, to when the first of the two ends.
    np.testing.assert_array_equal(found.frames, np.arange(4, 80))
    truth = cubic(found.frames / 60)
    np.testing.assert_array_equal(found.joints_2d_px[:, 0, 0], truth)
    seen = found.seen[:, 1, 0, 0]
    assert seen.all()
    # The first and the last step have lines: 1/8 h² f'' of at most 30 px / s² more.
    inner = np.s_[3:-3]
    near = np.abs(found.joints_2d_px[:, 1, 0] - truth)
    assert near[inner].max() < 0.05 and near.max() < 0.1  # a copy at 0.02 of a step


def test_gaps_are_not_bridged_nothing_is_extrapolated_and_the_lesser_counts():
    times = np.arange(8) / 10
    confidence = np.full((8, JOINTS), 0.9)
    confidence[3] = 0.4
    confidence[5] = 0.0  # not seen
    whole = view("a", times, confidence=confidence)
    asked = np.array([-0.05, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.72])
    points, sure, _, _ = sampled(whole, asked)
    known = np.isfinite(points[:, 0, 0, 0])
    np.testing.assert_array_equal(known, [0, 1, 1, 1, 1, 0, 0, 1, 0])
    np.testing.assert_array_equal(sure[:, 0, 3], [0, 0.9, 0.9, 0.4, 0.4, 0, 0, 0.9, 0])
    exact = cubic(asked)
    line = (cubic(asked - 0.05) + cubic(asked + 0.05)) / 2
    for row, expected in ((2, exact), (1, line), (4, line), (7, line)):
        np.testing.assert_allclose(points[row, 0], expected[row], atol=1e-9)
    # A frame that the file lacks is a gap, too.
    lacking = np.delete(np.arange(8), 4)
    points, _, _, _ = sampled(view("a", times[lacking]), np.array([0.35, 0.45, 0.55]))
    np.testing.assert_array_equal(np.isfinite(points[:, 0, 0, 0]), [0, 0, 1])


@pytest.mark.parametrize("numbered", [False, True])
def test_each_of_two_people_goes_on_whatever_their_places(numbered):
    times = np.arange(12) / 10
    one, other = cubic(times), cubic(times) + 400
    turned = np.arange(12) % 2 == 1
    pair = np.stack([one, other], 1)
    pair[turned] = pair[turned][:, ::-1]
    tracks = np.where(turned[:, None], [8, 7], [7, 8]) if numbered else None
    points, _, numbers, _ = sampled(
        view("a", times, pair, tracks=tracks), times[1:-1] - 0.05
    )
    points = np.sort(points[..., 0, 0], axis=1)
    expected = np.stack([cubic(times[1:-1] - 0.05), cubic(times[1:-1] - 0.05) + 400], 1)
    np.testing.assert_allclose(points[1:], expected[1:, :, 0, 0], atol=1e-9)
    assert (numbers is not None) == numbered
    if numbered:
        np.testing.assert_array_equal(np.sort(numbers, axis=1), [[7, 8]] * 10)


def test_bodies_shown_the_other_way_round_are_as_in_the_nearer_frame():
    times = np.arange(8) / 10
    points = cubic(times)
    points[4:] = points[4:, FLIP]
    asked = np.array([0.33, 0.37])
    found = sampled(view("a", times, points), asked).joints_2d_px[:, 0]
    np.testing.assert_allclose(found[0], cubic(asked)[0], atol=1e-9)
    np.testing.assert_allclose(found[1], cubic(asked)[1][FLIP], atol=1e-9)


def test_delays_in_frames_are_undone_and_videos_stand_beside_the_frames():
    made, rig = views((0.0, 7 / 50, 0.0))
    offsets = given(made, frames={"view 1": 7})
    found = resample(made, offsets.offsets_s, cameras=rig)
    assert offsets.offsets_s.tolist() == [0, 7 / 50, 0] and len(found) == 200
    exact = np.stack(
        [camera.project(joints_mm(found.frames / 50)) for camera in rig], 1
    )
    seen = found.seen[:, :, 0]
    np.testing.assert_allclose(
        found.joints_2d_px[:, :, 0][seen], exact[seen], rtol=0, atol=1e-9
    )
    np.testing.assert_array_equal(seen[:, 1, 0], np.arange(200) < 193)
    base = time_base(made, offsets.offsets_s)
    shown = shown_frames(made[1], offsets.offsets_s[1], base)
    np.testing.assert_array_equal(shown[:193], np.arange(7, 200))
    assert (shown[195:] == -1).all()


def test_rates_are_those_meant_whatever_the_stamps_are_rounded_to():
    times = np.round(np.arange(600) / 29.97002997, 3)
    assert view("a", np.delete(times, [50, 51, 300])).fps == 30000 / 1001
    assert view("a", np.arange(9) / 41.3).fps == pytest.approx(41.3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda a, b: resample([]), "views must be one or more"),
        (lambda a, b: resample([a, a]), "names of their own"),
        (lambda a, b: resample([a, b], [0.0]), "a number for each of 2"),
        (lambda a, b: resample([a, b], [0, np.nan]), "a number for each"),
        (lambda a, b: resample([a, b], fps=-1), "fps must be positive"),
        (
            lambda a, b: resample([a, b], [0, 99]),
            "a from 0.00 to 1.90 s, b from -99.00",
        ),
        (lambda a, b: view("c", [0.0, 0.0]), "finite and ascend"),
        (lambda a, b: View("c", np.zeros((3, 2)), 1, [0], COCO_17), "F, P, 17, 2"),
        (lambda a, b: view("c", np.zeros(1)).fps, "two frames or more"),
        (lambda a, b: given([a, b], frames={"c": 1}), "must be of a, b"),
        (lambda a, b: given([a, b], seconds={"a": np.inf}), "finite"),
        (lambda a, b: given([a, b], seconds={"a": 1}, frames={"a": 1}), "not both"),
        (lambda a, b: views_of(recording()), "fps must be known"),
        (
            lambda a, b: views_of(
                recording(9, fps=30.0).replace(frames=5 * np.arange(9))
            ),
            "numbered one by one, to have times; received .0, 5, 10",
        ),
    ],
)
def test_what_cannot_be_is_said_in_a_line(call, says):
    pair = view("a", np.arange(20) / 10), view("b", np.arange(20) / 10)
    with pytest.raises(InputError, match=says) as caught:
        call(*pair)
    assert "\n" not in str(caught.value)


def test_covariances_go_with_their_joints():
    flip = np.array(COCO_17.flip_order)
    joints = np.random.default_rng(0).uniform(100, 900, (17, 2))
    points = np.stack([joints + 3 * n for n in range(4)])
    # From the third frame on the detector has left and right exchanged.
    points[2:] = points[2:, flip]
    size = np.arange(1.0, 18.0)
    sizes = np.stack([size, size, size[flip], size[flip]])
    covariance = sizes[:, None, :, None, None] * np.eye(2)
    seen = View(
        "a",
        points,
        np.ones((4, 17)),
        np.arange(4) / 10,
        COCO_17,
        covariance_px2=covariance,
    )
    found = sampled(seen, np.array([0.0, 0.12, 0.18, 0.2])).covariance_px2
    trace = found[:, 0, :, 0, 0]
    np.testing.assert_array_equal(trace, [size, size, size[flip], size[flip]])
