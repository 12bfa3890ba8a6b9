"""Which lane the current thread is."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any, Protocol

from pyinfra.context import ctx_config, ctx_host

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyinfra.api.host import Host
    from pyinfra.api.inventory import Inventory
    from pyinfra.api.state import State


class Interrupted(BaseException):
    """Ends a lane after Ctrl-C. Not an `Exception`, so that pyinfra and user code let it through."""


class Belongings:
    """What a lane holds and has to give back: open connections, and caches that must die with it."""

    def __init__(self) -> None:
        """Starts with nothing."""
        self.clients: list[Any] = []
        self.caches: dict[str, dict[Any, Any]] = {}


class Lane(Protocol):
    """One host's part of a run, as the Rust driver tells it."""

    @property
    def cancelled(self) -> bool:
        """Whether the run has been interrupted."""

    @property
    def wants_diff(self) -> bool:
        """Whether diffs are to be computed now."""

    @property
    def file(self) -> str:
        """The full path of the script."""

    @property
    def belongings(self) -> Belongings:
        """What the lane holds."""

    def identify(
        self,
        name: str,
        lines: list[int],
        idempotent: bool,
        conditional: bool,
        absent: bool,
        replaces: bool,
        nested: bool,
    ) -> tuple[tuple[int, ...], str]:
        """Takes note of an operation, and gives it its order and its key."""

    def saw_fact(self, operation: str, empty: bool) -> None:
        """Takes note of what an operation found on the host."""

    def log(self, operation: str | None, level: int, message: str, text: str) -> None:
        """Takes note of what pyinfra tells."""


class _Here(threading.local):
    lane: Lane | None = None
    state: State | None = None
    inventory: Inventory | None = None
    host: Host | None = None


here = _Here()


def enter(lane: Lane, state: State | None, inventory: Inventory | None, host: Host | None) -> None:
    """Makes the current thread a lane, with pyinfra's context set for a host."""
    here.lane, here.state, here.inventory, here.host = lane, state, inventory, host
    if host is not None and state is not None:
        ctx_host.set(host)
        ctx_config.set(state.config.copy())


def leave() -> None:
    """Makes the current thread an ordinary one again."""
    if here.host is not None:
        ctx_host.reset()
        ctx_config.reset()
        _drop_hub()
    here.lane = here.state = here.inventory = here.host = None


def _drop_hub() -> None:
    """Frees the event loop that gevent makes for a thread in which anything of it was waited on."""
    from gevent._hub_local import get_hub_if_exists  # type: ignore[import-untyped]

    hub = get_hub_if_exists()
    if hub is not None:
        hub.destroy(destroy_loop=True)


def hooked(original: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function that lanes use, and that is the original one for all others."""

    def decorate(ours: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def dispatch(*args: Any, **kwargs: Any) -> Any:
            return original(*args, **kwargs) if here.lane is None else ours(*args, **kwargs)

        return dispatch

    return decorate
