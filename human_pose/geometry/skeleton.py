"""A skeleton as a value: names, a tree, sides; and poses carried from one to another.

Names are one vocabulary for all skeletons: COCO's where COCO has the joint
(`left_ankle`), and beside them `pelvis spine thorax neck head_top`. What a file or a
detector says instead (`hip`, `LeftFoot`) is an alias of that skeleton's own: one file's
`Neck` is another's thorax.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

_LEFT: Final = "left_"
_RIGHT: Final = "right_"


@dataclass(frozen=True)
class Skeleton:
    """The joints of a pose, in the order of its `[..., J, C]` arrays.

    Attributes:
      names: of the J joints.
      parents: of each joint the number of its parent; -1 for the one root.
      pairs: the names of each left joint and its right counterpart.
      limbs: numbers of the joints that a line joins; empty: parent and child, in the
        order of the children.
      undetected: joints that no detector of this skeleton finds; a drawing may join
        what is before and behind them.
      aliases: other words for joints, each with the name it means.

    Raises:
      ValueError: if these are not one tree of joints with unique names, sides that are
        told apart, and words that each mean one joint of it.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    limbs: tuple[tuple[int, int], ...] = ()
    undetected: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Skeleton":
        """The skeleton of its fields as JSON keeps them, tuples as lists.

        Raises:
          TypeError: for names that are no fields.
          ValueError: see above.
        """
        return cls(**{name: _as_tuples(value) for name, value in fields.items()})

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("`names` must be those of one joint or more")
        self._check_words()
        self._check_tree()
        _check_unique("pairs", [name for pair in self.pairs for name in pair])
        if not self.limbs:
            grown = ((a, b) for b, a in enumerate(self.parents) if a >= 0)
            object.__setattr__(self, "limbs", tuple(grown))
        for a, b in self.limbs:
            if a == b or not {a, b} <= set(range(len(self))):
                raise ValueError(
                    f"`limbs` must join two of the {len(self)} joints. "
                    f"Received: {(a, b)}"
                )

    @classmethod
    def grown(
        cls,
        parents: Mapping[str, str | None],
        *,
        undetected: Sequence[str] = (),
        aliases: Mapping[str, str] | None = None,
        pairs: Sequence[tuple[str, str]] | None = None,
    ) -> "Skeleton":
        """A skeleton from the name of each joint's parent, None for the root.

        Args:
          parents: the joints, in order, each with its parent.
          undetected: see `Skeleton`.
          aliases: other words for joints, each with the name it means.
          pairs: left joints with right ones; default: those of names that differ in
            `left_` and `right_` alone.

        Raises:
          ValueError: as `Skeleton`, or if a parent is no joint.
        """
        names = tuple(parents)
        for name, parent in parents.items():
            if parent is not None and parent not in parents:
                raise ValueError(
                    f"`parents` must be joints; {name!r} has the parent {parent!r}"
                )
        return cls(
            names,
            tuple(-1 if p is None else names.index(p) for p in parents.values()),
            pairs=tuple(pairs) if pairs is not None else named_pairs(names),
            undetected=tuple(undetected),
            aliases=tuple((aliases or {}).items()),
        )

    def __len__(self) -> int:
        return len(self.names)

    def index(self, word: str) -> int:
        """The number of a joint, by its name or an alias.

        Raises:
          ValueError: if the skeleton has no such joint.
        """
        name = dict(self.aliases).get(word, word)
        if name not in self.names:
            raise ValueError(
                f"the skeleton has no joint {word!r}; it has {', '.join(self.names)}"
            )
        return self.names.index(name)

    @property
    def root(self) -> int:
        """The joint that has no parent."""
        return self.parents.index(-1)

    @property
    def left(self) -> tuple[int, ...]:
        """The joints of the left side, in order."""
        return tuple(sorted(self.names.index(left) for left, _ in self.pairs))

    @property
    def right(self) -> tuple[int, ...]:
        """The joints of the right side, in order."""
        return tuple(sorted(self.names.index(right) for _, right in self.pairs))

    @property
    def detected(self) -> tuple[int, ...]:
        """The joints that a detector may find, in order."""
        return tuple(j for j, n in enumerate(self.names) if n not in self.undetected)

    @property
    def flip_order(self) -> tuple[int, ...]:
        """`joints[..., flip_order, :]` is the mirror image's joints."""
        order = list(range(len(self)))
        for pair in self.pairs:
            left, right = map(self.names.index, pair)
            order[left], order[right] = right, left
        return tuple(order)

    def visible_limbs(self, visible: Sequence[bool]) -> tuple[tuple[int, int], ...]:
        """The limbs between visible joints, then those over undetected ones.

        Where the parent of a visible joint is `undetected` and not visible, as the neck
        of a head may be, a line goes to the next visible joint on the way to the root.

        Args:
          visible: of each joint, whether it is drawn.
        """
        limbs = [(a, b) for a, b in self.limbs if visible[a] and visible[b]]
        hidden = {self.names.index(n) for n in self.undetected}
        hidden = {joint for joint in hidden if not visible[joint]}
        for joint, parent in enumerate(self.parents):
            if not visible[joint] or parent not in hidden:
                continue
            while parent in hidden:
                parent = self.parents[parent]
            if parent >= 0 and visible[parent]:
                limbs.append((parent, joint))
        return tuple(limbs)

    def _check_words(self) -> None:
        _check_unique("names", self.names)
        for name in self.names:
            # Tables and hierarchies of text would break at a tab or the end of a line.
            if not name.isprintable():
                raise ValueError(f"`names` must be printable. Received: {name!r}")
        _check_unique("aliases", [*self.names, *(alias for alias, _ in self.aliases)])
        meant = {
            "pairs": [name for pair in self.pairs for name in pair],
            "undetected": self.undetected,
            "aliases": [name for _, name in self.aliases],
        }
        for field, words in meant.items():
            for word in words:
                if word not in self.names:
                    raise ValueError(
                        f"`{field}` must be of the skeleton's joints. "
                        f"Received: {word!r}"
                    )

    def _check_tree(self) -> None:
        if len(self.parents) != len(self):
            raise ValueError(
                f"`parents` must be one for each of the {len(self)} joints. "
                f"Received: {len(self.parents)}"
            )
        if self.parents.count(-1) != 1:
            raise ValueError(
                "`parents` must have -1 for one joint, the root. "
                f"Received: {self.parents.count(-1)} of them"
            )
        for joint, parent in enumerate(self.parents):
            if not -1 <= parent < len(self):
                raise ValueError(
                    f"`parents` must be -1 or joints. Received: {parent} for "
                    f"{self.names[joint]!r}"
                )
            for _ in self.names:  # more steps than joints can only be a circle's
                parent = self.parents[parent] if parent >= 0 else -1
            if parent >= 0:
                raise ValueError(
                    "`parents` must lead to the root. "
                    f"Received: a circle above {self.names[joint]!r}"
                )


def named_pairs(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Left and right joints whose names differ in `left_` and `right_` alone."""
    sides = ((n, _RIGHT + n.removeprefix(_LEFT)) for n in names if n.startswith(_LEFT))
    return tuple((left, right) for left, right in sides if right in names)


def convert(
    joints: Any, source: Skeleton, target: Skeleton, fill: Any = np.nan
) -> np.ndarray:
    """The joints of one skeleton in the order of another, by name or alias.

    Args:
      joints: array `[..., J, C]`, the joints of `source`.
      source: the skeleton they have.
      target: the skeleton they shall have.
      fill: the value of joints that `source` does not have.

    Returns:
      `[..., K, C]`, the joints of `target`, of the dtype of `joints`; whole numbers
      become float64 where a joint is missing, because they have no NaN.

    Raises:
      ValueError: if `joints` are not of `source`, or no joint of them is in `target`.
    """
    joints = np.asarray(joints)
    if joints.ndim < 2 or joints.shape[-2] != len(source):
        raise ValueError(
            f"`joints` must have shape [..., {len(source)}, C]. "
            f"Received: {joints.shape}"
        )
    places = [_place(name, target, source) for name in target.names]
    common = [joint for joint, place in enumerate(places) if place is not None]
    if not common:
        raise ValueError("`source` and `target` must have a joint in common")
    taken = joints[..., [place for place in places if place is not None], :]
    if len(common) == len(target):
        return taken
    dtype = np.float64 if joints.dtype.kind in "biu" else joints.dtype
    shape = (*joints.shape[:-2], len(target), joints.shape[-1])
    result = np.full(shape, fill, dtype)
    result[..., common, :] = taken
    return result


def places_of(source: Skeleton, target: Skeleton) -> np.ndarray:
    """Where each joint of `target` stands in `source`, int32; -1 for none.

    Raises:
      ValueError: if they have no joint in common.
    """
    numbers = np.arange(len(source), dtype=np.float64)[:, None]
    return convert(numbers, source, target, -1.0)[:, 0].astype(np.int32)


def _place(name: str, target: Skeleton, source: Skeleton) -> int | None:
    """Where the joint `name` of `target` stands in `source`.

    The name counts in the source's own words, or a word of the target's for it as one
    of the source's names. Two words that are both aliases say nothing: `Neck` may be
    thorax there and neck here.
    """
    if name in source.names or name in dict(source.aliases):
        return source.index(name)
    for alias, meant in target.aliases:
        if meant == name and alias in source.names:
            return source.names.index(alias)
    return None


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list | tuple) else value


def _check_unique(field: str, words: Sequence[str]) -> None:
    for place, word in enumerate(words):
        if word in words[:place]:
            raise ValueError(
                f"`{field}` must each mean one joint. Received twice: {word!r}"
            )
