"""Trains on one device and on two, in a process of its own: `python replicas.py CASE FILE`.

Logical devices must be set before TensorFlow starts. FILE, npz, gets what both have
found, `one/<name>` and `two/<name>`.
"""

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


if __name__ == "__main__":
    found = {}
    for name, strategy in strategies().items():
        result = globals()[sys.argv[1]](strategy)
        found |= {f"{name}/{key}": value for key, value in result.items()}
    np.savez(sys.argv[2], **found)
