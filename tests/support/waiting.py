"""Waiting for what is to come about, instead of for a time in which it should have."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found], within: float = 60) -> Found:
    """Waits until something holds, and gives what it gave then.

    Raises:
        AssertionError: It does not come to hold within some seconds, which are many: a busy machine is no failure.
    """
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it does not come about within {within} seconds"
        time.sleep(0.02)
    return found
