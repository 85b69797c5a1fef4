"""What `benchmarks/argmin.py` times: the problems, without any framework.

Each is a lower problem min E(x; θ) over x and a loss of its minimiser, whose gradient
in θ is asked for. All is float64 and drawn with a fixed seed.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from ransac.problems import SETTINGS, DrawnStream

SEED: Final = 0


class Toy(NamedTuple):
    """The paper's toy: E = −Σ exp(−(x − t)² / σ²), the loss (x − mean of inliers)².

    Attributes:
      points: t, `[B, 110]`.
      truth: `[B]`.
      sigma: θ, `[B]`.
      damping: λ of the published step and of its derivative.
    """

    points: np.ndarray
    truth: np.ndarray
    sigma: np.ndarray
    damping: float = 0.1


class Logistic(NamedTuple):
    """E = Σ log(1 + exp(−f · x)) + ½ exp(θ) |x|², f being features times labels ±1.

    The loss is Σ log(1 + exp(−h · x)) of the examples held out.

    Attributes:
      features: f, `[B, 200, 30]`.
      held_out: h, `[B, 100, 30]`.
      log_penalty: θ, `[B]`.
    """

    features: np.ndarray
    held_out: np.ndarray
    log_penalty: np.ndarray


class Chain(NamedTuple):
    """E = Σ (sqrt(1 + (x − y)²) − 1) + ½ exp(θ) Σ (x_{i+1} − x_i)²: a smooth signal.

    The loss is half the squared distance from the clean signal.

    Attributes:
      observed: y, `[10000]`, a tenth of it outliers.
      clean: `[10000]`.
      log_smoothness: θ, scalar.
    """

    observed: np.ndarray
    clean: np.ndarray
    log_smoothness: float


def toy(batch: int) -> Toy:
    problems = DrawnStream(SETTINGS["code"], SEED).take(batch)
    points = np.concatenate(problems, -1)
    return Toy(points, problems.inliers.mean(-1), np.full(batch, 3.0))


def logistic(batch: int) -> Logistic:
    unknowns, examples, held_out = 30, 300, 100
    rng = np.random.default_rng(SEED)
    features = rng.normal(size=[batch, examples, unknowns])
    weights = rng.normal(size=[batch, unknowns, 1])
    noisy = (features @ weights)[..., 0] + 2 * rng.normal(size=[batch, examples])
    signed = features * np.sign(noisy)[..., None]
    return Logistic(signed[:, held_out:], signed[:, :held_out], np.zeros(batch))


def chain(unknowns: int) -> Chain:
    rng = np.random.default_rng(SEED)
    clean = 3 * np.sin(np.linspace(0, 40, unknowns))
    noise = rng.normal(size=unknowns)
    outliers = 10 * rng.normal(size=unknowns) * (rng.uniform(size=unknowns) < 0.1)
    return Chain(clean + noise + outliers, clean, np.log(10.0))


class Case(NamedTuple):
    """A problem, or a batch of them, that every row solves.

    Attributes:
      title: for people.
      make: makes it of a size, problems or unknowns.
      size: the one that is timed.
      count: how many problems a call solves then.
    """

    title: str
    make: Callable[[int], NamedTuple]
    size: int
    count: int


CASES: Final = {
    "toy": Case("256 toy problems", toy, 256, 256),
    "logistic": Case("256 logistic regressions, 30 unknowns", logistic, 256, 256),
    "chain": Case("one chain, 10,000 unknowns", chain, 10_000, 1),
}
# Of the gradient, at a minimiser that is solved for.
TOLERANCE: Final = 1e-8
