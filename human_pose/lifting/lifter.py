"""The lifter as a Keras model: 2D joints of four views to one 3D pose."""

import dataclasses
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

import wiberg_tf as wt
from human_pose.geometry.skeletons import JOINTS, VIEWS
from human_pose.lifting.averaging import average, averaging, live_mask
from human_pose.lifting.blocks import ModelBlocks, model_blocks
from human_pose.lifting.config import (
    DERIVATIVES,
    EVIDENCES,
    Derivative,
    Evidence,
    Solver,
)
from human_pose.lifting.energy import Unknowns, energy, score
from human_pose.lifting.evidence import log_evidence
from human_pose.lifting.method import FORMULATIONS, METHOD, Formulation
from human_pose.lifting.pairs import Pairs, pick
from human_pose.lifting.parameters import MixtureParameters
from human_pose.lifting.quantities import Quantities, Scales, quantities
from human_pose.lifting.search import search
from human_pose.lifting.sizes import (
    check_frames,
    normalise_views,
    pose_size,
    seen_joints,
)
from human_pose.lifting.solver import minimise, solve_hessian
from human_pose.lifting.variables import add_variables


class LiftedPoses(NamedTuple):
    """Poses of N frames.

    Attributes:
      poses: `[N, 17, 3]`, z up, of unit-free size, not centred.
      scores: `[N, M]`, of each model, smaller is better.
    """

    poses: np.ndarray
    scores: np.ndarray


@keras.saving.register_keras_serializable("human_pose")
class PPCALifter(keras.Model):
    """Lifts 2D joints of four views to one 3D pose with a mixture of PPCA models.

    Per model and heading the pose minimises a pseudo-Huber (or L2) energy; soft
    averages over headings and models give the result, see [1] and docs/lifting.md.
    All 17 parameters of the original are variables under the checkpoint's names, with
    its clips as constraints; 14 of them are trained (12 in the L2 formulation, which
    uses neither `hl_params` nor `ir_reg`; one less with the full evidence, which does
    not use `exp_weights_model`).

    Args:
      mixture: the PPCA models to start from.
      cameras: `[4, 3, 3]`, averaged world-to-camera rotations.
      solver: "huber", "l2", or a `Formulation` of one's own.
      derivative: "trust_region", the damped implicit derivative [2] of the minimiser,
        or "unrolled", reverse mode through its solves, as in the original.
      damping: λ of the trust-region derivative, added to the Hessian of the energy
        (of ½|Ax - b|² in the L2 formulation). The Huber energy's Hessian is at least
        0.001 I already, so 0 is safe.
      evidence: by which the models weigh: "published", by their scores, or "full", by
        their tempered log evidence less `exp_additive_model`, so that all learn.
      exhaustive: score every rotation; otherwise rotations that cannot matter are
        left out, which moves poses by less than 1e-6 mm.
      **kwargs: of `keras.Model`; `dtype` is "float64" unless given.

    References:
      [1] Tome, Toso, Agapito, Russell, Rethinking Pose in 3D, 3DV 2018.
      [2] Toso, Campbell, Russell, Fixing Implicit Derivatives, NeurIPS 2019.
    """

    def __init__(
        self,
        mixture: MixtureParameters,
        cameras: np.ndarray,
        *,
        solver: Solver | Formulation = "huber",
        derivative: Derivative = "trust_region",
        damping: float = 0.0,
        evidence: Evidence = "published",
        exhaustive: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**{"dtype": "float64", **kwargs})
        # === Config ===
        if not isinstance(solver, Formulation):
            if solver not in FORMULATIONS:
                raise ValueError(
                    f"`solver` must be {' or '.join(FORMULATIONS)}; received {solver!r}"
                )
            solver = FORMULATIONS[solver]
        if derivative not in DERIVATIVES:
            raise ValueError(
                f"`derivative` must be {' or '.join(DERIVATIVES)}; "
                f"received {derivative!r}"
            )
        if not damping >= 0:
            raise ValueError(f"`damping` must be >= 0; received {damping}")
        if evidence not in EVIDENCES:
            raise ValueError(
                f"`evidence` must be {' or '.join(EVIDENCES)}; received {evidence!r}"
            )
        self.mixture = mixture
        self.cameras = np.asarray(cameras, np.float64)
        self.formulation = solver
        self.derivative = derivative
        self.damping = damping
        self.evidence = evidence
        self.exhaustive = exhaustive
        self._scales = Scales.of(mixture)
        # === Variables ===
        self.parameters = add_variables(
            self,
            mixture,
            self._scales,
            robust=self.formulation.robust,
            evidence=evidence,
        )
        self.built = True

    @property
    def models(self) -> int:
        """The number of PPCA models, M."""
        return self.mixture.models

    def call(self, inputs: Any, training: bool = False) -> dict[str, tf.Tensor]:
        """Lifts N frames.

        Args:
          inputs: 2D joints `[N, 4, 17, 2]` in pixels, y down, or a dict of them under
            `joints_2d_px` and, if wanted, `visibility` `[N, 4, 17]`: 0 for an unseen
            joint, else its weight. Without it 0 for the never-detected joint 9, for
            (0, 0) and for NaN, else 1; views are then normalised together and the pose
            is centred as a whole one, where an explicit mask leaves both as in the
            original.
          training: leave models that carry no weight unscored.

        Returns:
          A dict: `pose` `[N, 17, 3]`, z up, of unit-free size, not centred (a pose in
          mm is `pose_size(truth) * pose`); `score` `[N, M]`, smaller is better; in
          training the score of a model without weight is that of its first solve;
          `share` `[N, M]`, what each model contributes to the pose.

        Raises:
          ValueError: for inputs of another shape.
        """
        joints_2d_px, visibility = self._prepared(inputs)
        by_itself = not isinstance(inputs, dict) or inputs.get("visibility") is None
        views = normalise_views(joints_2d_px, visibility, together=by_itself)
        parameters = {k: tf.convert_to_tensor(v) for k, v in self.parameters.items()}
        theta = quantities(parameters, self._scales, self.cameras, self.formulation)
        exponents = averaging(parameters)
        full = self.evidence == "full"
        reach = exponents.of_equal_models() if full else exponents
        fixed = tf.nest.map_structure(tf.stop_gradient, theta)
        shared = model_blocks(fixed)
        found = tf.nest.map_structure(
            tf.stop_gradient,
            search(
                shared,
                fixed,
                views,
                self.formulation,
                tf.nest.map_structure(tf.stop_gradient, reach),
                all_models=not training,
                exhaustive=self.exhaustive,
            ),
        )
        live = live_mask(reach, found.scores)
        pairs = pick(live, views)
        x = self._minimiser(
            theta,
            shared,
            pairs,
            Unknowns(*(tf.boolean_mask(part, live) for part in found.minimisers)),
        )
        pair_scores = score(x, theta, pairs, self.formulation)
        evidence = None
        if full:
            evidence = log_evidence(
                x, model_blocks(theta), theta, pairs, self.formulation
            )
            evidence /= METHOD.evidence_temperature
        averaged = average(exponents, pairs, x, pair_scores, found.best, evidence)
        pose = tf.linalg.matrix_transpose(averaged.poses)
        if by_itself:
            # What is not seen is no part of the views' centre, but of the body's.
            pose -= tf.matmul(views.off_centre[:, None], pose)
        pose *= parameters["scaling_coefficient"] / pose_size(pose)[:, None, None]
        return {
            "pose": pose,
            "score": tf.transpose(found.best) / 2,
            "share": tf.transpose(averaged.shares),
        }

    def lift(
        self,
        joints_2d_px: np.ndarray,
        visibility: np.ndarray | None = None,
        *,
        batch_size: int = 32,
    ) -> "LiftedPoses":
        """Lifts checked arrays, batch by batch.

        Prefer it to `predict`, which makes float32 of every array on the way.

        Args:
          joints_2d_px: `[N, 4, 17, 2]`, pixels, y down; coordinates of joints that
            are not visible may be anything.
          visibility: `[N, 4, 17]`, as for `call`.
          batch_size: frames lifted at once; each takes about 2 MB.

        Raises:
          ValueError: naming the first frame that holds a visible NaN or infinity, a
            negative visibility, or no view with two visible joints at different
            heights.
        """
        inputs = {"joints_2d_px": joints_2d_px, "visibility": visibility}
        joints, visible = (np.asarray(part) for part in self._prepared(inputs))
        check_frames(joints, visible)
        # A short last batch is filled up, so that one graph serves all.
        batch_size = min(batch_size, len(joints))
        missing = -len(joints) % batch_size
        indices = np.concatenate([np.arange(len(joints)), np.zeros(missing, int)])
        outputs = [
            self._lift_batch(
                tf.constant(joints[rows]),
                None if visibility is None else tf.constant(visible[rows]),
            )
            for rows in np.split(indices, len(indices) // batch_size)
        ]
        poses, scores = (
            np.concatenate([out[key] for out in outputs])[: len(joints)]
            for key in ("pose", "score")
        )
        return LiftedPoses(poses, scores)

    # Nothing here needs autograph, and it takes longer than the rest of the tracing.
    @tf.function(reduce_retracing=True, autograph=False)
    def _lift_batch(
        self, joints_2d_px: tf.Tensor, visibility: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        return self({"joints_2d_px": joints_2d_px, "visibility": visibility})

    def _prepared(self, inputs: Any) -> tuple[tf.Tensor, tf.Tensor]:
        if not isinstance(inputs, dict):
            inputs = {"joints_2d_px": inputs}
        joints = tf.convert_to_tensor(inputs["joints_2d_px"])
        joints = tf.cast(joints, self.compute_dtype)
        if joints.shape.rank != 4 or joints.shape[1:] != (VIEWS, JOINTS, 2):
            raise ValueError(
                f"`joints_2d_px` must have shape [N, {VIEWS}, {JOINTS}, 2]; "
                f"received {joints.shape}"
            )
        visibility = inputs.get("visibility")
        if visibility is None:
            visibility = seen_joints(joints)
        visibility = tf.cast(visibility, joints.dtype)
        if not visibility.shape.is_compatible_with(joints.shape[:-1]):
            raise ValueError(
                f"`visibility` must have shape {joints.shape[:-1]}; "
                f"received {visibility.shape}"
            )
        return joints, visibility

    def _minimiser(
        self, theta: Quantities, shared: ModelBlocks, pairs: Pairs, known: Unknowns
    ) -> Unknowns:
        """The live problems' minimisers, differentiable in θ.

        `shared` carries no gradient: only the unrolled solves need blocks that do.
        """
        if self.derivative == "unrolled":
            derivative: wt.Derivative = wt.Unrolled()

            def solver(objective: Any, initial: Unknowns) -> Unknowns:
                return minimise(model_blocks(theta), theta, pairs, self.formulation)

        else:

            def linear_solve(
                x: Unknowns, inputs: tuple[Quantities], damping: tf.Tensor, right: Any
            ) -> Unknowns:
                return solve_hessian(
                    x, shared, inputs[0], pairs, self.formulation, damping, right
                )

            solver = wt.given
            derivative = wt.TrustRegion(self.damping, linear_solve)
        solution = wt.argmin(
            lambda x, quantities: energy(x, quantities, pairs, self.formulation),
            known,
            (theta,),
            solver=solver,
            derivative=derivative,
            batch_dims=1,
        )
        return solution.value

    def get_config(self) -> dict[str, Any]:
        """The arguments, arrays as nested lists."""
        return {
            **super().get_config(),
            "mixture": {
                "mean_poses_mm": self.mixture.mean_poses_mm.tolist(),
                "bases": self.mixture.bases.tolist(),
                "inverse_deviations": self.mixture.inverse_deviations.tolist(),
            },
            "cameras": self.cameras.tolist(),
            "solver": dataclasses.asdict(self.formulation),
            "derivative": self.derivative,
            "damping": self.damping,
            "evidence": self.evidence,
            "exhaustive": self.exhaustive,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PPCALifter":
        """The lifter of a config."""
        config = dict(config)  # the caller's stays whole
        arrays = {k: np.array(v) for k, v in config.pop("mixture").items()}
        cameras = np.array(config.pop("cameras"))
        solver = Formulation(**config.pop("solver"))
        return cls(MixtureParameters(**arrays), cameras, solver=solver, **config)
