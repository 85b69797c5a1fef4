"""A small network that several processes train: `python workers.py FOLDER DISTRIBUTE`.

FOLDER gets `state.npz` every ten steps, from which another start goes on, and at the
end `losses.npy`. In FOLDER the file `kill-at-K`, or `term-at-K`, makes worker 1 send
itself that signal after step K, once.
"""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from human_pose.i1.network.normalization import ScaledBatchNormalization
from human_pose.i1.objective.losses import AdaptiveWeightEuclidean
from human_pose.i1.optimizers.adamw import FusedAdamW
from human_pose.runs import cluster, distribution
from human_pose.runs.interruption import Leaver, noticed
from human_pose.runs.state import read_progress, restore_variables, write_state

BATCH, EVERY, STEPS = 6, 10, 40
CONDITIONS = {"batch_size": BATCH}


@dataclass
class Progress:
    """How far it is."""

    step: int = 0


class Small(distribution.BuiltModel):
    """Two convolutions with a normalisation between them, in float64."""

    def __init__(self):
        super().__init__(dtype="float64")
        options = {"dtype": "float64", "padding": "same"}
        seeds = iter(range(2))
        self.parts = [
            keras.layers.Conv2D(
                4, 3, kernel_initializer=keras.initializers.GlorotNormal(next(seeds)),
                **options,
            ),
            ScaledBatchNormalization("moving", dtype="float64"),
            keras.layers.Conv2D(
                2, 3, kernel_initializer=keras.initializers.GlorotNormal(next(seeds)),
                **options,
            ),
        ]  # fmt: skip
        self.loss_mean = distribution.LocalMean("loss", dtype="float64")

    @property
    def metrics(self):
        return [self.loss_mean]

    def call(self, images, training=False):
        x = self.parts[1](self.parts[0](images), training=training)
        return self.parts[2](tf.nn.relu(x))

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            pair = (self(batch["image"], training=True), batch["label"])
            part = AdaptiveWeightEuclidean()([pair])
        variables = self.trainable_variables
        gradients = tape.gradient(part, [variable.value for variable in variables])
        self.optimizer.apply(gradients)
        return {"loss": distribution.total(part)}


def batches(first, workers=1, worker=0):
    """Endless, by position: the parts of all workers are the batches of one."""
    size = BATCH // workers

    def sample(number):
        batch, place = number // size, number % size
        key = tf.stack([7, batch * BATCH + worker * size + place])
        draws = tf.random.stateless_normal([6, 6, 3], key, dtype=tf.float64)
        return {"image": draws, "label": draws[..., :2] * draws[..., 1:]}

    numbers = tf.data.Dataset.range(first * size, tf.int64.max)
    return numbers.map(sample).batch(size, drop_remainder=True)


class Counter(keras.callbacks.Callback):
    """Counts, and sends the signals that are asked for."""

    def __init__(self, progress, folder, number, losses):
        super().__init__()
        self._progress, self._folder = progress, folder
        self._number, self._losses = number, losses

    def on_train_batch_end(self, batch, logs):
        self._progress.step += 1
        self._losses.append(float(logs["loss"]))
        for word, sent in (("kill", signal.SIGKILL), ("term", signal.SIGTERM)):
            order = self._folder / f"{word}-at-{self._progress.step}"
            if self._number == 1 and order.exists():
                order.unlink()
                os.kill(os.getpid(), sent)


class Saver(Leaver):
    """Saves, in the process that writes."""

    def __init__(self, notice, path, progress, variables):
        super().__init__(notice)
        self._path, self._progress, self._variables = path, progress, variables

    def save(self, logs):
        write_state(self._path, self._progress, CONDITIONS, self._variables)
        return self._path


def train(folder, strategy):
    """Trains to the end; returns the losses of this start, and the variables."""
    place = distribution.place_of(strategy)
    path, progress, losses = folder / "state.npz", Progress(), []
    shared = noticed(shared=place.processes > 1)
    with cluster.together(strategy), strategy.scope(), shared as notice:
        model = Small()
        model(tf.zeros([1, 6, 6, 3], tf.float64))
        model.compile(FusedAdamW(1e-3, decay=1e-2))
        model.optimizer.build(model.trainable_variables)
        variables = [*model.variables, *model.optimizer.variables]
        if path.exists():
            progress = read_progress(path, CONDITIONS, Progress)
            restore_variables(path, variables)
        cluster.check_alike(strategy, CONDITIONS | vars(progress))
        model.notice = notice
        saver = Saver(notice, path, progress, variables)
        leaver = saver if place.number == 0 else Leaver(notice)
        if place.number == 0 and not path.exists():
            saver.save({})
        while progress.step < STEPS:
            model.fit(
                distribution.batches_for(
                    strategy, BATCH, lambda *part: batches(progress.step, *part)
                ),
                steps_per_epoch=EVERY - progress.step % EVERY,
                shuffle=False,
                callbacks=[Counter(progress, folder, place.number, losses), leaver],
                verbose=0,
            )
    return losses, [np.asarray(variable) for variable in variables]


if __name__ == "__main__":
    where = Path(sys.argv[1])
    used = cluster.make_strategy(sys.argv[2], 60)
    try:
        found, _ = train(where, used)
    except cluster.LostWorker as error:
        print(error, file=sys.stderr)
        sys.exit(error.EXIT_CODE)
    if distribution.is_chief(used):
        np.save(where / "losses.npy", found)
