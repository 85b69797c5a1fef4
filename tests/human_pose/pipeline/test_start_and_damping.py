"""Where the minimiser starts with few views, and what λ does to its derivative."""

import numpy as np
import pytest
import tensorflow as tf
from made_up_moments import made_up_batch, small_pipeline

from human_pose.calibrated import energy, frames, minimise, start
from human_pose.calibrated.config import SolverConfig

TIGHT = SolverConfig(frame_iterations=200, rtol=1e-11)


@pytest.fixture(scope="module")
def batch():
    return made_up_batch(moments=2, views=3, input_size=16)


@pytest.fixture(scope="module")
def pipeline(batch):
    return small_pipeline(batch)


@pytest.fixture(scope="module")
def detections(pipeline, batch):
    return pipeline.read(pipeline.network(batch["image"])["heatmap2"], batch)


@pytest.fixture(scope="module")
def problem(pipeline, batch, detections):
    """x, turn, observed, body and weights of two frames."""
    return pipeline.head.problem(detections, batch["projection"])


@pytest.mark.parametrize("views", [[0], [1, 1]], ids=["one view", "one camera twice"])
def test_a_body_that_no_two_views_place_starts_in_front_of_one(
    pipeline, batch, detections, views
):
    few = type(detections)(*(tf.gather(part, views, axis=1) for part in detections))
    projection = tf.gather(batch["projection"], views, axis=1)
    # The same scene 3 m from the world's origin: starting there would be no place.
    shift = np.array([3000.0, 0.0, 0.0])
    moved = tf.concat(
        [
            projection[..., :3],
            projection[..., 3:]
            - tf.linalg.matvec(projection[..., :3], shift)[..., None],
        ],
        -1,
    )
    starts = [pipeline.head.problem(few, p)[0].joints_mm for p in (projection, moved)]
    np.testing.assert_allclose(starts[1] - shift, starts[0], atol=1e-6)
    images, depth = energy.project(starts[0], projection)
    off_px = tf.reduce_mean(images, -2) - tf.reduce_mean(few.points_px, -2)
    assert np.linalg.norm(off_px, axis=-1).max() < 10
    # By size alone: a body seen upright is taken for one that is turned any way.
    _, true_depth = energy.project(batch["joints_world_mm"], projection)
    ratio = tf.reduce_mean(depth, -2) / tf.reduce_mean(true_depth, -2)
    np.testing.assert_allclose(ratio, 1.0, atol=0.35)


OF_FRAMES = ("points_px", "seen", "sigma_px", "whitening")


def by_frame(function, x, turn, observed):
    """Of each frame by itself, with cameras that all frames share."""
    found = []
    for f in range(2):
        own = observed._replace(
            **{n: getattr(observed, n)[f : f + 1] for n in OF_FRAMES},
            outlier_px=observed.outlier_px[f],
            projection=observed.projection[f],
        )
        one = tf.nest.map_structure(lambda part, f=f: part[f : f + 1], (x, turn))
        found.append(function(*one, own))
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *found)


@pytest.fixture(scope="module")
def unlike(problem):
    """The problem's frames, the second with other cameras, in other places."""
    x, turn, observed, *_ = problem
    moved = observed.projection.numpy()
    moved[1] = moved[1, ::-1]
    moved[1, :, :, 3] += 30.0 * moved[1, :, :, 0]
    sigma = observed.sigma_px.numpy()
    sigma[1] *= 2
    other = tf.constant(observed.outlier_px.numpy() * np.array([[1.0], [1.5]]))
    return (
        x,
        turn,
        observed._replace(
            projection=tf.constant(moved),
            sigma_px=tf.constant(sigma),
            outlier_px=other,
        ),
    )


@pytest.mark.parametrize("what", ["energy", "step", "place"])
def test_cameras_of_each_frames_own_are_as_frames_alone(
    pipeline, problem, unlike, what
):
    *_, body, weights = problem
    layout = pipeline.head.lifter.layout

    def of(x, turn, observed):
        if what == "energy":
            return energy.frame_energy(x, turn, observed, body, weights, layout)
        if what == "place":
            return start.place_by_size(observed, body)[0]
        right = tf.nest.map_structure(tf.ones_like, x)
        damping = tf.zeros_like(x.joints_mm[:, 0, 0])
        parameters = turn, observed, body, weights
        return frames.solve_frames(x, *parameters, layout, damping, right)

    together, apart = of(*unlike), by_frame(of, *unlike)
    for one, other in zip(
        tf.nest.flatten(together), tf.nest.flatten(apart), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module")
def damped(pipeline, problem):
    """Joints, turns, and <c, joints>'s gradient by points, as a function of λ."""
    x, turn, observed, body, weights = problem
    layout = pipeline.head.lifter.layout
    cotangent = tf.constant(np.random.default_rng(0).normal(size=x.joints_mm.shape))

    @tf.function(autograph=False)
    def found(damping):
        with tf.GradientTape() as tape:
            tape.watch(observed.points_px)
            value = minimise.of_frames(
                x, turn, observed, body, weights, layout, TIGHT, damping
            ).value
            total = tf.reduce_sum(cotangent * value.joints_mm)
        return value, tape.gradient(total, observed.points_px)

    return found, cotangent


@pytest.fixture(scope="module")
def hessians(pipeline, problem, damped):
    """H of each frame at its minimum, `[F, N, N]`, and N x points' mixed products."""
    _, turn, observed, body, weights = problem
    layout = pipeline.head.lifter.layout
    x, _ = damped[0](tf.constant(0.0, tf.float64))

    @tf.function(autograph=False)
    def product(vector):
        """Of the slope's derivatives by joints, turns and points, with a vector."""
        points = observed.points_px
        with tf.GradientTape() as outer:
            outer.watch((x, points))
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = energy.frame_energy(
                    x,
                    turn,
                    observed._replace(points_px=points),
                    body,
                    weights,
                    layout,
                )
            slope = inner.gradient(value, x)
            along = tf.reduce_sum(slope.joints_mm * vector.joints_mm)
            along += tf.reduce_sum(slope.turn_rad * vector.turn_rad)
        return outer.gradient(along, (x, points))

    size = x.joints_mm.shape[1] * 3
    rows, mixed = [], []
    for number in range(size + 3):
        unit = np.zeros((2, size + 3))
        unit[:, number] = 1.0
        vector = energy.Unknowns(
            tf.constant(unit[:, :size].reshape(x.joints_mm.shape)),
            tf.constant(unit[:, size:]),
        )
        own, by_points = product(vector)
        rows.append(
            np.concatenate([np.reshape(own.joints_mm, (2, -1)), own.turn_rad], 1)
        )
        mixed.append(np.asarray(by_points))
    return np.stack(rows, 1), np.stack(mixed, 1)


@pytest.mark.parametrize(
    "damping",
    [0.0, 1e-2, *(pytest.param(n, marks=pytest.mark.large) for n in (1e-4, 1.0))],
)
def test_the_derivative_is_that_of_the_damped_hessian(damped, hessians, damping):
    found, cotangent = damped
    _, gradient = found(tf.constant(damping, tf.float64))
    hessian, mixed = hessians
    right = np.concatenate([np.reshape(cotangent, (2, -1)), np.zeros((2, 3))], 1)
    for f in range(2):
        regular = hessian[f] + damping * np.eye(len(hessian[f]))
        solved = np.linalg.solve(regular, right[f])
        expected = -np.einsum("n,nvjc->vjc", solved, mixed[f])
        scale = np.abs(expected).max()
        np.testing.assert_allclose(gradient[f], expected, rtol=0, atol=1e-6 * scale)
        # Shrunk, and within the bound |c| |∂²E/∂x∂p| / (least eigenvalue + λ).
        least = np.linalg.eigvalsh(hessian[f])[0]
        assert least > 0
        bound = np.linalg.norm(mixed[f].reshape(len(right[f]), -1), 2)
        bound *= np.linalg.norm(right[f]) / (least + damping)
        assert np.linalg.norm(gradient[f]) <= bound
