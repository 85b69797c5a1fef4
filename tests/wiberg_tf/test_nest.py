"""Nests as vectors, and the names of their entries."""

import collections
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt
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


class _Pair(NamedTuple):
    first: tf.Tensor
    second: tf.Tensor | None = None


_TARGET = tf.constant([[1.0, 2.0], [3.0, 5.0]], tf.float64)


def _energy_of_pair(x, pair, more, weight=None):
    assert pair.second is None
    assert more["none"] is None
    assert more["list"][1] is None
    assert isinstance(more, collections.OrderedDict)
    assert weight is None
    return tf.reduce_sum((x - pair.first * more["list"][0]) ** 2, -1)


@pytest.mark.parametrize("mode", [lambda function: function, tf.function])
@pytest.mark.parametrize(
    "derivative",
    [
        wt.Implicit(),
        wt.Implicit(lambda x, parameters, damping, right: right / 2),
        pytest.param(wt.Unrolled(), marks=pytest.mark.large),
        wt.Unrolled(checkpoint=True),
    ],
)
@pytest.mark.parametrize(
    "by_name", [False, pytest.param(True, marks=pytest.mark.large)]
)
def test_none_in_parameters_reaches_the_energy(mode, derivative, by_name):
    @mode
    def gradient(target):
        more = collections.OrderedDict(none=None, list=[tf.constant(2.0), None])
        more["list"][0] = tf.constant(2.0, tf.float64)
        parameters = {"pair": _Pair(target), "more": more, "weight": None}
        with tf.GradientTape() as tape:
            tape.watch(target)
            value = wt.argmin(
                _energy_of_pair,
                tf.zeros_like(target),
                parameters if by_name else tuple(parameters.values()),
                derivative=derivative,
                batch_dims=1,
            ).value
        return value, tape.gradient(value, target)

    value, found = gradient(_TARGET)
    np.testing.assert_allclose(value, 2 * _TARGET, rtol=1e-9)
    np.testing.assert_allclose(found, tf.fill([2, 2], 2.0), rtol=1e-9)


def test_names_beside_none_stay_right():
    parameters = {"a": None, "b": (None, _TARGET)}
    with tf.GradientTape() as tape:
        tape.watch(_TARGET)
        value = wt.argmin(
            lambda x, a, b: tf.reduce_sum(x**2, -1),
            tf.zeros_like(_TARGET),
            parameters,
            batch_dims=1,
        ).value
    with pytest.raises(ValueError, match=r"does not use `parameters\['b'\]\[1\]`"):
        tape.gradient(value, _TARGET)
    ragged = tf.ragged.constant([[1.0], [2.0, 3.0]])
    with pytest.raises(TypeError, match=r"`parameters\[2\]` must be a dense"):
        wt.argmin(lambda x, *_: x**2, tf.zeros([]), (None, None, ragged))


def test_none_alone_in_equations_and_residuals():
    found = wt.root(lambda x, t, none: x - t, tf.zeros_like(_TARGET), (_TARGET, None))
    np.testing.assert_allclose(found.value, _TARGET)
    energy = wt.ResidualEnergy(
        lambda x, t, none: x - t, lambda t, none: wt.losses.Huber(1.0)
    )
    for solver in (wt.LevenbergMarquardt(), wt.GridSeeds([[0.0, 0.0]])(wt.IRLS())):
        value = wt.argmin(
            energy,
            tf.zeros_like(_TARGET),
            (_TARGET, None),
            solver=solver,
            batch_dims=1,
        ).value
        np.testing.assert_allclose(value, _TARGET, rtol=1e-7)
    figures = wt.diagnose(energy, value, (_TARGET, None), batch_dims=1)
    np.testing.assert_allclose(figures.smallest_eigenvalue, [1, 1], rtol=1e-7)


_BOWLS = {"a": tf.zeros([1, 9], tf.float64), "b": tf.zeros([1, 1], tf.float64)}
_WITH_NOTHING = {"a": tf.zeros([2, 9], tf.float64), "b": tf.zeros([2, 0], tf.float64)}


@pytest.mark.parametrize(
    "start", [_BOWLS, _WITH_NOTHING], ids=["one problem", "an empty entry"]
)
@pytest.mark.parametrize(
    "derivative",
    [wt.Implicit("cg"), wt.Implicit("minres"), wt.TrustRegion("adaptive", "cg")],
    ids=["cg", "minres", "lanczos"],
)
def test_iterative_solves_in_a_graph_know_the_sizes_of_a_nest(derivative, start):
    def energy(x, t):
        return tf.reduce_sum(tf.cosh(x["a"] - t), -1) + tf.reduce_sum(
            tf.square(x["b"] - t), -1
        )

    @tf.function
    def gradient(t):
        with tf.GradientTape() as tape:
            tape.watch(t)
            x = wt.argmin(
                energy,
                start,
                t,
                solver=wt.LBFGS(),
                derivative=derivative,
                batch_dims=1,
            ).value
        return tape.gradient(x["a"], t)

    # Every unknown follows t.
    found = gradient(tf.constant(2.0, tf.float64))
    np.testing.assert_allclose(found, tf.size(start["a"]), rtol=1e-6)


@pytest.mark.parametrize(
    "start", [_BOWLS, _WITH_NOTHING], ids=["one system", "an empty entry"]
)
def test_gmres_in_a_graph_knows_the_sizes_of_a_nest(start):
    @tf.function
    def gradient(t):
        with tf.GradientTape() as tape:
            tape.watch(t)
            x = wt.root(
                lambda x, t: {k: x[k] + x[k] ** 3 - t for k in x},
                start,
                t,
                solver=wt.NewtonKrylov(dense_limit=1),
                derivative=wt.Implicit(wt.GMRES()),
                batch_dims=1,
            ).value
        return tape.gradient(x["a"], t)

    # At x = 1: 1 / (1 + 3 x²).
    found = gradient(tf.constant(2.0, tf.float64))
    np.testing.assert_allclose(found, tf.size(start["a"]).numpy() / 4, rtol=1e-8)
