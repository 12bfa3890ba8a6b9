"""Hooks into pyinfra's operations: their keys, their callbacks, their diffs, and waiting between tries."""

from __future__ import annotations

import io
import sys
import time
from contextlib import contextmanager
from inspect import getfullargspec
from typing import TYPE_CHECKING, Any

from pyinfra.api import util
from pyinfra.api.util import PYINFRA_INSTALL_DIR
from pyinfra.context import ctx_config

from clockwork._pyinfra import names
from clockwork._pyinfra.current import Interrupted, here, hooked
from clockwork._pyinfra.process import STEP, sleep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyinfra.api.command import FunctionCommand
    from pyinfra.api.host import Host

LONGEST_DIFF = 20_000
"""Files of more lines than this are not compared line by line: it would take minutes."""


def hook_operations() -> None:
    """Installs these hooks."""
    _hook_keys()
    _hook_callbacks()
    _hook_diffs()
    names.replace("pyinfra.api.operations:time", _Clock())


def _hook_keys() -> None:
    path = "pyinfra.api.operation:solve_operation_consistency"

    @hooked(names.original(path))
    def solve(operation_names: set[str], state: Any, host: Host) -> tuple[tuple[int, ...], str]:
        assert here.run is not None
        scope = sys._getframe(2).f_locals
        order, key = here.run.identify(
            here.section or 0,
            ", ".join(operation_names),
            [*_lines(here.run.file), *host.loop_position],
            bool(scope["func"].is_idempotent),
            bool(scope["global_arguments"].get("_if")),
            host.executing_op_hash is not None,
        )
        host.op_hash_order.append(key)
        return order, key

    names.replace(path, solve)


def _lines(file: str) -> list[int]:
    """The lines of the user's code that led here, from the script inwards. They tell operations apart."""
    lines: list[int] = []
    outermost = 0
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name == file or not name.startswith(PYINFRA_INSTALL_DIR):
            lines.append(frame.f_lineno)
            if name == file:
                outermost = len(lines)
        frame = frame.f_back  # type: ignore[assignment]
    # The innermost two are this module's own.
    return lines[2:outermost][::-1]


def _hook_callbacks() -> None:
    path = "pyinfra.api.command:FunctionCommand.execute"

    @hooked(names.original(path))
    def execute(self: FunctionCommand, state: Any, host: Any, connector_arguments: Any) -> Any:
        parameters = getfullargspec(self.function).args
        if "state" in parameters and "host" in parameters:
            return self.function(state, host, *self.args, **self.kwargs)
        with _config_copy(state):
            self.function(*self.args, **self.kwargs)
        return None

    names.replace(path, execute)


@contextmanager
def _config_copy(state: Any) -> Iterator[None]:
    before = ctx_config.get()
    ctx_config.set(state.config.copy())
    try:
        yield
    finally:
        ctx_config.set(before)


class _Clock:
    """The module `time`, but a thread of a run that sleeps before another try wakes on an interrupt."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        run = here.run
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if run is not None and run.cancelled:
                raise Interrupted
            sleep(left if run is None else min(left, STEP))


def _hook_diffs() -> None:
    path = "pyinfra.operations.files:get_file_io"
    get_file_io = names.original(path)

    @hooked(get_file_io)
    def readable(source: Any, mode: str = "rb") -> Any:
        return _text(source) if mode == "r" else get_file_io(source, mode)

    names.replace(path, readable)
    path = "pyinfra.operations.files:generate_color_diff"
    color_diff = names.original(path)

    @hooked(color_diff)
    def diff(current: list[str], desired: list[str]) -> Iterator[str]:
        if current and len(current) + len(desired) > LONGEST_DIFF:
            yield f"@@ -1,{len(current)} +1,{len(desired)} @@"
            yield f"- {len(current)} lines, too many to compare"
            yield f"+ {len(desired)} lines"
        else:
            yield from color_diff(current, desired)

    names.replace(path, diff)


@contextmanager
def _text(source: Any) -> Iterator[io.StringIO]:
    """A file's text for a diff, where pyinfra itself stumbles over contents that are no text."""
    with util.get_file_io(source) as file:
        data = file.read()
    if isinstance(data, str):
        data = data.encode()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = f"(binary, {len(data)} bytes)\n"
    yield io.StringIO(text)
