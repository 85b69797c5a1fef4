"""Pictures of the embedded people, in the layout `human_pose.datasets.images` reads.

joints                 the 17 embedded joints as Human3.6M's 32
figure, wardrobe       a body around them, and what it wears
raycast, surroundings  what a camera sees of it, and behind it
solids, occluders      things that stand in the world, before a person
picture, shots         pictures with their truth
hard                   what makes some of them hard
dataset                folders of them, for training and test subjects

A source of data to try the image network with, and no more: nobody was photographed.
"""

from human_pose.datasets.protocol import IMAGE_ACTIONS as ACTIONS
from human_pose.datasets.rendered.dataset import Recipe, generate, index_ranges
from human_pose.datasets.rendered.shots import Shot, moment

__all__ = ["ACTIONS", "Recipe", "Shot", "generate", "index_ranges", "moment"]
