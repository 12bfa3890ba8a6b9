"""Standard streams that can be asked whether they are terminals, as pyinfra does when it is imported."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class _NoTerminal:
    """A stream that says that it is no terminal, and passes on all else; to nobody, where there is no stream."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        return len(text) if self._stream is None else self._stream.write(text) or 0

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def that_answer() -> Iterator[None]:
    """Makes sure that standard output and standard error can be asked whether they are terminals.

    They cannot where they are closed, or where a program has put something simpler in their place.
    """
    replaced = {}
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            stream.isatty()
        except Exception:
            replaced[name] = (_NoTerminal(stream), stream)
            setattr(sys, name, replaced[name][0])
    try:
        yield
    finally:
        for name, (own, stream) in replaced.items():
            if getattr(sys, name) is own:
                setattr(sys, name, stream)
