"""Tiny made-up archives of Human3.6M: metadata.xml, videos, and joints as .cdf."""

import made_up_videos
import numpy as np
from cdflib import cdfwrite

from human_pose.datasets.protocol import IMAGE_ACTIONS
from human_pose.geometry.skeletons import VIEW_NAMES

SUBJECTS = 11
SIZE = (96, 80)  # width and height of a frame
ANGLES = (-1.5, 0.4, 2.0)
CENTRE_MM = (1841.0, 4955.0, 1563.0)
LENS = (1145.0, 1143.0, 512.5, 515.5, -0.2, 0.25, -0.003, -0.0014, -0.00098)


def numbers():
    """`w0`: cameras differ by 100 mm a subject and 0.1 rad a view."""
    places = [
        (ANGLES[0] + 0.1 * view, *ANGLES[1:], CENTRE_MM[0] + 100 * s, *CENTRE_MM[1:])
        for view in range(4)
        for s in range(SUBJECTS)
    ]
    lenses = [(LENS[0] + view, *LENS[1:]) for view in range(4)]
    return np.concatenate([np.ravel(places), np.ravel(lenses)])


def take_name(action, take):
    """What files of a take are called; the first take has no number."""
    return IMAGE_ACTIONS[action] + ("" if take == 1 else " 1")


def metadata():
    """The text of metadata.xml."""
    names = "".join(f"<td>S{n + 1}</td>" for n in range(SUBJECTS))
    rows = [f"<tr><td/><td/>{names}</tr>"]
    for number in range(1, 17):
        for take in (1, 2):
            name = "_ALL" if number == 1 else take_name(number - 2, take)
            cells = f"<td>{name}</td>" * SUBJECTS
            rows.append(f"<tr><td>{number}</td><td>{take}</td>{cells}</tr>")
    rows.append("<tr><td/><td/>" + "<td>[1000 1002]</td>" * SUBJECTS + "</tr>")
    w0 = " ".join(map(repr, numbers().tolist()))
    return (
        f"<metadata><mapping>{''.join(rows)}</mapping><w0>[{w0}]</w0></metadata>"
    ).replace("><", ">\n<")


def joints_2d_px(frames, joints=32):
    """`[F, J, 2]`, within the frame."""
    rng = np.random.default_rng(2)
    return rng.uniform((20, 10), (70, 70), (frames, joints, 2))


def joints_3d_mm(frames, joints=32):
    """`[F, J, 3]`, camera frame."""
    rng = np.random.default_rng(3)
    return rng.normal((0, 0, 5000), 300, (frames, joints, 3))


def write_cdf(path, joints):
    """Writes a variable `Pose`, `[1, F, J axes]`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = joints.reshape(1, len(joints), -1).astype(np.float32)
    path.unlink(missing_ok=True)
    file = cdfwrite.CDF(str(path), delete=True)
    specification = {
        "Variable": "Pose",
        "Data_Type": 44,  # float
        "Num_Elements": 1,
        "Rec_Vary": True,
        "Dim_Sizes": list(values.shape[1:]),
    }
    file.write_var(specification, var_data=values)
    file.close()


def write_archives(root, subjects=(1, 9), *, frames=3, video_frames=4):
    """Writes unpacked archives; all videos show the same, all joints are the same."""
    (root / "metadata.xml").write_text(metadata())
    video = made_up_videos.write(root / "v.mp4", range(video_frames), size=SIZE)
    write_cdf(root / "j2.cdf", joints_2d_px(frames))
    write_cdf(root / "j3.cdf", joints_3d_mm(frames))
    for subject in subjects:
        videos = root / f"S{subject}" / "Videos"
        features = root / f"S{subject}" / "MyPoseFeatures"
        folders = (features / "D2_Positions", features / "D3_Positions_mono")
        for folder in (videos, *folders):
            folder.mkdir(parents=True)
        for action in range(len(IMAGE_ACTIONS)):
            for take in (1, 2):
                for view in VIEW_NAMES:
                    name = f"{take_name(action, take)}.{view}"
                    (videos / f"{name}.mp4").hardlink_to(video)
                    for folder, source in zip(folders, ("j2", "j3"), strict=True):
                        path = folder / f"{name}.cdf"
                        path.hardlink_to(root / f"{source}.cdf")
    return root
