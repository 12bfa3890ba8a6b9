"""The connector to this machine, without child processes where none is needed."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from pyinfra.api.util import get_file_io
from pyinfra.connectors.local import LocalConnector
from pyinfra.connectors.util import CommandOutput, OutputLine
from typing_extensions import override

from clockwork._pyinfra.answers import answer
from clockwork._pyinfra.current import Interrupted, here

ESCALATIONS = ("_sudo", "_sudo_user", "_su_user", "_doas", "_doas_user", "_dzdo", "_dzdo_user", "_chdir")


class DirectLocalConnector(LocalConnector):
    """Inspects and copies files without a child process, unless another user has to do it.

    It also leaks no descriptor, as pyinfra's own does with each copy.
    """

    @override
    def run_shell_command(
        self, command: Any, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        expects_success = 0 in (arguments.get("_success_exit_codes") or [0])
        if expects_success and not any(arguments.get(key) for key in ESCALATIONS):
            if here.run is not None and here.run.cancelled:
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
