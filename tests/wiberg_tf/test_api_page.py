"""docs/api.md: its example runs, and it names all that is public."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The names that the page's example leaves behind; TensorFlow reads its source."""
    (code,) = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)
    path = tmp_path_factory.mktemp("page") / "example.py"
    path.write_text(code)
    return runpy.run_path(str(path))


def test_the_solver_of_the_example_solves(example):
    target = example["target"].numpy()
    solution = example["solution"]
    np.testing.assert_array_equal(solution.status, [wt.Status.CONVERGED] * 2)
    np.testing.assert_allclose(solution.value, np.log(target), atol=1e-7)
    np.testing.assert_allclose(example["gradient"], 1 / target, rtol=1e-6)
    # Faster than with the first rate alone, whose error halves in seven steps.
    assert np.max(solution.stats.iterations) < 30


@pytest.mark.parametrize("checkpoint", [False, True])
def test_the_solver_of_the_example_unrolls_in_graphs(example, checkpoint):
    target = example["target"]

    @tf.function
    def gradient(target):
        with tf.GradientTape() as tape:
            tape.watch(target)
            value = wt.argmin(
                lambda x, target: tf.reduce_sum(tf.exp(x) - target * x, -1),
                tf.zeros_like(target),
                target,
                solver=example["BarzilaiBorwein"](),
                derivative=wt.Unrolled(checkpoint=checkpoint),
                batch_dims=1,
            ).value
        return tape.gradient(value, target)

    # The last step's derivative lags behind its value.
    np.testing.assert_allclose(gradient(target), 1 / target, rtol=0.02)


def test_everything_public_is_on_the_page():
    missing = [name for name in wt.__all__ if not re.search(rf"\b{name}\b", _PAGE)]
    assert not missing
