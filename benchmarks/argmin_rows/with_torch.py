"""Rows in PyTorch: the loop over problems that the published toy has, and a batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from argmin_rows import problems


def toy(problem: problems.Toy) -> dict[str, Callable]:
    points, truth, sigma = map(torch.from_numpy, problem[:3])
    damping = problem.damping

    def energy(x: torch.Tensor, t: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return -torch.exp(-(((x[..., None] - t) / s) ** 2)).sum(-1)

    def slope_and_bend(x: torch.Tensor, t: torch.Tensor, s: torch.Tensor) -> Any:
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x, t, s), x, create_graph=True)
        (bend,) = torch.autograd.grad(slope, x, retain_graph=True)
        return slope, bend

    def one(t: torch.Tensor, mean: torch.Tensor, s: torch.Tensor) -> Any:
        s = s.clone().requires_grad_()
        start = t[torch.argmin(energy(t, t, s.detach()))]
        # The published search, which never moves: `start` needs no gradient.
        torch.optim.LBFGS([start]).step(lambda: energy(start, t, s.detach()))
        slope, bend = slope_and_bend(start, t, s.detach())
        x = start - slope.detach() / (bend + damping)
        slope, bend = slope_and_bend(x, t, s)
        v = 2 * (x - mean) / (bend + damping)
        (gradient,) = torch.autograd.grad(-v.detach() * slope, s)
        return x, gradient

    def call() -> tuple[np.ndarray, np.ndarray]:
        results = [one(*entries) for entries in zip(points, truth, sigma, strict=True)]
        x, gradient = zip(*results, strict=True)
        return torch.stack(x).numpy(), torch.stack(gradient).numpy()

    return {"PyTorch loop, one problem at a time, as published": call}


def logistic(problem: problems.Logistic) -> dict[str, Callable]:
    features, held_out, log_penalty = map(torch.from_numpy, problem)

    def misfit(x: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.softplus(features @ -x).sum()

    def energy(x: torch.Tensor, f: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        return misfit(x, f) + 0.5 * torch.exp(theta) * (x**2).sum()

    slope = torch.func.grad(energy)
    slopes = torch.vmap(slope)
    hessians = torch.vmap(torch.func.jacfwd(slope))
    across = torch.vmap(torch.func.jacfwd(slope, argnums=2))
    upstream = torch.vmap(torch.func.grad(misfit))

    def call() -> tuple[np.ndarray, np.ndarray]:
        x = torch.zeros_like(features[:, 0])
        while True:
            gradient = slopes(x, features, log_penalty)
            if gradient.norm(dim=-1).max() <= problems.TOLERANCE:
                break
            factor = torch.linalg.cholesky(hessians(x, features, log_penalty))
            x = x - torch.cholesky_solve(gradient[..., None], factor)[..., 0]
        factor = torch.linalg.cholesky(hessians(x, features, log_penalty))
        right = upstream(x, held_out)[..., None]
        v = torch.cholesky_solve(right, factor)[..., 0]
        return x.numpy(), -(v * across(x, features, log_penalty)).sum(-1).numpy()

    return {"PyTorch by hand, Newton": call}
