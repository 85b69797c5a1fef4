"""Trains on one device and on two: `python replicas.py FOLDER CASE ...`.

Logical devices must be set before TensorFlow starts. A case is the name of a function
here and its options, with commas between; `FOLDER/<case>.npz` gets what both have
found, `one/<name>` and `two/<name>`.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

_GOLDEN = Path(__file__).parent.parent / "golden"


def strategies():
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, parts)
    return {
        "one": tf.distribute.get_strategy(),
        "two": tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    }


def lifter(strategy):
    """One epoch of batches of 7, 7 and 1: in parts, 4 + 3, 4 + 3 and 1 + 0."""
    import keras

    from human_pose.datasets.pose_files import PoseSet
    from human_pose.lifting import PPCALifter, read_cameras, read_mixture
    from human_pose.lifting.training.batches import FrameBatches
    from human_pose.lifting.training.trainer import LiftingTrainer

    golden = np.load(_GOLDEN / "golden_synthetic.npz")
    poses = PoseSet(
        golden["train_poses_2d"].reshape(-1, 4, 17, 2)[:15],
        golden["train_poses_3d_gt"].reshape(-1, 17, 3)[:15],
        np.tile(np.eye(3), (15, 4, 1, 1)),
    )
    batches = FrameBatches(poses, batch_size=7, seed=1)
    logged = []
    with strategy.scope():
        trainer = LiftingTrainer(
            PPCALifter(
                read_mixture(_GOLDEN / "model_parameters.h5", 3),
                read_cameras(_GOLDEN / "avg_cameras.h5"),
            ),
            2,
        )
        trainer.compile_as_published(0.01)
        trainer.fit(
            batches.epoch(0),
            shuffle=False,
            verbose=0,
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_train_batch_end=lambda _, logs: logged.append(dict(logs))
                )
            ],
        )
        error = float(trainer.error(batches.batch(0, 0)))
    result = {name: [logs[name] for logs in logged] for name in logged[0]}
    parameters = trainer.lifter.parameters.items()
    return {
        **result,
        "error": error,
        **{f"variable/{name}": np.asarray(value) for name, value in parameters},
    }


def i1(
    strategy,
    network="few",
    name="adamw",
    accumulate=1,
    dtype="float32",
    batch_norm="batch",
):
    """Three batches of 3, 3 and 1: in parts, 2 + 1, 2 + 1 and 1 + 0; a validation."""
    import keras

    from human_pose.i1 import curriculum
    from human_pose.i1.network.blocks import Blocks
    from human_pose.i1.network.hourglass import build_network
    from human_pose.i1.objective.terms import Objective
    from human_pose.i1.training.optimizer import make_optimizer
    from human_pose.i1.training.trainer import PoseTrainer

    recipe = dataclasses.replace(curriculum.PUBLISHED, optimizer=name)
    terms = curriculum.LossTerms(
        adaptive=curriculum.TERMS, euclidean=((curriculum.HEATMAP_3D, 0.1),),
        absolute=((curriculum.DEPTH, 1.0),),
    )  # fmt: skip
    stage = curriculum.Stage("d4", 4, terms, 1e-8, 10, 3, 0.01)
    logged = []
    data = tf.data.Dataset.from_tensor_slices(_pictures(7)).batch(3)
    with strategy.scope():
        options = {"initializer": "scaled", "dtype": dtype, "seed": 0}
        network = (
            build_network(4, 16, 64, "tiny", batch_norm, **options)
            if network == "tiny"
            else few_layers(Blocks(8, batch_norm, **options))
        )
        trainer = PoseTrainer(network, Objective(terms, 4))
        trainer.compile(make_optimizer(recipe, stage, accumulate), jit_compile=False)
        trainer.optimizer.build(trainer.trainable_variables)
        before = [np.asarray(value) for value in network.trainable_variables]
        trainer.fit(
            data,
            validation_data=data,
            shuffle=False,
            verbose=0,
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_train_batch_end=lambda _, logs: logged.append(dict(logs)),
                    on_epoch_end=lambda _, logs: logged.append(dict(logs)),
                )
            ],
        )
    result = {
        name: [logs[name] for logs in logged if name in logs] for name in logged[-1]
    }
    variables = [*network.variables, *trainer.optimizer.variables]
    return {
        **result,
        **{
            f"change/{value.path}": np.asarray(value) - old
            for value, old in zip(network.trainable_variables, before, strict=True)
        },
        **{f"variable/{value.path}": np.asarray(value) for value in variables},
    }


def few_layers(make):
    import keras

    image = keras.Input((64, 64, 3), name="image")
    x = make.convolution(image, "conv_1", 4, 5, strides=4)
    x = keras.layers.ReLU()(make.normalized(x, "bn_1"))
    x = make.normalized(make.convolution(x, "fc_1", 4, 3), "bn_2")
    heatmaps = {"heatmap": 16, "heatmap2": 64}
    return keras.Model(
        image,
        {
            name: keras.layers.Activation("linear", dtype="float32", name=name)(
                make.convolution(x, f"conv_{name}", channels)
            )
            for name, channels in heatmaps.items()
        },
    )


def _value(text):
    return int(text) if text.isdigit() else text


def _pictures(number):
    random = np.random.default_rng(3)

    def uniform(*shape, low=0.0, high=1.0):
        return random.uniform(low, high, (number, *shape)).astype(np.float32)

    return {
        "image": uniform(64, 64, 3, low=-0.5, high=0.5),
        "joints_2d": uniform(16, 2),
        "depth": uniform(16),
        "z_mm": uniform(16, low=4000, high=6000),
        "box": np.tile(np.float32([100, 100, 500, 500]), (number, 1)),
        "camera": np.tile(np.float32([1145, 1145, 512, 512]), (number, 1)),
        "flipped": np.zeros(number, bool),
    }


if __name__ == "__main__":
    used = strategies()
    for case in sys.argv[2:]:
        function, *options = case.split(",")
        found = {}
        for name, strategy in used.items():
            result = globals()[function](strategy, *map(_value, options))
            found |= {f"{name}/{key}": value for key, value in result.items()}
        np.savez(Path(sys.argv[1]) / f"{case}.npz", **found)
