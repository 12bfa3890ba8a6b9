"""Connections to hosts: opened once a session, and closed with it."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from paramiko import AuthenticationException, BadHostKeyException
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors.ssh import SSHConnector

from clockwork._pyinfra.current import HostResources, Interrupted

if TYPE_CHECKING:
    from pyinfra.api.host import Host


def connect(host: Host, resources: HostResources) -> None:
    """Connects to a host if it is not connected. A broken connection is opened again.

    Raises:
        Exception: It cannot be reached; see `describe_connection`.
    """
    if host.connected and _is_broken(host):
        disconnect(resources)
        resources.caches.clear()
        host.connected = False
    host.connect(show_errors=False, raise_exceptions=True)


def _is_broken(host: Host) -> bool:
    if not isinstance(host.connector, SSHConnector):
        return False
    client = host.connector.client
    transport = None if client is None else client.get_transport()
    return transport is None or not transport.is_active()


def disconnect(resources: HostResources) -> None:
    """Closes all connections to a host, and waits for paramiko's threads to end.

    It wakes threads that wait for an answer. pyinfra's own `Host.disconnect` leaves SSH connections open.
    """
    transports = []
    for client in list(resources.clients):
        transport = client.get_transport()
        with suppress(Exception):
            client.close()
        if transport is not None:
            transports.append(transport)
    for transport in transports:
        transport.join(1.0)
    resources.clients.clear()


def describe_connection(host: Host, error: BaseException) -> str:
    """The reason for which a host cannot be reached, and a cure."""
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
