"""The typed results of commands: per artifact, per resource and host, and in total."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Action",
    "ArtifactResult",
    "CheckResult",
    "Failure",
    "FieldChange",
    "HostError",
    "OperationResult",
    "ResourceResult",
    "Result",
]

Action = Literal["create", "change", "remove", "drifted", "unchanged", "conditional", "skipped"]
"""The action on a resource on a host; in a plan, the planned action.

A resource is `drifted` if its definition is the one that was deployed, and somebody else has changed or removed it on
the host since; an apply repairs it.

The effect of an operation such as `server.shell` is unknown: it is `conditional`, also after it has run.
"""


@dataclass(frozen=True)
class ArtifactResult:
    """The result of one artifact.

    Attributes:
        kind: The class of the resource that it is for.
        name: The name of that resource.
        content: The text, or the fields, that the model wrote; `None` where it failed.
        pinned: True if it came from the lock, without a request.
        model: The model that wrote it.
        provider: The provider that ran the model, if the server reports it.
        edited: True if the user has edited it in the lock.
        stale: True if the lock has an answer to an older form of the question.
        unverified: True if it names an image that is not a Docker official image.
        repairs: The number of times that it went back to the model.
        backup: The path of the backup of the user's edit that it replaced.
        tokens_in: The tokens of the prompt, if the server reports them.
        tokens_out: The tokens of the answer, if the server reports them.
        cost: The cost in US dollars, if the server reports it.
        seconds: The duration of the request, with retries.
        error: The reason why it could not be generated.
        diff: A unified diff against what was pinned before.
        request: The request that would be sent to the model, in a dry run.
    """

    kind: str
    name: str
    content: str | dict[str, Any] | None = None
    pinned: bool = False
    model: str | None = None
    provider: str | None = None
    edited: bool = False
    stale: bool = False
    unverified: bool = False
    repairs: int = 0
    backup: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    seconds: float = 0.0
    error: str | None = None
    diff: str | None = None
    request: dict[str, Any] | None = None


@dataclass(frozen=True)
class OperationResult:
    """The result of one pyinfra operation on one host.

    Attributes:
        name: The operation's name.
        action: Its action.
        changed: True if it changed something; in a plan, if it would.
        error: The reason why it failed.
        seconds: The duration.
        diff: A unified diff, if the operation gives one.
        replaces: True if it removes the existing thing to create it again.
    """

    name: str
    action: Action
    changed: bool = False
    error: str | None = None
    seconds: float = 0.0
    diff: str | None = None
    replaces: bool = False


@dataclass(frozen=True)
class FieldChange:
    """A field whose desired value differs from the deployed one.

    Attributes:
        field: Its name.
        before: The deployed value, or `None`. Values of secrets and long texts are not recorded.
        after: The desired value, or `None`.
        by_model: True if the model chose the new value.
    """

    field: str
    before: Any = None
    after: Any = None
    by_model: bool = False


@dataclass(frozen=True)
class ResourceResult:
    """The result of one resource on one host.

    Attributes:
        kind: The resource's class.
        name: The resource's name.
        host: The host's name in the inventory.
        action: The action; in a plan, the planned one.
        changed: True if anything changed; in a plan, if it would.
        error: The reason why it failed.
        seconds: The duration.
        diff: The diffs of its operations.
        operations: Its operations, in order.
        group: The path of the group that it belongs to.
        replaces: True if the existing thing is removed to create it again.
        gone: True if it is an orphan: main.py no longer has it.
        changes: The fields that differ from the last deployment.
        reason: The reason for the action, if there is more to say.
    """

    kind: str
    name: str
    host: str
    action: Action
    changed: bool = False
    error: str | None = None
    seconds: float = 0.0
    diff: str | None = None
    operations: tuple[OperationResult, ...] = ()
    group: str | None = None
    replaces: bool = False
    gone: bool = False
    changes: tuple[FieldChange, ...] = ()
    reason: str | None = None

    def _details(self) -> str:
        """The details beside the action, the most important one on the first line."""
        if self.error:
            return self.error
        changed = [f"{c.field}: {c.before!r} → {c.after!r}" for c in self.changes]
        gone = ["main.py no longer has it"] if self.gone else []
        return "\n".join(filter(None, [*gone, self.reason, *changed, self.diff]))


@dataclass(frozen=True)
class CheckResult:
    """The result of one assertion of a resource on one host.

    Attributes:
        kind: The resource's class.
        name: The resource's name.
        host: The host's name in the inventory.
        assertion: The assertion in one line, such as `port 8080 is open`.
        ok: True if it holds.
        error: The reason why it does not hold.
        attempts: The number of tries.
        seconds: The duration of all tries, with the delays in between.
    """

    kind: str
    name: str
    host: str
    assertion: str
    ok: bool
    error: str | None = None
    attempts: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class HostError:
    """A host that could not be used.

    Attributes:
        host: The host's name in the inventory.
        error: The reason.
    """

    host: str
    error: str


@dataclass(frozen=True)
class Failure:
    """The failure of a command.

    Attributes:
        kind: The name of the exception in `clockwork.exceptions`.
        message: The problem, and the next step.
    """

    kind: str
    message: str


@dataclass(frozen=True)
class Result:
    """The result of a command. A notebook shows it as a table.

    Attributes:
        command: `apply`, `plan`, `generate`, `destroy` or `check`.
        dry_run: True if nothing was changed on purpose.
        folder: The folder of main.py, or the working folder where resources were passed as a list.
        resources: Per resource and host, in order of deployment.
        artifacts: Per resource with generated content.
        checks: Per assertion and host, in order of the resources.
        host_errors: The hosts that could not be used.
        seconds: The total duration.
        notes: Further remarks.
        error: The failure.
        schema: The version of the document that `to_dict` gives and `--json` prints. It is raised when a key changes
            its meaning or is removed.
    """

    command: str
    dry_run: bool = False
    folder: str = ""
    resources: tuple[ResourceResult, ...] = ()
    artifacts: tuple[ArtifactResult, ...] = ()
    host_errors: tuple[HostError, ...] = ()
    seconds: float = 0.0
    checks: tuple[CheckResult, ...] = ()
    notes: tuple[str, ...] = field(default=(), repr=False)
    error: Failure | None = None
    schema: int = field(default=1, repr=False)

    @property
    def changed(self) -> bool:
        """True if anything changed; in a plan, if anything would."""
        return any(resource.changed for resource in self.resources)

    @property
    def failed(self) -> bool:
        """True if anything failed."""
        if self.error is not None:
            return True
        wrong = any(resource.error for resource in self.resources) or not all(c.ok for c in self.checks)
        return wrong or any(artifact.error for artifact in self.artifacts) or bool(self.host_errors)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Result:
        """Creates a result from the document that `to_dict` gives."""
        return _adapter().validate_python(data)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON schema of `to_dict`, which is also that of `--json`."""
        return _adapter().json_schema(mode="serialization")

    def to_dict(self) -> dict[str, Any]:
        """The result as plain lists and dictionaries, as `--json` prints it."""
        plain: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return plain

    def _repr_html_(self) -> str:
        """The result as a table, for a notebook."""
        verb = f"{self.command}{' (dry run)' if self.dry_run and self.command != 'plan' else ''}"
        title = f"<p><b>{escape(verb)}</b> in {self.seconds:.1f} s</p>"
        if self.command == "generate":
            return title + _table(
                ("resource", "name", "by", "seconds", ""),
                [
                    (
                        a.kind,
                        a.name,
                        "the lock" if a.pinned else a.model or "",
                        f"{a.seconds:.1f}",
                        a.error or "",
                    )
                    for a in self.artifacts
                ],
            )
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        if self.command == "check":
            is_empty = not (self.checks or self.host_errors)
            return title + ("" if is_empty else self._checks_html(self.host_errors)) + notes
        rows: list[tuple[str, ...]] = [
            (
                r.kind,
                r.name,
                r.host,
                "failed" if r.error else "replace" if r.replaces else r.action,
                f"{r.seconds:.1f}",
                r._details(),
            )
            for r in self.resources
        ]
        rows += [("", "", e.host, "failed", "", e.error) for e in self.host_errors]
        table = _table(("resource", "name", "host", "action", "seconds", ""), rows)
        return title + table + (self._checks_html(()) if self.checks else "") + notes

    def _checks_html(self, away: Sequence[HostError]) -> str:
        """The checks as a table, and the hosts that could not be checked."""
        rows: list[tuple[str, ...]] = [
            (
                c.kind,
                c.name,
                c.host,
                c.assertion,
                "passed" if c.ok else "failed",
                str(c.attempts),
                f"{c.seconds:.1f}",
                c.error or "",
            )
            for c in self.checks
        ]
        rows += [("", "", e.host, "", "failed", "", "", e.error) for e in away]
        return _table(("resource", "name", "host", "check", "result", "tries", "seconds", ""), rows)


@cache
def _adapter() -> TypeAdapter[Result]:
    return TypeAdapter(Result)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """An HTML table. The last column may have long text, and is collapsed."""

    def last(text: str) -> str:
        first, newline, _ = text.partition("\n")
        if not newline:
            return escape(text)
        return f"<details><summary>{escape(first)}</summary><pre>{escape(text)}</pre></details>"

    lines = ["<table><thead><tr>", *(f"<th>{escape(cell)}</th>" for cell in head), "</tr></thead><tbody>"]
    for row in rows:
        cells = [*(escape(cell) for cell in row[:-1]), last(row[-1])]
        lines += ["<tr>", *(f'<td style="text-align:left">{cell}</td>' for cell in cells), "</tr>"]
    return "".join([*lines, "</tbody></table>"])
