"""Makes the embedded recording: what four cameras detect of a synthetic body.

    python -m human_pose.commands.make_recording --data_dir=data

Writes recording/detections.npz, recording/calibration.toml and recording/truth.npz in
the data folder, in seconds; equal seeds give equal files. The detector errs as that of
the embedded poses does, and besides it loses joints, and takes left for right for some
time in one view.
"""

import dataclasses
from pathlib import Path
from typing import Final

import numpy as np
from absl import flags

from human_pose.commands import shell
from human_pose.commands.places import DATA_DIR
from human_pose.datasets.synthetic.body import BODIES
from human_pose.datasets.synthetic.detector import Detector
from human_pose.datasets.synthetic.motion import FINEST_HZ, perform
from human_pose.datasets.synthetic.rig import cameras
from human_pose.exchange import formats
from human_pose.exchange.recording import Motion, Recording
from human_pose.files.errors import InputError
from human_pose.files.paths import output_path
from human_pose.geometry.skeletons import LIFTER_17, UNDETECTED_JOINT

FOLDER: Final = "recording"
DETECTIONS: Final = "detections.npz"
CALIBRATION: Final = "calibration.toml"
TRUTH: Final = "truth.npz"
VIEWS: Final = ("front", "left", "right", "back")

_ACTION: Final = "Walking"
_SUBJECT: Final = 9  # of the tests
_OVERSAMPLING: Final = 2
_SIZE_PX: Final = (1024, 1024)
_FRAMES: Final = 200
# Share of the joints that are not found in a frame and view.
_LOST: Final = 0.1
# One view takes left for right in these frames.
_SWAPPED: Final = (2, slice(80, 100))


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    own = {"flag_values": flag_values}
    flags.DEFINE_string(
        "data_dir", DATA_DIR, f"Where to: {FOLDER}/ in this folder.", **own
    )
    shell.refuse_empty(flag_values, "data_dir")
    flags.DEFINE_integer(
        "seed", 0, "Other seeds make other recordings.", lower_bound=0, **own
    )
    flags.DEFINE_boolean("overwrite", False, "Replace files made before.", **own)
    shell.show_in_help(flag_values, __name__)


def work(flag_values: flags.FlagValues) -> None:
    """Makes the recording that the flags ask for, unless it is there.

    Raises:
      InputError: if some of its files are there, which may be somebody's own, or one
        cannot be written.
    """
    folder = output_path(flag_values.data_dir) / FOLDER
    files = [folder / name for name in (DETECTIONS, CALIBRATION, TRUTH)]
    if not flag_values.overwrite and all(map(Path.exists, files)):
        print(f"The recording is in {folder} already; --overwrite makes it anew.")
        return
    present = [path for path in files if path.exists()]
    if present and not flag_values.overwrite:
        raise InputError(
            f"{present[0]} is there already, of the recording's {len(files)} files; "
            "`overwrite` replaces it"
        )
    recording, truth = made(flag_values.seed)
    formats.write(files[0], recording)
    formats.write(files[1], recording.cameras)
    formats.write(files[2], truth)
    print(f"The recording is in {folder}.")


def made(seed: int) -> tuple[Recording, Motion]:
    """The detections, with their cameras, and the true motion."""
    rng = np.random.default_rng(seed)
    joints_mm = perform(
        _ACTION, BODIES[_SUBJECT], rng, _FRAMES, oversampling=_OVERSAMPLING
    ).joints_3d_mm
    rig = tuple(
        dataclasses.replace(camera, name=name, size_px=_SIZE_PX)
        for camera, name in zip(cameras(rng), VIEWS, strict=True)
    )
    exact = np.stack([camera.project(joints_mm) for camera in rig], axis=1)
    view, frames = _SWAPPED
    exact[frames, view] = exact[frames, view][:, list(LIFTER_17.flip_order)]
    detected = Detector().detect(exact, rng)
    found = rng.uniform(size=detected.shape[:-1]) >= _LOST
    found[..., UNDETECTED_JOINT] = False
    recording = Recording(
        np.where(found[..., None], detected, np.nan)[:, :, None],
        found[:, :, None].astype(np.float64),
        LIFTER_17,
        VIEWS,
        FINEST_HZ / _OVERSAMPLING,
        cameras=rig,
        source="embedded recording",
    )
    return recording, Motion(joints_mm, LIFTER_17, FINEST_HZ / _OVERSAMPLING)


if __name__ == "__main__":
    shell.run(work, define_flags)
