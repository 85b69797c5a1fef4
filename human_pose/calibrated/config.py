"""Settings of the calibrated lifter: every number of the method, with its origin.

"Design" is the design that was tried before this was written; "dev" are weights that
were chosen on motion capture with invented detectors (CMU, four training subjects).
"""

import math
import numbers
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from human_pose.files.errors import InputError

# How a minimiser of frames is differentiated (`wiberg_tf`).
Derivative = Literal["trust_region", "implicit", "unrolled"]
DERIVATIVES: Final = get_args(Derivative)
# λ of the trust region, absolute, or the rule that chooses it for each frame.
ADAPTIVE: Final = "adaptive"
Damping = float | Literal["adaptive"]


def check_damping(damping: Any) -> None:
    """Refuses what is no λ.

    Raises:
      InputError: for it.
    """
    if damping == ADAPTIVE:
        return
    number = isinstance(damping, numbers.Real) and not isinstance(damping, bool)
    if not (number and 0 <= damping < math.inf):
        raise InputError("damping", f"must be a number >= 0 or {ADAPTIVE}", damping)


@dataclass(frozen=True)
class EnergyConfig:
    """Where the energy's weights start; each can be learned.

    Attributes:
      outlier_share: ε, of detections that say little (design).
      outlier_px: τ, their deviation beside σ, in units of σ's scale (design: 45 px at
        4 px).
      frame_prior: α of the pose prior for frames by themselves (dev).
      sequence_prior: the same in sequences, where frames say the same (dev; design:
        0.02-0.1).
      prior_freedom: ν of the pose prior's tail (design).
      flat_mm: isotropic deviation beside the prior's covariances (design).
      bone_mm: s, of bones about their lengths (design: 2-4).
      tilt_rad: of bodies from upright, beside what the prior's poses lean.
      time: strength of accelerations (dev; design: 0.5).
      time_freedom: ν of accelerations (dev; design: 2).
      limb_swap: prior probability that a view has arms, or legs, exchanged (design).
      body_swap: the same for the whole body.
      lasting: share of a detector's noise that lasts from frame to frame; None: as the
        recording shows.
      extra_mm: of joints that the prior does not know, about the one they hang on.
      stray_mm: of those of which nobody says on which, about the root: a body's size.
    """

    outlier_share: float = 0.03
    outlier_px: float = 45.0
    frame_prior: float = 0.5
    sequence_prior: float = 0.05
    prior_freedom: float = 10.0
    flat_mm: float = 3.0
    bone_mm: float = 3.0
    tilt_rad: float = 0.1
    time: float = 0.35
    time_freedom: float = 15.0
    limb_swap: float = 0.008
    body_swap: float = 0.004
    lasting: float | None = None
    extra_mm: float = 150.0
    stray_mm: float = 750.0

    def __post_init__(self) -> None:
        """Raises `InputError` for what is no weight: most have a logarithm."""
        for name, value in vars(self).items():
            if name == "lasting":
                continue
            if not 0 < value < math.inf:
                raise InputError(name, "must be positive", value)
        if not self.outlier_share < 1:
            raise InputError("outlier_share", "must be below 1", self.outlier_share)
        if not 2 * self.limb_swap + self.body_swap < 1:
            swaps = [self.limb_swap, self.limb_swap, self.body_swap]
            raise InputError("limb_swap and body_swap", "must leave a chance", swaps)
        if self.lasting is not None and not 0 <= self.lasting <= 1:
            raise InputError("lasting", "must be from 0 to 1", self.lasting)


@dataclass(frozen=True)
class SolverConfig:
    """How the energy is minimised.

    Attributes:
      frame_iterations: the most steps of frames by themselves.
      sequence_iterations: the most steps of a sequence, after a first one
        where it starts from frames by themselves.
      rtol: of the steps, see `wiberg_tf.Newton`.
      noise_rounds: the most times that σ is estimated anew.
      window: frames of a sequence that are minimised together.
      overlap_s: what windows, and the chunks of their systems, share, in seconds.
      batch: frames by themselves that are minimised together.
    """

    frame_iterations: int = 12
    sequence_iterations: int = 4
    rtol: float = 1e-4
    noise_rounds: int = 8
    window: int = 1024
    overlap_s: float = 1.0
    batch: int = 1024

    def __post_init__(self) -> None:
        """Raises `InputError` for what is no number of steps, or of frames."""
        for name in ("frame_iterations", "sequence_iterations", "window", "batch"):
            if getattr(self, name) < 1:
                raise InputError(name, "must be 1 or more", getattr(self, name))
        for name in ("rtol", "noise_rounds", "overlap_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(name, "must be 0 or more", getattr(self, name))


@dataclass(frozen=True)
class CalibratedConfig:
    """A calibrated lifter.

    Attributes:
      temporal: whether the frames of a recording are sequences.
      energy: see `EnergyConfig`.
      solver: see `SolverConfig`.
    """

    temporal: bool = True
    energy: EnergyConfig = EnergyConfig()
    solver: SolverConfig = SolverConfig()

    @classmethod
    def of(cls, values: dict[str, Any]) -> "CalibratedConfig":
        """The settings that `dataclasses.asdict` gave."""
        return cls(
            **{
                **values,
                "energy": EnergyConfig(**values["energy"]),
                "solver": SolverConfig(**values["solver"]),
            }
        )


@dataclass(frozen=True)
class RecordingConfig:
    """Where a recording, and what is known of it, is read.

    Attributes:
      path: of the detections, a file or a folder.
      cameras: their calibration; None: the recording's own.
      frames: numbers of the first and of the one after the last; None: all.
      fps: frames a second; None: as the recording says.
      units: of the calibration's and the truth's lengths; None: as they say or imply.
      up: the axis of the calibration's world that points upwards, as "-y"; None: z.
      skeleton: of joints without names, of `known_skeletons`.
      person: whose results are wanted, 0 is who is seen most; None: all.
      truth: known motion, or None.
    """

    path: Path
    cameras: Path | None = None
    frames: slice | None = None
    fps: float | None = None
    units: str | None = None
    up: str | None = None
    skeleton: str | None = None
    person: int | None = None
    truth: Path | None = None
