"""Reading and writing files so that nothing is silently wrong or half-written.

Whoever needs `InputError` alone loads no h5py.
"""

from typing import TYPE_CHECKING

from human_pose.files.faces import lazy

if TYPE_CHECKING:
    from human_pose.files.arrays import Shape
    from human_pose.files.errors import InputError
    from human_pose.files.h5 import COMPRESSION, read_h5, write_h5
    from human_pose.files.npz import read_npz, write_npz
    from human_pose.files.paths import (
        PROJECT_ROOT,
        atomic,
        check_is_file,
        locate,
        read_text,
    )

__all__ = [
    "COMPRESSION",
    "PROJECT_ROOT",
    "InputError",
    "Shape",
    "atomic",
    "check_is_file",
    "locate",
    "read_h5",
    "read_npz",
    "read_text",
    "write_h5",
    "write_npz",
]

__getattr__ = lazy(
    __name__,
    {
        "InputError": "errors",
        "Shape": "arrays",
        **dict.fromkeys(("COMPRESSION", "read_h5", "write_h5"), "h5"),
        **dict.fromkeys(("read_npz", "write_npz"), "npz"),
        **dict.fromkeys(
            ("PROJECT_ROOT", "atomic", "check_is_file", "locate", "read_text"), "paths"
        ),
    },
)
