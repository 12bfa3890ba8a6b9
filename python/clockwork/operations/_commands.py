"""The commands that file operations yield: each does its work in this process, or by a script on the host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pyinfra import logger
from pyinfra.api.arguments import pop_global_arguments
from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.connectors.local import LocalConnector
from typing_extensions import override

from clockwork.operations import _aside, _native, _shell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyinfra.api.host import Host

    from clockwork.operations._native import Copy

ELSEWHERE = ("_sudo", "_sudo_user", "_su_user", "_doas", "_doas_user", "_dzdo", "_dzdo_user", "_chdir")
"""Arguments for another user, or for another folder than that of this process."""


def in_process(host: Host, arguments: Mapping[str, Any] | None = None) -> bool:
    """True if this process can handle files of a host: the host is this machine, and no other user is asked for.

    Args:
        host: The host.
        arguments: The global arguments; without them those of the operation that runs.
    """
    if not isinstance(host.connector, LocalConnector):
        return False
    if arguments is None:
        arguments = host.current_op_global_arguments or pop_global_arguments(host.state, host, {})[0]
    other_home = "HOME" in (arguments.get("_env") or {})
    return not other_home and not any(arguments.get(key) for key in ELSEWHERE)


@dataclass(eq=False)
class FileCommand(PyinfraCommand):
    """A change of a file. A failure is reported in one line.

    Attributes:
        path: The path, as the operation was given it.
        failed: What is said of the path where it fails, before the system's reason.
    """

    path: str
    failed: ClassVar[str] = "cannot be changed"

    def __post_init__(self) -> None:
        """Initialises it as a command of pyinfra's."""
        super().__init__()

    def natively(self) -> str | None:
        """Makes the change in this process, and returns the path of the copy that was kept.

        Raises:
            FileProblemError: It is not done, with the reason.
            OSError: The system refuses.
        """
        raise NotImplementedError

    def script(self) -> str:
        """The shell script that makes the same change."""
        raise NotImplementedError

    def stdin(self) -> str | None:
        """The standard input of the script."""
        return None

    @override
    def execute(self, state: Any, host: Host, connector_arguments: Any) -> bool:
        """Makes the change, and logs the reason of a failure."""
        try:
            if in_process(host, connector_arguments):
                kept = self.natively()
            else:
                kept = self._by_script(state, host, connector_arguments)
        except _native.FileProblemError as problem:
            return tell(host, str(problem))
        except OSError as error:
            return tell(host, f"{self.path} {self.failed}: {error.strerror or error}")
        if kept:
            host.log(f"{self.path}: what was there is kept as {kept}")
        return True

    def _by_script(self, state: Any, host: Host, arguments: Any) -> str | None:
        stdin = self.stdin()
        if stdin is not None and arguments.get("_su_user") and arguments.get("_su_password"):
            raise _native.FileProblemError(
                f"{self.path} {self.failed} with _su_password, which takes the place of what is to be written: "
                f"use _sudo, or let your user use su without a password"
            )
        # A terminal would echo the input, and treat some characters as commands.
        arguments = {**arguments, "_stdin": stdin, "_get_pty": False}
        command = StringCommand(self.script())
        try:
            done, output = host.run_shell_command(command, print_output=False, print_input=False, **arguments)
        except OSError:
            if not stdin:
                raise
            # The command ended early, as sudo without permission does. With an empty input it prints the reason,
            # and changes nothing, because the content has another size.
            arguments["_stdin"] = None
            done, output = host.run_shell_command(command, print_output=False, print_input=False, **arguments)
        if done:
            said = [line[len("copy=") :] for line in output.stdout_lines if line.startswith("copy=")]
            return said[0] if said else None
        lines = [line for line in output.stderr_lines if line.strip()] or ["it did not say why"]
        ours = [number for number, line in enumerate(lines) if line.startswith(_shell.OURS)]
        if ours:
            raise _native.FileProblemError("\n".join(lines[ours[0] :]).removeprefix(_shell.OURS))
        raise _native.FileProblemError(f"{self.path} {self.failed}: {lines[-1].rpartition(': ')[2]}")


def tell(host: Host, message: str) -> bool:
    """Logs the reason of a failure. Returns False, as a failed command does."""
    host.log_styled(message, fg="red", log_func=logger.error)
    return False


@dataclass(eq=False)
class Refusal(PyinfraCommand):
    """A command that fails with a message."""

    message: str

    def __post_init__(self) -> None:
        """Initialises it as a command of pyinfra's."""
        super().__init__()

    @override
    def execute(self, state: Any, host: Host, connector_arguments: Any) -> bool:
        """Logs the message."""
        return tell(host, self.message)


@dataclass(eq=False)
class WriteFile(FileCommand):
    """Writes a file whole, with its mode and owner, and puts it in its place."""

    data: bytes = field(repr=False)
    mode: str | None = None
    user: str | None = None
    group: str | None = None
    kept_group: int | None = None
    make: bool = True
    copy: Copy | None = None
    base64: bool = field(default=True, repr=False)
    failed: ClassVar[str] = "cannot be written"

    @override
    def natively(self) -> str | None:
        return _native.write(
            self.path, self.data, self.mode, self.user, self.group, self.kept_group, self.make, self.copy
        )

    @override
    def script(self) -> str:
        return _shell.write(
            self.path,
            len(self.data),
            self.mode,
            self.user,
            self.group,
            self.kept_group,
            self.make,
            self.copy,
            self.base64,
        )

    @override
    def stdin(self) -> str | None:
        return _shell.encode(self.data, self.base64)


@dataclass(eq=False)
class MakeDirectory(FileCommand):
    """Makes a folder, and those on the way to it."""

    mode: str | None = None
    user: str | None = None
    group: str | None = None
    failed: ClassVar[str] = "cannot be made"

    @override
    def natively(self) -> None:
        _native.make_directory(self.path, self.mode, self.user, self.group)

    @override
    def script(self) -> str:
        return _shell.make_directory(self.path, self.mode, self.user, self.group)


@dataclass(eq=False)
class SetAttributes(FileCommand):
    """Sets mode and owner of an existing thing."""

    kind: str
    uid: int
    mode: str | None = None
    user: str | None = None
    group: str | None = None
    failed: ClassVar[str] = "cannot get another mode or owner"

    @override
    def natively(self) -> None:
        _native.set_attributes(self.path, self.kind, self.uid, self.mode, self.user, self.group)

    @override
    def script(self) -> str:
        return _shell.set_attributes(self.path, self.kind, self.uid, self.mode, self.user, self.group)


@dataclass(eq=False)
class Remove(FileCommand):
    """Removes a file, or an empty folder."""

    kind: str
    copy: Copy | None = None
    failed: ClassVar[str] = "cannot be removed"

    @override
    def natively(self) -> str | None:
        return _native.remove(self.path, self.kind, self.copy)

    @override
    def script(self) -> str:
        return _shell.remove(self.path, self.kind, self.copy)


@dataclass(eq=False)
class SetAside(FileCommand):
    """Sets the thing in the way of a move aside."""

    aside: _aside.Aside = field(repr=False)
    failed: ClassVar[str] = "cannot be set aside"

    @override
    def natively(self) -> None:
        _aside.set_aside(self.aside)

    @override
    def script(self) -> str:
        return _aside.set_aside_script(self.aside)


@dataclass(eq=False)
class PutBack(FileCommand):
    """Puts back the thing that was set aside."""

    aside: _aside.Aside = field(repr=False)
    failed: ClassVar[str] = "cannot be put back"

    @override
    def natively(self) -> None:
        _aside.put_back(self.aside)

    @override
    def script(self) -> str:
        return _aside.put_back_script(self.aside)


@dataclass(eq=False)
class DropAside(FileCommand):
    """Removes the thing that was set aside."""

    aside: _aside.Aside = field(repr=False)
    copy: Copy | None = None
    failed: ClassVar[str] = "cannot be removed"

    @override
    def natively(self) -> str | None:
        return _aside.drop(self.aside, self.copy)

    @override
    def script(self) -> str:
        return _aside.drop_script(self.aside, self.copy)
