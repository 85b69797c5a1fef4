"""What the network is shown of a data set: batches of crops and their joints.

stream                 what is asked for
visits                 which sample comes at which position, alone or in groups
placement, resampling  the original's scaling, rotation, crop and flip
projection             one pass in their place, for the modern augmentation
picture                any picture, cut out as at test time
colours                random light and colour
pipeline               deterministic streams of batches
service                the same streams, made by other hosts
loader                 a data set's batches

A `Stream` is a value of the standard library's; what makes batches of it loads
TensorFlow when it is first asked for.
"""

from typing import TYPE_CHECKING

from human_pose.files.faces import lazy
from human_pose.i1.input.stream import Stream

if TYPE_CHECKING:
    from human_pose.i1.input.loader import batches

__all__ = ["Stream", "batches"]

__getattr__ = lazy(__name__, {"batches": "loader"})
