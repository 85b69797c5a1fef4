"""Solvers that minimise an energy, one algorithm a file."""
