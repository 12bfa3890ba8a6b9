"""Watching what was deployed: a plan in each round, a repair where that is wished, an iterator in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator  # noqa: TC003
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from clockwork import _core, _interrupt
from clockwork._types import Source, Target  # noqa: TC001

# Pydantic looks these up when it reads a round.
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
    """What one round of a watch found and did. In a notebook it shows itself as a table.

    Attributes:
        number: Which round it is, from 1.
        time: When it began, in UTC, such as `2026-11-23T06:16:47Z`.
        folder: The folder of main.py, or the working folder where resources were passed as a list.
        watched: How many resources were looked at, each counted on each of its hosts.
        drifted: What somebody else has changed or removed since it was deployed.
        healed: What of it was repaired.
        failed: What of it could not be repaired, or does not work now that it is.
        unknown: What could not be looked at, on hosts that could.
        pending: What main.py wants otherwise than it was deployed. A watch leaves that alone.
        missing: What could not be looked at because clockwork.lock has nothing for it.
        checks: The checks of what was repaired.
        host_errors: The hosts that were away.
        notes: What the user should know beside all that.
        error: Why nothing could be looked at at all, such as a main.py that is broken.
        seconds: How long it took.
        command: `watch`.
        schema: The version of the form of `to_dict`. It grows where a key changes its meaning or goes.
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
        """What has drifted and is not as it should be yet."""
        healed = {(each.kind, each.name, each.host) for each in self.healed}
        return tuple(each for each in self.drifted if (each.kind, each.name, each.host) not in healed)

    @property
    def ok(self) -> bool:
        """Whether all that was deployed is as it was deployed, as far as can be told from here."""
        wrong = self.error or self.host_errors or self.unknown or self.failed or self.unhealed
        return not wrong

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Round:
        """Makes a round out of one line of `clockwork watch --json`."""
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
    """Goes through rounds, as many as are wanted, and sleeps in between."""
    number = 0
    while wanted is None or number < wanted:
        with _interrupt.heard_at_once():
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
    """Looks again and again for drift. See `ClockworkCore.watch`, and `ClockworkCore` for the settings."""
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
