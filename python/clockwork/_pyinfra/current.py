"""The work of the current thread: which host of which run it is for."""

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

    from clockwork.operations import Intent


class Interrupted(BaseException):
    """Ends a thread after Ctrl-C. Not an `Exception`, so that pyinfra and user code let it through."""


class HostResources:
    """The connections to a host, and the caches that end with them.

    Attributes:
        clients: The SSH clients that were opened.
        caches: By name, what replaces a cache of pyinfra's for this host.
    """

    def __init__(self) -> None:
        """Starts with nothing."""
        self.clients: list[Any] = []
        self.caches: dict[str, dict[Any, Any]] = {}

    def begin_script(self) -> None:
        """Clears the cache of local files, which may differ between scripts."""
        for name in ("shas", "templates"):
            self.caches.pop(name, None)


class HostRun(Protocol):
    """One host's part of a run, kept by the Rust driver."""

    @property
    def cancelled(self) -> bool:
        """True if the run has been interrupted."""

    @property
    def file(self) -> str:
        """The full path of the script."""

    @property
    def resources(self) -> HostResources:
        """The connections and caches of the host in the session."""

    def identify(
        self,
        section: int,
        name: str,
        lines: list[int],
        idempotent: bool,
        conditional: bool,
        nested: bool,
    ) -> tuple[tuple[int, ...], str]:
        """Records an operation of a section, and gives it its order and its key."""

    def record_intent(self, operation: str, intent: Intent) -> None:
        """Records an intent of an operation."""

    def record_retry(self, operation: str) -> None:
        """Records that an operation is tried again."""

    def record_message(
        self, section: int | None, operation: str | None, level: int, message: str, text: str
    ) -> None:
        """Records a message that pyinfra logged."""


class _Here(threading.local):
    """The current thread's work.

    Attributes:
        run: The part of the run; None in threads that are not a run's.
        state: pyinfra's state.
        inventory: pyinfra's inventory.
        host: pyinfra's host.
        section: The section whose code or whose operation runs.
        operation: The key of the operation that is executed, or is asked for its whole diff.
        wants_diff: True if diffs are computed now.
    """

    run: HostRun | None = None
    state: State | None = None
    inventory: Inventory | None = None
    host: Host | None = None
    section: int | None = None
    operation: str | None = None
    wants_diff: bool = True


here = _Here()


def attach(run: HostRun, state: State | None, inventory: Inventory | None, host: Host | None) -> None:
    """Makes the current thread work for a host, with pyinfra's context set for it."""
    here.run, here.state, here.inventory, here.host = run, state, inventory, host
    here.section, here.operation, here.wants_diff = None, None, True
    if host is not None and state is not None:
        ctx_host.set(host)
        ctx_config.set(state.config.copy())


def detach() -> None:
    """Makes the current thread an ordinary one again."""
    if here.host is not None:
        ctx_host.reset()
        ctx_config.reset()
        destroy_hub()
    here.run = here.state = here.inventory = here.host = None
    here.section = here.operation = None


def destroy_hub() -> None:
    """Frees the event loop that gevent makes for a thread in which anything of it was waited on."""
    from gevent._hub_local import get_hub_if_exists  # type: ignore[import-untyped]

    hub = get_hub_if_exists()
    if hub is not None:
        hub.destroy(destroy_loop=True)


def operation_of(host: Host | None) -> str | None:
    """The key of the operation that something happens in; of the outer one, where operations are nested."""
    return here.operation or (None if host is None else host.current_op_hash)


def hooked(original: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function that a run's threads use, and that is the original one for all others."""

    def decorate(ours: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def dispatch(*args: Any, **kwargs: Any) -> Any:
            return original(*args, **kwargs) if here.run is None else ours(*args, **kwargs)

        return dispatch

    return decorate
