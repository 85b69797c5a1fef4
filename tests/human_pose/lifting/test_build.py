import dataclasses

import numpy as np
import pytest

from human_pose.files.h5 import write_h5
from human_pose.files.paths import PROJECT_ROOT
from human_pose.lifting import write_checkpoint
from human_pose.lifting.build import build_lifter
from human_pose.lifting.config import LifterConfig

GOLDEN = PROJECT_ROOT / "tests" / "golden"
CONFIG = LifterConfig(
    models=3,
    solver="huber",
    derivative="trust_region",
    damping=0.5,
    dtype="float32",
    mixture_path=GOLDEN / "model_parameters.h5",
    cameras_path=GOLDEN / "avg_cameras.h5",
    check_path=None,
    as_published=False,
)


def values_of(lifter):
    return {name: np.asarray(value) for name, value in lifter.parameters.items()}


def test_every_choice_reaches_the_lifter():
    lifter = build_lifter(dataclasses.replace(CONFIG, solver="l2"))
    assert lifter.models == 3
    assert not lifter.formulation.robust
    assert (lifter.derivative, lifter.damping) == ("trust_region", 0.5)
    assert lifter.compute_dtype == "float32"
    assert lifter.evidence == "published"
    full = build_lifter(dataclasses.replace(CONFIG, evidence="full"))
    assert full.evidence == "full"


def test_parameters_of_another_lifter_are_told(tmp_path, caplog):
    """The arrays are alike; with the default's weights they are other poses."""
    path = tmp_path / "check.h5"
    for changes, said in (
        ({}, ""),
        ({"evidence": "full"}, "was trained with evidence full, and lifts with publi"),
        ({"solver": "l2"}, "was trained with solver l2, and lifts with huber here"),
    ):
        trained = dataclasses.replace(CONFIG, **changes)
        write_checkpoint(path, build_lifter(trained), 1)
        build_lifter(dataclasses.replace(trained, check_path=path))
        assert not caplog.records
        build_lifter(dataclasses.replace(CONFIG, check_path=path))
        assert said in caplog.text and bool(said) == bool(caplog.records)
        caplog.clear()


@pytest.mark.parametrize("as_published", [False, True])
def test_a_checkpoint_gives_every_parameter(tmp_path, as_published):
    """But with `as_published`, two of them stay 1."""
    random = np.random.default_rng(1)
    saved = {
        name: random.uniform(1.5, 2, value.shape).astype(np.float32)
        for name, value in values_of(build_lifter(CONFIG)).items()
    }
    path = tmp_path / "check.h5"
    write_h5(path, {**saved, "epoch": np.int64(6)})
    config = dataclasses.replace(CONFIG, check_path=path, as_published=as_published)
    loaded = values_of(build_lifter(config))
    for name, value in loaded.items():
        published = as_published and name in ("hl_params", "ir_reg")
        np.testing.assert_array_equal(value, 1 if published else saved[name])
