"""Hosts on which every case is tried: in this process, and by shell in all the ways in which one is reached."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.containers import Web
from support.docker_double import DockerDouble
from support.pyinfra_host import PyinfraHost
from support.require import require_busybox, require_program
from support.sshd import Sshd, running_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.docker import Docker, Images

# All that scripts need, of busybox; `base64`, a `mv` with -T and `find` are left out on purpose.
TOOLS = [
    "cat",
    "chgrp",
    "chmod",
    "chown",
    "cp",
    "id",
    "ln",
    "ls",
    "mkdir",
    "od",
    "readlink",
    "rm",
    "rmdir",
    "sh",
    "sha256sum",
    "stat",
    "wc",
]
WAYS = ["native", "dash", "few tools"]
FAR = ["container", "ssh", "ssh and sudo"]
"""The scripts are the same there, so that what bears on how they get there is enough."""


Reached = tuple[str, PyinfraHost]


@dataclass
class Place:
    """A host, and a folder on it that is also one of this machine.

    Attributes:
        host: The host.
        folder: The folder, which only root can enter.
        home: The home of the user that operations run as, as a path of this machine.
        way: How the host is reached.
    """

    host: PyinfraHost
    folder: Path
    home: Path
    way: str

    def __call__(self, function: Any, *args: Any, **arguments: Any) -> Any:
        """Runs an operation."""
        return self.host.run(function, *args, **arguments)


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    """A folder at the same path here and in the container."""
    folder = Path(tempfile.mkdtemp(prefix="clockwork-files-"))
    (folder / "home").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[Sshd]:
    with running_sshd() as server:
        yield server


@pytest.fixture(scope="session", params=WAYS)
def near(request: pytest.FixtureRequest, shared: Path) -> Iterator[Reached]:
    """This machine."""
    yield from _reach(request, shared)


@pytest.fixture(scope="session", params=WAYS + FAR)
def anywhere(request: pytest.FixtureRequest, shared: Path) -> Iterator[Reached]:
    """This machine, or one that is reached in another way."""
    yield from _reach(request, shared)


def _reach(request: pytest.FixtureRequest, shared: Path) -> Iterator[Reached]:
    """A connected host whose HOME is `home` in the shared folder."""
    way, env = request.param, {"HOME": str(shared / "home")}
    if way == "container":
        images: Images = request.getfixturevalue("docker_images")
        name = f"clockwork-files-{uuid.uuid4().hex[:8]}"
        run = ["docker", "run", "--detach", "--name", name, "--volume", f"{shared}:{shared}", images.one]
        subprocess.run([*run, "sleep", "1000"], check=True, capture_output=True)
        host = PyinfraHost(f"@docker/{name}", _env=env)
        yield way, host
        subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)
        return
    if way == "native":
        yield way, PyinfraHost("@local")
    elif way == "dash":
        yield way, PyinfraHost("@local", _env=env)
    elif way == "few tools":
        yield way, PyinfraHost("@local", _env={**env, "PATH": str(_few_tools(shared))})
    else:
        server: Sshd = request.getfixturevalue("ssh_server")
        if "sudo" in way:
            require_program("sudo", "install sudo (Debian: apt-get install sudo)")
        host = PyinfraHost(
            "server",
            ssh_hostname="127.0.0.1",
            ssh_port=server.port,
            ssh_user=server.user,
            ssh_key=str(server.key),
            ssh_known_hosts_file=str(server.folder / "known_hosts"),
            _sudo="sudo" in way,
            _env=env,
        )
        yield way, host
        host.close()


def _few_tools(shared: Path) -> Path:
    tools = Path(tempfile.mkdtemp(dir=shared))
    busybox = require_busybox()
    for name in TOOLS:
        (tools / name).symlink_to(busybox)
    mv = tools / "mv"
    mv.write_text(
        '#!/bin/sh\ncase $1 in *T*) echo "mv: illegal option -- T" >&2; exit 1;; esac\n'
        + f'exec {busybox} mv "$@"\n'
    )
    mv.chmod(0o755)
    return tools


@pytest.fixture
def place(near: Reached, shared: Path) -> Iterator[Place]:
    """A folder of this test's own on this machine."""
    yield from _place(near, shared)


@pytest.fixture
def far_place(anywhere: Reached, shared: Path) -> Iterator[Place]:
    """A folder of this test's own on any kind of host."""
    yield from _place(anywhere, shared)


def _place(reached: Reached, shared: Path) -> Iterator[Place]:
    way, host = reached
    # Not below pytest's own folder, which others may not enter.
    folder = Path(tempfile.mkdtemp(dir=shared))
    with pytest.MonkeyPatch.context() as patch:
        if way == "native":
            patch.setenv("HOME", str(shared / "home"))
        yield Place(host, folder, shared / "home", way)
    shutil.rmtree(folder)
    shutil.rmtree(shared / "home/.clockwork", ignore_errors=True)


@pytest.fixture
def web(docker: Docker) -> Web:
    """A container of the test's own."""
    return Web(docker)


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerDouble:
    """A program that stands before the real docker."""
    return DockerDouble(tmp_path, monkeypatch)
