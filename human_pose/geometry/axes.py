"""Which axis of a world points upwards, and the turn that makes it z.

Without NumPy, since the flags of the command line take their choices from here.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

# A sign and an axis; -y in worlds that begin at a level camera, as OpenCV has them.
UP_AXES: Final = ("x", "y", "z", "-x", "-y", "-z")
# Of z-up worlds' axes, where they stand.
_ORDERS: Final[Mapping[str, tuple[int, ...]]] = {
    "x": (1, 2, 0),
    "y": (2, 0, 1),
    "z": (0, 1, 2),
}
# Half a turn about x.
_OVER: Final = (1.0, -1.0, -1.0)


def upright(vectors: "np.ndarray", up: str) -> "np.ndarray":
    """Vectors by the axes of the same world with z upwards.

    Rows of matrices that act on points, as of a camera's rotation, go the same way.

    Args:
      vectors: `[..., 3]`, by the world's own axes.
      up: that of them which points upwards, of `UP_AXES`.
    """
    ordered = vectors[..., _ORDERS[up[-1]]]
    return ordered * _OVER if up.startswith("-") else ordered
