"""Watching for drift: a plan and, if asked for, a repair in each round."""

from __future__ import annotations

from collections.abc import Callable, Iterator  # noqa: TC003
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from clockwork import _core, _interrupt
from clockwork._types import Source, Target  # noqa: TC001

# Needed at run time: Pydantic resolves the annotations of `Round`.
from clockwork.results import (  # noqa: TC001
    ArtifactResult,
    CheckResult,
    Failure,
    HostError,
    ResourceResult,
)

if TYPE_CHECKING:
    from clockwork.core import ClockworkCore

__all__ = ["Round", "watch"]


@dataclass(frozen=True)
class Round:
    """The result of one round of a watch. A notebook shows it as a table.

    Attributes:
        number: The number of the round, from 1.
        time: The start time in UTC, such as `2026-11-23T06:16:47Z`.
        folder: The folder of main.py, or the working folder where resources were passed as a list.
        watched: The number of resources compared, counted once per host.
        drifted: Resources that somebody else has changed or removed since they were deployed.
        healed: Drifted resources that were repaired.
        failed: Drifted resources whose repair failed, or whose checks fail after it.
        unknown: Resources that could not be compared, on hosts that were reached.
        pending: Resources whose definition in main.py differs from what was deployed. A watch does not deploy them.
        missing: Artifacts that clockwork.lock lacks, so that their resources could not be compared.
        checks: The checks of the repaired resources.
        host_errors: The hosts that could not be reached.
        notes: Further remarks.
        error: The error that ended the round before anything was compared, such as a broken main.py.
        seconds: The duration.
        command: `watch`.
        schema: The version of the document that `to_dict` gives. It is raised when a key changes its meaning or is
            removed.
    """

    number: int
    time: str
    folder: str
    watched: int = 0
    drifted: tuple[ResourceResult, ...] = ()
    healed: tuple[ResourceResult, ...] = ()
    failed: tuple[ResourceResult, ...] = ()
    unknown: tuple[ResourceResult, ...] = ()
    pending: tuple[ResourceResult, ...] = ()
    missing: tuple[ArtifactResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    host_errors: tuple[HostError, ...] = ()
    notes: tuple[str, ...] = ()
    error: Failure | None = None
    seconds: float = 0.0
    command: str = field(default="watch", repr=False)
    schema: int = field(default=1, repr=False)

    @property
    def unhealed(self) -> tuple[ResourceResult, ...]:
        """The drifted resources that were not repaired."""
        healed = {(each.kind, each.name, each.host) for each in self.healed}
        return tuple(each for each in self.drifted if (each.kind, each.name, each.host) not in healed)

    @property
    def ok(self) -> bool:
        """True if everything is as it was deployed, as far as it could be compared."""
        wrong = self.error or self.host_errors or self.unknown or self.failed or self.unhealed
        return not wrong

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Round:
        """Creates a round from a line of `clockwork watch --json`."""
        return _adapter().validate_python(data)

    def to_dict(self) -> dict[str, Any]:
        """The round as plain lists and dictionaries, the same as a line of `clockwork watch --json`."""
        plain: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return plain

    def _repr_html_(self) -> str:
        """The round as a table, for a notebook."""
        found = f"{len(self.drifted)} drifted, {len(self.healed)} repaired" if self.drifted else "no drift"
        title = f"<p><b>{escape(self.time)}</b> {escape(self.error.message if self.error else found)}</p>"
        rows = [
            (each.kind, each.name, each.host, word, each.error or each.reason or "")
            for word, resources in (
                ("drifted", self.unhealed),
                ("repaired", self.healed),
                ("failed", self.failed),
                ("unknown", self.unknown),
            )
            for each in resources
        ]
        rows += [("", "", away.host, "away", away.error) for away in self.host_errors]
        if not rows:
            return title
        cells = ("".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row) for row in rows)
        return f"{title}<table><tbody><tr>{'</tr><tr>'.join(cells)}</tr></tbody></table>"


@cache
def _adapter() -> TypeAdapter[Round]:
    return TypeAdapter(Round)


def rounds(
    watcher: _core.Watcher, wanted: int | None, on_round: Callable[[Round], object] | None
) -> Iterator[Round]:
    """Yields rounds, and sleeps between them."""
    number = 0
    while wanted is None or number < wanted:
        with _interrupt.interruptible():
            if number:
                watcher.wait()
            found = Round.from_dict(watcher.round())
        number += 1
        if on_round is not None:
            on_round(found)
        yield found


def watch(
    source: Source = "main.py",
    *,
    interval: float = 60.0,
    heal: bool = False,
    webhook: str | None = None,
    rounds: int | None = None,
    target: Target = None,
    on_round: Callable[[Round], object] | None = None,
    **settings: Any,
) -> Iterator[Round]:
    """Watches for drift. See `ClockworkCore.watch`, and `ClockworkCore` for the settings."""
    from clockwork.core import ClockworkCore

    core: ClockworkCore = ClockworkCore(**settings)
    return core.watch(
        source,
        interval=interval,
        heal=heal,
        webhook=webhook,
        rounds=rounds,
        target=target,
        on_round=on_round,
    )
