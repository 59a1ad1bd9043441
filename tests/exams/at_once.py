"""The same thing from several threads in the same moment, each with a database connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

Result = TypeVar("Result")


def at_once(threads: int, act: Callable[[int], Result]) -> list[Result]:
    """Call `act(0)`, `act(1)`, … as simultaneously as threads can, and return the results; an exception is raised."""
    barrier = Barrier(threads, timeout=20)

    def run(number: int) -> Result:
        try:
            with connection.cursor():  # connected before the start, so that all of them are in the race
                barrier.wait()
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))
