"""The rows of `benchmarks/argmin.py`: one framework a module.

A module has a function for each problem of `problems.py` that it takes part in; the
function returns `{row: call}`, and a call minimises, differentiates and returns the
minimiser and the gradient of the problem's loss. `peer` is the process around one.
"""
