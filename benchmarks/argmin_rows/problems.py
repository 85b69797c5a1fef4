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


class Robust(NamedTuple):
    """E = δ² Σ (sqrt(1 + (a · x − b)² / δ²) − 1), δ = exp(θ): a pseudo-Huber line fit.

    The loss is half the squared distance from the weights that made b.

    Attributes:
      features: a, `[B, 40, 8]`.
      targets: b, `[B, 40]`, a fifth of it outliers.
      truth: `[B, 8]`.
      log_width: θ, `[B]`.
    """

    features: np.ndarray
    targets: np.ndarray
    truth: np.ndarray
    log_width: np.ndarray


class Curved(NamedTuple):
    """E = ½ Σ (a · x + 0.3 sin(θ a · x) − b)² + ½ 0.01 |x|²: non-linear least squares.

    The loss is half the squared distance from the unknowns that made b.

    Attributes:
      features: a, `[B, 60, 30]`.
      targets: b, `[B, 60]`.
      truth: `[B, 30]`.
      frequency: θ, `[B]`.
    """

    features: np.ndarray
    targets: np.ndarray
    truth: np.ndarray
    frequency: np.ndarray


class Equilibrium(NamedTuple):
    """z = tanh(z W + u), a layer of 512 units; the loss is ½ |z − t|² over the batch.

    Attributes:
      injected: u, `[64, n]`.
      targets: t, `[64, n]`.
      weights: θ = W, `[n, n]`, of spectral norm 0.9.
    """

    injected: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


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


def robust(batch: int) -> Robust:
    unknowns, examples = 8, 40
    rng = np.random.default_rng(SEED)
    features = rng.normal(size=[batch, examples, unknowns])
    truth = rng.normal(size=[batch, unknowns])
    noise = 0.3 * rng.normal(size=[batch, examples])
    outliers = rng.uniform(size=noise.shape) < 0.2
    noise += 10 * outliers * rng.normal(size=noise.shape)
    targets = (features @ truth[..., None])[..., 0] + noise
    return Robust(features, targets, truth, np.full(batch, np.log(2.0)))


def curved(batch: int) -> Curved:
    unknowns, examples = 30, 60
    rng = np.random.default_rng(SEED)
    features = rng.normal(size=[batch, examples, unknowns]) / np.sqrt(unknowns)
    truth = rng.normal(size=[batch, unknowns])
    seen = (features @ truth[..., None])[..., 0]
    noise = 0.1 * rng.normal(size=seen.shape)
    return Curved(features, seen + 0.3 * np.sin(seen) + noise, truth, np.ones(batch))


def equilibrium(units: int) -> Equilibrium:
    rng = np.random.default_rng(SEED)
    weights = rng.normal(size=[units, units])
    weights *= 0.9 / np.linalg.norm(weights, 2)
    injected, targets = rng.normal(size=[2, 64, units])
    return Equilibrium(injected, targets, weights)


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
    "robust": Case("4,096 robust regressions, 8 unknowns", robust, 4096, 4096),
    "curved": Case("256 non-linear least squares, 30 unknowns", curved, 256, 256),
    "equilibrium": Case(
        "a deep equilibrium layer, 512 units, batch 64", equilibrium, 512, 64
    ),
}
# Of the gradient, at a minimiser that is solved for.
TOLERANCE: Final = 1e-8
# Of the linear systems of derivatives that are solved iteratively, relative.
LINEAR_TOLERANCE: Final = 1e-10
