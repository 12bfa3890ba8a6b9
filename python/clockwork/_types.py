"""The types of the public functions' arguments. They exist at run time too, for `typing.get_type_hints`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from clockwork.resources import Group, Resource
from clockwork.results import Result

Source: TypeAlias = str | Path | Resource | Group | Sequence[Resource | Group]
Progress: TypeAlias = Callable[[dict[str, Any]], None]
Regenerate: TypeAlias = bool | str | Sequence[str]
Target: TypeAlias = str | Sequence[str] | None
Approve: TypeAlias = Callable[[Result], bool] | None
