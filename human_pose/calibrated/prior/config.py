"""How a prior is fitted: every number of the method, with its origin.

"Design" is the design that was tried before this was written.
"""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Final, Literal

from human_pose.files.errors import InputError

Covariance = Literal["full", "ppca"]
COVARIANCES: Final[tuple[Covariance, ...]] = ("full", "ppca")
MOST_COMPONENTS: Final = 100
# The least that numbers may be.
_WHOLE: Final = {
    "components": 1, "rank": 1, "seed": 0, "starts": 1, "start_steps": 1,
    "start_poses": 1, "steps": 1, "chunk": 1,
}  # fmt: skip
_POSITIVE: Final = ("fps", "flat_mm", "cut_mm", "wild_mm", "freedom")
_NOT_NEGATIVE: Final = ("gain", "shrinkage", "least_fps")


@dataclass(frozen=True)
class PriorConfig:
    """The fit of a prior.

    Attributes:
      components: M, of the mixture (design: 3).
      covariance: "full", or "ppca": full along `rank` directions and alike along all
        others (design: full, by 3 mm).
      rank: of "ppca" (Tome et al.: 25).
      fps: of the accelerations; poses are thinned to about as many a second (design).
      seed: of the starts.
      starts: of EM, which ends in a local optimum.
      start_steps: of EM, after which the best start is known.
      start_poses: drawn, by which starts are compared.
      steps: the most of EM.
      gain: log-likelihood a pose, in nats, below which EM stops.
      shrinkage: poses' weight of the pooled covariance in each component's (design).
      flat_mm: isotropic deviation beside the covariances where poses are given to
        components, as the lifter has it (design).
      cut_mm: a pelvis that goes farther between two frames was cut, at `fps` or more;
        at lower rates in proportion to the time.
      wild_mm: accelerations beyond it, of any joint, are no motion.
      freedom: ν of the accelerations (design).
      least_fps: below it second differences are no accelerations.
      chunk: poses in memory at a time.
    """

    components: int = 3
    covariance: Covariance = "full"
    rank: int = 25
    fps: float = 24.0
    seed: int = 0
    starts: int = 4
    start_steps: int = 10
    start_poses: int = 10_000
    steps: int = 60
    gain: float = 1e-3
    shrinkage: float = 1000.0
    flat_mm: float = 3.0
    cut_mm: float = 150.0
    wild_mm: float = 200.0
    freedom: float = 2.0
    least_fps: float = 15.0
    chunk: int = 8192

    def __post_init__(self) -> None:
        """Raises `InputError` for what cannot be fitted."""
        if not self.components <= MOST_COMPONENTS:
            raise InputError(
                "components", f"must be from 1 to {MOST_COMPONENTS}", self.components
            )
        if self.covariance not in COVARIANCES:
            raise InputError(
                "covariance", f"must be {' or '.join(COVARIANCES)}", self.covariance
            )
        for name, least in _WHOLE.items():
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < least:
                raise InputError(
                    name, f"must be a whole number, {least} or more", value
                )
        for name in _POSITIVE:
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise InputError(name, "must be positive and finite", value)
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise InputError(name, "must be 0 or more, and finite", value)
