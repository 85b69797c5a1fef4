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
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--batch", type=int, default=problem.BATCH)
    parser.add_argument("--steps", type=int, default=1, help="of a call")
    parser.add_argument("--gpu", action="store_true")
    arguments = parser.parse_args()
    if arguments.gpu:
        torch.set_default_device("cuda")
        torch.backends.cudnn.benchmark = True  # TensorFlow chooses likewise
    make = {"step": _step, "forward": _forward, "pictures": _pictures}[arguments.row]
    worker.serve(make(arguments), _card_memory_mib if arguments.gpu else None)


def _card_memory_mib() -> float:
    return torch.cuda.max_memory_allocated() / 2**20


def _batch(size: int = problem.BATCH) -> dict[str, torch.Tensor]:
    batch = {name: torch.from_numpy(a) for name, a in problem.batch(size).items()}
    image = batch["image"].permute(0, 3, 1, 2)
    return batch | {"image": image.contiguous(memory_format=torch.channels_last)}


def _placed(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    device = torch.get_default_device()
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}


def _precision(arguments: argparse.Namespace) -> contextlib.AbstractContextManager:
    if arguments.bfloat16:
        return torch.autocast("cuda" if arguments.gpu else "cpu", torch.bfloat16)
    return contextlib.nullcontext()


def _network(arguments: argparse.Namespace) -> Network:
    """With our weights; compared with our outputs and loss first."""
    network = Network(arguments.depth_bins).to(memory_format=torch.channels_last)
    weights = problem.weights_file(arguments.folder, arguments.depth_bins)
    with np.load(weights) as arrays:
        network.assign(arrays)
        batch = _placed(_batch())
        torch.backends.cudnn.allow_tf32 = False  # our outputs are of whole float32
        with torch.no_grad():
            outputs = network(batch["image"])
            loss = torch_objective.loss(*outputs, batch["joints_2d"], batch["depth"])
        count = sum(p.numel() for p in network.parameters())
        _compare("parameters", np.float64(count), arrays["parameters"], 0)
        tolerance = problem.GPU_TOLERANCE if arguments.gpu else problem.TOLERANCE
        for name, found in zip(("heatmap", "heatmap2"), outputs, strict=True):
            found = found.permute(0, 2, 3, 1).cpu().numpy()
            _compare(name, found, arrays[f"output/{name}"], tolerance)
        _compare("loss", loss.cpu().numpy(), arrays["loss"], tolerance)
        torch.backends.cudnn.allow_tf32 = True
    return network


def _compare(name: str, torchs: np.ndarray, ours: np.ndarray, tolerance: float) -> None:
    difference = np.abs(torchs - ours).max() / np.abs(ours).max()
    if difference > tolerance:
        raise RuntimeError(f"{name} differs by {difference:.1e} of the largest")


def _forward(arguments: argparse.Namespace) -> Callable[[], None]:
    network = _network(arguments)
    image = _placed(_batch())["image"]

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
    network = torch.compile(network) if arguments.compiled else network
    memory = _batch(arguments.batch)
    if arguments.gpu:
        memory = {name: value.pin_memory() for name, value in memory.items()}

    def call() -> None:
        for _ in range(arguments.steps):
            step()
        if arguments.gpu:
            torch.cuda.synchronize()

    def step() -> None:
        batch = _placed(memory)
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
