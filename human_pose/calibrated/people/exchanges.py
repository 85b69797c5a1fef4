"""Identities that a detector exchanged: where its track of one person shows another."""

from dataclasses import dataclass

import numpy as np

from human_pose.exchange.recording import Recording


@dataclass(frozen=True)
class Exchange:
    """Frames in which a detector's track showed another person than elsewhere.

    Attributes:
      view: the view's name.
      first: number of the first frame, as the recording has it.
      last: of the last one.
      persons: who the track shows mostly, and who it shows there.
    """

    view: str
    first: int
    last: int
    persons: tuple[int, int]


def find_exchanges(recording: Recording, persons: np.ndarray) -> tuple[Exchange, ...]:
    """Where the detector's tracks changed the person, each exchange of two once.

    Args:
      recording: with its tracks, or without any.
      persons: numbers, `[F, V, P]`, -1 for none.

    Returns:
      By views and frames.
    """
    if recording.tracks is None:
        return ()
    found: dict[tuple[str, int, int, frozenset[int]], Exchange] = {}
    for view, name in enumerate(recording.view_names):
        numbers, there = recording.tracks[:, view], persons[:, view]
        for take in np.unique(recording.sequence):
            of_take = (recording.sequence == take)[:, None]
            known = of_take & (numbers >= 0) & (there >= 0)
            for number in np.unique(numbers[known]):
                rows, places = np.nonzero(known & (numbers == number))
                for each in _of_track(recording, name, rows, there[rows, places]):
                    pair = frozenset(each.persons)
                    found.setdefault((name, each.first, each.last, pair), each)
    order = {name: view for view, name in enumerate(recording.view_names)}
    return tuple(sorted(found.values(), key=lambda e: (order[e.view], e.first, e.last)))


def _of_track(
    recording: Recording, view: str, rows: np.ndarray, who: np.ndarray
) -> list[Exchange]:
    main = int(np.bincount(who).argmax())
    starts = np.flatnonzero(np.diff(who, prepend=-1))
    ends = np.append(starts[1:], len(who)) - 1
    frames = recording.frames[rows]
    return [
        Exchange(view, int(frames[a]), int(frames[b]), (main, int(who[a])))
        for a, b in zip(starts, ends, strict=True)
        if who[a] != main
    ]
