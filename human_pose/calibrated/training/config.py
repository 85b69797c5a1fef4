"""Settings of the training of a calibrated lifter's weights."""

from dataclasses import dataclass
from typing import Final

# Variables of `CalibratedLifter` by the name that a user knows them by.
WEIGHTS: Final = {
    "outlier_share": "log_outlier_share",
    "outlier_px": "log_outlier_px",
    "frame_prior": "log_frame_prior",
    "sequence_prior": "log_sequence_prior",
    "prior_freedom": "log_prior_freedom",
    "bone_mm": "log_bone_mm",
    "tilt_rad": "log_tilt_rad",
    "time": "log_time",
    "time_freedom": "log_time_freedom",
    "sigma": "log_sigma",
    "lasting": "log_lasting",
    "swaps": "log_swaps",
    "shares": "log_shares",
    "means": "means_mm",
    "factors": "factors_mm",
    "acceleration": "acceleration_mm",
}
# What a recording of a minute determines, and what a prior that was fitted to the same
# motion does not mislead: there its strengths, the tilt and σ by joint come out too
# trusting, which costs more on other motion than it gains (dev). Not the bases either:
# thousands of numbers, which would learn its poses; nor exchanges, which are found
# beforehand.
FEW: Final = (
    "outlier_share",
    "outlier_px",
    "bone_mm",
    "time",
    "time_freedom",
    "lasting",
)


@dataclass(frozen=True)
class CalibratedTrainingConfig:
    """How weights are learned; "dev" as in `calibrated.config`.

    Attributes:
      learned: names of `WEIGHTS`.
      learning_rate: Adam's, of logarithms of weights: about 5 % a step (dev).
      clip_norm: of the gradient, mm; hardly ever reached, but by frames that are at no
        minimum.
      stay_mm: times the square by which a weight's logarithm has moved, in the loss:
        weights are believed in until a recording speaks clearly (dev).
      epochs: at most (dev).
      patience: epochs without a better error of held-out clips, after which it ends.
      frame_share: of the error of frames by themselves in the loss; the rest is that of
        sequences. More where α of frames is learned.
      clip_frames: frames of a clip; two seconds at the weights' 24 Hz.
      batch_frames: frames that are minimised, and learned from, together.
      held_out: share of the clips that choose the epoch.
      seed: of the clips' order and of which are held out.
      settings: names of `settings.SETTINGS`, in each of which a recording is learned
        from, so that weights suit fewer views and detections than it has, too.
      missing: share of the detections that are left out in one of them (the share of
        the tests of the lifter).
      overwrite: whether an earlier training's weights are replaced.
    """

    learned: tuple[str, ...] = FEW
    learning_rate: float = 0.05
    clip_norm: float = 10.0
    stay_mm: float = 0.5
    epochs: int = 12
    patience: int = 4
    frame_share: float = 0.1
    clip_frames: int = 48
    batch_frames: int = 384
    held_out: float = 0.2
    seed: int = 0
    settings: tuple[str, ...] = ("as it is", "some views", "missing")
    missing: float = 0.3
    overwrite: bool = False
