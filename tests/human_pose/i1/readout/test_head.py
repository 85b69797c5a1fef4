"""The whole head: heatmaps to loss and back, against the original's layers in a row."""

import numpy as np
import tensorflow as tf

from human_pose.i1.objective import losses
from human_pose.i1.readout import stage1, volume


def test_adaptive_i1(golden, assert_golden):
    case = "head_i1"
    heatmap = tf.constant(golden.nhwc(case, "heatmap"))
    heatmap2 = tf.constant(golden.nhwc(case, "heatmap2"))
    label_2d = golden.nhwc(case, "label_2dhm")
    label_3d = golden.nhwc(case, "label_3dhm")
    joints = golden(case, "gt_joint_2d").reshape(2, 16, 2)
    depth = golden(case, "gt_depth")
    bins = heatmap2.shape[-1] // 16
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([heatmap, heatmap2])
        position = volume.integral(heatmap2, bins, gradient="published")
        pairs = [
            (heatmap, label_2d),
            (heatmap2, label_3d),
            (position[..., :2], joints),
            (position[..., 2], depth),
        ]
        terms = losses.AdaptiveWeightEuclidean().terms(pairs)
        loss = tf.add_n(terms)
        integral_terms = terms[2] + terms[3]
    predicted = golden(case, "pred_joint_2d_s2_int").reshape(2, 16, 2)
    assert_golden(position[..., :2], predicted)
    assert_golden(position[..., 2], golden(case, "pred_depth_s2_int"))
    assert_golden(loss, golden(case, "ada_loss"), 1e-4)
    assert_golden(tape.gradient(loss, heatmap), golden.nhwc(case, "grad_heatmap"))
    assert_golden(
        tape.gradient(terms[1], heatmap2), golden.nhwc(case, "grad_heatmap2_hm_term")
    )
    assert_golden(
        tape.gradient(integral_terms, heatmap2),
        golden.nhwc(case, "grad_heatmap2_integral_term_asoriginal"),
    )
    assert_golden(
        tape.gradient(loss, heatmap2),
        golden.nhwc(case, "grad_heatmap2_total_asoriginal"),
    )


def test_every_step_of_the_integral_backward(golden, assert_golden):
    """From the loss to positions, to probabilities, to heatmaps."""
    case = "head_i1"
    heatmap2 = tf.constant(golden.nhwc(case, "heatmap2"))
    joints = golden(case, "gt_joint_2d").reshape(2, 16, 2)
    bins = heatmap2.shape[-1] // 16
    with tf.GradientTape() as tape:
        tape.watch(heatmap2)
        probabilities = volume.softmax(heatmap2, bins, gradient="published")
        position = volume.integrate(probabilities)
        pairs = [
            (position[..., :2], joints),
            (position[..., 2], golden(case, "gt_depth")),
        ]
        loss = losses.AdaptiveWeightEuclidean()(pairs)
    flat = golden(case, "softmax").reshape(probabilities.shape)
    assert_golden(probabilities, flat)
    to_position, to_probabilities, to_heatmap2 = tape.gradient(
        loss, [position, probabilities, heatmap2]
    )
    assert_golden(to_position[..., :2], golden(case, "grad_pred2d").reshape(2, 16, 2))
    assert_golden(to_position[..., 2], golden(case, "grad_preddepth"))
    expected = golden(case, "grad_softmax").reshape(to_probabilities.shape)
    assert_golden(to_probabilities, expected)
    expected = golden.nhwc(case, "grad_heatmap2_integral_term_asoriginal")
    assert_golden(to_heatmap2, expected)


def test_the_true_gradient_is_another(golden, assert_golden):
    case = "head_i1"
    heatmap2 = tf.constant(golden.nhwc(case, "heatmap2"))
    bins = heatmap2.shape[-1] // 16
    upstream = np.concatenate(
        [
            golden(case, "grad_pred2d").reshape(2, 16, 2),
            golden(case, "grad_preddepth")[..., None],
        ],
        axis=-1,
    )
    with tf.GradientTape() as tape:
        tape.watch(heatmap2)
        position = volume.integral(heatmap2, bins)
    expected = golden.nhwc(case, "OURS_grad_heatmap2_integral_term_true_jacobian")
    assert_golden(tape.gradient(position, heatmap2, upstream), expected, 1e-4)


def test_the_fifth_pair(golden, assert_golden):
    heatmap = tf.constant(golden.nhwc("head_i1", "heatmap"))
    joints = golden("head_i1", "gt_joint_2d").reshape(2, 16, 2)
    case = "head_i1_5pairs"
    assert_golden(stage1.normalize(heatmap), golden.nhwc(case, "heatmap_norm"))
    others = [
        ("heatmap2", "label_3dhm"),
        ("pred_joint_2d_s2_int", "gt_joint_2d"),
        ("pred_depth_s2_int", "gt_depth"),
    ]
    fixed = [(golden("head_i1", p), golden("head_i1", g)) for p, g in others]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(heatmap)
        position = stage1.integral(heatmap)
        label = golden.nhwc("head_i1", "label_2dhm")
        pairs = [(heatmap, label), *fixed, (position, joints)]
        terms = losses.AdaptiveWeightEuclidean().terms(pairs)
        loss = tf.add_n(terms)
    assert_golden(position, golden(case, "pred_joint_2d_s1_int").reshape(2, 16, 2))
    assert_golden(loss, golden(case, "ada_loss"), 1e-4)
    expected = golden(case, "grad_pred2d_s1").reshape(2, 16, 2)
    assert_golden(tape.gradient(loss, position), expected)
    assert_golden(
        tape.gradient(terms[-1], heatmap),
        golden.nhwc(case, "grad_heatmap_s1int_term_asoriginal"),
    )
    assert_golden(
        tape.gradient(loss, heatmap),
        golden.nhwc(case, "grad_heatmap_total_asoriginal"),
    )
