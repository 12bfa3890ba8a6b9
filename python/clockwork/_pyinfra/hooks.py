"""Replaces the parts of pyinfra that need gevent, global context or prompts, in a run's threads alone."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko import SSHException

from clockwork._pyinfra import names
from clockwork._pyinfra.caches import hook_caches, hook_lookups
from clockwork._pyinfra.current import here, hooked, operation_of
from clockwork._pyinfra.operations import hook_operations
from clockwork._pyinfra.process import read_channel, run_local

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyinfra.api.host import Host
    from pyinfra.connectors.util import CommandOutput

SSH_LOG = "clockwork.ssh"

_lock = threading.Lock()
_installed = False


def install() -> None:
    """Puts the hooks in place, once for the process.

    Raises:
        ClockworkError: The installed pyinfra is not one that they fit.
    """
    global _installed
    with _lock:
        if _installed:
            return
        names.check()
        _hook_context()
        _hook_processes()
        _hook_logging()
        _hook_ssh()
        hook_operations()
        hook_caches()
        hook_lookups()
        _installed = True


class _Container:
    """Holds a context for each of a run's threads, and beside them the one that all others share."""

    def __init__(self, shared: Any, key: str) -> None:
        self._shared = shared
        self._key = key

    @property
    def module(self) -> Any:
        return self._shared.module if here.run is None else getattr(here, self._key)

    @module.setter
    def module(self, value: Any) -> None:
        if here.run is None:
            self._shared.module = value
        else:
            setattr(here, self._key, value)


def _hook_context() -> None:
    for key in ("state", "inventory"):
        path = f"pyinfra.context:ctx_{key}.context._container"
        names.replace(path, _Container(names.original(path), key))


def _hook_processes() -> None:
    path = "pyinfra.connectors.util:run_local_process"

    @hooked(names.original(path))
    def run_local_process(
        command: str, stdin: Any = None, timeout: float | None = None, **_: object
    ) -> tuple[int, CommandOutput]:
        assert here.run is not None
        return run_local(here.run, command, stdin, timeout)

    names.replace(path, run_local_process)
    path = "pyinfra.connectors.util:read_output_buffers"
    original = names.original(path)

    @hooked(original)
    def read_output_buffers(
        stdout_buffer: Any, stderr_buffer: Any, timeout: float | None, **rest: Any
    ) -> CommandOutput:
        assert here.run is not None
        channel = getattr(stdout_buffer, "channel", None)
        if channel is None:  # of a connector that somebody else wrote
            output: CommandOutput = original(stdout_buffer, stderr_buffer, timeout=timeout, **rest)
            return output
        return read_channel(here.run, channel, timeout)

    names.replace(path, read_output_buffers)
    path = "pyinfra.connectors.util:execute_command_with_sudo_retry"

    @hooked(names.original(path))
    def without_prompt(host: Host, _: Any, execute: Callable[[], Any]) -> Any:
        return execute()

    names.replace(path, without_prompt)
    path = "pyinfra.connectors.local:mkstemp"
    mkstemp = names.original(path)

    @hooked(mkstemp)
    def remembering_mkstemp(*args: Any, **kwargs: Any) -> tuple[int, str]:
        descriptor, file = mkstemp(*args, **kwargs)
        here.__dict__.get("temporary", []).append(descriptor)
        return descriptor, file

    names.replace(path, remembering_mkstemp)


def _hook_logging() -> None:
    """Records what pyinfra logs in a run's threads. Levels, handlers and propagation stay as they are."""
    enabled, handle = "pyinfra:logger.isEnabledFor", "pyinfra:logger.handle"

    @hooked(names.original(enabled))
    def is_enabled_for(level: int) -> bool:
        return level >= logging.INFO

    @hooked(names.original(handle))
    def record(record: logging.LogRecord) -> None:
        assert here.run is not None
        if record.levelno < logging.WARNING and not here.wants_diff:
            return
        text = record.getMessage()
        if here.host is not None:
            text = text.removeprefix(here.host.print_prefix)
        operation = operation_of(here.host)
        here.run.record_message(here.section, operation, record.levelno, str(record.msg), text)

    names.replace(enabled, is_enabled_for)
    names.replace(handle, record)
    # paramiko's own threads log the errors that hosts report anyway; without a handler they would go to stderr.
    quiet = logging.getLogger(SSH_LOG)
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False


def _hook_ssh() -> None:
    client = "pyinfra.connectors.sshuserclient.client"

    def __init__(self: Any) -> None:
        paramiko.SSHClient.__init__(self)
        if here.run is not None:
            here.run.resources.clients.append(self)
            self.set_log_channel(SSH_LOG)

    names.replace(f"{client}:SSHClient.__init__", __init__)
    path = f"{client}:AskPolicy.missing_host_key"

    @hooked(names.original(path))
    def refuse(self: Any, client: Any, hostname: str, key: Any) -> None:
        raise SSHException(
            f"the host key of {hostname} is not known, and nobody can be asked. Connect once with `ssh` to "
            f"accept it, or set StrictHostKeyChecking to accept-new"
        )

    names.replace(path, refuse)
    # A gevent lock that native threads contend for makes event loops. Nothing is waited for inside it.
    names.replace(f"{client}:HOST_KEYS_LOCK", threading.Lock())
