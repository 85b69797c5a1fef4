"""Training on two logical CPUs beside one, in a process of its own."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from human_pose.runs import distribution

_HELPER = Path(__file__).parents[2] / "helpers" / "replicas.py"


def trained(folder, *cases):
    """Trains on one device and on two; the folder gets what they find."""
    ended = subprocess.run(
        [sys.executable, _HELPER, folder, *cases],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]


def on_one_and_two(folder, case):
    """What both have found, by name."""
    with np.load(folder / f"{case}.npz") as found:
        names = [name.removeprefix("one/") for name in found if name[:4] == "one/"]
        return {name: (found[f"one/{name}"], found[f"two/{name}"]) for name in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What is always tested, in one process."""
    folder = tmp_path_factory.mktemp("replicas")
    trained(folder, "lifter", "i1,few,rmsprop,2,float32,moving")
    return folder


def assert_equal(found, tolerance, scale=None):
    for name, (one, two) in found.items():
        size = scale or max(np.abs(one).max(), 1e-30)
        np.testing.assert_allclose(
            two, one, rtol=0, atol=tolerance * size, err_msg=name
        )


@pytest.mark.large
def test_the_lifters_training_is_that_of_one_device(folder):
    """Batches of 7, 7 and 1: parts differ in size, and one replica has none."""
    found = on_one_and_two(folder, "lifter")
    assert found["loss"][0].shape == found["gradient_norm"][0].shape == (3,)
    assert (found["gradient_norm"][0] > 1).all()
    assert_equal(found, 1e-12)


def assert_i1_equal(found, tolerance):
    """Losses, errors, statistics and gradients, up to a part of the largest."""
    gradients = ("momentum", "square_sum", "gradient_accumulator")
    slots = {n: v for n, v in found.items() if n.endswith(gradients)}
    logged = {n: v for n, v in found.items() if "/" not in n}
    means = {n: v for n, v in found.items() if n.endswith("moving_mean")}
    variances = {n: v for n, v in found.items() if n.endswith("moving_variance")}
    assert len(logged) == 20
    assert len(slots) >= 6
    assert len(means) == len(variances) >= 2
    assert_equal(logged | variances, tolerance)
    for name, values in means.items():
        # Means are sums of numbers as large as their deviations.
        variance = found[name.replace("mean", "variance")][0].max()
        assert_equal({name: values}, tolerance, np.sqrt(variance))
    for end in gradients:
        of_a_kind = {n: v for n, v in slots.items() if n.endswith(end)}
        if of_a_kind:
            # A bias before a normalisation has no gradient but rounding.
            largest = max(np.abs(one).max() for one, _ in of_a_kind.values())
            assert_equal(of_a_kind, tolerance, largest)


def test_the_image_networks_training_is_that_of_one_device(folder):
    """Batches of 3, 3 and 1: parts differ in size, and one replica has none."""
    assert_i1_equal(on_one_and_two(folder, "i1,few,rmsprop,2,float32,moving"), 1e-5)


@pytest.mark.large
@pytest.mark.parametrize(
    ("case", "tolerance"),
    [("i1,few,adamw,1", 1e-5), ("i1,few,adamw,2,mixed_bfloat16", 5e-3)],
)
def test_other_trainings_of_the_image_network_are(tmp_path, case, tolerance):
    trained(tmp_path, case)
    assert_i1_equal(on_one_and_two(tmp_path, case), tolerance)


def strategy(cluster, kind, number):
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=kind, task_id=number
    )
    return SimpleNamespace(cluster_resolver=resolver)


@pytest.mark.parametrize(
    ("cluster", "task", "writes"),
    [
        ({}, ("worker", 1), True),
        ({"worker": ["a:1", "b:1"]}, ("worker", 0), True),
        ({"worker": ["a:1", "b:1"]}, ("worker", 1), False),
        ({"chief": ["a:1"], "worker": ["b:1"]}, ("chief", 0), True),
        ({"chief": ["a:1"], "worker": ["b:1"]}, ("worker", 0), False),
        ({"worker": ["a:1"], "evaluator": ["b:1"]}, ("evaluator", 0), False),
    ],
)
def test_one_process_writes(cluster, task, writes):
    assert distribution.is_chief(strategy(cluster, *task)) == writes


def test_alone_all_is_as_it_is():
    assert distribution.is_chief()
    assert not distribution.in_parts()
    value = tf.constant([1.0, 2.0])
    assert distribution.total(value) is value
    assert float(distribution.samples(value, tf.float64)) == 2


def test_several_replicas_take_one_step_at_once():
    assert distribution.most_steps_at_once(tf.distribute.get_strategy(), 10) == 10
    two = SimpleNamespace(num_replicas_in_sync=2)
    assert distribution.most_steps_at_once(two, 10) == 1


@pytest.mark.parametrize("jit", [False, True])
def test_a_value_that_is_none_stays_the_largest(jit):
    """XLA's maximum forgets it on CPUs: a compiled training went on after it."""
    model = keras.Sequential([keras.Input((1,))])
    largest = distribution.Largest(model, "worst")
    note = tf.function(largest.note, jit_compile=jit, autograph=False)
    for values in ([3.0, 1.0], [1.0, np.nan, 2.0], [1.0]):
        for value in values:
            note(tf.constant(value))
        np.testing.assert_equal(largest.take(), np.max(values))
