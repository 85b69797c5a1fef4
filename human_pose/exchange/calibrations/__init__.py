"""Calibrations of other tools: every file becomes a tuple of `Camera`.

Cameras are matched with views by their names, and by nothing else.
"""

from typing import Final

from human_pose.exchange.calibrations import (
    file_storage,
    human36m,
    qualisys,
    tables,
)
from human_pose.exchange.format import Format

FORMATS: Final = (
    Format(
        "anipose",
        "cameras",
        "Anipose's and FreeMoCap's TOML",
        (".toml",),
        tables.is_anipose,
        tables.read_toml,
        tables.write_anipose,
    ),
    Format(
        "pose2sim",
        "cameras",
        "Pose2Sim's TOML, metres",
        (),
        tables.is_pose2sim,
        tables.read_toml,
        tables.write_pose2sim,
    ),
    Format(
        "caliscope",
        "cameras",
        "Caliscope's TOML, metres",
        (),
        tables.is_caliscope,
        tables.read_toml,
    ),
    Format(
        "opencv",
        "cameras",
        "OpenCV's FileStorage, EasyMocap's intri and extri",
        (".yml", ".yaml", ".xml"),
        file_storage.is_file_storage,
        file_storage.read_file_storage,
        file_storage.write_file_storage,
    ),
    Format(
        "qualisys",
        "cameras",
        "Qualisys Track Manager's .qca.txt",
        (),
        qualisys.is_qualisys,
        qualisys.read_qualisys,
    ),
    Format(
        "human36m",
        "cameras",
        "Human3.6M's cameras.h5",
        (),
        human36m.is_human36m,
        human36m.read_human36m,
    ),
)
