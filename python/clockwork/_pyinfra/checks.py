"""Runs commands and the user's functions on a host, for checks."""

from __future__ import annotations

import secrets
import shlex
import threading
from math import ceil
from typing import TYPE_CHECKING, Any

from paramiko import SSHException
from pyinfra.api import StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.connectors.ssh import SSHConnector

from clockwork._pyinfra.current import Interrupted, attach, detach, here
from clockwork._pyinfra.process import STEP
from clockwork.assertions import CheckHost, CheckOutput

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyinfra.api.host import Host

# Closing an SSH channel ends no process on the other side. So a command there is accompanied by a watch that ends
# its whole group when its time is up, or when the connection's own process is gone.
_WATCHED = (
    "( seconds=0; while [ $seconds -lt {limit} ] && kill -0 $PPID; do sleep 1; seconds=$((seconds + 1)); done; "
    "trap '' TERM; kill 0; sleep 1; kill -KILL 0 ) >/dev/null 2>&1 </dev/null & watch=$!; "
)
_UNWATCH = "status=$?; kill $watch 2>/dev/null; "


class CheckRunner:
    """Runs commands on a host, and functions of the user's, for a check. Belongs to the host's thread.

    Attributes:
        host: The host as functions of the user's see it.
    """

    def __init__(self, host: Host) -> None:
        """Determines the address of the host."""
        self._host = host
        self.host = CheckHost(host.name, address_of(host), self._run)

    def call(self, function: Callable[..., Any], wants_host: bool, timeout: float) -> tuple[bool, object]:
        """Calls a function, and waits at most `timeout` seconds.

        Returns:
            Whether it returned, and what. One that did not cannot be stopped, but runs no more commands.

        Raises:
            Interrupted: The run was interrupted.
            BaseException: Whatever the function raises.
        """
        host_run, state, inventory, host = here.run, here.state, here.inventory, here.host
        assert host_run is not None
        over = threading.Event()
        done: list[object] = []
        raised: list[BaseException] = []

        def run(command: str, timeout: float) -> CheckOutput:
            if over.is_set():
                raise TimeoutError("the time for this check is up")
            return self._run(command, timeout)

        def work() -> None:
            attach(host_run, state, inventory, host)
            try:
                own = CheckHost(self.host.name, self.host.address, run)
                done.append(function(own) if wants_host else function())
            except BaseException as error:
                raised.append(error)
            finally:
                detach()

        # A daemon, because an abandoned thread must not keep the program from ending.
        thread = threading.Thread(target=work, name=f"clockwork-check-{self.host.name}", daemon=True)
        thread.start()
        left = timeout
        while thread.is_alive() and left > 0:
            if host_run.cancelled:
                over.set()
                raise Interrupted
            thread.join(min(STEP, left))
            left -= STEP
        if thread.is_alive():
            over.set()
            return False, None
        if raised:
            raise raised[0]
        return True, done[0]

    def _run(self, command: str, timeout: float) -> CheckOutput:
        # Connectors report success or failure of a command, but not its exit status, nor if its output ended in a
        # newline. A line with a random word reports both.
        mark = secrets.token_hex(16)
        script = f"sh -c {shlex.quote(command)}; "
        if isinstance(self._host.connector, SSHConnector):
            watch = _WATCHED.format(limit=ceil(timeout) + 1)
            script = f"{watch}{script}{_UNWATCH}printf '%s%d' {mark} $status"
        else:
            script = f"{script}printf '%s%d' {mark} $?"
        given, _ = pop_global_arguments(self._host.state, self._host, {})
        options: dict[str, Any] = {
            key: value for key, value in given.items() if key in CONNECTOR_ARGUMENT_KEYS
        }
        options["_timeout"] = timeout
        try:
            _, output = self._host.run_shell_command(StringCommand(script), **options)
        except TimeoutError as error:
            raise TimeoutError(f"it had not ended after {timeout:g} s, and was stopped") from error
        except (OSError, EOFError, SSHException) as error:
            raise ConnectionError(f"{self._host.name} cannot be asked any more: {error}") from error
        stdout, found, status = output.stdout.rpartition(mark)
        if not found:
            told = output.stderr.strip() or output.stdout.strip() or "it does not say why"
            raise ConnectionError(f"no command can be run on {self._host.name}: {told}")
        return CheckOutput(int(status), stdout, output.stderr)


def address_of(host: Host) -> str:
    """The address at which this machine reaches a host."""
    name = str(host.data.get("ssh_hostname") or host.name)
    if isinstance(host.connector, SSHConnector) and host.connector.client is not None:
        # The user's ssh configuration may know it under another name.
        real = host.connector.client.parse_config(name, ssh_config_file=host.data.get("ssh_config_file"))[0]
        return str(real)
    # Containers and folders that are set up as hosts are on this machine, as is @local.
    return "localhost" if name.startswith("@") else name
