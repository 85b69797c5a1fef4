import numpy as np
import pytest

from ransac import learning
from ransac.learning import Learner, Outcome, Variant
from ransac.optimizers import OPTIMIZERS
from ransac.problems import SETTINGS, DrawnStream, RecordedStream

VARIANTS = (Variant("implicit", 0.0, 0.5), Variant("trust region", 0.1, 0.5))
# From the best point 0.8 the Newton step leads to a place where the energy is concave.
CONCAVE = [[0.1, -1.4, 1.8, 0.8, -0.6, 1.8]]


def learner(*variants, optimizer="asgd", **options):
    return Learner(variants or VARIANTS, OPTIMIZERS[optimizer], **options)


def drawn(seed=0, index=0):
    return DrawnStream(SETTINGS["code"], seed, index)


def single(points, damping, rate=0.5):
    """σ after one step of plain descent on one problem, by hand; σ starts at 1."""
    points = np.asarray(points)
    distances = points[:, None] - points
    start = points[np.argmin(-np.exp(-(distances**2)).sum(1))]

    def slopes(x):
        u = x - points
        kernel = np.exp(-(u**2))
        gradient = (2 * u * kernel).sum()
        curvature = ((2 - 4 * u**2) * kernel).sum()
        mixed = ((4 * u**3 - 4 * u) * kernel).sum()
        return gradient, curvature + damping, mixed

    gradient, curvature, _ = slopes(start)
    x = start - gradient / curvature
    _, curvature, mixed = slopes(x)
    truth = points[:2].mean()
    slope = -2 * (x - truth) * mixed / curvature
    return x, (x - truth) ** 2, slope, 1 - rate * slope


def test_a_step_by_hand(given):
    points = [1.0, 1.8, 0.4, -3.0, 2.2]
    result = learner(optimizer="sgd").run([given([points[:2]], [points[2:]])], 1)
    record = result.record
    for column, damping in enumerate((0.0, 0.1)):
        x, loss, slope, sigma = single(points, damping)
        np.testing.assert_allclose(record.est[0, 0, column], x, 1e-13)
        np.testing.assert_allclose(record.loss[0, 0, column], loss, 1e-12)
        np.testing.assert_allclose(record.grad[0, 0, column], slope, 1e-12)
        np.testing.assert_allclose(result.learned["sigma"][0, column], sigma, 1e-12)
    np.testing.assert_array_equal(record.sigma, 1)
    np.testing.assert_array_equal(record.outcome, Outcome.LEARNED)


def test_the_recorded_run_is_golden(shared):
    path = shared / "reference" / "toy_run.npz"
    golden = np.load(path)
    record = learner().run([RecordedStream(path)], 3000).record
    for column, first, whole in ((0, 1e-5, np.inf), (1, 1e-9, 1e-4)):
        expected = golden["sigma"][:, column]
        error = np.abs(record.sigma[:, 0, column] / expected - 1)
        assert error[:50].max() < first
        assert error.max() < whole
        for name in ("loss", "grad", "est"):
            expected = golden[name][:50, column]
            actual = getattr(record, name)[:50, 0, column]
            # A loss near 0 magnifies the relative error of its estimate.
            np.testing.assert_allclose(actual, expected, rtol=100 * first)


def test_streams_side_by_side_are_streams_alone():
    together = learner().run([drawn(index=0), drawn(index=1)], 30).record
    for index in range(2):
        alone = learner().run([drawn(index=index)], 30).record
        for name in ("sigma", "loss", "est"):
            np.testing.assert_allclose(
                getattr(together, name)[:, index, 1],
                getattr(alone, name)[:, 0, 1],
                rtol=1e-8,
            )


def test_chunks_do_not_matter(monkeypatch):
    whole = learner().run([drawn()], 7).record
    monkeypatch.setattr(learning, "CHUNK", 3)
    reported = []
    parts = learner().run(
        [drawn()], 7, lambda done, record: reported.append((done, len(record.loss)))
    )
    assert reported == [(3, 3), (6, 3), (7, 1)]
    for name, entry in whole._asdict().items():
        np.testing.assert_allclose(getattr(parts.record, name), entry, rtol=1e-12)


def test_full_learns_which_places_hold_inliers():
    result = learner(full=True).run([drawn()], 300)
    weights = result.learned["weights"][0]
    assert weights.shape == result.learned["shifts"][0].shape == (2, 110)
    assert np.all(weights[:, :10].mean(1) > 2 * weights[:, 10:].mean(1))
    assert np.all(result.record.loss[-100:].mean(0) < 40)  # 184 at the best fixed σ


def test_clipping_bounds_the_move_and_not_the_record():
    free, clipped = VARIANTS[0], VARIANTS[0]._replace(clip=0.25)
    result = learner(free, clipped, optimizer="sgd").run([drawn()], 1)
    slope = result.record.grad[0, 0]
    assert np.abs(slope[0]) > 0.25
    assert slope[0] == slope[1]
    moved = 1 - result.learned["sigma"][0]
    np.testing.assert_allclose(
        moved, 0.5 * np.array([slope[0], np.copysign(0.25, slope[0])])
    )


def outcomes(stream, sigma, monkeypatch, steps=1):
    monkeypatch.setattr(learning, "FIRST_SIGMA", sigma)
    result = learner(optimizer="sgd").run([stream], steps)
    return result.record, result.learned["sigma"][0]


def test_no_curvature_is_told(monkeypatch):
    """σ² overflows, so the energy is flat: no implicit derivative; the damped is 0."""
    record, sigma = outcomes(drawn(), 1e160, monkeypatch)
    assert list(record.outcome[0, 0]) == [Outcome.SINGULAR, Outcome.LEARNED]
    np.testing.assert_array_equal(record.grad, 0)
    np.testing.assert_array_equal(sigma, 1e160)


@pytest.mark.parametrize("sigma", [0.0, 1e-200, np.nan, np.inf])
def test_values_that_are_not_finite_are_told(monkeypatch, sigma):
    record, after = outcomes(drawn(), sigma, monkeypatch)
    told = record.outcome[0, 0]
    if sigma == np.inf:
        assert list(told) == [Outcome.SINGULAR, Outcome.LEARNED]
    else:
        assert list(told) == [Outcome.NOT_FINITE] * 2
    np.testing.assert_array_equal(record.grad, 0)
    np.testing.assert_array_equal(after, sigma)


def test_one_lost_problem_does_not_end_the_run(given):
    problems = drawn().take(3)
    broken = problems.inliers.copy()
    broken[1] = np.nan
    record = learner().run([given(broken, problems.outliers)], 3).record
    expected = [Outcome.LEARNED, Outcome.NOT_FINITE, Outcome.LEARNED]
    for column in range(2):
        assert list(record.outcome[:, 0, column]) == expected
    assert np.all(record.grad[1] == 0) and np.all(record.grad[[0, 2]] != 0)
    assert np.all(np.isfinite(record.sigma))


def test_a_concave_estimate_is_told_and_treated_as_published(given):
    points = CONCAVE[0]
    stream = given([points[:2]], [points[2:]])
    record = learner(optimizer="sgd").run([stream], 1).record
    assert record.outcome[0, 0, 0] == Outcome.INDEFINITE
    _, _, slope, _ = single(points, 0.0)
    np.testing.assert_allclose(record.grad[0, 0, 0], slope, 1e-11)
