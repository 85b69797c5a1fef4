import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from ransac import pictures
from ransac.learning import Record, Variant
from ransac.pictures import View
from ransac.problems import Problems

VARIANTS = [Variant("implicit", 0.0, 0.5), Variant("trust region", 0.1, 0.5)]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure,
        "savefig",
        lambda self, *a, **k: (figures.append(self), save(self, *a, **k)),
    )
    return figures


def labels(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_energies_show_points_estimates_and_truth(tmp_path, drawn):
    problem = Problems(np.array([1.0, 3.0]), np.array([-4.0, 0.0, 5.0]))
    x = np.linspace(-5, 6, 50)
    rows = [
        [View("start", 1.0, x, -np.exp(-(x**2)), 0.5), View("end", 9.0, x, x**2, 2.5)]
        for _ in VARIANTS
    ]
    path = tmp_path / "energy.png"
    pictures.draw_energies(path, problem, VARIANTS, rows)
    assert imread(path).ndim == 3
    (figure,) = drawn
    assert labels(figure.legends[0]) == [
        "energy",
        "outliers",
        "inliers",
        "truth",
        "implicit estimate",
        "trust region estimate",
    ]
    end = figure.axes[3]
    assert end.get_title() == "trust region, end: sigma = 9"
    lines = {line.get_label(): line for line in end.lines}
    np.testing.assert_array_equal(lines["energy"].get_ydata(), x**2)
    np.testing.assert_array_equal(lines["inliers"].get_xdata(), problem.inliers)
    np.testing.assert_array_equal(lines["outliers"].get_xdata(), problem.outliers)
    assert lines["truth"].get_xdata()[0] == 2
    assert lines["trust region estimate"].get_xdata()[0] == 2.5


def test_learning_shows_width_gradient_and_loss(tmp_path, drawn):
    rng = np.random.default_rng(0)
    sigma, loss, grad, est = rng.normal(size=[4, 30, 1, 2])
    path = tmp_path / "learning.png"
    pictures.draw_learning(path, VARIANTS, Record(sigma, loss, grad, est, est))
    assert imread(path).ndim == 3
    (figure,) = drawn
    width, slope, running = figure.axes
    for axes in figure.axes:
        assert labels(axes.get_legend()) == ["implicit", "trust region"]
    np.testing.assert_array_equal(width.lines[1].get_ydata(), sigma[:, 0, 1] ** 2)
    np.testing.assert_array_equal(slope.lines[0].get_ydata(), np.abs(grad[:, 0, 0]))
    np.testing.assert_allclose(running.lines[0].get_ydata()[-1], loss[:, 0, 0].mean())


def test_the_running_mean_is_of_the_last_values():
    np.testing.assert_allclose(
        pictures.running_mean(np.array([2.0, 4.0, 9.0, 2.0]), 2), [2, 3, 6.5, 5.5]
    )


@pytest.mark.parametrize("odd", [1e22, np.inf, np.nan])
def test_an_odd_loss_counts_in_the_means_of_it_alone(odd):
    values = np.ones(9)
    values[2] = odd
    means = pictures.running_mean(values, 3)
    np.testing.assert_array_equal(means[[0, 1, 5, 6, 7, 8]], 1)
    np.testing.assert_allclose(means[2:5], odd / 3)
