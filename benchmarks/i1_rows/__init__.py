"""The sides of `benchmarks/i1.py`, each run in processes of its own.

worker          what a side's process does: calls on request, by benchmarks/worker.py
problem         what both sides are given: weights, a batch, pictures
keras_side      our network, training step and pictures
torch_side      the same in PyTorch: torch_network, torch_objective, torch_loader
"""
