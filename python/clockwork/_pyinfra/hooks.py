"""Makes pyinfra do without gevent, global context and prompts, in lanes; elsewhere it stays as it is."""

from __future__ import annotations

import io
import logging
import sys
import threading
import time
from contextlib import contextmanager
from inspect import getfullargspec
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any

import paramiko
import pyinfra.local
import pyinfra.operations.files
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api import command, operations, util
from pyinfra.api.util import PYINFRA_INSTALL_DIR
from pyinfra.connectors import local, ssh
from pyinfra.connectors import util as connector_util
from pyinfra.connectors.sshuserclient import client as ssh_client
from pyinfra.context import ContextManager, ctx_config, ctx_inventory, ctx_state

from clockwork._pyinfra.caches import hook_caches, hook_lookups
from clockwork._pyinfra.current import Interrupted, here, hooked
from clockwork._pyinfra.process import STEP, read_channel, run_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyinfra.api.host import Host

LONGEST_DIFF = 20_000
"""Files of more lines than this are not compared line by line: it would take minutes."""

SSH_LOG = "clockwork.ssh"

_lock = threading.Lock()
_installed = False


def install() -> None:
    """Puts the hooks in place, once for the process."""
    global _installed
    with _lock:
        if _installed:
            return
        _hook_context(ctx_state, "state")
        _hook_context(ctx_inventory, "inventory")
        _hook_processes()
        _hook_logging()
        _hook_operations()
        _hook_ssh()
        hook_caches()
        hook_lookups()
        _installed = True


class _Container:
    """Holds a context for each lane, and beside them the one that was there for everybody else."""

    def __init__(self, shared: Any, key: str) -> None:
        self._shared = shared
        self._key = key

    @property
    def module(self) -> Any:
        return self._shared.module if here.lane is None else getattr(here, self._key)

    @module.setter
    def module(self, value: Any) -> None:
        if here.lane is None:
            self._shared.module = value
        else:
            setattr(here, self._key, value)


def _hook_context(manager: ContextManager, key: str) -> None:
    manager.context._container = _Container(manager.context._container, key)


def _hook_processes() -> None:
    @hooked(connector_util.run_local_process)
    def run_local_process(
        command: str, stdin: Any = None, timeout: float | None = None, **_: object
    ) -> tuple[int, connector_util.CommandOutput]:
        assert here.lane is not None
        return run_local(here.lane, command, stdin, timeout)

    original = connector_util.read_output_buffers

    @hooked(original)
    def read_output_buffers(
        stdout_buffer: Any, stderr_buffer: Any, timeout: float | None, **rest: Any
    ) -> connector_util.CommandOutput:
        assert here.lane is not None
        channel = getattr(stdout_buffer, "channel", None)
        if channel is None:  # of a connector that somebody else wrote
            return original(stdout_buffer, stderr_buffer, timeout=timeout, **rest)  # type: ignore[arg-type]
        return read_channel(here.lane, channel, timeout)

    @hooked(connector_util.execute_command_with_sudo_retry)
    def without_prompt(host: Host, _: Any, execute: Callable[[], Any]) -> Any:
        return execute()

    for module in (connector_util, local, ssh, pyinfra.local):
        setattr(module, "run_local_process", run_local_process)  # noqa: B010
    for module in (connector_util, ssh):
        setattr(module, "read_output_buffers", read_output_buffers)  # noqa: B010
    for module in (connector_util, local, ssh):
        setattr(module, "execute_command_with_sudo_retry", without_prompt)  # noqa: B010

    @hooked(mkstemp)
    def remembering_mkstemp(*args: Any, **kwargs: Any) -> tuple[int, str]:
        descriptor, path = mkstemp(*args, **kwargs)
        here.__dict__.get("temporary", []).append(descriptor)
        return descriptor, path

    setattr(local, "mkstemp", remembering_mkstemp)  # noqa: B010


def _hook_logging() -> None:
    """Hears what pyinfra tells in a lane. Levels, handlers and propagation stay as the program set them."""
    is_enabled, handle = logger.isEnabledFor, logger.handle

    @hooked(is_enabled)
    def is_enabled_for(level: int) -> bool:
        return level >= logging.INFO

    @hooked(handle)
    def hear(record: logging.LogRecord) -> None:
        assert here.lane is not None
        text, operation = record.getMessage(), None
        if here.host is not None:
            text = text.removeprefix(here.host.print_prefix)
            operation = here.host.current_op_hash
        here.lane.log(operation, record.levelno, str(record.msg), text)

    setattr(logger, "isEnabledFor", is_enabled_for)  # noqa: B010
    setattr(logger, "handle", hear)  # noqa: B010
    # paramiko's own threads log what the hosts' errors tell already; unheard, it would go to stderr.
    quiet = logging.getLogger(SSH_LOG)
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False


def _hook_operations() -> None:
    # `pyinfra.api.operation` as an attribute is the decorator.
    module = sys.modules["pyinfra.api.operation"]

    @hooked(module.solve_operation_consistency)
    def solve(names: set[str], state: Any, host: Host) -> tuple[tuple[int, ...], str]:
        assert here.lane is not None
        scope = sys._getframe(2).f_locals
        lines = [*_lines(here.lane.file), *host.loop_position]
        order, key = here.lane.identify(
            ", ".join(names),
            lines,
            bool(scope["func"].is_idempotent),
            bool(scope["global_arguments"].get("_if")),
            scope["kwargs"].get("present") is False,
            # Of pyinfra's operations this one alone takes down what is there to make it anew.
            scope["func"].__name__ == "container" and scope["kwargs"].get("force") is True,
            host.executing_op_hash is not None,
        )
        host.op_hash_order.append(key)
        return order, key

    setattr(module, "solve_operation_consistency", solve)  # noqa: B010

    execute = command.FunctionCommand.execute

    @hooked(execute)
    def call(self: command.FunctionCommand, state: Any, host: Any, connector_arguments: Any) -> Any:
        names = getfullargspec(self.function).args
        if "state" in names and "host" in names:
            return self.function(state, host, *self.args, **self.kwargs)
        with _config_copy(state):
            self.function(*self.args, **self.kwargs)
        return None

    setattr(command.FunctionCommand, "execute", call)  # noqa: B010
    setattr(operations, "time", _Clock())  # noqa: B010

    files: Any = pyinfra.operations.files
    get_file_io, color_diff = files.get_file_io, files.generate_color_diff

    @hooked(get_file_io)
    def readable(source: Any, mode: str = "rb") -> Any:
        return _text(source) if mode == "r" else get_file_io(source, mode)

    @hooked(color_diff)
    def diff(current: list[str], desired: list[str]) -> Iterator[str]:
        if current and len(current) + len(desired) > LONGEST_DIFF:
            yield f"@@ -1,{len(current)} +1,{len(desired)} @@"
            yield f"- {len(current)} lines, too many to compare"
            yield f"+ {len(desired)} lines"
        else:
            yield from color_diff(current, desired)

    files.get_file_io, files.generate_color_diff = readable, diff


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


@contextmanager
def _config_copy(state: Any) -> Iterator[None]:
    before = ctx_config.get()
    ctx_config.set(state.config.copy())
    try:
        yield
    finally:
        ctx_config.set(before)


class _Clock:
    """The module `time`, but a lane that sleeps before another try wakes on an interrupt."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        lane = here.lane
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if lane is not None and lane.cancelled:
                raise Interrupted
            time.sleep(left if lane is None else min(left, STEP))


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


def _hook_ssh() -> None:
    def __init__(self: Any) -> None:
        paramiko.SSHClient.__init__(self)
        if here.lane is not None:
            here.lane.belongings.clients.append(self)
            self.set_log_channel(SSH_LOG)

    setattr(ssh_client.SSHClient, "__init__", __init__)  # noqa: B010

    @hooked(ssh_client.AskPolicy.missing_host_key)
    def refuse(self: Any, client: Any, hostname: str, key: Any) -> None:
        raise SSHException(
            f"the host key of {hostname} is not known, and nobody can be asked. Connect once with `ssh` to "
            f"accept it, or set StrictHostKeyChecking to accept-new"
        )

    setattr(ssh_client.AskPolicy, "missing_host_key", refuse)  # noqa: B010
    # A gevent lock that native threads contend for makes event loops. Nothing is waited for inside it.
    setattr(ssh_client, "HOST_KEYS_LOCK", threading.Lock())  # noqa: B010
