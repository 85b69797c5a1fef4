"""Invented motion, cameras and results, and a file of each format that holds them."""

import h5py
import numpy as np

from human_pose.exchange import (
    amc,
    anipose,
    bvh,
    c3d,
    motion_npz,
    pose_sets,
    poses,
    trc,
)
from human_pose.exchange.calibrations import (
    file_storage,
    human36m,
    qualisys,
    tables,
)
from human_pose.exchange.recording import Motion
from human_pose.geometry.cameras import Camera, look_at
from human_pose.geometry.skeletons import LIFTER_17

FIELDS = ("rotation", "translation_mm", "focal_px", "centre_px")


def motion(frames=6):
    """Frames of the lifter's skeleton, with a joint that is missing."""
    joints = np.random.default_rng(0).normal((0, 0, 900), 300, (frames, 17, 3))
    joints[2, 5] = np.nan
    numbers = np.arange(7, 7 + frames)
    return Motion(joints, LIFTER_17, 59.94, frames=numbers)


def rig(*, lens=(-0.2, 0.25, -0.001, 0.0005, -0.007), model="brown_conrady", count=3):
    """Cameras around the origin, 4 m away."""
    cameras = []
    for number in range(count):
        place = 4000 * np.array([np.cos(1.5 * number), np.sin(1.5 * number), 0.4])
        plain = look_at(
            place, np.array([0, 0, 900.0]), focal_px=[1100, 1110], centre_px=[500, 510]
        )
        values = [getattr(plain, field) for field in FIELDS]
        cameras.append(Camera(*values, lens, (1000, 1002), f"cam{number:02d}", model))
    return tuple(cameras)


def results(**changes):
    """Results of 5 frames and 3 views, with a joint that is missing."""
    random = np.random.default_rng(0)
    joints = random.normal((0, 0, 900), 300, (5, 17, 3))
    root = random.normal(size=(5, 17, 3, 3))
    covariance = root @ np.swapaxes(root, -1, -2)
    joints[1, 2], covariance[1, 2] = np.nan, np.nan
    pixels = random.uniform(0, 20, (5, 3, 17))
    pixels[0, 0, 0] = np.nan
    values = {
        "joints_3d_mm": joints,
        "covariance_mm2": covariance,
        "reprojection_px": pixels,
        "views_used": pixels < 15,
        "swapped": random.uniform(size=(5, 3, 2)) < 0.5,
        "skeleton": LIFTER_17,
        "view_names": ("a", "b", "c"),
        "swap_names": ("arms", "legs"),
        "fps": 59.94,
        "frames": np.arange(10, 15),
        "sequence": np.array([0, 0, 0, 1, 1]),
    }
    return poses.Poses(**values | changes)


QUALISYS = """<?xml version='1.0' encoding='ASCII'?>
<calibration type="regular"><cameras>{}</cameras></calibration>
"""
QUALISYS_CAMERA = """
<camera active="1" serial="{serial}" viewrotation="0">
 <fov_video left="8" top="16" right="1007" bottom="1017"/>
 <transform x="{x}" y="0" z="1000" r11="0" r12="-1" r13="0" r21="0" r22="0" r23="1"
            r31="-1" r32="0" r33="0"/>
 <intrinsic focalLengthU="64000" focalLengthV="64000" centerPointU="32512"
  centerPointV="33024" radialDistortion1="0" radialDistortion2="0"
  radialDistortion3="0" tangentalDistortion1="0" tangentalDistortion2="0"/>
</camera>"""
ASF = """
:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name lhipjoint
     direction 0.6 -0.8 0
     length 2.5
     axis 0 0 0  XYZ
  end
  begin
     id 2
     name lfemur
     direction 0 -1 0
     length 7
     axis 0 0 90  XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 3
     name rhipjoint
     direction -0.6 -0.8 0
     length 2.5
     axis 0 0 0  XYZ
  end
:hierarchy
  begin
    root lhipjoint rhipjoint
    lhipjoint lfemur
  end
"""
AMC = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 0 10 0 0 0 0
lfemur 0 0 0
2
root 1 10 2 90 90 0
lfemur 0 90 0
"""


def qualisys_file(path, *cameras):
    """Writes cameras, each by its name and place, that look along x."""
    text = "".join(QUALISYS_CAMERA.format(serial=s, x=x) for s, x in cameras)
    path.write_text(QUALISYS.format(text))
    return path


def _written(write, value, name):
    def make(folder):
        write(folder / name, value)
        return folder / name

    return make


def _amc(folder):
    (folder / "a.asf").write_text(ASF)
    (folder / "a.amc").write_text(AMC)
    return folder / "a.amc"


def _asf(folder):
    return _amc(folder).with_name("a.asf")


def _videopose3d(folder):
    takes = {"S1": {"Walking": motion().joints_3d_mm[:2] / 1000}}
    np.savez(folder / "a.npz", positions_3d=np.array(takes, dtype=object))
    return folder / "a.npz"


def _human36m(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        for number, each in enumerate(rig(count=4), 1):
            group = file.create_group(f"subject9/camera{number}")
            k1, k2, p1, p2, k3 = each.distortion
            group["R"] = each.rotation.T
            group["T"] = each.position_mm[:, None]
            group["f"], group["c"] = each.focal_px[None], each.centre_px[None]
            group["k"], group["p"] = [[k1, k2, k3]], [[p1, p2]]
    return folder / "a.h5"


def _pose_set(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file["joint_3d"] = np.nan_to_num(motion().joints_3d_mm)
    return folder / "a.h5"


def _joints(read):
    """What a reader of motion finds, without what is missing."""

    def read_joints(path):
        found = read(path)
        return np.nan_to_num(found.joints_3d_mm), found.fps or 0.0

    return read_joints


def _results(path):
    found = poses.read_poses(path)
    return np.nan_to_num(found.joints_3d_mm), np.nan_to_num(found.covariance_mm2)


# Of each format how a file is made in a folder, and read.
FILES = {
    "BVH": (_written(bvh.write_bvh, motion(), "a.bvh"), _joints(bvh.read_bvh)),
    "TRC": (_written(trc.write_trc, motion(), "a.trc"), _joints(trc.read_trc)),
    "C3D": (_written(c3d.write_c3d, motion(), "a.c3d"), _joints(c3d.read_c3d)),
    "Anipose's CSV": (
        _written(anipose.write_anipose, motion(), "a.csv"),
        _joints(anipose.read_anipose),
    ),
    "AMC": (_amc, _joints(amc.read_amc)),
    "ASF": (_asf, _joints(lambda path: amc.read_amc(path.with_suffix(".amc")))),
    "motion in npz": (
        _written(motion_npz.write_motion_npz, motion(), "a.npz"),
        _joints(motion_npz.read_motion_npz),
    ),
    "VideoPose3D's motion": (_videopose3d, _joints(motion_npz.read_videopose3d_motion)),
    "motion in h5": (_pose_set, _joints(pose_sets.read_pose_motion)),
    "results": (_written(poses.write_poses, results(), "a.npz"), _results),
    "Anipose's TOML": (
        _written(tables.write_anipose, rig(), "a.toml"),
        tables.read_toml,
    ),
    "OpenCV's YAML": (
        _written(file_storage.write_file_storage, rig(), "a.yml"),
        file_storage.read_file_storage,
    ),
    "OpenCV's XML": (
        _written(file_storage.write_file_storage, rig(), "a.xml"),
        file_storage.read_file_storage,
    ),
    "Qualisys": (
        lambda folder: qualisys_file(folder / "a.txt", ("A", -4000), ("B", 4000)),
        qualisys.read_qualisys,
    ),
    "Human3.6M's cameras": (_human36m, human36m.read_human36m),
}
