"""Poses: four views' 2D joints lifted to 3D, or people in pictures or a video.

Usage:
  python human_pose/Sample.py
  python human_pose/Sample.py --input_path=data/testing/Walking_sh.h5 --frame=10
  python human_pose/Sample.py --image=person.png --check_path=<a .keras checkpoint>
  python human_pose/Sample.py --image=a.jpg,b.png --image=folder --image='cam?/*.jpg' \
      --check_path=<...> --out=poses
  python human_pose/Sample.py --video=film.mp4 --frames=100:200 --check_path=<...>
  python human_pose/Sample.py --image=folder --detector=blazepose --check_path=<...>

The result goes to --out, or sample/ in results_dir, as frame_<number>.png, or
<picture>.png and .csv. Where that is another input's, the names of the input and its
folder, and a number that follows from its whole path, are added to the name. Of several
pictures there is poses.npz besides, and a drawing only where they are few, or with
--draw; of a video it is in a folder of the video's name. Pictures that cannot be used
are named, skipped and counted, and so are those in which a detector that is asked for
finds nobody; the exit code is 1 if none could be used.
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
from human_pose.commands.sample_flags import FrameConfig
from human_pose.files.errors import InputError
from human_pose.i1.config import ImageSampleConfig
from human_pose.lifting.config import METRICS

if TYPE_CHECKING:
    from absl import flags
    from matplotlib.figure import Figure

    from human_pose.capture.config import DetectorConfig
    from human_pose.datasets.pose_files import PoseSet
    from human_pose.i1.sample import Sample

# Modules that load TensorFlow, h5py or Matplotlib are imported where they are needed,
# so that --help and mistakes in the flags are answered at once.

METRIC_MEANINGS = (
    "mean of 14 joints after Procrustes alignment",
    "mean of 17 joints after Procrustes alignment",
    "mean of 17 joints, not aligned",
)


def main(flag_values: "flags.FlagValues") -> None:
    """Prints the pose that the flags ask for, and saves a picture of it."""
    chosen = settings.sample_settings(flag_values)
    if isinstance(chosen, FrameConfig):
        show_frame_pose(chosen)
    elif isinstance(chosen.samples, ImageSampleConfig):
        show_image_pose(chosen.samples, chosen.finder)
    else:
        shell.load_tensorflow()
        from human_pose.commands.many_pictures import find_many

        find_many(chosen.samples, chosen.finder)


def show_frame_pose(chosen: FrameConfig) -> None:
    """Lifts a frame of a pose file, prints its errors and draws it."""
    frame = read_frame(chosen.input_path, chosen.frame)
    shell.load_tensorflow()
    from human_pose.lifting.build import build_lifter
    from human_pose.lifting.comparison import training_error
    from human_pose.lifting.evaluation import run as evaluation
    from human_pose.lifting.evaluation.pictures import frame_figure
    from human_pose.runs import naming

    truth, pose = evaluation.reconstruct(build_lifter(chosen.lifter), frame)
    errors_mm = [float(training_error(truth[0], pose[0], metric)) for metric in METRICS]
    figure = frame_figure(
        frame.joints_2d_px[0],
        pose[0],
        truth[0],
        title=f"error {errors_mm[2]:.1f} mm, aligned {errors_mm[1]:.1f} mm",
        figure=new_window() if chosen.show else None,
    )
    picture = naming.save(figure, chosen.picture_path, chosen.input_path)
    print(f"{chosen.input_path}, frame {chosen.frame}: four 2D poses to one 3D pose")
    for metric, error_mm, meaning in zip(
        METRICS, errors_mm, METRIC_MEANINGS, strict=True
    ):
        print(f"metric {metric}  {error_mm:7.2f} mm  {meaning}")
    print(f"picture  {picture}")
    show(figure)


def show_image_pose(
    chosen: ImageSampleConfig, finder: "DetectorConfig | None" = None
) -> None:
    """Finds the pose of the person in a picture, prints and draws it.

    Args:
      chosen: what is asked for.
      finder: the detector that finds the box; None: it is given, or everything.
    """
    shell.load_tensorflow()
    from human_pose.commands.found_boxes import find_one
    from human_pose.i1 import sample, sample_files
    from human_pose.i1.evaluation import pictures
    from human_pose.i1.network.checkpoint import load_network
    from human_pose.runs import naming

    box, title, found_by = chosen.box, chosen.image.name, None
    if finder is not None:
        box, found_by = find_one(chosen.image, finder)
        title = found_by.titled(title)
    found = sample.find_pose(
        load_network(chosen.check_path),
        chosen.image,
        box=box,
        camera=chosen.camera,
        root_depth_mm=chosen.root_depth_mm,
        readout=chosen.readout,
    )
    figure = pictures.sample_figure(found, title, new_window() if chosen.show else None)
    picture = naming.save(figure, chosen.picture_path, chosen.image)
    joints = picture.with_suffix(".csv")
    sample_files.write_joints(found, joints)
    print(sample_files.table(found))
    if found_by is not None:
        print(found_by.told(found.box))
    if assumed := assumptions(chosen, found):
        print(f"assumed  {'; '.join(assumed)}")
    print(f"picture  {picture}")
    print(f"joints   {joints}")
    show(figure)


def assumptions(chosen: ImageSampleConfig, found: "Sample") -> list[str]:
    """What was not given and follows from the box, with the flags that give it."""
    assumed = []
    if chosen.camera is None:
        focal_px, _, x_px, y_px = found.camera
        assumed.append(
            f"focal length {focal_px:.0f} px, centre {x_px:g}, {y_px:g} (--camera)"
        )
    if chosen.root_depth_mm is None:
        assumed.append(f"hip at {found.root_depth_mm:.0f} mm (--root_depth_mm)")
    return assumed


def read_frame(path: Path, frame: int) -> "PoseSet":
    """Reads one frame of a pose file.

    Raises:
      InputError: if it is no pose file, or too short.
    """
    from human_pose.datasets.pose_files import read_people

    poses = read_people(path)
    if frame >= len(poses):
        raise InputError(
            f"--frame must be below {len(poses)}, the number of frames of {path}; "
            f"received {frame}"
        )
    return poses[frame : frame + 1]


def new_window() -> "Figure | None":
    """A figure that has a window, or None without a screen."""
    from absl import logging
    from matplotlib import pyplot

    try:
        figure = pyplot.figure()
    # Each window toolkit has its own errors, and none is a reason to lose the picture.
    except Exception as error:
        logging.warning("no window: %s", error)
        return None
    return figure if figure.canvas.required_interactive_framework else None


def show(figure: "Figure") -> None:
    """Keeps the figure's window, if it has one, until the user closes it."""
    if figure.canvas.manager is not None:
        from matplotlib import pyplot

        pyplot.show()


def run() -> None:
    """Runs the command with the process's arguments."""
    shell.run(main, settings.define_sample_flags)


if __name__ == "__main__":
    run()
