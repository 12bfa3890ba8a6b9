"""The Rust core, as Python sees it. What users need of it has a typed front in the other modules."""

from collections.abc import Callable, Sequence
from typing import Any, Final, final

from typing_extensions import Self

from clockwork.results import Result

__all__ = [
    "DEFAULT_INVENTORY",
    "VERSION",
    "Resource",
    "Watcher",
    "_Cancel",
    "_Sigint",
    "_preload",
    "_resolve",
    "_run_script",
    "compile",
    "draw",
    "graph",
    "main",
    "run",
]

VERSION: Final[str]
DEFAULT_INVENTORY: Final[str]

class Resource:
    def to_pyinfra_operations(self, artifacts: dict[str, Any]) -> str: ...
    # Called with the artifacts or with nothing; an override may insist on them, as the documented one does.
    to_pyinfra_destroy_operations: Callable[..., str]

@final
class _Sigint:
    def take(self) -> bool: ...

@final
class Watcher:
    def __new__(
        cls, source: object, options: dict[str, Any], overrides: dict[str, Any], compiler: object | None
    ) -> Self: ...
    def round(self) -> dict[str, Any]: ...
    def wait(self) -> None: ...

# For tests of the deploy stage by itself.
@final
class _Cancel:
    def cancel(self) -> None: ...

def _preload() -> None: ...
def _run_script(
    inventory: str,
    folder: object,
    sections: Sequence[tuple[str, str, str]],
    *,
    prelude: str = "",
    file: str = "deploy.py",
    plan: bool = False,
    removes: bool = False,
    fail_fast: bool = False,
    needs: Sequence[Sequence[int]] | None = None,
    listener: Callable[[dict[str, Any]], None] | None = None,
    cancel: _Cancel | None = None,
    project: str | None = None,
    decisions: Sequence[tuple[str, int, bool, bool]] | None = None,
) -> dict[str, Any]: ...
def main(arguments: Sequence[str]) -> int: ...
def run(
    command: str,
    source: object,
    options: dict[str, Any],
    overrides: dict[str, Any],
    compiler: object | None,
    progress: Callable[[dict[str, Any]], None] | None,
    approve: Callable[[Result], bool] | None,
) -> Result: ...
def graph(source: object) -> tuple[list[Any], list[list[int]], list[str | None]]: ...
def draw(
    resources: Sequence[tuple[str, str]],
    needs: Sequence[Sequence[int]],
    groups: Sequence[str | None],
    format: str,
) -> str: ...
def _resolve(path: str, folder: object) -> str: ...
def compile(
    resources: object, artifacts: dict[str, Any], inventory: str, output_dir: str, with_deploy: bool
) -> None: ...
