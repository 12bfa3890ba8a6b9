"""What a command did, typed: per artifact, per resource and host, and in all."""

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
"""What was done to a resource on a host; in a plan, what would be.

`drifted` is what was deployed as main.py still wants it, and that somebody else has changed or removed since; an
apply repairs it.

Of an operation such as `server.shell` nobody can tell what it changes: it is `conditional`, also after it has run.
"""


@dataclass(frozen=True)
class ArtifactResult:
    """What became of one artifact.

    Attributes:
        kind: The class of the resource that it is for.
        name: The name of that resource.
        content: The text, or the fields, that the model wrote; `None` where it failed.
        pinned: Whether it came out of the lock, without a request.
        model: The model that wrote it.
        provider: Who ran the model, where the server tells.
        edited: Whether the user has edited what the lock holds.
        stale: Whether the lock had an answer to an older form of the question.
        unverified: Whether it names an image that is none of Docker's official ones.
        repairs: How often it went back to the model.
        backup: Where an edit of the user's is kept that it took the place of.
        tokens_in: The tokens of the prompt, where the server tells.
        tokens_out: The tokens of the answer, where the server tells.
        cost: The price in US dollars, where the server tells.
        seconds: How long the request took, retries included.
        error: Why it could not be had.
        diff: A unified diff against what was pinned before.
        request: What would be sent to the model, where a dry run only looked.
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
    """What one pyinfra operation did on one host.

    Attributes:
        name: The operation's name.
        action: What it did.
        changed: Whether it changed something; in a plan, whether it would.
        error: Why it failed.
        seconds: How long it took.
        diff: A unified diff, where the operation tells one.
        replaces: Whether it takes away what is there to make it anew.
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
    """A field that was deployed with one value and is wanted with another.

    Attributes:
        field: Its name.
        before: What it was; `None` where there was none. Of secrets and long texts only that they changed is known.
        after: What it is to be; `None` where there is to be none.
        by_model: Whether the model chose the new value.
    """

    field: str
    before: Any = None
    after: Any = None
    by_model: bool = False


@dataclass(frozen=True)
class ResourceResult:
    """What was done to one resource on one host.

    Attributes:
        kind: The resource's class.
        name: The resource's name.
        host: The host's name in the inventory.
        action: What was done; in a plan, what would be.
        changed: Whether anything changed; in a plan, whether it would.
        error: Why it failed.
        seconds: How long it took.
        diff: The diffs of its operations.
        operations: Its operations, in order.
        group: The path of the group that it belongs to.
        replaces: Whether what is there is taken away to make it anew.
        gone: Whether main.py no longer has it.
        changes: The fields that differ from what was last deployed.
        reason: Why it is as it is, where there is more to say.
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
        """All that there is to say beside the action, the gist of it on the first line."""
        if self.error:
            return self.error
        changed = [f"{c.field}: {c.before!r} → {c.after!r}" for c in self.changes]
        gone = ["main.py no longer has it"] if self.gone else []
        return "\n".join(filter(None, [*gone, self.reason, *changed, self.diff]))


@dataclass(frozen=True)
class CheckResult:
    """How one assertion of a resource went on one host.

    Attributes:
        kind: The resource's class.
        name: The resource's name.
        host: The host's name in the inventory.
        assertion: What is checked, in one line, such as `port 8080 is open`.
        ok: Whether it holds.
        error: Why it does not.
        attempts: How often it was tried.
        seconds: How long that took, with the waiting in between.
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
    """A host that could not be used, and why.

    Attributes:
        host: The host's name in the inventory.
        error: Why it could not be used.
    """

    host: str
    error: str


@dataclass(frozen=True)
class Failure:
    """Why a command failed.

    Attributes:
        kind: The name of the exception in `clockwork.exceptions`.
        message: What went wrong, and what to do next.
    """

    kind: str
    message: str


@dataclass(frozen=True)
class Result:
    """What a command did. In a notebook it shows itself as a table.

    Attributes:
        command: `apply`, `plan`, `generate`, `destroy` or `check`.
        dry_run: Whether it only looked.
        folder: The folder of main.py, or the working folder where resources were passed as a list.
        resources: Per resource and host, in order of deployment.
        artifacts: Per resource that the model wrote something for.
        checks: Per assertion and host, in order of the resources.
        host_errors: The hosts that could not be used.
        seconds: How long it all took.
        notes: What the user should know beside all that.
        error: Why it failed.
        schema: The version of the form of `to_dict`, which `--json` prints. It grows where a key changes its
            meaning or goes.
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
        """Whether anything changed; in a plan, whether anything would."""
        return any(resource.changed for resource in self.resources)

    @property
    def failed(self) -> bool:
        """Whether anything failed."""
        if self.error is not None:
            return True
        wrong = any(resource.error for resource in self.resources) or not all(c.ok for c in self.checks)
        return wrong or any(artifact.error for artifact in self.artifacts) or bool(self.host_errors)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Result:
        """Makes a result out of what `to_dict` gives."""
        return _adapter().validate_python(data)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON schema of `to_dict`, and so of what `--json` prints."""
        return _adapter().json_schema(mode="serialization")

    def to_dict(self) -> dict[str, Any]:
        """The result as plain lists and dictionaries, the same as `--json` prints."""
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
        """What was checked as a table, and the hosts that could not be."""
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
    """An HTML table; the last column holds long text, and is folded away."""

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
