"""A calibrated lifter in one file: its prior, its detector's joints, its weights.

`lifter.npz` holds the arrays of `prior.npz` by their names, each weight as
`weight_NAME`, and `settings`: JSON with the detector's skeleton, the config, the
derivative and its damping. One file, so that no part can be of another training.
"""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.calibrated.config import CalibratedConfig
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior import files as prior_files
from human_pose.calibrated.training.config import WEIGHTS
from human_pose.files.arrays import Shape
from human_pose.files.checks import check_within
from human_pose.files.errors import InputError, one_line
from human_pose.files.npz import read_npz, write_npz
from human_pose.files.paths import check_is_file, locate
from human_pose.geometry.skeleton import Skeleton

NAME: Final = "lifter.npz"
_SETTINGS: Final = "settings"
# Logarithms and bases (mm) beyond are damage.
_LARGEST: Final = 1e6
# Shapes of weights; D as of the prior's covariances, J joints of the model.
_SHAPES: Final[dict[str, Shape]] = {
    **{name: () for name in WEIGHTS.values()},
    "log_swaps": ("S",),
    "log_sigma": ("J",),
    "log_lasting": ("J",),
    "log_shares": ("M",),
    "means_mm": ("M", "D"),
    "factors_mm": ("M", "D", "D"),
    "acceleration_mm": ("D", "D"),
}


def save_lifter(path: str | os.PathLike[str], lifter: CalibratedLifter) -> None:
    """Writes a lifter, atomically; equal lifters give equal bytes.

    Raises:
      InputError: if the file cannot be written.
    """
    settings = {
        "detector": asdict(lifter.joints.detector),
        "config": asdict(lifter.config),
        "damping": lifter.damping,
        "derivative": lifter.derivative,
    }
    weights = {f"weight_{name}": lifter.weight(name).numpy() for name in _SHAPES}
    write_npz(
        path,
        {
            **prior_files.arrays_of(lifter.prior),
            **weights,
            _SETTINGS: np.array(json.dumps(settings)),
        },
    )


def load_lifter(
    path: str | os.PathLike[str],
    detector: Skeleton | None = None,
    *,
    temporal: bool | None = None,
) -> CalibratedLifter:
    """Reads a lifter from a file, or from the folder of the run that trained it.

    Args:
      path: absolute, or relative to the current folder.
      detector: the skeleton of the detections that it is wanted for.
      temporal: whether frames are sequences; None: as when it was trained.

    Raises:
      InputError: naming the file and the rule, if it is no such file, or the lifter is
        of another detector's joints.
    """
    path = locate(path)
    if path.is_dir():
        path = path / NAME
        check_is_file(path)
    shapes = {f"weight_{name}": shape for name, shape in _SHAPES.items()}
    arrays = read_npz(
        path,
        {**prior_files.SHAPES, **shapes},
        {**prior_files.TEXTS, _SETTINGS: ()},
    )
    prior = prior_files.prior_of(path, arrays)
    try:
        settings = json.loads(str(arrays[_SETTINGS]))
        skeleton = Skeleton.of(settings["detector"])
        config = CalibratedConfig.of(settings["config"])
        if temporal is not None:
            config = replace(config, temporal=temporal)
        lifter = CalibratedLifter(
            prior,
            skeleton,
            config,
            damping=settings["damping"],
            # Files of before there were others have none.
            derivative=settings.get("derivative", "trust_region"),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: settings: {one_line(error)}") from error
    _check_detector(path, skeleton, detector)
    _assign(path, lifter, arrays)
    return lifter


def _check_detector(path: Path, own: Skeleton, wanted: Skeleton | None) -> None:
    if wanted is not None and own.names != wanted.names:
        raise InputError(
            f"{path}: was trained on detections of {', '.join(own.names)}; these are "
            f"of {', '.join(wanted.names)}"
        )


def _assign(path: Path, lifter: CalibratedLifter, arrays: dict[str, Any]) -> None:
    for name in _SHAPES:
        variable, value = lifter.weight(name), arrays[f"weight_{name}"]
        if tuple(variable.shape) != value.shape:
            raise InputError(
                f"{path}: weight_{name}",
                f"must have shape {list(variable.shape)}",
                list(value.shape),
            )
        check_within(f"{path}: weight_{name}", value, -_LARGEST, _LARGEST)
        variable.assign(value)
