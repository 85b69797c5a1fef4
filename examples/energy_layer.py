"""An energy layer in the middle of a deep network.

Each example is a set of numbers around a hidden centre, half of them outliers. A dense
network scores every number, an `ArgMin` layer finds the robust weighted mean, and a
last layer maps that to the target. Network, energy width and last layer are trained
together, through the minimisation.

    python examples/energy_layer.py
"""

import keras
import numpy as np
import tensorflow as tf

import wiberg_tf as wt


@keras.saving.register_keras_serializable("examples")
def weighted_robust_energy(x, inputs, log_width):
    """Σ w ρ((p − x) / width) with the pseudo-Huber loss, and a weak pull to 0."""
    points, weights = inputs
    loss = wt.losses.PseudoHuber(tf.exp(log_width))
    robust = tf.reduce_sum(weights * loss((points - x) ** 2), -1)
    return robust + 1e-3 * tf.reduce_sum(x**2, -1)


def make_data(examples, seed):
    """Points `[examples, 16]`, half of them outliers, and 2 · centre + 1."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(examples, 1))
    inliers = centre + 0.1 * rng.normal(size=(examples, 8))
    outliers = rng.uniform(2, 8, size=(examples, 8))
    points = np.concatenate([inliers, outliers], -1).astype("float32")
    return points, (2 * centre + 1).astype("float32")


def make_model():
    """Points to scores, to a robust mean, to the target."""
    # === Functional Model ===
    points = keras.Input([16])
    each = keras.layers.Reshape([16, 1])(points)
    hidden = keras.layers.Dense(8, activation="tanh")(each)
    scores = keras.layers.Dense(1, activation="softplus")(hidden)
    scores = keras.layers.Reshape([16])(scores)
    mean = wt.keras.ArgMin(
        weighted_robust_energy, (1,), weights={"log_width": 0.0}, name="robust_mean"
    )([points, scores])
    return keras.Model(points, keras.layers.Dense(1)(mean))


def main(epochs=20):
    """Trains, and returns the mean squared error of each epoch."""
    keras.utils.set_random_seed(0)
    model = make_model()
    model.compile(keras.optimizers.Adam(0.03), "mse")
    history = model.fit(*make_data(512, 0), epochs=epochs, batch_size=64, verbose=0)
    return history.history["loss"]


if __name__ == "__main__":
    losses = main()
    print(f"mean squared error: {losses[0]:.3f} at first, {losses[-1]:.3f} at last")
