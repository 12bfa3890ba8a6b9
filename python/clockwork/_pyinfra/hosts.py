"""The state of a run, its hosts, and connections to them."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paramiko import AuthenticationException, BadHostKeyException
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api.config import Config
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import State
from pyinfra.api.util import get_file_io
from pyinfra.connectors.local import LocalConnector
from pyinfra.connectors.util import CommandOutput, OutputLine
from typing_extensions import override

from clockwork._pyinfra.answers import answer
from clockwork._pyinfra.current import Belongings, Interrupted, Lane, here

if TYPE_CHECKING:
    from pyinfra.api.host import Host
    from pyinfra.api.inventory import Inventory

ESCALATIONS = ("_sudo", "_sudo_user", "_su_user", "_doas", "_doas_user", "_dzdo", "_dzdo_user", "_chdir")


PARTS = ("FindInFile", "Block")
"""Facts about a part of a file: where it is missing, the file is changed and not created."""


class HostFailedError(PyinfraError):
    """A fact that an operation or the user's code depends on cannot be had from a host."""


class RunConfig(Config):
    """A config whose `DIFF` is each lane's own."""

    @property
    def DIFF(self) -> bool:
        """Whether to compute diffs now."""
        return here.lane is not None and here.lane.wants_diff

    @DIFF.setter
    def DIFF(self, value: bool) -> None:
        pass


class RunState(State):
    """A state in which a host that fails stops its own lane, and no other."""

    @override
    def fail_hosts(self, hosts_to_fail: set[Host], activated_count: int | None = None) -> None:
        if hosts_to_fail:
            self.failed_hosts |= hosts_to_fail
            self.active_hosts -= hosts_to_fail
            raise HostFailedError


class DirectLocalConnector(LocalConnector):
    """Looks at files and copies them without a child process, where no other user has to do it.

    It also leaks no descriptor, as pyinfra's own does with each copy.
    """

    @override
    def run_shell_command(
        self, command: Any, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        expects_success = 0 in (arguments.get("_success_exit_codes") or [0])
        if expects_success and not any(arguments.get(key) for key in ESCALATIONS):
            if here.lane is not None and here.lane.cancelled:
                raise Interrupted
            text = answer(command if isinstance(command, str) else command.get_raw_value())
            if text is not None:
                return True, CommandOutput([OutputLine("stdout", text)] if text else [])
        return super().run_shell_command(command, print_output, print_input, **arguments)

    @override
    def put_file(
        self,
        filename_or_io: Any,
        remote_filename: str,
        remote_temp_filename: str | None = None,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Any,
    ) -> bool:
        if any(arguments.get(key) for key in ESCALATIONS) or Path(remote_filename).is_dir():
            with _NoLeak():
                return super().put_file(filename_or_io, remote_filename, None, False, False, **arguments)
        with get_file_io(filename_or_io) as source:
            data = source.read()
        if isinstance(data, str):
            data = data.encode()
        try:
            write_like_cp(remote_filename, data)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(f"{remote_filename} cannot be written: {reason}") from error
        return True

    @override
    def get_file(
        self,
        remote_filename: str,
        filename_or_io: Any,
        remote_temp_filename: str | None = None,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Any,
    ) -> bool:
        with _NoLeak():
            return super().get_file(remote_filename, filename_or_io, None, False, False, **arguments)


class _NoLeak:
    """Closes the descriptor of the temporary file that pyinfra makes and forgets."""

    def __enter__(self) -> None:
        self.opened: list[int] = []
        here.__dict__["temporary"] = self.opened

    def __exit__(self, *_: object) -> None:
        del here.__dict__["temporary"]
        for descriptor in self.opened:
            os.close(descriptor)


def write_like_cp(path: str, data: bytes) -> None:
    """Writes a file as ``cp`` from a private temporary file does.

    A symbolic link is followed unless it dangles, and a file that exists keeps its mode and its owner.

    Raises:
        OSError: It cannot be written.
    """
    if Path(path).is_symlink() and not Path(path).exists():
        raise OSError(errno.ENOENT, "not written through a dangling symbolic link")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def open_state(inventory: Inventory, file: str) -> State:
    """Makes the state of a run of the script `file`.

    Relative sources in it are resolved as plain pyinfra does: against the working folder, or against the
    script's own where they begin with ``./``.
    """
    for host in inventory:
        if host.connector_cls is LocalConnector:
            host.connector_cls = DirectLocalConnector
    state = RunState(check_for_changes=True)
    state.cwd = str(Path.cwd())
    state.current_deploy_filename = file
    state.current_exec_filename = file
    state.init(inventory, RunConfig())  # type: ignore[no-untyped-call]
    return state


def watch_facts(lane: Lane, host: Host) -> None:
    """Lets the lane see the facts that operations ask for."""
    ask = host.get_fact

    def get_fact(name_or_cls: Any, *args: Any, **kwargs: Any) -> Any:
        value = ask(name_or_cls, *args, **kwargs)
        part = getattr(name_or_cls, "__name__", "") in PARTS
        if host.current_op_hash is not None and (args or kwargs) and not part:
            lane.saw_fact(host.current_op_hash, not value)
        return value

    setattr(host, "get_fact", get_fact)  # noqa: B010


def hang_up(belongings: Belongings) -> None:
    """Closes all connections, which wakes whoever waits for one, and waits for paramiko's threads to end."""
    transports = []
    for client in list(belongings.clients):
        transport = client.get_transport()
        with suppress(Exception):
            client.close()
        if transport is not None:
            transports.append(transport)
    for transport in transports:
        transport.join(1.0)
    belongings.clients.clear()


def describe_connection(host: Host, error: BaseException) -> str:
    """Says why a host cannot be reached, and what to do."""
    if isinstance(error, Interrupted):
        return "Interrupted."
    reason = str(error).strip() or type(error).__name__
    cause: BaseException = error
    while isinstance(cause, PyinfraError) and (cause.__cause__ or cause.__context__):
        cause = cause.__cause__ or cause.__context__ or cause
    data = host.data
    name = data.get("ssh_hostname") or host.name
    port = data.get("ssh_port") or 22
    user = data.get("ssh_user")
    if isinstance(cause, socket.gaierror):
        return f"There is no host called {name}. Check its name in the inventory, or set ssh_hostname."
    if isinstance(cause, AuthenticationException):
        who = f" as {user}" if user else ""
        return (
            f"{name} does not let you in{who}. Check ssh_user and ssh_key (or ssh_password) in the "
            f"inventory, and that `ssh` to it works without a question."
        )
    if isinstance(cause, BadHostKeyException):
        return (
            f"{name} shows another host key than the one that is known. If it was set up anew, remove the "
            f'old one with `ssh-keygen -R "[{name}]:{port}"`; if not, somebody may be listening in.'
        )
    if isinstance(cause, (NoValidConnectionsError, ConnectionError, TimeoutError)):
        why = "nothing answers" if isinstance(cause, TimeoutError) else "the connection is refused"
        if isinstance(cause, NoValidConnectionsError) and not any(
            isinstance(each, ConnectionRefusedError) for each in cause.errors.values()
        ):
            why = "there is no way to it"
        return f"{name} cannot be reached on port {port}: {why}. Check that it is up, and its ssh_port."
    if "private key file" in reason:
        return f"{reason}. Check ssh_key in the inventory."
    return f"{name} cannot be used: {reason}"
