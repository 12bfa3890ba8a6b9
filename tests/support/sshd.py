"""A real sshd on loopback, with keys of its own, that serves as as many hosts as it is given names."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import clockwork
from clockwork.pyinfra_compiler import PyInfraCompiler

from .require import require_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Sshd:
    """A running server, and how to get in."""

    port: int
    user: str
    key: Path
    folder: Path
    _server: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Starts the server, on the same port as before."""
        log = self.folder / "log"
        command = [require_sshd(), "-D", "-f", str(self.folder / "config"), "-E", str(log)]
        self._server.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        _wait_for(self.port, self._server[-1], log)

    def stop(self) -> None:
        """Stops it, so that the host is away."""
        while self._server:
            server = self._server.pop()
            server.terminate()
            server.wait()

    def connections(self) -> int:
        """The number of logins so far."""
        return (self.folder / "log").read_text().count("Accepted publickey")

    def host(self, name: str, **data: object) -> str:
        """The Python text of an inventory entry that calls this server `name`."""
        entry = {
            "ssh_hostname": "127.0.0.1",
            "ssh_port": self.port,
            "ssh_user": self.user,
            "ssh_key": str(self.key),
            "ssh_known_hosts_file": str(self.folder / "known_hosts"),
            **data,
        }
        return repr((name, entry))

    def inventory(self, *names: str) -> str:
        """The text of an inventory in which each name is this server."""
        return f"hosts = [{', '.join(self.host(name) for name in names)}]\n"


def core(inventory: str) -> clockwork.ClockworkCore:
    """Clockwork as a program has it that deploys to the hosts of this inventory."""

    class Hosts(PyInfraCompiler):
        def _generate_inventory(self) -> str:
            return inventory

    return clockwork.ClockworkCore(compiler=Hosts())


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextmanager
def running_sshd() -> Iterator[Sshd]:
    """Starts a server, and stops it again.

    Raises:
        RuntimeError: It does not start.
    """
    require_sshd()
    user = pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    # Not pytest's folder: sshd wants every folder above a key to be closed to others.
    folder = Path(tempfile.mkdtemp(prefix="clockwork-sshd-"))
    try:
        for name in ("host_key", "client_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
        (folder / "known_hosts").touch()
        port = free_port()
        (folder / "config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\nStrictModes no\n"
            f"KbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin prohibit-password\n"
            # A shell that believes itself nested leaves the user's own start-up files alone.
            f"SetEnv SHLVL=1\nMaxStartups 100\nMaxSessions 100\nSubsystem sftp internal-sftp\n"
        )
        sshd = Sshd(port=port, user=user, key=folder / "client_key", folder=folder)
        try:
            sshd.start()
            yield sshd
        finally:
            sshd.stop()
    finally:
        shutil.rmtree(folder)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"sshd does not start: {log.read_text() if log.exists() else ''}")
