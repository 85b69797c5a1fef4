"""Makes the files of this folder, with the code of version 0.1; see README.md."""

import contextlib
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

import keras
import made_up_images
import numpy as np
from human_pose.build import build_lifter
from human_pose.config import LifterConfig, TrainingConfig
from human_pose.i1.checkpoint import load_network
from human_pose.i1_config import ImageTrainingConfig
from human_pose.run_folder import RunFolder

from human_pose import callbacks
from human_pose import training as lifter_training
from human_pose.datasets.pose_files import read_pose_file, write_pose_file
from human_pose.i1 import callbacks as image_callbacks
from human_pose.i1 import curriculum, network
from human_pose.i1 import training as image_training

HERE = Path(__file__).resolve().parent
GOLDEN = Path("../golden")  # settings hold no absolute paths
FRAMES = 4
# Of the preset "tiny", with fewer channels, so that the files are small.
SIZES = network.Preset(unit=2, repeats=1)


class Stopped(Exception):
    """In the place of a kill."""


@contextlib.contextmanager
def killed_after(kind, method):
    """Ends the trainings in the block when that of a callback's has been called."""
    save = getattr(kind, method)

    def killed(self, *arguments, **options):
        save(self, *arguments, **options)
        raise Stopped

    with mock.patch.object(kind, method, killed), contextlib.suppress(Stopped):
        yield


def lifter_config(models, **options):
    defaults = {
        "solver": "huber",
        "derivative": "trust_region",
        "damping": 0.1,
        "dtype": "float64",
        "mixture_path": GOLDEN / "model_parameters.h5",
        "cameras_path": GOLDEN / "avg_cameras.h5",
        "check_path": None,
        "as_published": False,
    }
    return LifterConfig(models=models, **defaults | options)


def lifted(config, poses):
    outputs = build_lifter(config)({"joints_2d_px": poses.joints_2d_px})
    return {name: np.asarray(outputs[name]) for name in ("pose", "score")}


def make_lifter(version, work):
    """A run that is killed within its second epoch, and where it stands after that."""
    os.chdir(HERE)
    folder = Path("lifter")
    folder.mkdir(exist_ok=True)
    frames = folder / "frames_sh.h5"
    # The embedded frame, and what is seen of a person who is smaller and moves.
    sample = read_pose_file(version / "data" / "sample.h5")[:1]
    scale = 1 - 0.05 * np.arange(FRAMES)[:, None, None]
    write_pose_file(
        frames,
        dataclasses.replace(
            sample,
            joints_2d_px=sample.joints_2d_px * scale[..., None],
            joints_3d_mm=sample.joints_3d_mm * scale,
            camera_rotations=np.repeat(sample.camera_rotations, FRAMES, axis=0),
        ),
    )
    config = TrainingConfig(
        input_path=frames,
        subsample=1,
        metric=2,
        learning_rate=0.01,
        batch_size=2,
        epochs=1,
        save_every=1,
        shuffle=True,
        seed=1,
        resume=False,
        overwrite=False,
    )
    run = RunFolder(work / "run")
    lifter_training.train(lifter_config(3), config, run)
    shutil.copy(run.epoch_checkpoint(0), folder / "checkpoint.h5")
    more = dataclasses.replace(config, epochs=2, resume=True)
    with killed_after(callbacks.Saver, "on_train_batch_end"):
        lifter_training.train(lifter_config(3), more, run)
    check = folder / "run" / "check"
    check.mkdir(parents=True, exist_ok=True)
    for name in ("training_state.h5", "settings.json", "partial_checkpoint.h5"):
        shutil.copy(run.check / name, check)
    lifter_training.train(lifter_config(3), more, run)
    shutil.copy(run.epoch_checkpoint(1), folder / "after_resume.h5")

    poses = read_pose_file(frames)
    embedded = lifter_config(
        3,
        mixture_path=version / "data" / "model_parameters.h5",
        cameras_path=version / "data" / "avg_cameras.h5",
        check_path=version / "results" / "trained_model.h5",
    )
    own = lifter_config(3, check_path=folder / "checkpoint.h5")
    np.savez_compressed(
        folder / "expected.npz",
        **{f"checkpoint/{k}": v for k, v in lifted(own, poses).items()},
        **{f"embedded/{k}": v for k, v in lifted(embedded, poses).items()},
    )


def pack(source, target):
    """Copies an archive, compressed: what is in it stays, and takes a fifth."""
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            new.writestr(entry, old.read(entry), zipfile.ZIP_DEFLATED)


def make_images(work):
    """A run that is killed after its first update, and where it stands at its end."""
    network.PRESETS["tiny"] = SIZES
    key = ("published", "tiny")
    curriculum.SCALINGS[key] = dataclasses.replace(
        curriculum.SCALINGS[key], input_size=64
    )
    folder = HERE / "image"
    check = folder / "run" / "check"
    check.mkdir(parents=True, exist_ok=True)
    os.chdir(work)
    data = Path("images")
    data.mkdir()
    made_up_images.write_set(data, made_up_images.unrelated_joints_3d)
    config = ImageTrainingConfig(
        data_dir=data,
        split="corrected",
        recipe="published",
        preset="tiny",
        stage="d4_ada",
        loss=None,
        max_depth_bins=None,
        every=1,
        check_path=None,
        learning_rate=1e-3,
        iterations=2,
        batch_size=2,
        augment=None,
        accumulate=1,
        mixed_precision=False,
        jit=False,
        remat=False,
        skip_bad=False,
        save_every=1,
        validation_samples=0,
        validate_every=1,
        seed=3,
        resume=False,
        overwrite=False,
    )
    run = RunFolder(work / "image_run", state_name="training_state.npz")
    with killed_after(image_callbacks.Saver, "on_epoch_end"):
        image_training.train(config, run)
    for name in ("training_state.npz", "settings.json"):
        shutil.copy(run.check / name, check)
    pack(run.check / "d4_ada.keras", check / "d4_ada.keras")
    before = load_network(check / "d4_ada.keras")
    image_training.train(dataclasses.replace(config, resume=True), run)
    after = load_network(run.check / "d4_ada.keras")
    image = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 64, 64, 3))
    outputs = before(image.astype(np.float32))
    keras.utils.set_random_seed(5)
    fresh = network.build_network(4, input_size=64, preset="tiny", initializer="scaled")
    np.savez_compressed(
        folder / "expected.npz",
        image=image.astype(np.float32),
        **{name: np.asarray(outputs[name]) for name in outputs},
        after=np.concatenate([np.ravel(weight) for weight in after.weights]),
        # Sums tell weights of another seed, order or kind.
        fresh=np.array([np.sum(np.abs(np.float64(w))) for w in fresh.weights]),
        paths=np.array(json.dumps([w.path for w in fresh.weights])),
    )


def main():
    import human_pose

    version = Path(human_pose.__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as work:
        make_lifter(version, Path(work))
        make_images(Path(work))


if __name__ == "__main__":
    sys.exit(main())
