"""Errors against closed forms, the original's numbers, and finite differences."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from human_pose.geometry import metrics
from human_pose.lifting import comparison
from human_pose.lifting.config import METRICS

GOLDEN = Path(__file__).parents[2] / "golden" / "golden_synthetic.npz"
CONFIGURATIONS = ("huber-default", "l2-default")


def poses(*batch, joints=17, seed=0, spread=300.0):
    return np.random.default_rng(seed).normal(0, spread, (*batch, joints, 3))


def rotation(axis, angle):
    """Rodrigues' formula."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def assert_gradient(function, x, *, delta=1e-3, atol=1e-8):
    """Autodiff against central differences; x is in mm, hence the step."""
    theory, numeric = tf.test.compute_gradient(function, [x], delta=delta)
    assert np.all(np.isfinite(theory[0]))
    np.testing.assert_allclose(theory[0], numeric[0], rtol=0, atol=atol)


@pytest.mark.parametrize("batch", [(), (1,), (2, 3)])
def test_one_number_per_pose_whatever_the_batch(batch):
    truth, other = poses(*batch), poses(*batch, seed=1)
    for error in (
        metrics.mpjpe,
        metrics.pa_mpjpe,
        metrics.n_mpjpe,
        metrics.pck,
        metrics.auc,
    ):
        together = error(truth, other).numpy()
        assert together.shape == batch
        one = error(truth.reshape(-1, 17, 3)[0], other.reshape(-1, 17, 3)[0])
        np.testing.assert_allclose(together.reshape(-1)[0], one, rtol=1e-12)


def test_mpjpe_of_a_shift_is_its_length():
    truth, shift = poses(5), np.array([3.0, 4.0, 12.0])
    np.testing.assert_allclose(metrics.mpjpe(truth, truth + shift), 13.0)


def test_procrustes_undoes_rotation_scale_and_translation():
    truth = poses(4)
    moved = 0.3 * truth @ rotation([1, 2, 3], 2.5) + [100.0, -50.0, 7.0]
    np.testing.assert_allclose(
        metrics.procrustes_align(truth, moved), truth, atol=1e-10
    )
    np.testing.assert_allclose(metrics.pa_mpjpe(truth, moved), 0, atol=1e-10)


def test_pa_mpjpe_does_not_change_with_the_reconstructions_frame():
    truth, other = poses(4), poses(4, seed=1)
    moved = 7 * other @ rotation([3, -1, 2], 1.0) + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(
        metrics.pa_mpjpe(truth, moved), metrics.pa_mpjpe(truth, other), rtol=1e-12
    )


def test_procrustes_never_reflects():
    truth = poses()
    mirrored = truth * [1.0, 1.0, -1.0]
    aligned = metrics.procrustes_align(truth, mirrored).numpy()
    # The aligned pose is a turned and scaled copy of the mirrored one, of the same
    # handedness: the signed volume of its first joints says so.
    volume = [np.linalg.det(x[1:4] - x[0]) for x in (aligned, mirrored)]
    assert volume[0] * volume[1] > 0
    assert metrics.pa_mpjpe(truth, mirrored) > 10


def test_procrustes_is_the_least_squares_optimum():
    truth, other = poses(), poses(seed=1)
    best = metrics.procrustes_align(truth, other).numpy()
    mean = best.mean(axis=0)
    for axis in np.eye(3):
        for angle in (-1e-3, 1e-3):
            turned = (best - mean) @ rotation(axis, angle) + mean
            assert np.sum((truth - turned) ** 2) > np.sum((truth - best) ** 2)
    for scale in (0.999, 1.001):
        resized = scale * (best - mean) + mean
        assert np.sum((truth - resized) ** 2) > np.sum((truth - best) ** 2)


def test_n_mpjpe_ignores_scale_and_position():
    truth = poses(3)
    np.testing.assert_allclose(
        metrics.n_mpjpe(truth, 0.2 * truth + 55.0), 0, atol=1e-10
    )


def test_n_mpjpe_of_two_orthogonal_joints():
    # Root-centred truth (0,0,0), (100,0,0) and result (0,0,0), (50,50,0): the best
    # scale is 5000/5000 = 1, so the second joint stays sqrt(5000) mm away.
    truth = np.array([[10.0, 10, 10], [110, 10, 10]])
    result = np.array([[0.0, 0, 0], [50, 50, 0]])
    np.testing.assert_allclose(metrics.n_mpjpe(truth, result), np.sqrt(5000) / 2)


def test_pck_and_auc_count_joints_strictly_within_the_threshold():
    truth = np.zeros((4, 3))
    result = np.array([[0.0, 0, 0], [12, 0, 0], [0, 150, 0], [0, 0, 149]])
    assert metrics.pck(truth, result) == 3 / 4  # 150 mm is not within 150 mm
    assert metrics.pck(truth, result, threshold_mm=100) == 2 / 4
    # Of the thresholds 0, 5, ..., 150: 30 exceed 0 mm, 28 exceed 12 mm (15, 20, ...),
    # none exceeds 150 mm and one exceeds 149 mm.
    np.testing.assert_allclose(
        metrics.auc(truth, result), (30 + 28 + 0 + 1) / (4 * 31), rtol=1e-14
    )


def test_a_joint_without_error_has_no_gradient():
    """`tf.norm`, by which the image network measured in version 0.1, has NaN there."""
    truth = tf.constant([[[1.0, 2, 3], [0, 0, 0]]])
    pose = tf.constant([[[1.0, 2, 3], [3, 0, 4]]])
    with tf.GradientTape() as tape:
        tape.watch(pose)
        error = metrics.mpjpe(truth, pose)
    expected = [[[0, 0, 0], [0.3, 0, 0.4]]]
    np.testing.assert_allclose(tape.gradient(error, pose), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("traced", [False, True])
def test_errors_are_the_image_networks_of_before_bit_for_bit(dtype, traced):
    rng = np.random.default_rng(0)
    truth, pose = rng.normal(0, 500, (2, 200, 16, 3)).astype(dtype)
    measure = tf.function(metrics.mpjpe) if traced else metrics.mpjpe
    before = tf.reduce_mean(tf.norm(pose - truth, axis=-1), axis=-1)
    np.testing.assert_array_equal(measure(truth, pose), before)


def test_the_root_can_be_another_joint():
    truth, pose = poses(2), 1.1 * poses(2, seed=1)
    order = np.roll(np.arange(truth.shape[-2]), 3)
    root = int(np.flatnonzero(order == 0)[0])
    for measure in (metrics.n_mpjpe, metrics.pck, metrics.auc):
        moved = measure(truth[:, order], pose[:, order], root=root)
        np.testing.assert_allclose(moved, measure(truth, pose), rtol=1e-12)


def test_pck_and_auc_are_root_centred():
    truth = poses(2)
    np.testing.assert_array_equal(metrics.pck(truth, truth + 1000), 1)
    np.testing.assert_allclose(metrics.auc(truth, truth + 1000), 30 / 31)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("metric", METRICS)
def test_training_errors_are_the_originals(configuration, metric):
    with np.load(GOLDEN) as golden:
        truth = golden[f"{configuration}/truth"].swapaxes(-1, -2)
        reconstruction = golden[f"{configuration}/reconstruction"].swapaxes(-1, -2)
        expected = golden[f"{configuration}/errors"][:, metric]
    error = comparison.training_error(truth, reconstruction, metric)
    np.testing.assert_allclose(error, expected, rtol=0, atol=1e-10)


def test_training_errors_are_the_originals_with_published_parameters(shared):
    golden = np.load(shared / "reference" / "lift_dev.npz")
    configurations = {key.split("/")[0] for key in golden.files if "/errors" in key}
    assert len(configurations) == 7
    for name in configurations:
        truth = golden[f"{name}/truth"].swapaxes(-1, -2)
        reconstruction = golden[f"{name}/reconstruction"].swapaxes(-1, -2)
        for metric in METRICS:
            np.testing.assert_allclose(
                comparison.training_error(truth, reconstruction, metric),
                golden[f"{name}/errors"][:, metric],
                rtol=0,
                atol=1e-10,
                err_msg=f"{name}, metric {metric}",
            )


@pytest.mark.parametrize("configuration", ["huber-default-3models", "huber-trained"])
def test_sixteen_joint_errors_on_real_motion(shared, configuration):
    golden = np.load(shared / "data" / "real" / "real_dev.npz")
    detected = [joint for joint in range(17) if joint != 9]
    truth, reconstruction = (
        golden[key].swapaxes(-1, -2)[:, detected]
        for key in ("truth", f"{configuration}/reconstruction")
    )
    measured = [
        metrics.mpjpe(truth, reconstruction),
        metrics.mpjpe(
            truth - truth.mean(axis=1, keepdims=True),
            reconstruction - reconstruction.mean(axis=1, keepdims=True),
        ),
        metrics.mpjpe(
            metrics.root_centred(truth), metrics.root_centred(reconstruction)
        ),
        metrics.pa_mpjpe(truth, reconstruction),
    ]
    np.testing.assert_allclose(
        np.stack(measured, axis=1), golden[f"{configuration}/errors16"], atol=1e-9
    )


@pytest.mark.parametrize(
    "error",
    [
        metrics.mpjpe,
        metrics.n_mpjpe,
        metrics.pa_mpjpe,
        lambda t, r: comparison.training_error(t, r, 0),
        lambda t, r: comparison.training_error(t, r, 1),
        lambda t, r: comparison.training_error(t, r, 2),
    ],
)
def test_gradients_equal_finite_differences(error):
    truth, other = poses(2), poses(2, seed=1)
    # A reflected pose too: there the last singular value counts negatively.
    other[1] = truth[1] * [1, 1, -1] + 0.1 * other[1]
    assert_gradient(lambda x: error(truth, x), other)
    assert_gradient(lambda x: error(x, other), truth)


def test_procrustes_gradient_with_coincident_singular_values():
    # The joints of an octahedron: X'Y is a multiple of a rotation, and all its
    # singular values are equal. An SVD's own derivative is not finite here.
    octahedron = 100.0 * np.concatenate([np.eye(3), -np.eye(3)])
    result = 0.5 * octahedron @ rotation([1, 1, 0], 0.4)
    target = poses(joints=6, seed=2)  # something to be off by
    assert_gradient(
        lambda x: (
            tf.reduce_sum(metrics.procrustes_align(octahedron, x) * tf.constant(target))
            / 1000
        ),
        result,
        atol=1e-6,
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["perfect", "point", "line"])
def test_gradients_stay_finite(metric, kind):
    truth = poses()
    result = tf.constant(
        {
            "perfect": truth,
            "point": np.ones_like(truth),
            "line": np.outer(np.arange(17.0), [1.0, 2.0, 3.0]),
        }[kind]
    )
    with tf.GradientTape() as tape:
        tape.watch(result)
        error = comparison.training_error(truth, result, metric)
    assert np.isfinite(error)
    assert np.all(np.isfinite(tape.gradient(error, result)))


def test_float32_in_a_compiled_graph():
    truth, other = poses(8).astype(np.float32), poses(8, seed=1).astype(np.float32)
    result = tf.function(metrics.pa_mpjpe)(truth, other)
    assert result.dtype == tf.float32
    np.testing.assert_allclose(
        result, metrics.pa_mpjpe(truth.astype(np.float64), other), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("truth", "result", "match"),
    [
        (np.zeros((17, 2)), np.zeros((17, 2)), r"`truth` must have shape"),
        (np.zeros((17, 3)), np.zeros((3, 17)), r"`reconstruction` must have shape"),
        (np.zeros((17, 3)), np.zeros((16, 3)), r"same joints"),
    ],
)
def test_wrong_shapes_are_named(truth, result, match):
    with pytest.raises(ValueError, match=match):
        metrics.mpjpe(truth, result)


def test_training_error_names_a_wrong_metric_and_skeleton():
    with pytest.raises(ValueError, match=r"`metric` must be 0, 1 or 2. Received: 3"):
        comparison.training_error(poses(), poses(), 3)
    with pytest.raises(ValueError, match=r"17 joints"):
        comparison.training_error(poses(joints=16), poses(joints=16), 0)
