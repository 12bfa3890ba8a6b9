"""The names of pyinfra's that are replaced or overridden here, each with the signature that is expected."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module, metadata
from inspect import signature
from typing import Any

from clockwork.exceptions import ClockworkError

_SSH_CLIENT = "pyinfra.connectors.sshuserclient.client"


@dataclass(frozen=True)
class Name:
    """A name of pyinfra's.

    Attributes:
        path: Its module and, after a colon, its place there.
        expected: The names of the parameters of a function, in order; for all else the name of its class.
        copies: Other modules that import it by its name, and have to get the replacement too.
    """

    path: str
    expected: str
    copies: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.replace(":", ".").rpartition(".")[2]

    def owner(self) -> Any:
        """The module or the object that holds it."""
        module, _, place = self.path.partition(":")
        owner = import_module(module)
        for part in place.split(".")[:-1]:
            owner = getattr(owner, part)
        return owner

    def found(self) -> str:
        """The description of the name in the installed pyinfra, in the form of `expected`."""
        value = getattr(self.owner(), self.name)
        value = value.fget if isinstance(value, property) else value
        return ", ".join(signature(value).parameters) if callable(value) else type(value).__name__


_CONNECTORS = ("pyinfra.connectors.local", "pyinfra.connectors.ssh")

NAMES = (
    # Replaced by hooks.
    Name("pyinfra.context:ctx_state.context._container", "container"),
    Name("pyinfra.context:ctx_inventory.context._container", "container"),
    Name(
        "pyinfra.connectors.util:run_local_process",
        "command, stdin, timeout, print_output, print_prefix",
        (*_CONNECTORS, "pyinfra.local"),
    ),
    Name(
        "pyinfra.connectors.util:read_output_buffers",
        "stdout_buffer, stderr_buffer, timeout, print_output, print_prefix",
        ("pyinfra.connectors.ssh",),
    ),
    Name(
        "pyinfra.connectors.util:execute_command_with_sudo_retry",
        "host, command_arguments, execute_command",
        _CONNECTORS,
    ),
    Name("pyinfra.connectors.local:mkstemp", "suffix, prefix, dir, text"),
    Name("pyinfra:logger.isEnabledFor", "level"),
    Name("pyinfra:logger.handle", "record"),
    Name("pyinfra.api.operation:solve_operation_consistency", "names, state, host"),
    Name("pyinfra.api.command:FunctionCommand.execute", "self, state, host, connector_arguments"),
    Name("pyinfra.api.operations:time", "module"),
    Name("pyinfra.operations.files:get_file_io", "filename_or_io, mode"),
    Name("pyinfra.operations.files:generate_color_diff", "current_lines, desired_lines"),
    Name(f"{_SSH_CLIENT}:SSHClient.__init__", "self"),
    Name(f"{_SSH_CLIENT}:AskPolicy.missing_host_key", "self, client, hostname, key"),
    Name(f"{_SSH_CLIENT}:HOST_KEYS_LOCK", "BoundedSemaphore"),
    Name("pyinfra.api.util:FILE_SHAS", "dict"),
    Name("pyinfra.api.util:TEMPLATES", "dict"),
    Name(f"{_SSH_CLIENT}:get_host_keys.cache", "dict"),
    Name(f"{_SSH_CLIENT}:get_ssh_config.cache", "dict"),
    Name("pyinfra.connectors.ssh:SSHConnector.get_file_transfer_connection.cache", "dict"),
    Name("pyinfra.api.host:Host._get_temp_directory.cache", "dict"),
    Name("pyinfra.api.arguments:all_global_arguments", "", ("pyinfra.api.facts",)),
    Name("pyinfra.api.host:HostData.__getattr__", "self, key"),
    # Overridden by subclasses.
    Name("pyinfra.api.state:State.fail_hosts", "self, hosts_to_fail, activated_count"),
    Name("pyinfra.api.config:Config.DIFF", "bool"),
    Name(
        "pyinfra.connectors.local:LocalConnector.run_shell_command",
        "self, command, print_output, print_input, arguments",
    ),
    Name(
        "pyinfra.connectors.local:LocalConnector.put_file",
        "self, filename_or_io, remote_filename, remote_temp_filename, print_output, print_input, arguments",
    ),
    Name(
        "pyinfra.connectors.local:LocalConnector.get_file",
        "self, remote_filename, filename_or_io, remote_temp_filename, print_output, print_input, arguments",
    ),
    # Its local variables are read.
    Name("pyinfra.api.operation:_wrap_operation", "func, _set_in_op"),
    # Called, although pyinfra does not document them.
    Name("pyinfra.api.operations:run_host_op", "state, host, op_hash"),
    Name("pyinfra.api.state:State.activate_host", "self, host"),
)

_BY_PATH = {name.path: name for name in NAMES}


def check() -> None:
    """Checks that the installed pyinfra has these names with the expected signatures.

    Raises:
        ClockworkError: It has not.
    """
    differences = []
    for name in NAMES:
        try:
            found = name.found()
            for module in name.copies:
                getattr(import_module(module), name.name)
        except (ImportError, AttributeError) as error:
            differences.append(f"{name.path} is missing ({error})")
            continue
        if found != name.expected:
            differences.append(f"{name.path} is ({found}), expected was ({name.expected})")
    if differences:
        version, wanted = metadata.version("pyinfra"), supported()
        raise ClockworkError(
            f"pyinfra {version} differs from the versions that Clockwork works with. Install one of those: "
            f"pip install '{wanted}'\n  " + "\n  ".join(differences)
        )


def supported() -> str:
    """The versions of pyinfra that Clockwork works with, as a requirement."""
    try:
        requirements = metadata.requires("clockwork") or []
    except metadata.PackageNotFoundError:
        requirements = []
    found = (each.partition(";")[0].strip() for each in requirements if each.startswith("pyinfra"))
    return next(found, "pyinfra")


def original(path: str) -> Any:
    """The present value of a name of the list."""
    name = _BY_PATH[path]
    return getattr(name.owner(), name.name)


def replace(path: str, replacement: Any) -> None:
    """Replaces a name of the list, in all modules that import it."""
    name = _BY_PATH[path]
    for owner in (name.owner(), *map(import_module, name.copies)):
        setattr(owner, name.name, replacement)
