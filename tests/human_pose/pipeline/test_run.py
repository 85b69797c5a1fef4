"""Trainings of pictures, from the command's configuration to the report."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from human_pose.datasets.rendered import Recipe, generate
from human_pose.files.errors import InputError
from human_pose.geometry.projection import by_matrices
from human_pose.i1 import codec
from human_pose.i1.input import Stream
from human_pose.i1.training.progress import Progress
from human_pose.i1.training.saving import Keeper
from human_pose.lifting import PPCALifter, read_cameras, read_mixture
from human_pose.pipeline.averaged_head import AveragedHead
from human_pose.pipeline.batches import open_moments
from human_pose.pipeline.checkpoint import load_pipeline
from human_pose.pipeline.config import PipelineEvaluationConfig, PipelineTrainingConfig
from human_pose.pipeline.evaluation import run as evaluation
from human_pose.pipeline.training import run
from human_pose.runs.state import write_state

# Four pictures, one moment, of each subject's actions.
COUNT = 7 * 15 * 4


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "images"
    generate(folder, Recipe(COUNT, seed=1, test_share=2 / 7, hard=("mirrored",)))
    return folder


@pytest.fixture
def config(pictures):
    return PipelineTrainingConfig(
        pictures, preset="tiny", views=(0, 1), batch_size=2, iterations=4,
        save_every=2, validation_moments=4,
    )  # fmt: skip


@pytest.mark.large
def test_a_moments_pictures_are_of_its_cameras(pictures):
    data = open_moments(pictures, "corrected", "train", (0, 2, 3))
    batch = next(iter(data.batches(Stream(4, shuffle=True, seed=1, input_size=64))))
    homogeneous = by_matrices(batch["joints_world_mm"], batch["projection"])
    images = np.array(homogeneous[..., :2] / homogeneous[..., 2:])
    labels = np.array(codec.to_frame_px(batch["joints_2d"], batch["box"]))
    np.testing.assert_allclose(labels.reshape(images.shape), images, atol=0.02)


@pytest.mark.large
def test_the_order_of_views_means_nothing(pictures):
    """Average cameras are known by their places: others would be taken for them."""
    data = open_moments(pictures, "corrected", "train", (3, 0, 2))
    assert data.moments.views == (0, 2, 3)
    np.testing.assert_array_equal(
        data.moments.rows,
        open_moments(pictures, "corrected", "train", (0, 2, 3)).moments.rows,
    )


@pytest.mark.large
def test_a_training_that_is_stopped_goes_on_as_it_would_have(
    config, tmp_path, monkeypatch
):
    straight = run.run_folder(tmp_path / "straight")
    run.train(config, straight)
    stopped = run.run_folder(tmp_path / "stopped")
    save, saved = Keeper.save, []

    def once(self, *arguments):
        save(self, *arguments)
        saved.append(self)
        if len(saved) == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "save", once)
        with pytest.raises(KeyboardInterrupt):
            run.train(config, stopped)
    with pytest.raises(InputError, match="other conditions: seed was 0, is 1"):
        run.train(dataclasses.replace(config, seed=1, resume=True), stopped)
    run.train(dataclasses.replace(config, resume=True), stopped)
    ends = [load_pipeline(f.stage_checkpoint(run.STAGE)) for f in (straight, stopped)]
    pairs = zip(*(end.variables for end in ends), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
    events = [*straight.logger.rglob("events.out.tfevents.*")]
    assert {path.parent.name for path in events} == {"train", "validation", "minimiser"}
    found = evaluation.evaluate_files(
        PipelineEvaluationConfig(
            config.data_dir, (straight.stage_checkpoint(run.STAGE),), views=config.views
        ),
        straight.path,
    )
    assert len(found.actions) == 2 * 15
    report = (straight.path / evaluation.REPORT).read_text()
    assert f"{found.found.standard[:, 0].mean():.2f}" in report
    np.testing.assert_allclose(
        np.load(straight.path / "errors.npy"), found.found.standard[:, 0]
    )


@pytest.mark.parametrize(
    ("before", "best_mm"), [({"validation_moments": 4}, 80.0), ({}, 80.0),
                            ({"validation_moments": 5}, None)],
)  # fmt: skip
def test_errors_of_other_validations_do_not_compare(tmp_path, before, best_mm):
    folder = run.run_folder(tmp_path)
    folder.training_state.parent.mkdir(parents=True)
    reached = Progress(step=3, total=3, best_mm=80.0)
    write_state(folder.training_state, reached, {"seed": 0, **before}, {})
    found = run.continued(folder, {"seed": 0, "validation_moments": 4})
    assert found == Progress(step=3, total=3, best_mm=best_mm)
    with pytest.raises(InputError, match="seed was 0, is 1"):
        run.continued(folder, {"seed": 1, "validation_moments": 4})


def test_one_view_cannot_be_lifted(tmp_path):
    """Whether to be learned from or measured: nothing else is looked at before."""
    folder = tmp_path / "run"
    config = PipelineTrainingConfig(tmp_path, views=(1,))
    with pytest.raises(InputError, match="views must be 2 cameras or more"):
        run.train(config, run.run_folder(folder))
    with pytest.raises(InputError, match="views must be 2 cameras or more"):
        open_moments(tmp_path, "corrected", "test", (1,))
    assert not folder.exists()


def test_the_published_lifter_wants_four_views_before_all_else(tmp_path, monkeypatch):
    """Keras wraps what a layer says, and an old run would be removed by then."""
    lifter = PPCALifter(
        read_mixture("data/model_parameters.h5", 3), read_cameras("data/avg_cameras.h5")
    )
    found = SimpleNamespace(head=AveragedHead(lifter))
    for module in (run, evaluation):
        monkeypatch.setattr(module, "open_pipeline", lambda *_, **__: found)
    views = (0, 1, 2)
    with pytest.raises(InputError, match=r"^views must be the 4 of the lifter"):
        run.make_trainer(PipelineTrainingConfig(tmp_path, views=views))
    config = PipelineEvaluationConfig(tmp_path, (), views=views)
    with pytest.raises(InputError, match=r"^views must be the 4 of the lifter"):
        evaluation.evaluate_files(config, tmp_path)


def test_a_seed_is_refused_before_an_old_run_is_removed(tmp_path, monkeypatch):
    class Moments(SimpleNamespace):
        def some(self, count):
            return self

    network = SimpleNamespace(input_size=64)
    trainer = SimpleNamespace(pipeline=SimpleNamespace(network=network))
    monkeypatch.setattr(run, "_open", lambda *_: Moments(pictures=None))
    monkeypatch.setattr(run, "make_trainer", lambda _: trainer)
    monkeypatch.setattr(run, "_conditions", lambda *_: {})
    folder = run.run_folder(tmp_path / "run")
    old = folder.path / "check" / "pipeline.keras"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    config = PipelineTrainingConfig(tmp_path, seed=2**31 - 1, overwrite=True)
    with pytest.raises(InputError, match="seed must be in"):
        run.train(config, folder)
    assert old.exists()


def test_a_run_of_other_parts_is_told(tmp_path):
    folder = run.run_folder(tmp_path)
    folder.training_state.parent.mkdir(parents=True)
    write_state(folder.training_state, Progress(), {}, [tf.Variable([1.0, 2.0])])
    trainer = SimpleNamespace(state_variables=[tf.Variable(1.0)])
    with pytest.raises(InputError, match="`check_path` does not name the parts"):
        run._restore(folder, trainer)
