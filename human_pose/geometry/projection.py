"""Projection by a set of cameras in TensorFlow, with derivatives that always exist.

    p = (x, y) q(z),    pixel = focal * (p g(s) + t(p) h(s)) + centre,    s = |p|²

q is 1 / z, g what the lens does along the radius (`distortion`, `fisheye`), t the
tangential part 2 p1 x y + p2 (s + 2 x²), ..., and h is 1. A solver also asks where
there is no image; the functions then go on, once continuously differentiable:

- Nearer than `NEAR_MM`, or behind the camera, 1 / z goes on as its tangent at
  `NEAR_MM`, so that a point behind is drawn to the front.
- Farther aside than the lens' limit, shortly before the image would stand still and
  fold back, the image moves outwards as fast as at the limit.

Both are marked as not valid. Everything is differentiable by everything but the limits,
and as exact in float32 as its digits allow.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.geometry import distortion, fisheye
from human_pose.geometry.cameras import Camera
from human_pose.geometry.lenses import FISHEYE

NEAR_MM: Final = 100.0
# Of the fold's radius, or angle: beyond it the image hardly moves.
_SHARE: Final = 0.98
# Polynomials that do not fold mean nothing far aside, 84° from the axis; a lens without
# any goes on for ever.
_FARTHEST: Final = 10.0
_STRAIGHT_LIMIT: Final = 1e3
_WIDEST_RAD: Final = np.radians(89.0)
# Squares of radii below it are taken for it: a fisheye divides by the radius.
_TINY: Final = 1e-8
_NUMBERS: Final = 8


def by_matrices(points_mm: tf.Tensor, projection: tf.Tensor) -> tf.Tensor:
    """Homogeneous images by pinholes whose matrices are known.

    Args:
      points_mm: `[F, ..., J, 3]`, world.
      projection: `[V, 3, 4]`, or `[F, V, 3, 4]` where each frame has its own cameras.

    Returns:
      `[F, ..., V, J, 3]`: px times depth, and the depth, mm.
    """
    equation = "...jc,vdc->...vjd"
    if projection.shape.rank == 4:
        equation = "...jc,...vdc->...vjd"
        for _ in range(points_mm.shape.rank - 3):
            projection = projection[:, None]
    linear, shift = projection[..., :3], projection[..., None, :, 3]
    return tf.einsum(equation, points_mm, linear) + shift


def with_depth(projection: tf.Tensor) -> tf.Tensor:
    """The same pinholes by matrices whose last coordinate is the depth, in mm.

    A matrix and its multiples show the same images; calibrations from points and their
    images give any of them.

    Args:
      projection: `[..., 3, 4]`, world mm to homogeneous pixels, positive before the
        camera; zeros, of no camera, stay.
    """
    squared = tf.reduce_sum(tf.square(projection[..., 2:, :3]), -1, keepdims=True)
    return projection * tf.math.rsqrt(
        tf.where(squared > 0, squared, tf.ones_like(squared))
    )


class Cameras(NamedTuple):
    """V cameras as tensors of one type.

    Attributes:
      rotation: `[V, 3, 3]`, world to camera.
      translation_mm: `[V, 3]`.
      focal_px: `[V, 2]`.
      centre_px: `[V, 2]`.
      distortion: `[V, 8]`: k1 k2 p1 p2 k3 k4 k5 k6, of a fisheye k1 k2 k3 k4 0 0 0 0.
      limit: `[V]`, the largest x/z, y/z radius at which the lens is a lens.
      fisheye: bool `[V]`.
    """

    rotation: tf.Tensor
    translation_mm: tf.Tensor
    focal_px: tf.Tensor
    centre_px: tf.Tensor
    distortion: tf.Tensor
    limit: tf.Tensor
    fisheye: tf.Tensor


class Projection(NamedTuple):
    """Images of points.

    Attributes:
      pixels: `[..., V, J, 2]`.
      depth_mm: `[..., V, J]`, along the optical axis.
      valid: bool `[..., V, J]`: whether `pixels` are those of the camera, and not of
        what continues it. NaN is not valid.
    """

    pixels: tf.Tensor
    depth_mm: tf.Tensor
    valid: tf.Tensor


def stack(cameras: Sequence[Camera], dtype: Any = tf.float64) -> Cameras:
    """Cameras as tensors, in their order.

    Args:
      cameras: one or more.
      dtype: of the tensors.

    Raises:
      ValueError: if there are none.
    """
    if not cameras:
        raise ValueError("`cameras` must be one or more. Received: none")
    numbers = [
        (*camera.distortion, *(0.0,) * (_NUMBERS - len(camera.distortion)))
        for camera in cameras
    ]

    def tensor(values: Any) -> tf.Tensor:
        return tf.constant(np.array(values), dtype)

    return Cameras(
        tensor([camera.rotation for camera in cameras]),
        tensor([camera.translation_mm for camera in cameras]),
        tensor([camera.focal_px for camera in cameras]),
        tensor([camera.centre_px for camera in cameras]),
        tensor(numbers),
        tensor([lens_limit(camera) for camera in cameras]),
        tf.constant([camera.lens == FISHEYE for camera in cameras]),
    )


def lens_limit(camera: Camera) -> float:
    """The radius in x/z, y/z beyond which a camera's lens is continued."""
    if camera.lens == FISHEYE:
        angle = min(_SHARE * fisheye.fold(camera.distortion), _WIDEST_RAD)
        return float(np.tan(angle))
    if not any(camera.distortion):
        return _STRAIGHT_LIMIT
    return min(_SHARE * distortion.fold_radius(camera.distortion), _FARTHEST)


def project(cameras: Cameras, points_mm: tf.Tensor) -> Projection:
    """Images of world points in every camera.

    Args:
      cameras: V of them.
      points_mm: `[..., J, 3]`, world millimetres, of the cameras' type; NaN gives NaN.

    Returns:
      `[..., V, J]` images; points that are not valid have finite ones all the same.
    """
    return _project(cameras, points_mm, slopes=False)[0]


def project_with_jacobian(
    cameras: Cameras, points_mm: tf.Tensor
) -> tuple[Projection, tf.Tensor]:
    """As `project`, with the derivative of each image by its point, in closed form.

    Args:
      cameras: V of them.
      points_mm: `[..., J, 3]`, world millimetres, of the cameras' type.

    Returns:
      The images, and `[..., V, J, 2, 3]`, pixels a millimetre.
    """
    projection, rows = _project(cameras, points_mm, slopes=True)
    # At once: XLA writes stacks of stacks number by number.
    jacobian = tf.stack([*rows[0], *rows[1]], -1)
    shape = tf.concat([tf.shape(jacobian)[:-1], [2, 3]], axis=0)
    return projection, tf.ensure_shape(
        tf.reshape(jacobian, shape), [*jacobian.shape[:-1], 2, 3]
    )


def _project(
    cameras: Cameras, points_mm: tf.Tensor, *, slopes: bool
) -> tuple[Projection, list[list[tf.Tensor]]]:
    """The images and, if `slopes`, the two rows of three derivatives `[..., V, J]`."""
    points_mm = tf.convert_to_tensor(points_mm, cameras.rotation.dtype)
    x, y, z = _in_camera(cameras, points_mm)
    q, dq = _inverse_depth(z)
    shown, lens_slopes, inside = _lens(cameras, x * q, y * q, slopes=slopes)
    focal, centre = _columns(cameras.focal_px), _columns(cameras.centre_px)
    pixels = tf.stack(
        [f * u + c for f, u, c in zip(focal, shown, centre, strict=True)], -1
    )
    projection = Projection(pixels, z, inside & (z > NEAR_MM))
    rotation = [_columns(cameras.rotation[:, i]) for i in range(3)]
    rows = []
    for f, (by_x, by_y) in zip(focal, lens_slopes, strict=False):
        by_camera = f * by_x * q, f * by_y * q, f * (by_x * x + by_y * y) * dq
        rows.append(
            [sum(d * rotation[i][k] for i, d in enumerate(by_camera)) for k in range(3)]
        )
    return projection, rows


def _in_camera(cameras: Cameras, points_mm: tf.Tensor) -> list[tf.Tensor]:
    """x, y and z in the cameras' frames, each `[..., V, J]`."""
    world = [points_mm[..., tf.newaxis, :, i] for i in range(3)]
    shift = _columns(cameras.translation_mm)
    result = []
    for i in range(3):
        row = _columns(cameras.rotation[:, i])
        result.append(row[0] * world[0] + row[1] * world[1] + row[2] * world[2])
        result[i] += shift[i]
    return result


def _columns(values: tf.Tensor) -> list[tf.Tensor]:
    """The numbers of `[V, N]` as N tensors `[V, 1]`, beside points' `[..., V, J]`."""
    return [values[:, i, tf.newaxis] for i in range(values.shape[-1])]


def _inverse_depth(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """q, which is 1 / z or its tangent, and its derivative."""
    inverse = 1 / tf.maximum(z, NEAR_MM)
    slope = -inverse * inverse
    return inverse + slope * tf.minimum(z - NEAR_MM, 0.0), slope


def _lens(
    cameras: Cameras, u: tf.Tensor, v: tf.Tensor, *, slopes: bool
) -> tuple[list[tf.Tensor], list[list[tf.Tensor]], tf.Tensor]:
    """Where the lens shows the rays (u, v, 1); all tensors are `[..., V, J]`.

    Returns:
      u' and v', if `slopes` their derivatives by u and v, and whether the rays are
      within the limit.
    """
    limit = cameras.limit[:, tf.newaxis]
    square = u * u + v * v
    inside = square <= limit * limit
    # 1 within the limit. The root's own argument is never 0, nor its slope infinite.
    radius = tf.sqrt(tf.maximum(square, limit * limit))
    near = tf.minimum(square, limit * limit)
    gain, gain_slope = _gain(cameras, near)
    _, _, p1, p2 = _columns(_brown(cameras))[:4]
    tu, tv = 2 * p1 * u * v, 2 * p2 * u * v
    tu, tv = tu + p2 * (square + 2 * u * u), tv + p1 * (square + 2 * v * v)
    # Outside, f(r) = f(r0) + f'(r0) (r - r0), divided by r; f' is gain + 2 r0² gain'.
    # Within, r is r0, and both are as they are.
    ratio = limit / radius
    along = gain + 2 * limit * limit * gain_slope
    outer = gain + (1 - ratio) * (along - gain)
    bend = ratio * (2 - ratio)
    shown = [u * outer + tu * bend, v * outer + tv * bend]
    if not slopes:
        return shown, [], inside
    # By the square; beyond the limit d ratio / d square is -ratio / 2 square.
    far = tf.where(inside, tf.zeros_like(ratio), ratio / (2 * radius * radius))
    outer_slope = tf.where(inside, gain_slope, far * (along - gain))
    bend_slope = -2 * far * (1 - ratio)
    du = 2 * (u * outer_slope + tu * bend_slope)
    dv = 2 * (v * outer_slope + tv * bend_slope)
    mixed = 2 * bend * (p1 * u + p2 * v)
    own = outer + 2 * bend * (p1 * v + p2 * u)
    return (
        shown,
        [
            [own + du * u + 4 * bend * p2 * u, mixed + du * v],
            [mixed + dv * u, own + dv * v + 4 * bend * p1 * v],
        ],
        inside,
    )


def _brown(cameras: Cameras) -> tf.Tensor:
    """The numbers `[V, 8]` of Brown and Conrady's model, zeros for a fisheye."""
    nothing = tf.zeros_like(cameras.distortion)
    return tf.where(cameras.fisheye[:, tf.newaxis], nothing, cameras.distortion)


def _gain(cameras: Cameras, square: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """g(s) and its derivative, `[..., V, J]`, for squares of radii within the limit."""
    brown = _radial(_brown(cameras), square)
    known = tf.get_static_value(cameras.fisheye)
    if known is not None and not known.any():
        return brown
    round_ = _equidistant(cameras.distortion, square)
    which = cameras.fisheye[:, tf.newaxis]
    return (
        tf.where(which, round_[0], brown[0]),
        tf.where(which, round_[1], brown[1]),
    )


def _radial(numbers: tf.Tensor, s: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    k1, k2, _, _, k3, k4, k5, k6 = _columns(numbers)
    under = 1 / (1 + s * (k4 + s * (k5 + s * k6)))
    gain = (1 + s * (k1 + s * (k2 + s * k3))) * under
    over_slope = k1 + s * (2 * k2 + 3 * s * k3)
    under_slope = k4 + s * (2 * k5 + 3 * s * k6)
    return gain, (over_slope - gain * under_slope) * under


def _equidistant(numbers: tf.Tensor, s: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    k1, k2, k3, k4 = _columns(numbers)[:4]
    s = tf.maximum(s, _TINY)
    radius = tf.sqrt(s)
    angle = tf.atan(radius)
    a = angle * angle
    shown = angle * (1 + a * (k1 + a * (k2 + a * (k3 + a * k4))))
    slope = 1 + a * (3 * k1 + a * (5 * k2 + a * (7 * k3 + a * 9 * k4)))
    gain = shown / radius
    return gain, (slope / (1 + s) - gain) / (2 * s)
