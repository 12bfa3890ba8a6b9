"""One host under plain pyinfra's API, without Clockwork's engine: operations run on it one by one."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyinfra import logger
from pyinfra.api import Config, Inventory, State
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_host_op
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state

from clockwork.operations import Context, Intent, session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyinfra.api.host import Host

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Outcome:
    """The outcome of an operation.

    Attributes:
        planned: Its intents while it was planned.
        intents: Those while it ran.
        changed: Whether it ran any command.
        failed: Whether it failed.
        log: What pyinfra logged, without colors.
    """

    planned: list[Intent] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    changed: bool = False
    failed: bool = False
    log: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """The log as one text."""
        return "\n".join(self.log)


class PyinfraHost:
    """A connected host."""

    def __init__(self, name: str, **data: Any) -> None:
        """Connects to it.

        Args:
            name: As in an inventory.
            data: Its data, with which also global arguments such as `_sudo` are set.
        """
        self.state = State(Inventory(([(name, data)], {})), Config())
        self.state.init(self.state.inventory, self.state.config)
        self.state.current_stage = StateStage.Prepare
        (self.host,) = self.state.inventory
        with _listening([]):
            self.host.connect(raise_exceptions=True)
        self.state.activate_host(self.host)

    def close(self) -> None:
        """Hangs up."""
        client = getattr(self.host.connector, "client", None)
        if client is not None:
            client.close()

    def run(self, function: Any, *args: Any, context: Context | None = None, **arguments: Any) -> Outcome:
        """Plans an operation, and runs it.

        Raises:
            OperationError: It was refused while it was planned.
        """
        outcome = Outcome()
        with _listening(outcome.log), _within(context, outcome.planned.append):
            found = add_op(self.state, function, *args, **arguments)
        meta = found[self.host]
        with _listening(outcome.log), _within(context, outcome.intents.append), self._executing():
            outcome.failed = not run_host_op(self.state, self.host, meta._hash)
        outcome.changed = meta.did_change() or outcome.failed
        return outcome

    def execute(self, function: Any, *args: Any, context: Context | None = None, **arguments: Any) -> Outcome:
        """Runs an operation as one that was planned before something changed what is there."""
        outcome = Outcome()
        with _listening(outcome.log), _within(context, outcome.intents.append), self._executing():
            try:
                function(*args, **arguments)
            except Exception as error:
                outcome.log.append(str(error))
                outcome.failed = True
        return outcome

    def fact(self, fact: Any, **arguments: Any) -> Any:
        """Asks for a fact."""
        with ctx_state.use(self.state), ctx_host.use(self.host):
            return self.host.get_fact(fact, **arguments)

    def commands(self, function: Any, *args: Any, **arguments: Any) -> list[Any]:
        """The commands that an operation would run."""
        with ctx_state.use(self.state), ctx_host.use(self.host):
            return list(function._inner(*args, **arguments))

    @contextmanager
    def _executing(self) -> Iterator[Host]:
        self.state.is_executing = True
        try:
            with ctx_state.use(self.state), ctx_host.use(self.host):
                yield self.host
        finally:
            self.state.is_executing = False


@contextmanager
def _within(context: Context | None, listener: Callable[[Intent], None]) -> Iterator[None]:
    with session(Context() if context is None else context, listener):
        yield


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(ESCAPES.sub("", record.getMessage()))


@contextmanager
def _listening(lines: list[str]) -> Iterator[None]:
    collector = _Collector(lines)
    before = logger.level, logger.propagate
    logger.addHandler(collector)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(collector)
        logger.setLevel(before[0])
        logger.propagate = before[1]
