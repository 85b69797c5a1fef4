"""What a picture of a person can have, with much to spare.

Single precision needs some limit, of numbers in a data set as on the command line:
beyond these, squares and quotients overflow or lose every digit. Imports nothing, so
that flags are answered at once.
"""

from typing import Final

FOCAL_LENGTHS_PX: Final = (1.0, 1e6)
# Of boxes, joints and a camera's centre, from the picture's corner.
MAX_COORDINATE_PX: Final = 1e6
# Of joints, from the camera.
MAX_COORDINATE_MM: Final = 1e6
ROOT_DEPTHS_MM: Final = (100.0, MAX_COORDINATE_MM)
# The shorter side.
MIN_BOX_PX: Final = 1.0
