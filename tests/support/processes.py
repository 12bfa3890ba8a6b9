"""Tests if processes have ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Collection


def gone(pid: int, within: float = 10) -> bool:
    """Tells if a process has ended, or does so within some seconds: a killed process needs a moment."""
    return all_gone([pid], within)


def all_gone(pids: Collection[int], within: float = 10) -> bool:
    """Tells if all processes have ended, or do so within some seconds.

    Zombies count as ended: if process 1 is no init, nobody reaps orphans.
    """
    deadline = time.monotonic() + within
    while any(map(_runs, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def running(command: str) -> list[int]:
    """The processes that run exactly this command, such as a ``sleep 60.123`` that is nobody else's."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] == command.split() and _runs(process.pid)
    ]


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
