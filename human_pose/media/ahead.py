"""Work done a little ahead by threads, in order, such as decoding of files."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    waiting: int,
) -> Iterator[Result]:
    """As `map(function, items)`, some calls ahead of what is asked for.

    Args:
      function: called in threads; what it raises is raised in its place of the order.
      items: taken in the caller's thread, at most `waiting` before they are due.
      workers: threads.
      waiting: results and calls at once, which bounds the memory.
    """
    with ThreadPoolExecutor(workers) as pool:
        calls: deque[Future[Result]] = deque()
        try:
            for item in items:
                calls.append(pool.submit(function, item))
                if len(calls) >= waiting:
                    yield calls.popleft().result()
            while calls:
                yield calls.popleft().result()
        finally:
            for call in calls:
                call.cancel()
