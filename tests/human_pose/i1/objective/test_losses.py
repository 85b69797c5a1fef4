import numpy as np
import pytest
import tensorflow as tf

from human_pose.i1.objective import losses


def pairs_of(golden, case, count, dtype):
    arrays = [golden(case, f"bottom{i}").astype(dtype) for i in range(2 * count)]
    tensors = [tf.constant(array) for array in arrays]
    return list(zip(tensors[::2], tensors[1::2], strict=True))


@pytest.mark.parametrize(
    ("case", "count", "dtype", "tolerance"),
    [
        ("ada4_f32", 4, "float32", 1e-4),
        ("ada4_f64", 4, "float64", 1e-12),
        ("ada1_f64", 1, "float64", 1e-12),
    ],
)
def test_adaptive_loss_agrees_with_the_original(
    golden, assert_golden, case, count, dtype, tolerance
):
    pairs = pairs_of(golden, case, count, dtype)
    predictions = [prediction for prediction, _ in pairs]
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        loss = losses.AdaptiveWeightEuclidean()(pairs)
    assert_golden(loss, golden(case, "loss"), tolerance)
    upstream = tf.cast(golden(case, "top_diff"), loss.dtype)
    gradients = tape.gradient(loss, predictions, upstream)
    for number, gradient in enumerate(gradients):
        assert_golden(gradient, golden(case, f"grad{2 * number}"), 1e-5)


def test_a_perfect_pair_adds_nothing():
    perfect = tf.Variable([[1.0, 2.0]])
    other = tf.Variable([[1.0, 3.0]])
    with tf.GradientTape() as tape:
        loss = losses.AdaptiveWeightEuclidean()(
            [(perfect, perfect.value()), (other, [[0.0, 0.0]])]
        )
    np.testing.assert_allclose(loss, (1 + 9) / 2)
    gradients = tape.gradient(loss, [perfect, other])
    np.testing.assert_array_equal(gradients[0], [[0, 0]])
    np.testing.assert_allclose(gradients[1], [[1.0, 3.0]])


def test_every_axis_of_a_map_counts():
    generator = np.random.default_rng(0)
    p, g = generator.normal(size=(2, 2, 3, 4, 5))
    loss = losses.AdaptiveWeightEuclidean()([(p, g)])
    difference = p - g
    expected = np.sum(difference**2) / 2 / np.mean(np.abs(difference))
    np.testing.assert_allclose(loss, expected, rtol=1e-12)


def test_mean_gradient_of_every_pair_is_equal():
    generator = np.random.default_rng(0)
    small = tf.Variable(generator.normal(size=(4, 3)) * 1e-3)
    large = tf.Variable(generator.normal(size=(4, 50)) * 1e3)
    with tf.GradientTape() as tape:
        loss = losses.AdaptiveWeightEuclidean()(
            [(small, tf.zeros_like(small)), (large, tf.zeros_like(large))]
        )
    for gradient in tape.gradient(loss, [small, large]):
        np.testing.assert_allclose(np.mean(np.abs(gradient)), 2 / 4, rtol=1e-12)


def test_euclidean_is_half_the_weighted_squares_per_sample():
    p = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        loss = losses.Euclidean([0.1, 1.0])([(p, 0 * p), (p, p + 1)])
    np.testing.assert_allclose(loss, 0.1 * 30 / 4 + 4 / 4, rtol=1e-6)
    np.testing.assert_allclose(
        tape.gradient(loss, p), 0.1 * p.numpy() / 2 - 1 / 2, rtol=1e-6
    )


@pytest.mark.parametrize(
    "loss", [losses.AdaptiveWeightEuclidean(), losses.Euclidean([1.0, 2.0])]
)
def test_terms_add_up_and_targets_get_no_gradient(loss):
    p, g = tf.Variable([[1.0, 2.0]]), tf.Variable([[0.5, -1.0]])
    with tf.GradientTape() as tape:
        total = loss([(p, g), (2 * p, g)])
    np.testing.assert_allclose(total, sum(loss.terms([(p, g), (2 * p, g)])))
    assert tape.gradient(total, g) is None


def test_half_precision_is_summed_in_float32():
    p = tf.ones([2, 4096], "bfloat16")
    loss = losses.Euclidean([1.0])([(p, tf.zeros([2, 4096]))])
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, 4096 / 2)


@pytest.mark.parametrize("loss", [losses.AdaptiveWeightEuclidean()])
def test_refuses_pairs_of_two_shapes_and_none(loss):
    with pytest.raises(ValueError, match=r"pair 0 must have one shape; received \(1,"):
        loss([(tf.zeros([1, 2]), tf.zeros([1, 3]))])
    with pytest.raises(ValueError, match="at least one pair"):
        loss([])


def test_refuses_a_wrong_number_of_weights():
    with pytest.raises(ValueError, match=r"pairs must be 2, .* received 1"):
        losses.Euclidean([1.0, 1.0])([(tf.zeros([1]), tf.zeros([1]))])


def test_absolute_errors_and_their_signs():
    prediction = tf.Variable([[1.0, 5.0], [2.0, 2.0]])
    other = tf.constant([[[0.5]], [[-1.0]]])
    with tf.GradientTape() as tape:
        loss = losses.Absolute((1.0, 3.0))(
            [(prediction, [[0.0, 7.0], [2.5, 1.0]]), (other, tf.zeros_like(other))]
        )
    assert float(loss) == pytest.approx((1 + 2 + 0.5 + 1) / 2 + 3 * 1.5 / 2)
    gradient = tape.gradient(loss, prediction)
    np.testing.assert_allclose(gradient, [[0.5, -0.5], [-0.5, 0.5]])
