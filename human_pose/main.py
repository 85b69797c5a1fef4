"""Trains and evaluates: several 2D views to one 3D pose, or one image to a 3D pose.

Also lifts recordings of any calibrated cameras, and fits the prior that this needs.

Usage:
  python human_pose/main.py --train=1 --name=new_model
  python human_pose/main.py --name=new_model --check_path=<a checkpoint>
  python human_pose/main.py --train=1 --dataset=<a prepared set> --data_dir=<its place>
  python human_pose/main.py --lift=<2D detections> --check_path=<a checkpoint>
  python human_pose/main.py --model=i1 --train=1 --preset=tiny --curriculum=modern
  python human_pose/main.py --model=i1 --check_path=<a .keras checkpoint>
  python human_pose/main.py --model=pipeline --train=1 --check_path=<an i1 checkpoint>
  python human_pose/main.py --model=pipeline --check_path=<a pipeline checkpoint>
  python human_pose/main.py --model=calibrated --recording=<detections> --cameras=<file>
  python human_pose/main.py --model=calibrated --train=1 --recording=<detections> ...
  python human_pose/main.py --model=capture --videos=<folder> --cameras=<file>
  python human_pose/main.py --model=prior --motion='mocap/*.bvh' --name=my_prior
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if __package__ in (None, ""):
    # Run as a script: Python put this folder first on the path, where `datasets` would
    # hide another package of that name.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from human_pose.commands import flags as settings
from human_pose.commands import shell
from human_pose.i1.config import (
    ConversionConfig,
    ImageEvaluationConfig,
    ImageTrainingConfig,
)
from human_pose.lifting.config import (
    EvaluationConfig,
    LifterConfig,
    LiftingConfig,
    TrainingConfig,
)
from human_pose.pipeline.config import (
    PipelineEvaluationConfig,
    PipelineTrainingConfig,
)

if TYPE_CHECKING:
    from absl import flags

# Modules that load TensorFlow or h5py are imported where they are needed, so that
# --help and mistakes in the flags are answered at once.


def main(flag_values: "flags.FlagValues") -> None:
    """Does what the flags ask for."""
    if flag_values.model == "i1":
        work_on_images(settings.image_settings(flag_values))
    elif flag_values.model == "pipeline":
        work_on_moments(settings.pipeline_settings(flag_values))
    elif flag_values.model == "prior":
        fit_prior(settings.prior_settings(flag_values))
    elif flag_values.model == "capture":
        capture(settings.capture_settings(flag_values))
    elif flag_values.model == "calibrated":
        work_on_recording(settings.calibrated_settings(flag_values))
    else:
        work_on_views(settings.main_settings(flag_values))


def work_on_views(chosen: settings.MainSettings) -> None:
    """Trains a lifter, lifts with it, or evaluates it."""
    match chosen.task:
        case TrainingConfig() as config:
            train(chosen.run_folder, chosen.lifter, config)
        case LiftingConfig() as config:
            lift(chosen.run_folder, chosen.lifter, config)
        case EvaluationConfig() as config:
            evaluate(chosen.run_folder, chosen.lifter, config)


def train(path: Path, lifter: LifterConfig, config: TrainingConfig) -> None:
    """Trains a lifter; checkpoints and logs go to the run's folder."""
    from human_pose.runs.folder import RunFolder

    folder = RunFolder(path)
    folder.check_writable()
    shell.load_tensorflow(start=config.distribute != "multiworker")
    from human_pose.lifting.training import run as training

    training.train(lifter, config, folder)


def evaluate(path: Path, lifter: LifterConfig, config: EvaluationConfig) -> None:
    """Evaluates a lifter; errors, poses, report and pictures go to the run's folder."""
    from human_pose.runs.folder import RunFolder

    folder = RunFolder(path)
    folder.check_writable()
    shell.load_tensorflow(start=config.distribute != "multiworker")
    from human_pose.lifting.build import build_lifter
    from human_pose.lifting.evaluation import report
    from human_pose.lifting.evaluation import run as evaluation
    from human_pose.runs import cluster

    with cluster.sharing(config.distribute) as (strategy, writes):
        result = evaluation.evaluate(
            build_lifter(lifter),
            config.data_dir,
            folder.path,
            metric=config.metric,
            subsample=config.subsample,
            batch_size=config.batch_size,
            description=report.describe(lifter),
            strategy=strategy,
        )
        if writes:
            folder.make()  # the other parts, as in the original
            print(result.table())
            print(f"report: {folder.path / evaluation.REPORT}")


def lift(path: Path, lifter: LifterConfig, config: LiftingConfig) -> None:
    """Lifts detections without truth; unit-free poses go to the run's folder."""
    from human_pose.calibrated.people import tell_apart
    from human_pose.exchange.formats import read_recording
    from human_pose.runs.folder import RunFolder

    folder = RunFolder(path)
    folder.check_writable()
    people = tell_apart(read_recording(config.recording_path))
    for line in people.report:
        print(line)
    if len(people.recordings) > 1:
        print("lifted: person 0")
    shell.load_tensorflow()
    from human_pose.lifting import recordings
    from human_pose.lifting.build import build_lifter

    folder.check_apart([config.recording_path], [recordings.POSES])
    written = recordings.lift_recording(
        build_lifter(lifter),
        people.recordings[0].of_frames(slice(None, None, config.subsample)),
        folder.path,
        batch_size=config.batch_size,
    )
    print(f"poses, {recordings.UNITS}: {written}")


def work_on_images(chosen: settings.ImageSettings) -> None:
    """Trains, evaluates or converts an image network."""
    from human_pose.runs.folder import RunFolder

    folder = RunFolder(chosen.run_folder)
    folder.check_writable()
    together = getattr(chosen.task, "distribute", "none") == "multiworker"
    shell.load_tensorflow(start=not together)
    match chosen.task:
        case ImageTrainingConfig() as config:
            from human_pose.i1.training import run as training

            training.train(config, folder)
        case ImageEvaluationConfig() as config:
            evaluate_images(config, folder.path)
        case ConversionConfig() as config:
            convert_weights(config, folder.stage_checkpoint(f"d{config.depth_bins}"))


def evaluate_images(config: ImageEvaluationConfig, path: Path) -> None:
    """Evaluates an image network; its results go to the folder at `path`."""
    from human_pose.datasets.images import open_images
    from human_pose.i1.evaluation import run as evaluation
    from human_pose.i1.network.checkpoint import load_network
    from human_pose.runs import cluster

    with cluster.sharing(config.distribute) as (strategy, writes):
        network = load_network(config.check_path)
        dataset = open_images(config.data_dir, config.split, "test", every=config.every)
        result = evaluation.evaluate(
            network,
            dataset,
            path,
            readout=config.readout,
            batch_size=config.batch_size,
            skip_bad=config.skip_bad,
            description={"Checkpoint": f"`{config.check_path}`"},
            strategy=strategy,
        )
        if writes:
            print(result.table())
            print(f"report: {path / evaluation.REPORT}")


def convert_weights(config: ConversionConfig, path: Path) -> None:
    """Makes a checkpoint, at `path`, of Caffe's weights."""
    from human_pose.i1.caffe.convert import convert
    from human_pose.runs.lock import locked

    # In the folder of a run a conversion counts as its training.
    with locked(path.parent.parent, "training"):
        convert(
            config.caffemodel,
            path,
            config.depth_bins,
            preset=config.preset,
            overwrite=config.overwrite,
        )
    print(f"checkpoint: {path}")


def work_on_moments(chosen: settings.PipelineSettings) -> None:
    """Trains or evaluates a pipeline of pictures of several views."""
    from human_pose.runs.folder import RunFolder

    folder = RunFolder(chosen.run_folder)
    folder.check_writable()
    shell.load_tensorflow()
    match chosen.task:
        case PipelineTrainingConfig() as config:
            from human_pose.pipeline.training import run as training

            training.train(config, folder)
        case PipelineEvaluationConfig() as config:
            from human_pose.pipeline.evaluation import run as evaluation

            print(evaluation.evaluate_files(config, folder.path).table())
            print(f"report: {folder.path / evaluation.REPORT}")


def work_on_recording(chosen: settings.CalibratedSettings) -> None:
    """Lifts a recording, or learns a lifter's weights from it."""
    shell.load_tensorflow()
    from human_pose.calibrated import run as recordings

    task, folder = chosen.task, chosen.run_folder
    if task.training is not None:
        weights = {"prior": task.prior, "checkpoint": task.checkpoint}
        print(recordings.learn(task.recording, folder, task.training, **weights))
        return
    print(
        recordings.lift(
            task.recording,
            folder,
            task.prior,
            task.config,
            checkpoint=task.checkpoint,
            film=task.film,
        )
    )


def capture(chosen: settings.CaptureSettings) -> None:
    """Finds people in videos and lifts them."""
    shell.load_tensorflow()
    from human_pose.capture.mono import capture_one
    from human_pose.capture.run import capture as capture_several

    work = capture_one if chosen.task.alone else capture_several
    print(work(chosen.task, chosen.run_folder))


def fit_prior(chosen: settings.PriorSettings) -> None:
    """Fits a prior to files of motion; it and its report go to the run's folder."""
    shell.load_matplotlib()
    from human_pose.calibrated.prior import run as fitting

    task = chosen.task
    table = fitting.run(
        chosen.run_folder,
        task.motions(),
        len(task.files),
        task.config,
        overwrite=task.overwrite,
    )
    print(table)
    print(f"report: {chosen.run_folder / fitting.REPORT}")


def run() -> None:
    """Runs the command with the process's arguments."""
    shell.run(main, settings.define_main_flags)


if __name__ == "__main__":
    run()
