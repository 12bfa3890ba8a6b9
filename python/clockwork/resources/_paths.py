"""The types of fields that are paths and permissions."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

__all__ = ["HostPath", "Mode", "check_path"]


def check_path(path: str) -> str:
    """Returns the path, or raises `ValueError` if it is invalid."""
    if "\0" in path:
        raise ValueError("a path cannot hold a NUL character")
    if not path:
        raise ValueError("it is empty; leave it out instead")
    return path


def _check_mode(mode: object) -> str:
    if isinstance(mode, int):
        # The numbers 0o644 and 644 are used for the same mode, and cannot be distinguished reliably.
        raise ValueError("permissions are a text, such as mode='644'")
    if not isinstance(mode, str) or not re.fullmatch(r"[0-7]{3,4}", mode):
        raise ValueError("permissions are three or four octal digits, such as '644' or '0755'")
    return mode[1:] if len(mode) == 4 and mode[0] == "0" else mode


HostPath = Annotated[str, AfterValidator(check_path)]
"""A path on a host: not empty, and without NUL."""

Mode = Annotated[str, BeforeValidator(_check_mode)]
"""Permissions as three or four octal digits; `0755` becomes `755`."""
