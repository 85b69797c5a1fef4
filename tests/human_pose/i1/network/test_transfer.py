import keras
import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.i1 import build_network
from human_pose.i1.network.transfer import transfer


def tiny(depth_bins, seed, **options):
    keras.utils.set_random_seed(seed)
    return build_network(depth_bins, input_size=64, preset="tiny", **options)


@pytest.fixture(scope="module")
def target():
    """Of another depth than the sources."""
    return tiny(8, seed=1)


@pytest.fixture(scope="module")
def source():
    return tiny(4, seed=0)


def test_hands_on_all_but_the_last_layer(source, target):
    last = target.get_layer("conv_5_d8").get_weights()
    moving_mean = source.get_layer("bn_1").moving_mean
    statistics = np.arange(moving_mean.shape[0], dtype=np.float32)
    moving_mean.assign(statistics)
    assert transfer(source, target) == ("conv_5_d8",)
    for layer in target.layers[:-3]:
        if layer.name != "conv_5_d8":
            expected = source.get_layer(layer.name).get_weights()
            for weight, other in zip(layer.get_weights(), expected, strict=True):
                np.testing.assert_array_equal(weight, other)
    np.testing.assert_array_equal(target.get_layer("bn_1").moving_mean, statistics)
    np.testing.assert_array_equal(
        target.get_layer("conv_5_d8").get_weights()[0], last[0]
    )


def test_refuses_other_sizes_and_changes_nothing(target):
    other = tiny(8, seed=0, joints=17)
    before = target.get_weights()
    with pytest.raises(InputError, match=r"layer conv_2_n .* has shapes .*17"):
        transfer(other, target)
    for weight, old in zip(target.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_refuses_a_network_of_other_names(target):
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(InputError, match="share no layer"):
        transfer(other, target)
