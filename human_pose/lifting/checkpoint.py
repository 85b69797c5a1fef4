"""Checkpoints in the original's HDF5 format: 17 arrays and an epoch.

Those of a lifter that lifts otherwise than the original's default say so by an entry
more, which the original does not read: the parameters alone do not tell, and mean
something else to another lifter.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.files.checks import check_within
from human_pose.files.errors import InputError
from human_pose.files.h5 import h5_ranks, read_h5, write_h5
from human_pose.lifting.config import Evidence, Solver
from human_pose.lifting.lifter import PPCALifter
from human_pose.lifting.variables import ROBUST_NAMES, parameter_shapes

# What is beyond is damage. The largest number of the published file is 35, and the
# joint weights, clipped to 1e5, have the widest range.
_LARGEST: Final = 1e6
_LARGEST_EPOCH: Final = 1e9
_L2: Final = "of_l2_solver"
_FULL_EVIDENCE: Final = "of_full_evidence"


@dataclass(frozen=True)
class Checkpoint:
    """A lifter's parameters at the end of an epoch.

    Attributes:
      values: float64 arrays under the names of `PPCALifter.parameters`.
      epoch: how many epochs had been finished.
      solver: of the lifter; "huber", too, where an older file does not say.
      evidence: by which its models weigh; "published", likewise.
    """

    values: dict[str, np.ndarray]
    epoch: int
    solver: Solver = "huber"
    evidence: Evidence = "published"


def read_checkpoint(
    path: str | os.PathLike[str], models: int | None = None
) -> Checkpoint:
    """Reads a checkpoint of `models` models; None: of as many as it has.

    Raises:
      InputError: if the file is missing, truncated, of another number of models, or
        holds NaN or a number that no training comes to.
    """
    if Path(path).suffix == ".keras":
        raise InputError(f"{path}: must be a lifter's, .h5; .keras is another model's")
    found = read_h5(path, {"exp_weights": ("M", 1)})["exp_weights"]
    if models is not None and len(found) != models:
        raise InputError(
            f"{path}: is a checkpoint of {len(found)} models; `models` is {models}"
        )
    arrays = read_h5(path, {**parameter_shapes(len(found)), "epoch": ()})
    epoch = arrays.pop("epoch")
    check_within(f"{path}: epoch", epoch, 0, _LARGEST_EPOCH)
    for name, array in arrays.items():
        check_within(f"{path}: {name}", array, -_LARGEST, _LARGEST)
    noted = h5_ranks(path)
    return Checkpoint(
        arrays,
        int(epoch),
        "l2" if _L2 in noted else "huber",
        "full" if _FULL_EVIDENCE in noted else "published",
    )


def write_checkpoint(
    path: str | os.PathLike[str], lifter: PPCALifter, epoch: int
) -> None:
    """Writes a lifter's parameters, atomically, as float64."""
    values = {
        name: np.asarray(variable, np.float64)
        for name, variable in lifter.parameters.items()
    }
    others = {
        _L2: not lifter.formulation.robust,
        _FULL_EVIDENCE: lifter.evidence == "full",
    }
    notes = {name: np.int64(1) for name, holds in others.items() if holds}
    write_h5(path, {**values, "epoch": np.int64(epoch), **notes})


def load_checkpoint(
    lifter: PPCALifter, checkpoint: Checkpoint, *, as_published: bool = False
) -> None:
    """Gives a lifter a checkpoint's parameters.

    Args:
      lifter: of the checkpoint's number of models.
      checkpoint: what to load.
      as_published: leave `hl_params` and `ir_reg` at 1, as the original does by
        mistake (docs/fidelity.md, Q3); the paper's figures come from that.
    """
    for name, variable in lifter.parameters.items():
        if as_published and name in ROBUST_NAMES:
            variable.assign(np.ones(variable.shape))
        else:
            variable.assign(checkpoint.values[name])
