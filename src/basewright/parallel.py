"""Runs a function over many things in a few threads: for downloads and decompression, which wait or release the GIL."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TypeVar

Thing = TypeVar("Thing")
Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


def map_parallel(function: Callable[[Thing], Result], things: Sequence[Thing], *, workers: int) -> list[Result]:
    """Results in the order of `things`. The first error stops what has not begun and is raised.

    The threads are daemons: Ctrl-C ends the program without waiting for a download that stalls.
    """
    results: dict[int, Result] = {}
    todo = iter(range(len(things)))
    lock, stop = threading.Lock(), threading.Event()
    done: SimpleQueue[BaseException | None] = SimpleQueue()

    def work() -> None:
        try:
            while not stop.is_set():
                with lock:
                    index = next(todo, None)
                if index is None:
                    break
                results[index] = function(things[index])
        except BaseException as error:
            stop.set()
            done.put(error)
        else:
            done.put(None)

    count = min(workers, len(things))
    for _ in range(count):
        threading.Thread(target=work, daemon=True).start()
    try:
        errors = [error for error in (done.get() for _ in range(count)) if error is not None]
    finally:
        stop.set()
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(things))]


@contextmanager
def beside(works: Sequence[Callable[[], None]]) -> Iterator[None]:
    """Does `works` while the block runs, each in a thread of its own, and waits for them where it ends well. The first
    error of theirs is raised there; where the block itself fails, nobody waits."""
    done: SimpleQueue[BaseException | None] = SimpleQueue()

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            done.put(error)
        else:
            done.put(None)

    for work in works:
        threading.Thread(target=run, args=(work,), daemon=True).start()
    yield
    errors = [error for error in (done.get() for _ in works) if error is not None]
    if errors:
        raise errors[0]


def map_within(function: Callable[[Key], Result], things: Sequence[Key], *, seconds: float) -> dict[Key, Result]:
    """Thing → result, for those that came within `seconds` in all; each in a thread of its own. An error is raised.

    What is late goes on in a daemon thread, and nobody hears of it.
    """
    came: SimpleQueue[tuple[Key, Result | BaseException]] = SimpleQueue()
    until = time.monotonic() + seconds

    def work(thing: Key) -> None:
        try:
            came.put((thing, function(thing)))
        except BaseException as error:
            came.put((thing, error))

    for thing in things:
        threading.Thread(target=work, args=(thing,), daemon=True).start()
    results: dict[Key, Result] = {}
    while len(results) < len(things):
        try:
            thing, result = came.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            break
        if isinstance(result, BaseException):
            raise result
        results[thing] = result
    return results
