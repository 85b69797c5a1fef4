"""Lengths of files in millimetres: units as they are said, or as a size implies them.

A person's joints span one metre to three and a half, and the cameras around one stand
0.3 to 100 m apart: numbers tell metres from millimetres by these. Inches are taken only
where they are said; of a child, or of legs alone, the units must be said, too, because
a body in inches would be a small one in centimetres. Whatever was taken is logged.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from absl import logging

from human_pose.files.errors import InputError

MILLIMETRES: Final[Mapping[str, float]] = {
    "mm": 1.0,
    "cm": 10.0,
    "m": 1000.0,
    "inch": 25.4,
}
_WORDS: Final[Mapping[str, str]] = {
    "millimetre": "mm", "millimetres": "mm", "millimeter": "mm", "millimeters": "mm",
    "centimetre": "cm", "centimetres": "cm", "centimeter": "cm", "centimeters": "cm",
    "metre": "m", "metres": "m", "meter": "m", "meters": "m",
    "inches": "inch", "in": "inch",
}  # fmt: skip

# Of the box around all joints of a person who stands, sits or lies: the ranges of mm,
# cm and m have nothing in common, and a body of 36 to 98 inches is in none.
_BODY_MM: Final = (1000.0, 3500.0)
# What is smaller, as a child that crouches, is believed but warned of.
_SMALLEST_MM: Final = 500.0
_BODY_UNITS: Final = ("mm", "cm", "m")
# Between the two cameras that are farthest apart, or of one from the world's origin.
_RIG_MM: Final = (300.0, 100_000.0)
_RIG_UNITS: Final = ("mm", "m")


def millimetres(units: str, where: str) -> float:
    """How many millimetres a unit has.

    Args:
      units: "mm", "cm", "m" or "inch", or a longer word for one, in any case.
      where: what says so, for the error.

    Raises:
      InputError: if it is another word.
    """
    word = units.strip().lower()
    word = _WORDS.get(word, word)
    if word not in MILLIMETRES:
        raise InputError(where, f"must be one of {', '.join(MILLIMETRES)}", units)
    return MILLIMETRES[word]


def body_scale(
    joints: Any, source: str, units: str | None = None, declared: str | None = None
) -> float:
    """Millimetres a unit of a file that holds a person's joints.

    Args:
      joints: `[..., F, J, 3]`, as they are in the file; NaN where one is missing.
      source: the file, for messages.
      units: what the caller says; it counts more than the file.
      declared: what the file says, or None.

    Raises:
      InputError: if a word is no unit, or none is said and the size implies none.
    """
    size = _body_size(joints)
    if units is not None:
        scale, whence = millimetres(units, "units"), "as was asked for"
    elif declared is not None:
        scale, whence = millimetres(declared, f"{source}: units"), "as the file says"
    else:
        scale = _implied(source, "body", size, _BODY_MM, _BODY_UNITS)
        whence = "as the body's size implies"
    _tell(source, scale, whence, f"a body of {size * scale:.0f} mm")
    if size and not _SMALLEST_MM <= size * scale <= _BODY_MM[1]:
        logging.warning(
            "%s: in the units taken the body's joints span %.4g mm, where a person's "
            "span %g to %g: are the units right?",
            source, size * scale, _SMALLEST_MM, _BODY_MM[1],
        )  # fmt: skip
    return scale


def rig_scale(
    centres: Any, source: str, units: str | None = None, declared: str | None = None
) -> float:
    """Millimetres a unit of a calibration.

    Args:
      centres: `[V, 3]`, the cameras' optical centres as they are in the file.
      source: the file, for messages.
      units: what the caller says; it counts more than the file.
      declared: what the file says, or None.

    Raises:
      InputError: if a word is no unit, or none is said and the size implies none.
    """
    size = _rig_size(np.asarray(centres, np.float64))
    alone = size == 0 and len(centres) == 1  # at the origin in any unit
    if units is not None:
        scale, whence = millimetres(units, "units"), "as was asked for"
    elif declared is not None:
        scale, whence = millimetres(declared, f"{source}: units"), "as the file says"
    elif alone:
        return 1.0
    else:
        scale = _implied(source, "rig", size, _RIG_MM, _RIG_UNITS)
        whence = "as the rig's size implies"
    _tell(source, scale, whence, f"a rig of {size * scale:.0f} mm")
    if not alone and not _RIG_MM[0] <= size * scale <= _RIG_MM[1]:
        logging.warning(
            "%s: in the units taken the rig spans %.4g mm: are the units right?",
            source, size * scale,
        )  # fmt: skip
    return scale


def body_boxes(joints: Any) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper corners `[N, 3]` of the boxes around a person's joints.

    Args:
      joints: `[..., F, J, 3]`; NaN where one is missing. The N frames are those that
        have a joint.
    """
    joints = np.asarray(joints, np.float64)
    seen = np.isfinite(joints).all(axis=-1, keepdims=True)
    low = np.where(seen, joints, np.inf).min(axis=-2, initial=np.inf)
    high = np.where(seen, joints, -np.inf).max(axis=-2, initial=-np.inf)
    whole = seen.any(axis=(-2, -1))
    return low[whole], high[whole]


def _body_size(joints: Any) -> float:
    """The median over the frames of the diagonal of the box around the joints."""
    low, high = body_boxes(joints)
    sizes = np.linalg.norm(high - low, axis=-1)
    return float(np.median(sizes)) if len(sizes) else 0.0


def _rig_size(centres: np.ndarray) -> float:
    if len(centres) == 1:
        return float(np.linalg.norm(centres[0]))
    return float(np.linalg.norm(centres[:, None] - centres, axis=-1).max())


def _implied(
    source: str,
    what: str,
    size: float,
    range_mm: tuple[float, float],
    units: tuple[str, ...],
) -> float:
    """Millimetres of the unit in which a size is possible, of which there is one."""
    for unit in units:
        if range_mm[0] <= size * MILLIMETRES[unit] <= range_mm[1]:
            return MILLIMETRES[unit]
    raise InputError(
        "units",
        f"must be said for {source}: a {what} of {size:.4g} is {range_mm[0] / 1000:g} "
        f"to {range_mm[1] / 1000:g} m in none of {', '.join(units)}",
    )


def _tell(source: str, scale: float, whence: str, meaning: str) -> None:
    unit = next(unit for unit, each in MILLIMETRES.items() if each == scale)
    logging.info("%s: lengths are taken as %s, %s: %s", source, unit, whence, meaning)
