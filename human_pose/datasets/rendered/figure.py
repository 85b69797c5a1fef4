"""A person's flesh and clothes as round cones around 32 joints.

Sizes are millimetres of a body of ordinary girth, by eye; they are scaled by the girth.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from human_pose.datasets.rendered.joints import index, unit

# Girth of each subject, with which its body differs from the others beside its lengths.
GIRTHS: Final = {1: 0.88, 5: 0.92, 6: 1.02, 7: 1.00, 8: 1.12, 9: 1.07, 11: 0.96}


class Material(IntEnum):
    """What covers a part; a wardrobe gives each a colour."""

    SKIN = 0
    HEAD = 1
    SHIRT = 2
    SLEEVE = 3
    TROUSERS = 4
    LEG = 5
    SHOES = 6
    FURNITURE = 7
    FOREARM = 8
    NOSE = 9


@dataclass(frozen=True)
class Figure:
    """P round cones in the world, mm, and where the body faces.

    Attributes:
      start, end: `[P, 3]`, centres of the first and last ball.
      radius: `[P, 2]`, of these.
      material: `[P]` of `Material`.
      chest, head: `[3, 3]`, rows: the right, forward and up directions of each.
    """

    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray
    material: np.ndarray
    chest: np.ndarray
    head: np.ndarray


class _Builder:
    def __init__(self, girth: float) -> None:
        self._girth = girth
        self._parts: list[tuple[np.ndarray, np.ndarray, float, float, int]] = []

    def add(
        self,
        start: np.ndarray,
        end: np.ndarray,
        radii: tuple[float, float],
        material: Material,
        girth: float | None = None,
    ) -> None:
        scale = self._girth if girth is None else girth
        self._parts.append(
            (start, end, radii[0] * scale, radii[1] * scale, int(material))
        )

    def figure(self, chest: np.ndarray, head: np.ndarray) -> Figure:
        start, end, first, last, material = zip(*self._parts, strict=True)
        return Figure(
            np.array(start),
            np.array(end),
            np.stack([first, last], axis=-1),
            np.array(material),
            chest,
            head,
        )


def build(joints_mm: np.ndarray, girth: float, *, seated: bool = False) -> Figure:
    """A person.

    Args:
      joints_mm: `[32, 3]`, world mm (see `joints.to_32_joints`).
      girth: thickness; about 1.
      seated: adds a stool under the hip.
    """
    at = {name: joints_mm[index(name)] for name in _NEEDED}
    builder = _Builder(girth)
    chest = _frame(at["RightArm"] - at["LeftArm"], at["Neck"] - at["Spine1"])
    head = _frame(
        np.cross(at["Head"] - at["Neck"], at["Site_2"] - at["Head"]),
        at["Site_2"] - at["Neck"],
    )
    _add_trunk(builder, at, chest)
    _add_head(builder, at, head)
    for side in ("Right", "Left"):
        _add_arm(builder, at, side)
        _add_leg(builder, at, side)
    if seated:
        _add_stool(builder, at["Hips"])
    return builder.figure(chest, head)


_NEEDED: Final = (
    *("Hips", "Spine1", "Neck", "Head", "Site_2", "Site", "Site_1"),
    *(
        f"{side}{name}"
        for side in ("Right", "Left")
        for name in ("UpLeg", "Leg", "Foot", "ToeBase", "Arm", "ForeArm", "Hand")
    ),
    *("R_Wrist_End", "L_Wrist_End"),
)


def _frame(right: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Rows right, forward, up from a rough direction to the right and an exact up."""
    up = unit(up)
    forward = unit(np.cross(up, right))
    return np.stack([np.cross(forward, up), forward, up])


def _add_trunk(builder: _Builder, at: dict[str, np.ndarray], chest: np.ndarray) -> None:
    right, forward, up = chest
    hips = [at[f"{side}UpLeg"] for side in ("Right", "Left")]
    builder.add(hips[0], hips[1], (98, 98), Material.TROUSERS)
    builder.add(at["Hips"], at["Spine1"], (118, 112), Material.SHIRT)
    ribs = at["Spine1"] + 0.55 * (at["Neck"] - at["Spine1"]) + 8 * forward
    for side, sign in (("Right", 1), ("Left", -1)):
        # From the waist up to the breast, and the breast up to the shoulder.
        breast = ribs + sign * 62 * right
        builder.add(at["Spine1"] + sign * 45 * right, breast, (92, 100), Material.SHIRT)
        armpit = at[f"{side}Arm"] - sign * 55 * right - 25 * up
        builder.add(breast, armpit, (100, 66), Material.SHIRT)
        builder.add(at["Neck"] - 15 * up, at[f"{side}Arm"], (62, 54), Material.SHIRT)


def _add_head(builder: _Builder, at: dict[str, np.ndarray], head: np.ndarray) -> None:
    _, forward, up = head
    jaw, skull = at["Head"] - 42 * forward, at["Site_2"] - 84 * up
    builder.add(at["Neck"] - 10 * up, jaw, (58, 52), Material.SKIN)
    # Heads differ less than bodies.
    builder.add(jaw, skull, (64, 85), Material.HEAD, girth=1.0)
    nose = at["Head"] + 14 * forward
    builder.add(nose + 14 * up, nose, (12, 17), Material.NOSE, girth=1.0)


def _add_arm(builder: _Builder, at: dict[str, np.ndarray], side: str) -> None:
    shoulder, elbow, wrist = (at[f"{side}{n}"] for n in ("Arm", "ForeArm", "Hand"))
    end = at[f"{side[0]}_Wrist_End"]
    builder.add(shoulder, elbow, (56, 43), Material.SLEEVE)
    builder.add(elbow, wrist, (41, 29), Material.FOREARM)
    builder.add(wrist, 0.4 * wrist + 0.6 * end, (31, 40), Material.SKIN, girth=1.0)
    builder.add(0.4 * wrist + 0.6 * end, end, (38, 22), Material.SKIN, girth=1.0)


def _add_leg(builder: _Builder, at: dict[str, np.ndarray], side: str) -> None:
    hip, knee, ankle, ball = (
        at[f"{side}{n}"] for n in ("UpLeg", "Leg", "Foot", "ToeBase")
    )
    toes = at["Site" if side == "Right" else "Site_1"]
    calf = knee + 0.3 * (ankle - knee)
    builder.add(hip, knee, (96, 60), Material.TROUSERS)
    builder.add(knee, calf, (58, 60), Material.LEG)
    builder.add(calf, ankle, (60, 42), Material.LEG)
    heel = ankle + unit(ankle - knee) * 25
    builder.add(heel, ball, (44, 40), Material.SHOES, girth=1.0)
    builder.add(ball, toes, (42, 34), Material.SHOES, girth=1.0)


def _add_stool(builder: _Builder, hip: np.ndarray) -> None:
    top = np.array([hip[0], hip[1], max(hip[2] - 140, 60)])
    for shift in (-130.0, -45.0, 45.0, 130.0):
        row = top + np.array([shift, 0.0, 0.0])
        ends = np.array([0.0, 150.0, 0.0])
        builder.add(row - ends, row + ends, (28, 28), Material.FURNITURE, girth=1.0)
    for x in (-130.0, 130.0):
        for y in (-130.0, 130.0):
            leg = top + np.array([x, y, 0.0])
            foot = np.array([leg[0], leg[1], 20.0])
            builder.add(leg, foot, (18, 18), Material.FURNITURE, girth=1.0)
