"""Our side: `python -m i1_rows.keras_side`, see `benchmarks/i1.py`."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from human_pose.datasets.images import open_dataset
from human_pose.i1 import PoseNetwork, build_network, curriculum
from human_pose.i1.input import Stream, batches
from human_pose.i1.network.remat import rematerialized
from human_pose.i1.objective.terms import Objective
from human_pose.i1.optimizers.rmsprop import CaffeRMSProp
from human_pose.i1.training.trainer import PoseTrainer
from i1_rows import problem, worker


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("row", choices=("prepare", "step", "forward", "pictures"))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path)
    parser.add_argument("--depth_bins", type=int, default=4)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--remat", action="store_true")
    parser.add_argument("--jit", action="store_true")
    parser.add_argument("--batch", type=int, default=problem.BATCH)
    parser.add_argument("--steps", type=int, default=1, help="of a call")
    parser.add_argument("--gpu", action="store_true")
    arguments = parser.parse_args()
    if arguments.row == "prepare":
        _write_weights(arguments)
        if arguments.data_dir:
            _write_annotations(arguments)
        return
    if arguments.gpu and not tf.config.list_physical_devices("GPU"):
        raise SystemExit("TensorFlow sees no GPU")
    make = {"step": _step, "forward": _forward, "pictures": _pictures}[arguments.row]
    worker.serve(make(arguments), _card_memory_mib if arguments.gpu else None)


def _card_memory_mib() -> float:
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20


def _network(arguments: argparse.Namespace) -> PoseNetwork:
    network = build_network(
        arguments.depth_bins,
        dtype="mixed_bfloat16" if arguments.bfloat16 else "float32",
    )
    weights = problem.weights_file(arguments.folder, arguments.depth_bins)
    with np.load(weights) as arrays:
        for layer in network.layers:
            for variable in layer.trainable_variables:
                variable.assign(arrays[f"{layer.name}/{variable.name}"])
    return network


def _objective(arguments: argparse.Namespace) -> Objective:
    return Objective(curriculum.ADAPTIVE_I1, arguments.depth_bins)


def _forward(arguments: argparse.Namespace) -> Callable[[], None]:
    network = _network(arguments)
    image = tf.constant(problem.batch()["image"])
    call = tf.function(
        lambda: network(image, training=False), jit_compile=arguments.jit
    )
    return lambda: tf.nest.map_structure(np.asarray, call()) and None


def _step(arguments: argparse.Namespace) -> Callable[[], None]:
    """One step of what `main.py --model=i1 --train=1` runs, its batch in memory."""
    network = _network(arguments)
    # As `i1.training.build` does for this size.
    lean = rematerialized(network, "block" if arguments.remat else "unit")
    trainer = PoseTrainer(network, _objective(arguments), lean)
    trainer.compile(CaffeRMSProp(problem.LEARNING_RATE), jit_compile=arguments.jit)
    trainer.optimizer.build(trainer.trainable_variables)
    trainer.make_train_function()
    batch = problem.batch(arguments.batch)
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())

    def call() -> None:
        for _ in range(arguments.steps):
            logs = trainer.train_function(batches)
        np.asarray(logs["loss"])

    return call


def _pictures(arguments: argparse.Namespace) -> Callable[[], float]:
    """Pictures per second of the training's stream."""
    pictures = batches(
        open_dataset(arguments.data_dir),
        Stream(problem.PICTURES_BATCH, "published", shuffle=True, repeat=True),
    )
    stream = iter(pictures)
    return lambda: worker.stream_rate(stream)


def _write_weights(arguments: argparse.Namespace) -> None:
    """Weights that keep the size of what goes through, and the outputs."""
    random = np.random.default_rng(0)
    network = build_network(arguments.depth_bins)
    arrays = {}
    for layer in network.layers:
        for variable in layer.trainable_variables:
            shape = variable.shape
            if variable.name == "kernel":
                value = random.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape)
            else:
                value = random.normal(variable.name == "gamma", 0.1, shape)
            variable.assign(value)
            arrays[f"{layer.name}/{variable.name}"] = variable.numpy()
    batch = problem.batch()
    outputs = network(batch["image"])
    terms = _objective(arguments)(outputs, batch)
    arrays |= {f"output/{name}": np.asarray(value) for name, value in outputs.items()}
    arrays["loss"] = np.asarray(tf.add_n(list(terms.values())))
    arrays["parameters"] = sum(
        int(np.prod(v.shape)) for v in network.trainable_variables
    )
    np.savez(problem.weights_file(arguments.folder, arguments.depth_bins), **arrays)


def _write_annotations(arguments: argparse.Namespace) -> None:
    annotations = open_dataset(arguments.data_dir).annotations
    names = ("image", "box", "camera", "joints_2d_px", "joints_3d_mm")
    np.savez(
        problem.annotations_file(arguments.folder),
        folder=str(arguments.data_dir.resolve() / "images"),
        **{name: getattr(annotations, name) for name in names},
    )


if __name__ == "__main__":
    main()
