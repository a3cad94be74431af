"""Waiting for a condition, with a deadline, instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Far beyond what anything takes on a busy machine; reaching it is a failure.
PATIENCE_SECONDS = 20.0


def eventually(
    condition: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS
) -> T:
    """Polls `condition` until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.01)
