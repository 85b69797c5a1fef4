"""Calibrated cameras as values: a pinhole and, if need be, its lens.

    x_cam = R x_world + t,    pixel = focal * lens(x_cam / z_cam, y_cam / z_cam) + c

The camera frame has x to the image's right, y down its columns and z along the optical
axis (OpenCV's convention); world points are millimetres, image points pixels. What a
lens does to a point stands in `distortion` and in `fisheye`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from human_pose.files.paths import composed
from human_pose.geometry.lenses import BROWN_CONRADY, FISHEYE, LENSES, Lens

# Rotations come from files with few digits: how far R Rᵀ may be from I.
_ORTHONORMAL: Final = 1e-3

_SHAPES: Final = {
    "rotation": (3, 3),
    "translation_mm": (3,),
    "focal_px": (2,),
    "centre_px": (2,),
}


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera; equal to another one if all of its numbers are.

    The arrays are copied, as float64, and cannot be written to.

    Attributes:
      rotation: float64 `[3, 3]`, world to camera, orthonormal and right-handed.
      translation_mm: float64 `[3]`; the world's origin in the camera frame.
      focal_px: float64 `[2]`, focal lengths along x and y.
      centre_px: float64 `[2]`, the principal point.
      distortion: the lens' numbers in OpenCV's order, k1 k2 p1 p2 [k3 [k4 k5 k6]];
        empty for a lens that does not distort. Of a fisheye, k1 k2 k3 k4; empty for
        zeros.
      size_px: width and height of the image, or None if they are not known.
      name: by which cameras and their views are matched.
      lens: the model of the lens, "brown_conrady" or "fisheye".

    Raises:
      ValueError: if a shape is another, a number is not finite, a focal length not
        positive, the size not of whole numbers, or the rotation is none.
    """

    rotation: np.ndarray
    translation_mm: np.ndarray
    focal_px: np.ndarray
    centre_px: np.ndarray
    distortion: tuple[float, ...] = ()
    size_px: tuple[int, int] | None = None
    name: str = ""
    lens: str = BROWN_CONRADY

    def __post_init__(self) -> None:
        for field, shape in _SHAPES.items():
            array = np.array(getattr(self, field), np.float64)
            if array.shape != shape or not np.isfinite(array).all():
                raise ValueError(
                    f"`{field}` must be finite numbers of shape {list(shape)}. "
                    f"Received: {array.tolist()}"
                )
            array.setflags(write=False)
            object.__setattr__(self, field, array)
        if self.lens not in LENSES:
            raise ValueError(
                f"`lens` must be one of {', '.join(LENSES)}. Received: {self.lens!r}"
            )
        object.__setattr__(self, "name", composed(self.name))
        numbers = tuple(float(number) for number in self.distortion)
        if self.lens == FISHEYE:
            numbers = numbers or (0.0,) * 4
        self._model.check(numbers)
        object.__setattr__(self, "distortion", numbers)
        if np.any(self.focal_px <= 0):
            raise ValueError(
                f"`focal_px` must be positive. Received: {self.focal_px.tolist()}"
            )
        if self.size_px is not None:
            size = tuple(self.size_px)
            if len(size) != 2 or any(n % 1 != 0 or n <= 0 for n in size):
                raise ValueError(
                    "`size_px` must be two whole numbers, and positive. "
                    f"Received: {size}"
                )
            object.__setattr__(self, "size_px", tuple(map(int, size)))
        off = np.abs(self.rotation @ self.rotation.T - np.eye(3)).max()
        if off > _ORTHONORMAL or np.linalg.det(self.rotation) < 0:
            raise ValueError(
                "`rotation` must be orthonormal and right-handed. "
                f"Received: {self.rotation.tolist()}"
            )

    @classmethod
    def at(
        cls,
        position_mm: Any,
        rotation: Any,
        *,
        focal_px: Any,
        centre_px: Any,
        radial: Sequence[float] = (),
        tangential: Sequence[float] = (),
        size_px: tuple[int, int] | None = None,
        name: str = "",
    ) -> "Camera":
        """A camera by its place, as Human3.6M's files give it.

        Their `T` is the optical centre, x_cam = R (x_world - T), and their `k` and `p`
        are k1 k2 k3 and p1 p2. Some readers of them (VideoPose3D) hold p2 p1 instead.

        Args:
          position_mm: the optical centre `[3]`, world mm.
          rotation: `[3, 3]`, world to camera.
          focal_px: `[2]`.
          centre_px: `[2]`.
          radial: k1 k2 k3, or nothing.
          tangential: p1 p2, or nothing.
          size_px: width and height of the image.
          name: the camera's.

        Raises:
          ValueError: as `Camera`, or if there are other than three and two numbers of
            the lens.
        """
        k, p = map(tuple, (radial, tangential))
        if (len(k), len(p)) not in {(0, 0), (3, 2)}:
            raise ValueError(
                "`radial` and `tangential` must be three numbers and two, or none. "
                f"Received: {len(k)} and {len(p)}"
            )
        numbers = (*k[:2], *p, *k[2:])
        rotation = np.asarray(rotation, np.float64)
        return cls(
            rotation,
            -rotation @ np.asarray(position_mm, np.float64),
            focal_px,
            centre_px,
            # All zeros are a lens that does not distort.
            numbers if any(numbers) else (),
            size_px,
            name,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Camera) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    @property
    def position_mm(self) -> np.ndarray:
        """The optical centre in the world, `[3]`, mm."""
        return -self.rotation.T @ self.translation_mm

    @property
    def intrinsics_px(self) -> np.ndarray:
        """fx, fy, cx, cy: `[4]`, the camera without its lens and its place."""
        return np.concatenate([self.focal_px, self.centre_px])

    @property
    def projection(self) -> np.ndarray:
        """World mm to homogeneous pixels, float64 `[3, 4]`, without the lens."""
        inner = np.diag([*self.focal_px, 1.0])
        inner[:2, 2] = self.centre_px
        outer = np.concatenate([self.rotation, self.translation_mm[:, None]], axis=1)
        return np.asarray(inner @ outer)

    def to_camera(self, points_mm: np.ndarray) -> np.ndarray:
        """World points `[..., 3]` in the camera frame `[..., 3]`, mm."""
        return points_mm @ self.rotation.T + self.translation_mm

    def project(self, points_mm: np.ndarray) -> np.ndarray:
        """Images of world points.

        Args:
          points_mm: `[..., 3]`, world millimetres; NaN gives NaN.

        Returns:
          `[..., 2]` pixels; they may lie outside the image.

        Raises:
          ValueError: if a point is not in front of the camera, or so far aside that the
            lens' numbers fold it back towards the middle.
        """
        x, y, depth = np.moveaxis(self.to_camera(points_mm), -1, 0)
        if np.any(depth <= 0):
            raise ValueError(
                "`points_mm` must lie in front of the camera. "
                f"Received: {np.sum(depth <= 0)} points behind it"
            )
        if not self.distortion:
            scaled = self.focal_px * np.stack([x, y], -1)
            return scaled / depth[..., None] + self.centre_px
        plane = np.stack([x, y], -1) / depth[..., None]
        unseen = np.isnan(plane).any(axis=-1)
        folded = np.sum(~unseen & ~self._model.unfolded(plane, self.distortion))
        if folded:
            raise ValueError(
                "`points_mm` must lie where the lens does not fold the image. "
                f"Received: {folded} points beyond"
            )
        return self._to_px(self._model.distort(plane, self.distortion))

    def undistort(self, points_px: np.ndarray) -> np.ndarray:
        """Where a lens that does not distort would show the same points.

        Args:
          points_px: `[..., 2]`, pixels; NaN, a point not seen, stays NaN.

        Returns:
          `[..., 2]`, pixels of the pinhole camera; `project` of a camera without
          distortion gives them, and that of this one the `points_px` to 1e-9 px.

        Raises:
          ValueError: if no ray, of those that the lens does not fold, is seen at one of
            the points.
        """
        points = np.asarray(points_px, np.float64)
        straight, found = self.undistort_where(points)
        found |= np.isnan(points).any(axis=-1)
        if not found.all():
            raise ValueError(
                "`points_px` must be where the lens shows something. "
                f"Received: {np.sum(~found)} points where it does not, the first at "
                f"{points[~found][0].tolist()}"
            )
        return straight

    def undistort_where(self, points_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `undistort`, for points some of which the lens may not show.

        Args:
          points_px: `[..., 2]`, pixels.

        Returns:
          `[..., 2]`, pixels of the pinhole camera, NaN where there is no ray; and where
          there is one, bool `[...]`. NaN has none.
        """
        points = np.asarray(points_px, np.float64)
        if not self.distortion:
            found = np.asarray(np.isfinite(points).all(axis=-1))
            return np.where(found[..., None], points, np.nan), found
        plane = (points - self.centre_px) / self.focal_px
        rays, found = self._model.undistort(plane, self.distortion)
        return self._to_px(rays), found

    @property
    def _model(self) -> Lens:
        return LENSES[self.lens]

    def _to_px(self, plane: np.ndarray) -> np.ndarray:
        return np.asarray(self.focal_px * plane + self.centre_px)

    def _key(self) -> tuple[Any, ...]:
        arrays = (tuple(getattr(self, field).ravel().tolist()) for field in _SHAPES)
        return (*arrays, self.distortion, self.size_px, self.name, self.lens)


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
