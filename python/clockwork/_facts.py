"""Finds the module of pyinfra that defines a fact, without importing any of them: that takes half a second."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)


@cache
def _modules() -> dict[str, str]:
    """The modules below `pyinfra.facts` by the names of the classes that they define."""
    spec = find_spec("pyinfra")
    found: dict[str, str] = {}
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in sorted((Path(folder) / "facts").glob("*.py")):
            for name in _CLASS.findall(path.read_text(encoding="utf-8")):
                found.setdefault(name, path.stem)
    return found


def module_of(name: str) -> str | None:
    """The module of `pyinfra.facts` that defines a fact; None where there is none.

    Args:
        name: The name of the fact's class, such as `Directory`.
    """
    return _modules().get(name)
