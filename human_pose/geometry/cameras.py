"""Pinhole cameras without lens distortion.

    x_cam = R x_world + t,    pixel = focal * (x_cam, y_cam) / z_cam + centre

The camera frame has x to the image's right, y down its columns and z along the optical
axis (OpenCV's convention); world points are millimetres, image points pixels.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A calibrated pinhole camera.

    Attributes:
      rotation: float64 `[3, 3]`, world to camera, orthonormal.
      translation_mm: float64 `[3]`; the world's origin in the camera frame.
      focal_px: float64 `[2]`, focal lengths along x and y.
      centre_px: float64 `[2]`, the principal point.
    """

    rotation: np.ndarray
    translation_mm: np.ndarray
    focal_px: np.ndarray
    centre_px: np.ndarray

    @property
    def position_mm(self) -> np.ndarray:
        """The optical centre in the world, `[3]`, mm."""
        return -self.rotation.T @ self.translation_mm

    def to_camera(self, points_mm: np.ndarray) -> np.ndarray:
        """World points `[..., 3]` in the camera frame `[..., 3]`, mm."""
        return points_mm @ self.rotation.T + self.translation_mm

    def project(self, points_mm: np.ndarray) -> np.ndarray:
        """Images of world points.

        Args:
          points_mm: `[..., 3]`, world millimetres.

        Returns:
          `[..., 2]` pixels; they may lie outside the image.

        Raises:
          ValueError: if a point is not in front of the camera.
        """
        x, y, depth = np.moveaxis(self.to_camera(points_mm), -1, 0)
        if np.any(depth <= 0):
            raise ValueError(
                "`points_mm` must lie in front of the camera. "
                f"Received: {np.sum(depth <= 0)} points behind it"
            )
        return self.focal_px * np.stack([x, y], -1) / depth[..., None] + self.centre_px


def look_at(
    position_mm: np.ndarray,
    target_mm: np.ndarray,
    *,
    focal_px: np.ndarray,
    centre_px: np.ndarray,
    roll_rad: float = 0.0,
) -> Camera:
    """A camera whose optical axis goes from its position through a target.

    Args:
      position_mm: the optical centre `[3]`, world mm, z up.
      target_mm: a world point `[3]` on the optical axis, not straight above or below.
      focal_px: `[2]`, pixels.
      centre_px: `[2]`, pixels.
      roll_rad: turn about the optical axis; 0 keeps the image's x-axis level, positive
        turns the camera clockwise as seen from behind it.
    """
    depth = (target_mm - position_mm) / np.linalg.norm(target_mm - position_mm)
    right = np.cross(depth, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(depth, right)
    cosine, sine = np.cos(roll_rad), np.sin(roll_rad)
    rotation = np.stack(
        [cosine * right + sine * down, cosine * down - sine * right, depth]
    )
    return Camera(rotation, -rotation @ position_mm, focal_px, centre_px)
