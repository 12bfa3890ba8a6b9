"""Unified diffs of what a file holds and what it is to hold."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pyinfra import logger
from pyinfra.api.output import format_text

if TYPE_CHECKING:
    from pyinfra.api.host import Host

LARGEST = 4 << 20
"""A file of more bytes is not read for a diff."""
LINES = 20_000
"""Files of more lines than this are not compared line by line: it would take minutes."""


def unified(path: str, before: bytes | None, after: bytes, size: int | None) -> str:
    """Compares two contents.

    Args:
        path: What stands in the head.
        before: What is there; None if nothing is, or it is too large to read.
        after: What is to be there.
        size: How many bytes are there; None if no file is.

    Returns:
        A unified diff, ending in a newline. Of what is no text only the sizes are told.
    """
    head = f"--- {'/dev/null' if size is None else _name(path)}\n+++ {_name(path)}\n"
    old, new = _lines(b"" if size is None else before), _lines(after)
    if old is None or new is None:
        was = _size(old, before, size)
        return f"{head}@@ -1 +1 @@\n{'' if size is None else f'-{was}'}+{_size(new, after, len(after))}"
    if old and len(old) + len(new) > LINES:
        return (
            f"{head}@@ -1,{len(old)} +1,{len(new)} @@\n"
            f"-({len(old)} lines, too many to compare)\n+({len(new)} lines)\n"
        )
    text = [head]
    for line in list(difflib.unified_diff(old, new))[2:]:
        text.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(text)


def log_diff(host: Host, diff: str) -> None:
    """Shows a diff as pyinfra's own operations do."""
    for line in diff.splitlines():
        color = {"+": "green", "-": "red"}.get(line[:1])
        host.log(f"  {format_text(line, color)}", logger.info)


def _lines(data: bytes | None) -> list[str] | None:
    if data is None or len(data) > LARGEST or b"\0" in data:
        return None
    try:
        # Only a newline ends a line: a form feed or a lone carriage return belongs to one.
        return [f"{line}\n" for line in data.decode().split("\n")][:-1] + _rest(data)
    except UnicodeDecodeError:
        return None


def _rest(data: bytes) -> list[str]:
    rest = data.rpartition(b"\n")[2].decode()
    return [rest] if rest else []


def _size(lines: list[str] | None, data: bytes | None, size: int | None) -> str:
    if lines is not None:
        return f"({len(lines)} line{'s' if len(lines) != 1 else ''})\n"
    return f"({'large' if data is None else 'binary'}, {size} bytes)\n"


def _name(path: str) -> str:
    return path.replace("\n", "\\n")
