"""Nests as vectors, and the names of their entries."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from wiberg_tf._nest import Packing, entry_names, select


class _Pose(NamedTuple):
    rotation: object
    scale: object


@pytest.mark.parametrize("batch", [(), (3,), (2, 4)], ids=str)
def test_packing_goes_there_and_back(batch, rng):
    nest = {
        "pose": _Pose(tf.constant(rng.normal(size=(*batch, 2, 3))), None),
        "shift": (tf.constant(rng.normal(size=(*batch, 4))),),
    }
    nest["pose"] = nest["pose"]._replace(scale=tf.constant(rng.normal(size=batch)))
    packing = Packing(nest, len(batch))
    vector = packing.pack(nest)
    assert packing.size == 11
    assert vector.shape == (*batch, 11)
    back = packing.unpack(vector)
    tf.nest.map_structure(np.testing.assert_array_equal, nest, back)
    assert isinstance(back["pose"], _Pose)


def test_packing_knows_its_order():
    packing = Packing((tf.zeros([2, 2]), tf.zeros([2])), 1)
    vector = packing.pack((tf.constant([[1.0, 2], [3, 4]]), tf.constant([5.0, 6])))
    np.testing.assert_array_equal(vector, [[1, 2, 5], [3, 4, 6]])


def test_packing_keeps_static_shapes_in_a_graph():
    @tf.function(input_signature=[tf.TensorSpec([None, 2, 3], tf.float64)])
    def shapes(x):
        packing = Packing({"a": x, "b": x[:, 0]}, 1)
        vector = packing.pack({"a": x, "b": x[:, 0]})
        assert vector.shape.as_list() == [None, 9]
        back = packing.unpack(vector)
        assert back["a"].shape.as_list() == [None, 2, 3]
        return back["b"]

    assert shapes(tf.zeros([4, 2, 3], tf.float64)).shape == (4, 3)


@pytest.mark.parametrize(
    ("nest", "batch_dims", "message"),
    [
        ({}, 0, "at least one tensor"),
        ((tf.zeros(2), tf.zeros(2, tf.float64)), 0, "received float32, float64"),
        (tf.zeros(2, tf.int32), 0, "received int32"),
        (tf.zeros(2, tf.float16), 0, "received float16"),
        ({"a": tf.zeros([3, 2]), "b": tf.zeros([])}, 1, r"`initial\['b'\]` .* \(\)"),
    ],
)
def test_packing_refuses(nest, batch_dims, message):
    with pytest.raises(ValueError, match=message):
        Packing(nest, batch_dims)


def test_packing_refuses_unknown_sizes_of_a_problem():
    @tf.function(input_signature=[tf.TensorSpec([3, None])])
    def pack(x):
        return Packing(x, 1).pack(x)

    with pytest.raises(ValueError, match=r"`initial` must have known sizes"):
        pack(tf.zeros([3, 2]))


def test_names_follow_the_order_of_flatten():
    nest = {"z": [1, (2, 3)], "a": _Pose(rotation=4, scale={"s": 5})}
    names = entry_names(nest, "root")
    assert names == [
        "root['a'].rotation",
        "root['a'].scale['s']",
        "root['z'][0]",
        "root['z'][1][0]",
        "root['z'][1][1]",
    ]
    assert len(names) == len(tf.nest.flatten(nest))
    assert tf.nest.flatten(nest) == [4, 5, 1, 2, 3]


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_select_chooses_whole_problems(mode):
    mask = tf.constant([True, False, True])
    ones = {"a": tf.ones(3), "b": (tf.ones([3, 2]), tf.ones([3, 2, 2]))}
    zeros = tf.nest.map_structure(tf.zeros_like, ones)
    choose = tf.function(select) if mode == "graph" else select
    chosen = choose(mask, ones, zeros)
    for entry in tf.nest.flatten(chosen):
        expected = np.zeros(entry.shape)
        expected[[0, 2]] = 1
        np.testing.assert_array_equal(entry, expected)
    # A mask may have the axes of size 1 already.
    np.testing.assert_array_equal(
        select(mask[:, None], ones["b"], zeros["b"])[0], chosen["b"][0]
    )
