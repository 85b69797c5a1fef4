"""What the network is shown of a data set: batches of crops and their joints.

stream                 what is asked for
placement, resampling  the original's scaling, rotation, crop and flip
projection             one pass in their place, for the modern augmentation
colours                random light and colour
pipeline               deterministic streams of batches
batches                a data set's batches
"""

from human_pose.i1.input.batches import batches
from human_pose.i1.input.stream import AUGMENTS, Augment, Stream

__all__ = ["AUGMENTS", "Augment", "Stream", "batches"]
