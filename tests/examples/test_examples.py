"""The examples run, and show what they are there to show."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, _EXAMPLES / f"{name}.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


def test_every_example_is_told_of_in_the_readme():
    readme = (_EXAMPLES.parent / "README.md").read_text()
    for path in _EXAMPLES.glob("*.py"):
        assert f"examples/{path.name}" in readme


def test_energy_layer_learns():
    losses = load("energy_layer").main(epochs=8)
    assert losses[-1] < 0.3 * losses[0]


def test_penalties_of_each_feature_are_learned_by_their_gradient():
    example = load("bilevel_hyperparameters")
    data = example.make_data()
    log_ridge = np.linspace(-4, 0, example.FEATURES)
    gradient = example.outer(data, log_ridge)[1].numpy()
    step = 1e-4 * np.eye(example.FEATURES)[7]
    ends = [float(example.outer(data, log_ridge + s * step)[0]) for s in (-1, 1)]
    assert gradient[7] == pytest.approx((ends[1] - ends[0]) / 2e-4, rel=1e-6)
    learned, losses = example.one_for_each(data, -3.0, steps=5)
    assert losses[-1] < losses[0]
    assert np.median(learned[: example.USEFUL]) < np.median(learned[example.USEFUL :])


@pytest.mark.large
def test_penalties_of_each_feature_generalise_better_than_one():
    table, penalties, _ = load("bilevel_hyperparameters").main()
    assert table["one for each"]["test"] < 0.9 * table["one by a grid"]["test"]
    assert np.median(penalties[:6]) < 0.01 * np.median(penalties[6:])


@pytest.mark.large
def test_a_robust_layer_errs_less_than_least_squares():
    errors = load("robust_layer").main(epochs=5)
    assert errors["robust"][1] < 0.5 * errors["robust"][0]
    assert errors["robust"][1] < 0.5 * errors["least squares"][1]
    assert errors["robust"][2] < 0.5 * errors["least squares"][2]


def test_the_invented_detector_errs_as_said():
    example = load("learn_noise_model")
    rng = np.random.default_rng(0)
    noise = example.detector_noise(rng, (400, 50, 17, 2), example.LASTING)
    # Of a normal coordinate the median's size is 0.674; outliers move it by little.
    middle = np.median(np.abs(noise), axis=(0, 1, 3))
    assert middle[16] / middle[0] == pytest.approx(
        example.EXTREMITIES_PX / example.SIGMA_PX, rel=0.1
    )
    trunk = noise[:, :, 0]
    far = np.linalg.norm(trunk, axis=-1) > 4.5 * example.SIGMA_PX
    assert far.mean() == pytest.approx(example.OUTLIERS, rel=0.1)
    both = ~(far[1:] | far[:-1])
    near = np.mean((trunk[1:] * trunk[:-1])[both]) / np.mean(trunk[~far] ** 2)
    assert near == pytest.approx(example.LASTING * example.CORRELATION, abs=0.03)


@pytest.mark.large
def test_a_noise_model_learned_through_the_lifter_helps_other_people():
    errors = load("learn_noise_model").main()
    before, after = errors["noise that lasts"]
    assert after < 0.95 * before
