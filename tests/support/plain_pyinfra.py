"""Runs one operation as plain pyinfra does, on this machine, without any of Clockwork's engine."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyinfra.api import Config, Inventory, State
from pyinfra.api.operations import run_host_op
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state

from clockwork.operations import Context, Intent, session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Outcome:
    """The outcome of an operation.

    Attributes:
        planned: The intents of its plan.
        intents: The intents of its run.
        succeeded: Whether it succeeded.
        told: What its commands wrote.
    """

    planned: list[Intent] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    succeeded: bool = False
    told: str = ""

    @property
    def actions(self) -> list[str]:
        """The intent."""
        return [intent.action for intent in self.intents]

    @property
    def changes(self) -> list[tuple[str, Any, Any]]:
        """The changes of its only intent."""
        (intent,) = self.intents
        return list(intent.changes)


@contextmanager
def connected() -> Iterator[tuple[State, Any]]:
    """A state and this machine as its host."""
    state = State(Inventory((["@local"], {})), Config())
    (host,) = state.inventory
    state.current_stage = StateStage.Prepare
    with ctx_state.use(state), ctx_host.use(host):
        host.connect()
        state.activate_host(host)
        yield state, host


def run(operation: Callable[..., Any], context: Context | None = None, **arguments: Any) -> Outcome:
    """Plans an operation and runs it.

    Raises:
        OperationError: Whatever the operation raises.
    """
    outcome = Outcome()
    with connected() as (state, host):
        with session(context or Context(), outcome.planned.append):
            meta = operation(**arguments)
        state.is_executing = True
        state.current_stage = StateStage.Execute
        with session(context or Context(), outcome.intents.append):
            outcome.succeeded = run_host_op(state, host, meta._hash)
        outcome.told = meta.stderr + meta.stdout if meta.is_complete() else ""
    return outcome
