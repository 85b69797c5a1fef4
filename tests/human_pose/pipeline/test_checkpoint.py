"""Pipelines on disk, and made of parts."""

import math

import keras
import numpy as np
import pytest
from made_up_moments import made_up_batch, small_network, small_pipeline

from human_pose.calibrated.checkpoint import save_lifter
from human_pose.files.errors import InputError
from human_pose.i1.network.checkpoint import save_network
from human_pose.i1.network.hourglass import build_network
from human_pose.pipeline import Pipeline, checkpoint


@pytest.fixture(scope="module")
def pipeline():
    return small_pipeline(made_up_batch(moments=1, views=2, input_size=16))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pipeline):
    """Files of a pipeline, of a network, and of a lifter."""
    folder = tmp_path_factory.mktemp("files")
    for variable in pipeline.readout.trainable_variables:
        variable.assign(variable + 0.1)
    pipeline.head.lifter.weight("log_bone_mm").assign(0.7)
    checkpoint.save_pipeline(pipeline, folder / "whole.keras")
    save_network(build_network(2, input_size=64, preset="tiny"), folder / "i1.keras")
    save_lifter(folder / "lifter.npz", pipeline.head.lifter)
    return folder


def test_a_pipeline_comes_back(folder, pipeline):
    found = checkpoint.load_pipeline(folder / "whole.keras")
    for one, other in zip(found.variables, pipeline.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    assert found.head.lifter.config == pipeline.head.lifter.config


def test_a_config_makes_more_than_one(folder):
    config = checkpoint.load_pipeline(folder / "whole.keras").get_config()
    names = set(config)
    assert isinstance(Pipeline.from_config(config), Pipeline)
    assert set(config) == names


def test_a_pipelines_derivative_is_chosen_when_it_is_opened(folder):
    found = checkpoint.open_pipeline([folder / "whole.keras"], derivative="unrolled")
    assert found.head.lifter.derivative == "unrolled"
    found = checkpoint.open_pipeline([folder / "whole.keras"], damping="adaptive")
    assert found.head.lifter.damping == "adaptive"


def test_parts_make_a_pipeline(folder, pipeline):
    places = [folder / "lifter.npz", folder / "i1.keras"]
    found = checkpoint.open_pipeline(places)
    assert found.network.preset == "tiny"
    lifter = found.head.lifter
    assert float(lifter.weight("log_bone_mm")) == 0.7
    assert lifter.damping == 1e-3


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["i1.keras", "whole.keras"], "check_path must name one image network at most"),
        (["lifter.npz", "lifter.npz"], "check_path must name one lifter at most"),
        (["whole.keras", "lifter.npz"], "whole.keras: is not an I1 network"),
        (["missing.keras"], "missing.keras"),
        (["cut.keras"], "cut.keras: is not a readable checkpoint"),
        (["other.keras"], "other.keras: is not an I1 network"),
    ],
)
def test_what_is_no_part_is_named(folder, names, message):
    content = (folder / "whole.keras").read_bytes()
    (folder / "cut.keras").write_bytes(content[: len(content) // 2])
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(
        folder / "other.keras"
    )
    with pytest.raises(InputError, match=message):
        checkpoint.open_pipeline([folder / name for name in names])


def test_an_image_network_is_no_pipeline(folder):
    with pytest.raises(InputError, match=r"i1.keras: is not a pipeline"):
        checkpoint.load_pipeline(folder / "i1.keras")


def test_weights_must_be_finite(tmp_path):
    broken = small_pipeline(made_up_batch(moments=1, views=2, input_size=16))
    broken.readout.log_spread.assign(np.nan)
    checkpoint.save_pipeline(broken, tmp_path / "broken.keras")
    with pytest.raises(InputError, match="has weights that are not finite"):
        checkpoint.load_pipeline(tmp_path / "broken.keras")


def test_joints_must_be_the_lifters(pipeline):
    network = small_network()
    network.joints = 17
    with pytest.raises(InputError, match="network must have 16 joints; received 17"):
        checkpoint.assemble(network, pipeline.head)


def test_the_published_lifter_has_two_derivatives(pipeline):
    with pytest.raises(InputError, match="derivative must be one of"):
        pipeline.head.derive("none", 0.0)


@pytest.mark.parametrize("damping", [-1e-3, math.nan, math.inf, True, "small"])
def test_what_is_no_damping_is_refused(damping, pipeline):
    with pytest.raises(InputError, match=r"^damping must be a number"):
        pipeline.head.derive("trust_region", damping)
