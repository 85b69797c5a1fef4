"""Several people of a recording told apart, in views, across them and over time."""

from human_pose.calibrated.people.exchanges import Exchange
from human_pose.calibrated.people.people import People, choose, tell_apart

__all__ = ["Exchange", "People", "choose", "tell_apart"]
