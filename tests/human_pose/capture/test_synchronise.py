import numpy as np
import pytest
from made_up_recording import real
from made_up_views import views

from human_pose.capture.interpolation import sampled
from human_pose.capture.synchronise import by_motion
from human_pose.capture.views import View, views_of
from human_pose.files.errors import InputError


def test_offsets_are_found_below_a_frame_at_rates_of_their_own():
    """Whatever clocks show first; one view is shown the other way round at times."""
    offsets = np.array([0.0, 0.125, -0.21])
    made, rig = views(offsets, (50.0, 60.0, 30.0), duration_s=2.5, noise_px=2.0)
    flip = list(made[1].skeleton.flip_order)
    points = made[1].joints_2d_px.copy()
    points[40:90] = points[40:90][:, :, flip]
    late = made[2]
    changed = (
        made[0],
        View(made[1].name, points, made[1].confidence, made[1].times_s, late.skeleton),
        View(
            late.name,
            late.joints_2d_px,
            late.confidence,
            late.times_s + 3,
            late.skeleton,
        ),
    )
    found = by_motion(changed, rig[::-1], most_s=0.5)
    expected = offsets + np.array([0, 0, 3])
    np.testing.assert_allclose(found.offsets_s, expected, rtol=0, atol=0.1 / 60)
    off = np.abs(found.offsets_s - expected)[1:]
    assert (off < 4 * found.deviation_s[1:]).all() and (found.confidence > 0.99).all()
    assert "view 2: +167." in found.lines[2] and "± 0." in found.lines[2]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v, c: (v[:1], c), "two or more"),
        (lambda v, c: (v, ()), "no camera is named view 0, view 1"),
        (lambda v, c: (v, c[:1]), "no camera is named view 1"),
        (lambda v, c: ((v[0], blind(v[1])), c), "view 1 must show somebody"),
        (lambda v, c: views((0, 0), noise_px=2, still=True), "the motion does not say"),
        (lambda v, c: views((0, 0.9), duration_s=1.0), "the motion does not say"),
    ],
)
def test_what_cannot_be_found_is_said(change, says):
    with pytest.raises(InputError, match=says) as caught:
        by_motion(*change(*views((0, 0), duration_s=1.0)), most_s=0.4)
    assert "\n" not in str(caught.value)


def blind(view):
    nothing = np.full_like(view.joints_2d_px, np.nan)
    return View(view.name, nothing, view.confidence, view.times_s, view.skeleton)


def test_delays_of_a_real_recording_are_found(shared):
    """Beside the offsets as delivered, which are below a frame."""
    found = real(shared / "data" / "recording").of_views(["cam01", "cam03", "cam04"])
    made = views_of(found)
    plain = by_motion(made, found.cameras, 0.4).offsets_s * 60
    assert np.abs(plain).max() < 1
    for delay in (7, 12.5):
        late = made[1]
        times = late.times_s - delay / 60
        kept = times >= 0
        points, sure, _, _ = sampled(late, times[kept])
        late = View(late.name, points, sure, late.times_s[kept], late.skeleton)
        again = by_motion((made[0], late, made[2]), found.cameras, 0.4)
        expected = plain + np.array([0, delay, 0])
        np.testing.assert_allclose(again.offsets_s * 60, expected, rtol=0, atol=0.5)
