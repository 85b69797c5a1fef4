import numpy as np
import pytest
import tensorflow as tf

from human_pose.files.errors import InputError
from human_pose.i1.readout import volume

BINS, JOINTS = 4, 3


def heatmaps(dtype="float64", spread=0.1, batch=2, height=6, width=5):
    generator = np.random.default_rng(0)
    shape = (batch, height, width, JOINTS * BINS)
    return tf.constant(generator.normal(size=shape) * spread, dtype)


def numeric_gradient(function, at, step=1e-6):
    at = at.numpy()
    slopes = np.empty(at.size)
    for i in range(at.size):
        sides = []
        for sign in (1, -1):
            moved = at.copy()
            moved.flat[i] += sign * step
            sides.append(float(function(tf.constant(moved))))
        slopes[i] = (sides[0] - sides[1]) / (2 * step)
    return slopes.reshape(at.shape)


def gradient_of(function, at):
    with tf.GradientTape() as tape:
        tape.watch(at)
        loss = function(at)
    return tape.gradient(loss, at).numpy()


def test_softmax_agrees_with_the_original(golden, assert_golden):
    scaled = tf.constant(golden.nhwc("softmax3d", "bottom"))
    with tf.GradientTape() as tape:
        tape.watch(scaled)
        p = volume.softmax(scaled, 4, scale=1.0, gradient="published")
    upstream = golden("softmax3d", "top_diff").reshape(p.shape)
    assert_golden(p, golden("softmax3d", "top").reshape(p.shape))
    gradient = tape.gradient(p, scaled, upstream)
    assert_golden(gradient, golden.nhwc("softmax3d", "grad"))


@pytest.mark.parametrize(
    ("axis", "index", "count"), [("X", 0, 12), ("Y", 1, 16), ("Z", 2, 4)]
)
@pytest.mark.parametrize("low", [0, -1])
def test_mean_over_bin_centres_agrees_with_the_original(
    golden, assert_golden, axis, index, count, low
):
    case = f"integralvec_{axis}_lb{low}"
    marginal = golden(case, "bottom").astype("float64")
    shape = [2, 1, 1, 1, 1]
    shape[4 - index] = count
    weights = tf.reshape(marginal, shape)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        unit = volume.integrate(weights)[:, :, index]
        # The original's range is [low, 1]; ours [0, 1].
        position = low * tf.reduce_sum(weights, axis=[2, 3, 4]) + (1 - low) * unit
    assert_golden(position, golden(case, "top"))
    gradient = tape.gradient(
        position, weights, golden(case, "top_diff").astype("float64")
    )
    assert_golden(tf.reshape(gradient, [2, count]), golden(case, "grad"))


@pytest.mark.parametrize(("axis", "index"), [("X", 0), ("Y", 1), ("Z", 2)])
def test_marginals_agree_with_the_original(golden, assert_golden, axis, index):
    cube = tf.constant(golden("integral", "cube")[:, None])
    case = f"integral{axis}"
    with tf.GradientTape() as tape:
        tape.watch(cube)
        marginal = volume.marginals(cube)[index]
    assert_golden(marginal[:, 0], golden(case, "top"))
    upstream = golden(case, "top_diff")[:, None]
    gradient = tape.gradient(marginal, cube, upstream)
    assert_golden(gradient[:, 0], golden(case, "grad"))


@pytest.mark.parametrize("gradient", ["true", "published"])
def test_integral_is_softmax_and_mean_in_one(gradient):
    maps = heatmaps()
    weights = tf.random.stateless_normal([2, JOINTS, 3], [1, 2], dtype="float64")

    def fused(x):
        return tf.reduce_sum(weights * volume.integral(x, BINS, gradient=gradient))

    def plain(x):
        p = volume.softmax(x, BINS, gradient=gradient)
        return tf.reduce_sum(weights * volume.integrate(p))

    np.testing.assert_allclose(fused(maps), plain(maps), rtol=1e-12)
    np.testing.assert_allclose(
        gradient_of(fused, maps), gradient_of(plain, maps), rtol=1e-9, atol=1e-13
    )


@pytest.mark.parametrize("fused", [True, False])
def test_true_gradient_is_the_derivative(fused):
    maps = heatmaps(batch=1, height=3, width=2)
    weights = tf.random.stateless_normal([1, JOINTS, 3], [1, 2], dtype="float64")

    def loss(x):
        position = (
            volume.integral(x, BINS)
            if fused
            else volume.integrate(volume.softmax(x, BINS))
        )
        return tf.reduce_sum(weights * position)

    expected = numeric_gradient(loss, maps)
    np.testing.assert_allclose(gradient_of(loss, maps), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("value", [1e4, -1e4, 3.0])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_no_value_overflows(value, dtype):
    maps = np.zeros((1, 4, 4, JOINTS * BINS), np.float32)
    maps[0, 1, 2] = value  # all joints, all depths at row 1, column 2
    maps = tf.constant(maps, dtype)
    position = volume.integral(maps, BINS)
    assert position.dtype == tf.float32
    if value > 0:
        np.testing.assert_allclose(position[0, 0], [2.5 / 4, 1.5 / 4, 0.5], rtol=1e-5)
    gradient = gradient_of(lambda x: tf.reduce_sum(volume.integral(x, BINS)), maps)
    assert np.all(np.isfinite(gradient.astype(np.float32)))
    assert gradient.dtype == maps.numpy().dtype


def test_half_precision_sums_in_float32():
    maps = tf.cast(heatmaps("float32", height=64, width=64), "bfloat16")
    expected = volume.integral(tf.cast(maps, "float64"), BINS)
    np.testing.assert_allclose(volume.integral(maps, BINS), expected, rtol=2e-5)


@pytest.mark.parametrize("jit", [False, True])
def test_works_in_graphs_with_batches_of_any_size(jit):
    spec = tf.TensorSpec([None, 6, 5, JOINTS * BINS], tf.float64)
    maps = heatmaps()

    @tf.function(input_signature=[spec], jit_compile=jit)
    def read(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            position = volume.integral(x, BINS)
        return position, tape.gradient(position, x), volume.argmax(x, BINS)

    position, gradient, highest = read(maps)
    assert position.shape[1:] == (JOINTS, 3)
    np.testing.assert_allclose(position, volume.integral(maps, BINS), rtol=1e-12)
    expected = gradient_of(lambda x: volume.integral(x, BINS), maps)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(highest, volume.argmax(maps, BINS), rtol=1e-12)


def test_argmax_agrees_with_the_original(golden, assert_golden):
    maps = golden.nhwc("argmax3d", "bottom")
    assert_golden(volume.argmax(maps, 4), golden("argmax3d", "top").reshape(2, 16, 3))
    maps = golden.nhwc("argmax2d", "bottom")
    expected = golden("argmax2d", "top").reshape(2, 16, 2)
    assert_golden(volume.argmax_2d(maps), expected)


def test_of_equally_high_voxels_the_first_by_depth_row_column_counts():
    maps = np.zeros((1, 6, 5, JOINTS, BINS), np.float32)
    maps[0, 4, 1, 0, 1] = maps[0, 0, 0, 0, 3] = maps[0, 4, 2, 0, 1] = 1  # least depth
    maps[0, 2, 4, 1, 2] = maps[0, 3, 0, 1, 2] = 1  # least row
    # One earlier counts as equal within 1e-6, and only within.
    maps[0, 1, 1, 2, 0] = 0.5 - 2e-6
    maps[0, 2, 1, 2, 0], maps[0, 3, 3, 2, 2] = 0.5 - 5e-7, 0.5
    read = volume.argmax(maps.reshape(1, 6, 5, -1), BINS)[0] * [5, 6, BINS] - 0.5
    np.testing.assert_allclose(read, [[1, 4, 1], [4, 2, 2], [1, 2, 0]], atol=1e-5)


def test_channels_are_joint_major():
    maps = np.zeros((1, 4, 4, JOINTS * BINS), np.float32)
    maps[0, 3, 0, 1 * BINS + 2] = 1  # joint 1, depth 2, row 3, column 0
    expected = [0.5 / 4, 3.5 / 4, 2.5 / 4]
    np.testing.assert_allclose(volume.argmax(maps, BINS)[0, 1], expected)
    np.testing.assert_allclose(
        volume.integral(maps, BINS, scale=100.0)[0, 1], expected, rtol=1e-5
    )
    p = volume.softmax(maps, BINS, scale=100.0)
    assert p[0, 1, 2, 3, 0] > 0.999


@pytest.mark.parametrize("read", [volume.softmax, volume.integral, volume.argmax])
def test_refuses_channels_that_depth_does_not_divide(read):
    with pytest.raises(ValueError, match=r"heatmap2 must .* depth_bins = 5; received"):
        read(heatmaps(), 5)


@pytest.mark.parametrize("bins", [0, -4, 4.0, "4", True])
@pytest.mark.parametrize("read", [volume.softmax, volume.integral, volume.argmax])
def test_refuses_depths_that_are_no_whole_number_from_1(read, bins):
    with pytest.raises(
        InputError,
        match=rf"depth_bins must be a whole number, at .* received {bins!r}$",
    ):
        read(heatmaps(), bins)


def test_refuses_unknown_gradients():
    with pytest.raises(ValueError, match="gradient must be true or published"):
        volume.integral(heatmaps(), BINS, gradient="exact")
