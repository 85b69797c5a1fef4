import numpy as np

from ransac import table
from ransac.learning import Record, Variant


def test_figures_are_over_streams():
    steps, streams = 1200, 3
    nothing = np.zeros([steps, streams, 2])
    sigma, loss, grad = nothing.copy(), nothing.copy(), nothing.copy()
    grad[5, :, 0] = [-7, 3, 20]
    grad[6, :, 0] = 1
    sigma[9, :, 0] = [-4, 2, 3]
    loss[:200] = 1e6  # before the last thousand
    loss[200:, :, 0] = [10, 20, 30]
    record = Record(sigma, loss, grad, nothing, nothing)
    variants = [Variant("one", 0.0, 0.5), Variant("other", 0.1, 0.5)]
    head, rule, first, second = table.compare(variants, record).split("\n")
    assert "last 1000 steps" in head
    assert set(rule) == set("|- ")
    assert first == "| one | 7 / 20 | 2 - 4 | 20.0 (10) |"
    assert second == "| other | 0 / 0 | 0 - 0 | 0.0 (0) |"


def test_short_runs_are_averaged_whole():
    ones = np.ones([4, 2, 1])
    text = table.compare([Variant("one", 0, 1)], Record(ones, ones, ones, ones, ones))
    assert "last 4 steps" in text
