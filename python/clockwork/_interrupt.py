"""Ctrl-C while a running event loop waits for us."""

from __future__ import annotations

import functools
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def heard_at_once() -> Iterator[None]:
    """Lets the first Ctrl-C raise `KeyboardInterrupt`, also inside `asyncio.run`.

    There the first one only asks the running task to end, which it cannot while it waits for us. Handlers that
    the program has set itself are left as they are.
    """
    handler = signal.getsignal(signal.SIGINT)
    runner = getattr(handler.func, "__self__", None) if isinstance(handler, functools.partial) else None
    of_asyncio = runner is not None and type(runner).__module__.startswith("asyncio.")
    if not of_asyncio or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
