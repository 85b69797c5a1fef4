"""The world of a rig, kept while its cameras move.

Images do not say where the world's origin is, how it is turned, or how large it is:
that is taken from the cameras as they were. The scale is that of the distances of their
centres; place and turn are those at which centres and axes are nearest to the old ones.
"""

import numpy as np

from human_pose.capture.bundle import Rig
from human_pose.geometry.rotations import nearest


def world_kept(rig: Rig, before: Rig) -> Rig:
    """The rig moved as a whole, to where it was.

    Args:
      rig: V ≥ 2 cameras that were refined.
      before: the same cameras before that.
    """
    centres, old = _centres(rig), _centres(before)
    scale = _spread(old) / max(_spread(centres), np.finfo(float).tiny)
    # Axes as long as the rig is wide, so that both count alike.
    reach = _spread(old)
    new_points = _with_axes(centres * scale, rig.rotation, reach)
    old_points = _with_axes(old, before.rotation, reach)
    middle, old_middle = new_points.mean(axis=0), old_points.mean(axis=0)
    turn = nearest((old_points - old_middle).T @ (new_points - middle))
    rotation = rig.rotation @ turn.T
    placed = (centres * scale - middle) @ turn.T + old_middle
    return rig._replace(
        rotation=rotation, translation_mm=-np.einsum("vab,vb->va", rotation, placed)
    )


def moves(rig: Rig, before: Rig) -> tuple[np.ndarray, np.ndarray]:
    """How far cameras moved, `[V]` mm, and how much they turned, `[V]` degrees."""
    far = np.linalg.norm(_centres(rig) - _centres(before), axis=-1)
    turn = rig.rotation @ np.swapaxes(before.rotation, -1, -2)
    # By the sine of half the angle, which keeps its digits where that is small.
    half = np.linalg.norm(turn - np.eye(3), axis=(-2, -1)) / np.sqrt(8)
    return far, np.degrees(2 * np.arcsin(np.minimum(half, 1.0)))


def _centres(rig: Rig) -> np.ndarray:
    return np.asarray(-np.einsum("vba,vb->va", rig.rotation, rig.translation_mm))


def _spread(centres: np.ndarray) -> float:
    return float(np.sqrt(np.square(centres - centres.mean(axis=0)).sum(axis=1).mean()))


def _with_axes(centres: np.ndarray, rotation: np.ndarray, reach: float) -> np.ndarray:
    tips = centres[:, None] + reach * rotation
    return np.concatenate([centres, tips.reshape(-1, 3)])
