"""Damaged copies of a file, by fixed seeds."""

import numpy as np


def mutants(content, count, seed=0):
    """Yields `count` damaged copies of `content`, bytes.

    Flipped bits, a file cut short, a block of zeros, two blocks exchanged, a block
    twice, and a number replaced by an extreme one, in turn.
    """
    random = np.random.default_rng(seed)
    kinds = (_flipped, _cut, _zeroed, _swapped, _doubled, _extreme)
    for number in range(count):
        yield kinds[number % len(kinds)](bytearray(content), random)


def _block(content, random):
    size = int(random.integers(1, max(2, len(content) // 4)))
    first = int(random.integers(0, max(1, len(content) - size)))
    return slice(first, first + size)


def _flipped(content, random):
    for place in random.integers(0, 8 * len(content), random.integers(1, 9)):
        content[place // 8] ^= 1 << int(place % 8)
    return bytes(content)


def _cut(content, random):
    return bytes(content[: random.integers(0, len(content))])


def _zeroed(content, random):
    block = _block(content, random)
    content[block] = bytes(len(content[block]))
    return bytes(content)


def _swapped(content, random):
    one = _block(content, random)
    size = one.stop - one.start
    other = int(random.integers(0, max(1, len(content) - size)))
    first, second = content[one], content[other : other + size]
    content[one.start : one.start + len(second)] = second
    content[other : other + len(first)] = first
    return bytes(content)


def _doubled(content, random):
    block = _block(content, random)
    return bytes(content[: block.stop] + content[block.start :])


def _extreme(content, random):
    width = int(random.choice([1, 2, 4, 8]))
    place = int(random.integers(0, max(1, len(content) - width)))
    value = random.choice([b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x80" + bytes(7)])
    content[place : place + width] = value[:width]
    return bytes(content)
