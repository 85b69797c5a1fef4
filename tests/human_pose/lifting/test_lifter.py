"""The lifter as a Keras model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from human_pose.datasets.pose_files import read_pose_file
from human_pose.files.paths import PROJECT_ROOT
from human_pose.geometry.metrics import mpjpe
from human_pose.lifting import PPCALifter, read_cameras, read_mixture
from human_pose.lifting.comparison import beside_truth
from human_pose.lifting.variables import parameter_shapes

DATA = PROJECT_ROOT / "data"


@pytest.fixture(scope="module")
def lifter(mixture, cameras):
    return PPCALifter(mixture, cameras)


def test_has_the_17_parameters(lifter):
    assert tuple(lifter.parameters) == tuple(parameter_shapes(3))
    shapes = {name: tuple(v.shape) for name, v in lifter.parameters.items()}
    assert shapes == parameter_shapes(3)
    assert len(lifter.trainable_variables) == 14
    assert all(v.dtype == "float64" for v in lifter.variables)


def test_l2_does_not_train_what_it_does_not_use(mixture, cameras):
    lifter = PPCALifter(mixture, cameras, solver="l2")
    names = {v.name for v in lifter.trainable_variables}
    assert len(names) == 12
    assert not names & {"hl_params", "ir_reg"}


def test_starts_where_the_original_does(lifter, golden):
    for name in golden["huber-default/trainable"]:
        ours = lifter.parameters["hl_params" if name == "hl_param" else str(name)]
        np.testing.assert_allclose(
            ours.numpy(), golden[f"huber-default/start/{name}"], rtol=1e-14
        )


def test_frames_do_not_mix(lifter, golden, visibility):
    """A frame's result is the same alone, in any batch, and beside other masks."""
    joints = golden["poses_2d"]
    whole = lifter(joints)
    for n in (0, 5):
        alone = lifter(joints[n : n + 1])
        np.testing.assert_allclose(alone["pose"][0], whole["pose"][n], atol=1e-11)
        np.testing.assert_allclose(alone["score"][0], whole["score"][n], rtol=1e-11)
    masks = np.tile(visibility, (len(joints), 1, 1))
    masks[1, 0, :4] = 0
    mixed = lifter({"joints_2d_px": joints, "visibility": masks})
    np.testing.assert_allclose(mixed["pose"][0], whole["pose"][0], atol=1e-11)
    assert np.abs(mixed["pose"][1] - whole["pose"][1]).max() > 1e-6


def test_lift_works_in_batches(lifter, golden, visibility):
    joints = golden["poses_2d"]
    whole = lifter(joints)
    lifted = lifter.lift(joints, batch_size=3)  # the last batch is short
    np.testing.assert_allclose(lifted.poses, whole["pose"], rtol=0, atol=1e-11)
    np.testing.assert_allclose(lifted.scores, whole["score"], rtol=1e-11)
    masks = np.tile(visibility, (len(joints), 1, 1))
    masked = lifter.lift(joints, masks, batch_size=8)
    np.testing.assert_allclose(masked.poses, whole["pose"], rtol=0, atol=1e-11)


def test_lift_names_bad_frames(lifter, golden, visibility):
    joints = golden["poses_2d"][:3].copy()
    joints[2, 1, 4, 0] = np.inf
    with pytest.raises(ValueError, match=r"must be finite .* at frame 2, view 1"):
        lifter.lift(joints)
    masks = np.tile(visibility, (3, 1, 1))
    masks[2, 1, 4] = 0  # unseen, so its coordinate does not matter
    assert np.isfinite(lifter.lift(joints, masks).poses).all()
    masks[1, :, 2:] = 0
    masks[1, :, 0] = 0
    with pytest.raises(ValueError, match=r"two visible joints at .* frame 1"):
        lifter.lift(joints, masks)
    joints[1, ..., 1] = 300.0  # all at one height
    masks[1] = visibility
    with pytest.raises(ValueError, match=r"two visible joints at .* frame 1"):
        lifter.lift(joints, masks)
    masks[1] = -visibility
    with pytest.raises(ValueError, match=r"`visibility` must be >= 0"):
        lifter.lift(joints, masks)


def test_what_files_call_not_found_is_not_seen(lifter, golden, visibility):
    """(0, 0) and NaN are a mask by themselves, in poses and in gradients."""
    joints, feet = golden["poses_2d"][:2].copy(), (3, 6)
    whole = lifter.lift(joints).poses
    masked = np.tile(visibility, (2, 1, 1))
    np.testing.assert_array_equal(lifter.lift(joints, masked).poses, whole)
    masked[:, :, feet] = 0
    # An explicit mask is the original's: the pose is centred on what is seen.
    expected = lifter.lift(joints, masked).poses
    expected -= np.delete(expected, 9, axis=1).mean(axis=1, keepdims=True)
    for nothing in (0.0, np.nan):
        joints[:, :, feet] = nothing
        found = lifter.lift(joints).poses
        found -= np.delete(found, 9, axis=1).mean(axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)
    with tf.GradientTape() as tape:
        tape.watch(inputs := tf.constant(joints))
        value = tf.reduce_sum(tf.square(lifter(inputs, training=True)["pose"]))
    slopes = tape.gradient(value, [inputs, *lifter.trainable_variables])
    assert all(np.isfinite(slope).all() for slope in slopes)
    assert (slopes[0].numpy()[:, :, feet] == 0).all()


def test_without_feet_errors_stay_small():
    """As seen, (0, 0) made 425 mm of 45; of one view's feet hardly anything is lost."""
    poses = read_pose_file(DATA / "sample.h5")
    model = PPCALifter(
        read_mixture(DATA / "model_parameters.h5", 3),
        read_cameras(DATA / "avg_cameras.h5"),
    )
    errors = []
    for views in (slice(0), slice(1), slice(4)):
        joints = poses.joints_2d_px.copy()
        joints[:, views, 3] = joints[:, views, 6] = 0
        pose = model.lift(joints, batch_size=15).poses
        truth, found = beside_truth(pose, poses.joints_3d_mm)
        errors.append(float(np.mean(mpjpe(truth, found))))
    assert errors[1] < errors[0] + 2
    assert errors[2] < errors[0] + 25


def test_survives_saving(lifter, golden, tmp_path):
    lifter.parameters["cameras"].assign_add(np.full((4, 3, 3), 0.01))
    lifter.save(tmp_path / "lifter.keras")
    again = keras.models.load_model(tmp_path / "lifter.keras")
    lifted = again(golden["poses_2d"][:2])["pose"]
    np.testing.assert_array_equal(lifted, lifter(golden["poses_2d"][:2])["pose"])
    assert again.get_config() == lifter.get_config()


def test_step_applies_the_clips(mixture, cameras, golden):
    lifter = PPCALifter(mixture, cameras)
    assert lifter.parameters["sigma_variance"].numpy().max() > 5
    optimizer = keras.optimizers.SGD(0.0)
    gradients = [np.zeros(v.shape) for v in lifter.trainable_variables]
    optimizer.apply(
        [keras.ops.convert_to_tensor(g) for g in gradients], lifter.trainable_variables
    )
    assert lifter.parameters["sigma_variance"].numpy().max() == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"solver": "l1"}, "`solver` must be huber or l2; received 'l1'"),
        ({"derivative": "magic"}, "`derivative` must be .* received 'magic'"),
        ({"damping": -1.0}, "`damping` must be >= 0; received -1.0"),
    ],
)
def test_refuses_bad_arguments(mixture, cameras, arguments, message):
    with pytest.raises(ValueError, match=message):
        PPCALifter(mixture, cameras, **arguments)


def test_refuses_other_shapes(lifter):
    with pytest.raises(ValueError, match=r"`joints_2d_px` must have shape \[N, 4, 17"):
        lifter(np.zeros((2, 4, 16, 2)))
    with pytest.raises(ValueError, match="`visibility` must have shape"):
        lifter({"joints_2d_px": np.zeros((2, 4, 17, 2)), "visibility": np.ones((2, 4))})
