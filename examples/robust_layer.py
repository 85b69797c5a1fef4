"""A robust layer in a Keras network, beside the same network with least squares.

Each example is a set of points about a hidden line, a third of them wrong matches, and
each point comes with a descriptor from which a network can partly tell whether it is
wrong. The network weighs the points, an `ArgMin` layer fits the line to them, and the
loss is on the line alone: nobody says which points are wrong. The gradient comes
through the fit.

The two networks differ in the layer's loss. A sum of weighted squares believes a wrong
point as far as its weight says, however far away it lies; a robust loss also sees that
the line of the others passes far from it, and its width is learned as the network is.

    python examples/robust_layer.py
"""

import keras
import numpy as np
import tensorflow as tf

import wiberg_tf as wt

POINTS, DESCRIPTOR = 24, 6
NOISE, WRONG = 0.1, 1 / 3


def residuals(line, points):
    """Distances of points `[batch, n, 2]` from lines (slope, intercept), along y."""
    slope, intercept = tf.split(line, 2, axis=-1)
    return points[..., 1] - slope * points[..., 0] - intercept


@keras.saving.register_keras_serializable("examples")
def squares(line, inputs):
    """½ Σ w r²; a weak pull to 0 keeps it regular if all weights vanish."""
    points, weights = inputs
    fit = tf.reduce_sum(weights * residuals(line, points) ** 2, -1)
    return 0.5 * fit + 1e-3 * tf.reduce_sum(line**2, -1)


@keras.saving.register_keras_serializable("examples")
def robust(line, inputs, log_width):
    """The same of ρ(r²), quadratic within the width and linear beyond it."""
    points, weights = inputs
    loss = wt.losses.PseudoHuber(tf.exp(log_width))
    fit = tf.reduce_sum(weights * loss(residuals(line, points) ** 2), -1)
    return 0.5 * fit + 1e-3 * tf.reduce_sum(line**2, -1)


# Where the width starts does not matter much: it is trained.
LAYERS = {
    "least squares": (squares, {}),
    "robust": (robust, {"log_width": np.log(0.5)}),
}


def make_data(examples, seed, wrong=WRONG):
    """((points, descriptors), lines) of as many examples."""
    rng = np.random.default_rng(seed)
    shape = examples, POINTS
    lines = rng.normal(size=(examples, 2))
    x = rng.uniform(-2, 2, shape)
    y = lines[:, :1] * x + lines[:, 1:] + rng.normal(0, NOISE, shape)
    is_wrong = rng.random(shape) < wrong
    # Wrong matches lie above more often than below, so that they do not cancel.
    y = np.where(is_wrong, y + rng.normal(2.0, 3.0, shape), y)
    # What tells is how far the descriptor is from 0, which no linear map sees.
    spread = np.where(is_wrong, 1.6, 1.0)[..., None]
    descriptors = spread * rng.normal(size=(*shape, DESCRIPTOR))
    inputs = np.stack([x, y], axis=-1), descriptors
    return tuple(a.astype("float32") for a in inputs), lines.astype("float32")


def make_model(layer):
    """Descriptors to weights; weights and points to the line."""
    energy, weights = LAYERS[layer]
    points = keras.Input([POINTS, 2], name="points")
    descriptors = keras.Input([POINTS, DESCRIPTOR], name="descriptors")
    hidden = keras.layers.Dense(16, activation="relu")(descriptors)
    hidden = keras.layers.Dense(16, activation="relu")(hidden)
    scores = keras.layers.Dense(1, activation="sigmoid")(hidden)
    scores = keras.layers.Reshape([POINTS])(scores)
    line = wt.keras.ArgMin(energy, (2,), weights=weights, name="line")([points, scores])
    return keras.Model([points, descriptors], line)


def train(layer, epochs, examples):
    """A trained network."""
    keras.utils.set_random_seed(0)
    model = make_model(layer)
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    model.fit(*make_data(examples, 0), epochs=epochs, batch_size=64, verbose=0)
    return model


def error(model, wrong=WRONG):
    """Root of the mean squared error of lines that training has not seen."""
    inputs, lines = make_data(1000, 1, wrong)
    predicted = model.predict(inputs, batch_size=500, verbose=0)
    return float(np.sqrt(np.mean((predicted - lines) ** 2)))


def main(epochs=15, examples=2048):
    """Errors by layer: of untrained weights, trained, and with more wrong matches."""
    errors = {}
    for layer in LAYERS:
        model = train(layer, epochs, examples)
        before, after = error(make_model(layer)), error(model)
        errors[layer] = before, after, error(model, wrong=0.5)
        for weight in model.get_layer("line").trainable_variables:
            print(f"{layer}: {weight.name} became {float(weight):.2f}")
    return errors


if __name__ == "__main__":
    print("error of lines in examples that training has not seen:")
    for layer, (before, after, harder) in main().items():
        print(
            f"{layer:>13}: {before:.3f} before training, {after:.3f} after; "
            f"{harder:.3f} where half of the points are wrong"
        )
