"""Constants of the lifting method, each with its origin.

Unless said otherwise a number is the original WibergianLearning code's own, where the
papers give none: Tome, Toso, Agapito, Russell, Rethinking Pose in 3D, 3DV 2018, and
Toso, Campbell, Russell, Fixing Implicit Derivatives, NeurIPS 2019.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Method:
    """The numbers that both formulations share.

    Attributes:
      rotations: headings tried, evenly spread over the circle.
      basis: size of a PPCA basis.
      translations: unit bases that let the pose move along x, y and z.
      translation_deviation: start value of the regulariser on a translation.
      size_target: the regulariser pulls the mean pose's coefficient (in the flipped
        image) towards this times `scale_regularizer`.
      huber_stiffness: weight of the regulariser rows, times `hl_params`.
      huber_threshold: residual at which the pseudo-Huber loss turns linear, times
        `ir_reg`, in units of the normalised image times the residual weight.
      distance_floor: added to squared reprojection distances.
      sharpness: scale of the exponents of both soft averages.
      evidence_temperature: of the models' average by full evidence, in theory 1,
        where one model takes all frames again. Calibration on real training frames
        gives 36 to 48, on embedded ones 5; 32 counts the 2 x 16 detected rows of a
        view as one (docs/lifting.md).
      scaling_coefficient: start value; 0.97 as the original rounds it to float32.
      lambda_scale: start value of the factor on the residual weight.
      exp_additive_model: start value of the offset in the models' exponents.
      live_weight: a rotation's share of the average below which it is left out of
        the result and the derivative; below float64's round-off (architecture of
        this project).
    """

    rotations: int = 100
    basis: int = 25
    translations: int = 3
    translation_deviation: float = 1e-5
    size_target: float = -0.003
    huber_stiffness: float = 0.75
    huber_threshold: float = 0.1
    distance_floor: float = 1e-6
    sharpness: float = 5000.0
    evidence_temperature: float = 32.0
    scaling_coefficient: float = 0.9700000286102295
    lambda_scale: float = 10.0
    exp_additive_model: float = 1 + 1e-7
    live_weight: float = 1e-16

    @property
    def coefficients(self) -> int:
        """Unknowns a of one problem: mean pose, translations, basis."""
        return 1 + self.translations + self.basis


@dataclass(frozen=True)
class Formulation:
    """What tells the Huber solver from the L2 solver.

    Attributes:
      robust: whether reprojection residuals meet the pseudo-Huber loss.
      reweightings: solves after the first, unweighted one.
      ridge: Tikhonov weight of every solve.
      residual_shift: added to residuals before they are squared in the weights and in
        the score. In the weights it moves the fixed point of the reweighting off the
        energy's minimiser, by up to 5e-5 in relative gradients.
    """

    robust: bool
    reweightings: int
    ridge: float
    residual_shift: float


METHOD: Final = Method()
FORMULATIONS: Final = {
    "huber": Formulation(robust=True, reweightings=3, ridge=0.001, residual_shift=1e-7),
    "l2": Formulation(robust=False, reweightings=0, ridge=0.0, residual_shift=0.0),
}
