"""The image network I1 as a detector: joints, how sure it is of each, and boxes for it.

The network is shown one person, cut out by a box. Boxes are about the joints of another
detector, or about those of the picture before; the first picture then is taken whole,
and read twice.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.capture.detectors.boxes import Four, box_about, boxed, inside
from human_pose.capture.detectors.protocol import Detect, Detector, Found
from human_pose.geometry.skeleton import Skeleton
from human_pose.geometry.skeletons import IMAGE_16
from human_pose.i1 import codec
from human_pose.i1.network.checkpoint import load_network
from human_pose.i1.network.hourglass import PoseNetwork
from human_pose.i1.readout.spread import Spread, spread
from human_pose.i1.sample import Sample, find_pose, find_poses

_BATCH: Final = 8

FindPoses = Callable[[Iterable[np.ndarray]], Iterator[Sample | None]]


@dataclass(frozen=True)
class ImageNetwork:
    """The detector's settings.

    Attributes:
      checkpoint: of the network, a `.keras` file.
      finder: that finds the person first; None follows the network's own joints.
    """

    checkpoint: Path
    finder: Detector | None = None

    name = "i1"
    skeleton: Skeleton = IMAGE_16
    # TensorFlow uses all cores by itself.
    parallel = 1

    @property
    def version(self) -> str:
        """The checkpoint's contents, and the finder."""
        digest = hashlib.sha256(self.checkpoint.read_bytes()).hexdigest()[:16]
        finder = self.finder
        found = "" if finder is None else f", found by {finder.name} {finder.version}"
        return f"{digest}{found}"

    @contextmanager
    def started(self) -> Iterator[Detect]:
        """Loads the network; see `Detector`."""
        with self.poses_started() as poses:
            yield lambda pictures: map(found_in, poses(pictures))

    @contextmanager
    def poses_started(self, camera: Four | None = None) -> Iterator[FindPoses]:
        """Loads the network, to find poses in the pictures of a video.

        Args:
          camera: fx fy cx cy px; None takes what the boxes mean.

        Yields:
          What gives for each picture its pose, or None where nobody is found.

        Raises:
          InputError: if the network, or the finder, cannot be started.
        """
        network = load_network(self.checkpoint)
        if self.finder is None:
            yield lambda pictures: _following(network, camera, pictures)
            return
        with self.finder.started() as find:
            yield lambda pictures: _beside(network, camera, find, pictures)


def found_in(sample: Sample | None) -> Found:
    """What the network found, with the spread of its volumes; or nobody."""
    if sample is None:
        shape = (0, len(IMAGE_16))
        return Found(np.empty((*shape, 2)), np.empty(shape), np.empty((*shape, 2, 2)))
    seen = spread(sample.heatmap2)
    joints = sample.joints_2d_px.astype(np.float64)
    covariance = covariance_px2(seen, sample.box)
    return Found(joints[None], seen.confidence[None], covariance[None])


def covariance_px2(seen: Spread, box: Four) -> np.ndarray:
    """Covariances in the picture `[J, 2, 2]`, of volumes of what a box shows."""
    # From parts of the crop to pixels: along each axis a factor.
    sides_px = codec.frame_px_per_crop(np.array(box, np.float64)).numpy()
    return np.asarray(seen.covariance[:, :2, :2] * np.outer(sides_px, sides_px))


def _beside(
    network: PoseNetwork,
    camera: Four | None,
    find: Detect,
    pictures: Iterable[np.ndarray],
) -> Iterator[Sample | None]:
    """Detections in the boxes of another detector, several pictures at once."""
    both = boxed(find, pictures)
    while batch := list(itertools.islice(both, _BATCH)):
        known = [each for each in batch if each.box is not None]
        poses = find_poses(
            network,
            [each.picture for each in known],
            boxes=[each.box for each in known],
            cameras=itertools.repeat(camera),
            batch_size=_BATCH,
        )
        for each in batch:
            yield None if each.box is None else next(poses)


def _following(
    network: PoseNetwork, camera: Four | None, pictures: Iterable[np.ndarray]
) -> Iterator[Sample]:
    """Detections in boxes about the joints of the picture before."""
    box = None
    for picture in pictures:
        if box is None:
            first = find_pose(network, picture, camera=camera)
            box = inside(box_about(first.joints_2d_px), picture)
        sample = find_pose(network, picture, box=box, camera=camera)
        box = inside(box_about(sample.joints_2d_px), picture)
        yield sample
