"""What Keras itself cannot do under `tf.distribute`: `keras_faults.py CASES FILE`.

CASES is "mirrored", for two logical CPUs, or "cluster", for the processes of TF_CONFIG.
FILE gets a line for each case: its name, and the error or "works".
"""

import json
import os
import sys

import keras
import numpy as np
import tensorflow as tf

FOUND = []


def fitted(strategy, batch, *, accumulate=None, at_once=1):
    """Trains a layer for two steps with Keras's own `fit`."""
    with strategy.scope():

        class Plain(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = keras.layers.Dense(1)

            def call(self, batch):
                return self.dense(batch["x"])

            def compute_loss(self, x, y, y_pred, sample_weight, training=True):
                return tf.reduce_mean(tf.square(y_pred))

        model = Plain()
        optimizer = keras.optimizers.Adam(gradient_accumulation_steps=accumulate)
        model.compile(optimizer, jit_compile=False, steps_per_execution=at_once)
        data = tf.data.Dataset.from_tensor_slices(batch).batch(4)
        model.fit(data, verbose=0, shuffle=False)


def tried(name, strategy, batch, **options):
    try:
        fitted(strategy, batch, **options)
    except Exception as error:
        FOUND.append(f"{name} {type(error).__name__} {' '.join(str(error).split())}")
    else:
        FOUND.append(f"{name} works")


def mirrored():
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, parts)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    numbers = {"x": np.ones((8, 3), np.float32)}
    tried("numbers", strategy, numbers)
    tried("bool", strategy, numbers | {"flipped": np.zeros(8, bool)})
    tried("accumulation", strategy, numbers, accumulate=2)
    tried("steps_at_once", strategy, numbers, at_once=2)


def cluster():
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    numbers = {"x": np.ones((8, 3), np.float32)}
    tried("symbolic_build", strategy, numbers)
    keras.Model._maybe_symbolic_build = lambda *arguments, **options: None
    tried("scalar_logs", strategy, numbers)


if __name__ == "__main__":
    cases, path = sys.argv[1:]
    globals()[cases]()
    if json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {"index": 0})["index"]:
        sys.exit()
    with open(path, "w") as file:
        file.writelines(f"{line}\n" for line in FOUND)
