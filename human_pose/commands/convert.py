"""Converts files of detections, calibrations and motion (docs/formats.md lists them).

    python -m human_pose.commands.convert IN OUT
    python -m human_pose.commands.convert PROJECT detections.npz
    python -m human_pose.commands.convert walk.bvh walk.trc

What the console script `human-pose-convert` runs. What IN is its content tells; OUT is
written as its ending or `--to` says.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from absl import flags, logging

from human_pose.commands import recording_flags, shell
from human_pose.commands.recording_flags import frame_range
from human_pose.exchange import formats, table
from human_pose.exchange.recording import Motion, Recording
from human_pose.files.errors import InputError
from human_pose.files.paths import is_there, locate, output_path
from human_pose.geometry.cameras import Camera

# The words that are given without a flag's name.
_PLACES: Final = ("input", "output")


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    own = {"flag_values": flag_values}
    flag_values.set_gnu_getopt()  # flags may stand behind the two files
    flags.DEFINE_string("input", None, "File or folder to read; the first word.", **own)
    flags.DEFINE_string("output", None, "What to write; the second word.", **own)
    flags.DEFINE_string(
        "to", None, "Name of the format to write; default: by the ending.", **own
    )
    recording_flags.define_flags(flag_values)
    recording_flags.define_up(flag_values)
    flags.DEFINE_boolean("overwrite", False, "Replace OUT if it is there.", **own)
    shell.refuse_empty(flag_values, *_PLACES)
    shell.show_in_help(flag_values, __name__)


def work(flag_values: flags.FlagValues) -> None:
    """Converts what the flags ask for."""
    logging.set_verbosity(logging.INFO)
    source, target = locate(flag_values.input), output_path(flag_values.output)
    if is_there(target) and not flag_values.overwrite:
        raise InputError(f"{target}: is there already; --overwrite replaces it")
    if is_there(target) and target.samefile(source):
        raise InputError("output", "must be another file than the input")
    value = _read(source, _wanted_kind(source, target, flag_values.to), flag_values)
    formats.write(target, value, flag_values.to)
    print(f"{target}: {_said(value)}")


def _wanted_kind(source: Path, target: Path, to: str | None) -> str:
    """The kind to read: one that OUT can hold, before another that IN may be, too.

    Raises:
      InputError: saying what IN holds, if no such format can be written to OUT.
    """
    kinds = (table.RECORDING, table.CAMERAS, table.MOTION)
    reasons = {}
    for kind in kinds:
        try:
            table.writer(target, kind, to)
        except InputError as error:
            reasons[kind] = error
    writable = [kind for kind in kinds if kind not in reasons]
    held = table.recognise(source, *writable, *reasons).kind
    if held not in reasons:
        return held
    # A recording may hold a calibration.
    if held == table.RECORDING and table.CAMERAS in writable:
        return table.CAMERAS
    if held == table.RECORDING and table.MOTION in writable:
        raise InputError(
            f"{source}: holds 2D detections, and {target.name} would hold 3D motion; "
            "human-pose --model=calibrated lifts them"
        )
    raise reasons[held]


def _read(source: Path, kind: str, flag_values: flags.FlagValues) -> Any:
    """Reads a value of the kind; cameras also of a recording that has them."""
    frames, units, fps = (
        frame_range(flag_values.frames),
        flag_values.units,
        flag_values.fps,
    )
    held = table.recognise(source, kind, table.RECORDING).kind
    _refuse_useless(flag_values, held, kind)
    if held == table.RECORDING:
        recording = formats.read_recording(
            source,
            cameras=locate(flag_values.cameras) if flag_values.cameras else None,
            fps=fps,
            units=units,
            frames=frames,
            skeleton=flag_values.skeleton,
            up=flag_values.up,
        )
        return _cameras_of(recording) if kind == table.CAMERAS else recording
    if held == table.CAMERAS:
        return formats.read_cameras(source, units, flag_values.up)
    motion = formats.read_motion(source, units, flag_values.up)
    motion = formats.of_range(motion, frames)
    return motion if fps is None else replace(motion, fps=fps)


def _cameras_of(recording: Recording) -> tuple[Camera, ...]:
    if not recording.cameras:
        raise InputError(f"{recording.source}: holds no cameras; --cameras gives them")
    return recording.cameras


def _refuse_useless(flag_values: flags.FlagValues, held: str, kind: str) -> None:
    """Refuses flags that would have no effect on what is read as `kind`."""
    useless = {
        # Of its cameras alone.
        table.RECORDING: ("up",) if kind == table.RECORDING else (),
        table.CAMERAS: ("cameras", "fps", "frames", "skeleton"),
        table.MOTION: ("cameras", "skeleton"),
    }[held]
    for name in useless:
        if flag_values[name].value is not None:
            raise InputError(name, f"has no effect on {held}")


def _said(value: Any) -> str:
    """What was written, in a few words."""
    if isinstance(value, Recording):
        rate = f", {value.fps:g} frames/s" if value.fps else ""
        people = value.joints_2d_px.shape[2]
        return (
            f"{len(value)} frames{rate}, {len(value.view_names)} views "
            f"({', '.join(value.view_names)}), {people} people at most, "
            f"{len(value.skeleton)} joints"
        )
    if isinstance(value, Motion):
        rate = f", {value.fps:g} frames/s" if value.fps else ""
        return f"{len(value)} frames{rate}, {len(value.skeleton)} joints"
    return f"{len(value)} cameras ({', '.join(camera.name for camera in value)})"


def run() -> None:
    """Runs the command with the process's arguments."""
    shell.run(work, define_flags, _PLACES)


if __name__ == "__main__":
    run()
