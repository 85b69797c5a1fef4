"""Hyper-parameters by bilevel optimisation: a ridge for every feature.

Inside, logistic regression with a penalty of its own for each feature,

    w(λ) = argmin_w  mean log-loss on the training rows + ½ Σ_j exp(λ_j) w_j²;

outside, the log-loss of w(λ) on validation rows, lowered over λ by its gradient, which
comes through the inner minimum. A grid can afford one penalty for all features: seven
values for each of forty features would be 7⁴⁰ fits. The gradient costs one linear
solve more than the fit, however many penalties there are.

Many penalties can overfit the validation rows as weights overfit training rows, so that
what counts is the third set, which neither level has seen.

    python examples/bilevel_hyperparameters.py
"""

import keras
import numpy as np
import tensorflow as tf

import wiberg_tf as wt

FEATURES, USEFUL = 40, 6
ROWS = {"training": 120, "validation": 240, "test": 4000}
GRID = np.arange(-7.0, 2.0, 0.5)


def make_data(seed=0):
    """(features `[n, 40]`, labels `[n]`) by set; few features say anything."""
    rng = np.random.default_rng(seed)
    true = np.zeros(FEATURES)
    true[:USEFUL] = rng.choice([-1, 1], USEFUL) * rng.uniform(0.8, 1.6, USEFUL)
    data = {}
    for name, rows in ROWS.items():
        x = rng.normal(size=(rows, FEATURES))
        says = rng.random(rows) < 1 / (1 + np.exp(-x @ true))
        data[name] = tf.constant(x), tf.constant(says.astype(float))
    return data


def log_loss(w, x, y):
    """Mean of -log p(y | x, w), smooth and without overflow."""
    logits = tf.linalg.matvec(x, w)
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits)
    )


def penalised(w, x, y, log_ridge):
    """The inner energy."""
    return log_loss(w, x, y) + 0.5 * tf.reduce_sum(tf.exp(log_ridge) * w**2)


@tf.function
def fit(x, y, log_ridge):
    """The inner minimum w(λ); differentiable in λ."""
    # The energy is strictly convex, so that the implicit derivative, which is that of
    # the trust region without damping, is safe.
    return wt.argmin(
        penalised,
        tf.zeros([FEATURES], tf.float64),
        (x, y, log_ridge),
        solver=wt.Newton(),
        derivative=wt.Implicit(),
    ).value


def outer(data, log_ridge):
    """The validation rows' loss of w(λ), and its gradient by λ."""
    log_ridge = tf.convert_to_tensor(log_ridge)
    with tf.GradientTape() as tape:
        tape.watch(log_ridge)
        loss = log_loss(fit(*data["training"], log_ridge), *data["validation"])
    return loss, tape.gradient(loss, log_ridge)


def one_for_all(data):
    """The best of a grid: one penalty, by validation rows."""
    losses = []
    for log_ridge in GRID:
        w = fit(*data["training"], tf.fill([FEATURES], log_ridge))
        losses.append(float(log_loss(w, *data["validation"])))
    return GRID[np.argmin(losses)]


def one_for_each(data, start, steps):
    """Penalties by gradient steps from the grid's best; and the outer loss by step."""
    log_ridge = keras.Variable(np.full(FEATURES, start), dtype="float64")
    optimizer = keras.optimizers.Adam(0.1)
    losses = []
    for _ in range(steps):
        loss, gradient = outer(data, log_ridge)
        optimizer.apply([gradient], [log_ridge])
        losses.append(float(loss))
    return log_ridge.numpy(), losses


def main(steps=60):
    """Log-losses by set, of both ways, and the learned penalties."""
    data = make_data()
    single = one_for_all(data)
    ridges, losses = one_for_each(data, single, steps)
    table = {}
    for way, log_ridge in (
        ("one by a grid", tf.fill([FEATURES], single)),
        ("one for each", ridges),
    ):
        w = fit(*data["training"], log_ridge)
        table[way] = {name: float(log_loss(w, *data[name])) for name in ROWS}
    return table, np.exp(ridges), losses


if __name__ == "__main__":
    table, ridges, losses = main()
    for way, row in table.items():
        text = ", ".join(f"{value:.3f} {name}" for name, value in row.items())
        print(f"{way}: log-loss {text}")
    useful, useless = np.median(ridges[:USEFUL]), np.median(ridges[USEFUL:])
    print(f"median penalty: {useful:.3f} of useful features, {useless:.3f} of others")
    print(f"the outer loss went from {losses[0]:.3f} to {losses[-1]:.3f}")
