"""Replaces standard streams without `isatty`, which pyinfra calls when it is imported."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class _NoTerminal:
    """A stream that is no terminal, and passes on all output, if there is a stream."""

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
    """Ensures that standard output and standard error have `isatty`.

    They lack it if they are closed, or if a program has replaced them by a simpler object.
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
