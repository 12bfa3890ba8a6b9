"""Values that compiled code names: known only on a host, or only later."""

from __future__ import annotations

import os
from typing import Any

from pyinfra import host
from pyinfra.api import OperationError

from clockwork.operations._context import context

_published: dict[tuple[str, str, str], Any] = {}
"""Published values by host, resource and key. They last as long as the process, as facts of a run do."""


def secret(name: str) -> str:
    """The value of a secret: the session's, or under plain pyinfra that of an environment variable.

    Args:
        name: The name of the secret; the variable is `CLOCKWORK_SECRET_` + name.

    Raises:
        OperationError: Nothing has the secret. The message names the variable.
    """
    known = context().secrets
    if name in known:
        return known[name]
    variable = f"CLOCKWORK_SECRET_{name}"
    value = os.environ.get(variable)
    if value is None:
        raise OperationError(f"a secret is missing: set the environment variable {variable}")
    return value


def host_data(key: str) -> Any:
    """The data that the inventory has for the host.

    Args:
        key: The key of the data.

    Raises:
        OperationError: The host has no such data.
    """
    try:
        return getattr(host.data, key)
    except AttributeError:
        raise OperationError(f"the inventory has no data {key!r} for {host.name}") from None


def publish(resource: str, key: str, value: Any) -> None:
    """Makes a value known to operations of later resources, by `Output(resource, key)`.

    Args:
        resource: The name of the resource that the value is of.
        key: The key of the value.
        value: The value.
    """
    _published[host.name, resource, key] = value


def output(resource: str, key: str) -> Any:
    """The value that an operation of another resource has published on the host in this run.

    Args:
        resource: The name of the other resource.
        key: The key of the value.

    Raises:
        OperationError: Nothing has been published under that key.
    """
    try:
        return _published[host.name, resource, key]
    except KeyError:
        raise OperationError(f"{resource!r} has put out no {key!r} on {host.name} yet") from None
