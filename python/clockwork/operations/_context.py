"""The context of operations, and the intents that they announce."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pyinfra.api.command import PyinfraCommand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

IntentAction = Literal["create", "change", "remove"]


@dataclass(frozen=True)
class Context:
    """The context in which a session runs operations. It is empty under plain pyinfra.

    Attributes:
        project: The lineage of the project's state, which is put on what can carry a label. None labels nothing.
        folder: The name of the project's folder, for people who read that label.
        keep_copy: Whether a copy of what is overwritten or removed is kept on the host.
        take_over: Whether what is not the project's own may be overwritten, replaced or removed.
        backup_folder: Where copies are kept on this machine. None is `~/.clockwork/backup`, as it is elsewhere.
        wants_diff: Whether intents are to have a diff. It costs a question to a host that is reached by a shell.
        aside: The part of a removal that is done, where a thing makes room for others: `set_aside`, `clear` (of what
            has taken its place), `put_back` or `drop`. None removes it.
        puts_back: Whether the session puts back what it has set aside, if an operation fails.
        room_for: The identity of the thing that it makes room for.
        secrets: The values of secrets that compiled code names.
    """

    project: str | None = None
    folder: str | None = None
    keep_copy: bool = False
    take_over: bool = True
    backup_folder: str | None = None
    wants_diff: bool = True
    aside: Literal["set_aside", "clear", "put_back", "drop"] | None = None
    puts_back: bool = False
    room_for: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


_context: ContextVar[Context | None] = ContextVar("clockwork_context", default=None)
_listener: ContextVar[Callable[[Intent], None] | None] = ContextVar("clockwork_listener", default=None)


class Intent(PyinfraCommand):
    """The announcement of what an operation is about to do. As a command it does nothing, also under plain pyinfra.

    An operation yields one before its first command, and none where it has nothing to do. An intent announces itself
    to the session when it is made, because pyinfra shows nobody the commands of a plan.

    ```python
    @operation()
    def motd(text: str):
        found = host.get_fact(Motd)
        if found != text:
            yield Intent("create" if found is None else "change", changes=[("text", found, text)])
            yield StringCommand(…)
    ```

    Args:
        action: `create`, `change` or `remove`.
        changes: What differs: the name of a field, its value on the host, and the wanted one, as JSON values. None
            stands for what is not there. Secrets do not belong here.
        replaces: The identity of what is taken away to be made anew, such as `container:web`.
        overwrites: The identity of what is there and loses what is in it, such as `path:/etc/motd`.
        found: What tells whether what is there is the project's own: `sha256` (of a file's content), `mode`, `owner`,
            `group`, `project` (the value of its label `clockwork.project`, None where it has none).
        reason: Why, where the changes do not tell it.
        diff: A unified diff of a text, ending in a newline.
    """

    def __init__(
        self,
        action: IntentAction,
        changes: Sequence[tuple[str, Any, Any]] = (),
        *,
        replaces: str | None = None,
        overwrites: str | None = None,
        found: Mapping[str, Any] | None = None,
        reason: str | None = None,
        diff: str | None = None,
    ) -> None:
        """Stores the values, and sends the intent to the session."""
        super().__init__()
        self.action = action
        self.changes = tuple(changes)
        self.replaces = replaces
        self.overwrites = overwrites
        self.found = dict(found or {})
        self.reason = reason
        self.diff = diff
        listener = _listener.get()
        if listener is not None:
            listener(self)

    def __repr__(self) -> str:
        """The action, and the names of the fields that change."""
        return f"Intent({self.action!r}, {[field for field, _, _ in self.changes]})"

    def execute(self, state: Any, host: Any, connector_arguments: Any) -> bool:
        """Does nothing."""
        return True


def context() -> Context:
    """Returns the context of the operation that runs.

    Under plain pyinfra it is empty, and asks for no diff.
    """
    return _context.get() or Context(wants_diff=False)


@contextmanager
def session(context: Context, listener: Callable[[Intent], None]) -> Iterator[None]:
    """Runs operations in a context, and receives their intents. It applies to this thread only.

    Args:
        context: What operations are told.
        listener: Called with each intent when it is made.
    """
    before = _context.set(context), _listener.set(listener)
    try:
        yield
    finally:
        _context.reset(before[0])
        _listener.reset(before[1])
