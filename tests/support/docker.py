"""A Docker engine for tests: a tiny image of Debian's static busybox, and what tests look up and clean up."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from .require import require_busybox, require_docker

# Unique for each test run, because a run removes its images while another one is still going.
REPOSITORY = f"clockwork-test-{os.getpid()}"
APPLETS = [
    "base64",
    "cat",
    "chgrp",
    "chmod",
    "chown",
    "cp",
    "env",
    "false",
    "find",
    "grep",
    "hostname",
    "httpd",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "nc",
    "od",
    "ping",
    "ps",
    "readlink",
    "rm",
    "rmdir",
    "sh",
    "sha256sum",
    "sleep",
    "stat",
    "test",
    "touch",
    "true",
    "wc",
    "wget",
]


@dataclass(frozen=True)
class Images:
    """Two images that differ in what their web server says.

    Each serves a page on port 80, which reads ``clockwork-test one`` or ``… two``, and ends at once on SIGTERM.
    """

    one: str = f"{REPOSITORY}:1"
    two: str = f"{REPOSITORY}:2"


def build_images() -> Images:
    """Makes the images, or skips the test where that is not possible."""
    require_docker()
    busybox = Path(require_busybox()).read_bytes()
    images = Images()
    for tag, word in ((images.one, "one"), (images.two, "two")):
        # As process 1, httpd would not react to SIGTERM: a shell that does waits for it.
        serve = "trap 'exit 0' TERM INT; httpd -f -p 80 -h /www & wait"
        change = f"CMD {json.dumps(['/bin/sh', '-c', serve])}"
        rootfs = _rootfs(busybox, f"clockwork-test {word}\n")
        command = ["docker", "import", "--change", change, "--change", "ENV PATH=/bin", "-", tag]
        subprocess.run(command, input=rootfs, check=True, capture_output=True)
    return images


def remove_images(images: Images) -> None:
    """Removes the images."""
    subprocess.run(["docker", "rmi", "--force", images.one, images.two], check=False, capture_output=True)


def _rootfs(busybox: bytes, page: str) -> bytes:
    """A root file system as a tar archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("bin", "etc", "tmp", "www"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(folder)
        files = {"bin/busybox": busybox, "www/index.html": page.encode()}
        files |= {"etc/passwd": b"root:x:0:0:root:/:/bin/sh\n", "etc/group": b"root:x:0:\n"}
        for name, content in files.items():
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(content), 0o755 if name.startswith("bin/") else 0o644
            tar.addfile(file, io.BytesIO(content))
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return archive.getvalue()


@dataclass
class Docker:
    """The engine as one test sees it: whatever it makes there bears the test's own prefix.

    Attributes:
        images: The images to run.
        prefix: What the names of all its containers, networks and volumes begin with.
        ports: Ports of the host that are this test's.
    """

    images: Images
    prefix: str
    ports: list[int] = field(default_factory=list)

    def name(self, what: str) -> str:
        """A name for something of this test's."""
        return f"{self.prefix}-{what}"

    def __call__(self, *arguments: str) -> str:
        """Runs the docker command and gives what it prints."""
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def container(self, name: str) -> dict[str, Any] | None:
        """The output of `docker inspect` for a container; None if there is none."""
        return self._inspect("container", name)

    def network(self, name: str) -> dict[str, Any] | None:
        """The output of `docker network inspect`; None if there is none."""
        return self._inspect("network", name)

    def volume(self, name: str) -> dict[str, Any] | None:
        """The output of `docker volume inspect`; None if there is none."""
        return self._inspect("volume", name)

    def _inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        done = subprocess.run(["docker", kind, "inspect", name], capture_output=True, text=True)
        if done.returncode != 0:
            assert "no such" in done.stderr.lower() or "not found" in done.stderr.lower(), done.stderr
            return None
        found: dict[str, Any] = json.loads(done.stdout)[0]
        return found

    def page(self, port: int, within: float = 10) -> str:
        """The answer of a web server on a port of this machine, once it answers.

        Raises:
            AssertionError: It says nothing within some seconds.
        """
        deadline = time.monotonic() + within
        opener = build_opener(ProxyHandler({}))
        while True:
            try:
                with opener.open(f"http://127.0.0.1:{port}/", timeout=within) as answer:
                    return str(answer.read().decode().strip())
            except OSError as error:
                assert time.monotonic() < deadline, f"nothing answers on port {port}: {error}"
                time.sleep(0.05)

    def clean_up(self) -> None:
        """Removes all that bears the prefix, in an order in which nothing is in use any more."""
        for kind, remove in (
            (["container", "ls", "--all"], ["rm", "--force", "--volumes"]),
            (["network", "ls"], ["network", "rm"]),
            (["volume", "ls"], ["volume", "rm", "--force"]),
        ):
            form = "{{.Names}}" if kind[0] == "container" else "{{.Name}}"
            found = self(*kind, "--filter", f"name={self.prefix}", "--format", form).split()
            if mine := [name for name in found if name.startswith(self.prefix)]:
                self(*remove, *mine)
