"""Solvers of the damped linear system (H + λI) v = u, one algorithm a file."""
