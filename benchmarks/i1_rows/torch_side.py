"""PyTorch's side: `python -m i1_rows.torch_side`, see `benchmarks/i1.py`."""

import argparse
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from i1_rows import problem, torch_objective, worker
from i1_rows.torch_network import Network


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("row", choices=("step", "forward", "pictures"))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--depth_bins", type=int, default=4)
    parser.add_argument("--bfloat16", action="store_true")
    arguments = parser.parse_args()
    make = {"step": _step, "forward": _forward, "pictures": _pictures}[arguments.row]
    worker.serve(make(arguments))


def _batch() -> dict[str, torch.Tensor]:
    batch = {name: torch.from_numpy(a) for name, a in problem.batch().items()}
    image = batch["image"].permute(0, 3, 1, 2)
    return batch | {"image": image.contiguous(memory_format=torch.channels_last)}


def _precision(arguments: argparse.Namespace) -> contextlib.AbstractContextManager:
    if arguments.bfloat16:
        return torch.autocast("cpu", torch.bfloat16)
    return contextlib.nullcontext()


def _network(arguments: argparse.Namespace) -> Network:
    """With our weights; compared with our outputs and loss first."""
    network = Network(arguments.depth_bins).to(memory_format=torch.channels_last)
    weights = problem.weights_file(arguments.folder, arguments.depth_bins)
    with np.load(weights) as arrays:
        network.assign(arrays)
        batch = _batch()
        with torch.no_grad():
            outputs = network(batch["image"])
            loss = torch_objective.loss(*outputs, batch["joints_2d"], batch["depth"])
        count = sum(p.numel() for p in network.parameters())
        _compare("parameters", np.float64(count), arrays["parameters"])
        for name, ours in zip(("heatmap", "heatmap2"), outputs, strict=True):
            ours = ours.permute(0, 2, 3, 1).numpy()
            _compare(name, ours, arrays[f"output/{name}"])
        _compare("loss", loss.numpy(), arrays["loss"])
    return network


def _compare(name: str, torchs: np.ndarray, ours: np.ndarray) -> None:
    difference = np.abs(torchs - ours).max() / np.abs(ours).max()
    if difference > problem.TOLERANCE:
        raise RuntimeError(f"{name} differs by {difference:.1e} of the largest")


def _forward(arguments: argparse.Namespace) -> Callable[[], None]:
    network = _network(arguments)
    image = _batch()["image"]

    @torch.no_grad()
    def call() -> None:
        with _precision(arguments):
            network(image)

    return call


def _step(arguments: argparse.Namespace) -> Callable[[], None]:
    network = _network(arguments)
    biases = [p for n, p in network.named_parameters() if _is_bias(network, n)]
    others = [p for n, p in network.named_parameters() if not _is_bias(network, n)]
    optimizer = torch.optim.RMSprop(
        [{"params": others}, {"params": biases, "lr": 2 * problem.LEARNING_RATE}],
        lr=problem.LEARNING_RATE,
        alpha=0.99,
        eps=1e-8,
        foreach=True,
    )
    batch = _batch()

    def call() -> None:
        optimizer.zero_grad(set_to_none=True)
        with _precision(arguments):
            heatmap, heatmap2 = network(batch["image"])
        loss = torch_objective.loss(
            heatmap, heatmap2, batch["joints_2d"], batch["depth"]
        )
        loss.backward()
        optimizer.step()

    return call


def _is_bias(network: Network, name: str) -> bool:
    """Of a convolution."""
    layer, _, variable = name.rpartition(".")
    convolution = isinstance(network.get_submodule(layer), torch.nn.Conv2d)
    return convolution and variable == "bias"


def _pictures(arguments: argparse.Namespace) -> Callable[[], float]:
    from i1_rows.torch_loader import batches

    stream = batches(arguments.folder, workers=len(os.sched_getaffinity(0)))
    return lambda: worker.stream_rate(stream)


if __name__ == "__main__":
    main()
