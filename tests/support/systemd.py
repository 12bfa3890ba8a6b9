"""A Debian that runs systemd, in a container: made with mmdebstrap once, and kept in the user's cache folder."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .require import require_docker, require_program

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = "systemd,systemd-sysv,dbus,procps"
_IMAGE = "clockwork-test-systemd:1"

# Docker mounts cgroups read-only, and systemd needs those of its own.
_INIT = """\
mount -o remount,rw /sys/fs/cgroup/systemd 2>/dev/null \
|| { umount /sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd; } 2>/dev/null \
|| mount -o remount,rw /sys/fs/cgroup; exec /lib/systemd/systemd"""


class SystemdHost:
    """The container.

    Attributes:
        name: Its name, with which pyinfra reaches it as `@docker/name`.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, command: str) -> str:
        """Returns the output of a shell command there, whatever its exit status."""
        done = subprocess.run(
            ["docker", "exec", self.name, "sh", "-c", command], capture_output=True, text=True, timeout=60
        )
        return (done.stdout + done.stderr).strip()


@contextmanager
def running_systemd() -> Iterator[SystemdHost]:
    """Boots one, and removes it in the end. The image stays, as making it takes half a minute."""
    require_docker()
    if not _has_image():
        _make_image()
    host = SystemdHost(f"clockwork-systemd-{uuid.uuid4().hex[:8]}")
    options = ["--tmpfs", "/run", "--tmpfs", "/run/lock", "--cap-add", "SYS_ADMIN", "--cgroupns", "private"]
    command = ["docker", "run", "--detach", "--name", host.name, "--stop-signal", "SIGRTMIN+3", *options]
    subprocess.run([*command, _IMAGE, "/bin/sh", "-c", _INIT], check=True, capture_output=True)
    try:
        deadline = time.monotonic() + 60
        while (state := host.run("systemctl is-system-running")) not in ("running", "degraded"):
            assert time.monotonic() < deadline, f"systemd does not come up: {state}"
            time.sleep(0.2)
        yield host
    finally:
        subprocess.run(["docker", "rm", "--force", host.name], capture_output=True)


def _has_image() -> bool:
    return subprocess.run(["docker", "image", "inspect", _IMAGE], capture_output=True).returncode == 0


def _make_image() -> None:
    mmdebstrap = require_program("mmdebstrap", "install mmdebstrap (Debian: apt-get install mmdebstrap)")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clockwork-tests"
    kept = cache / "systemd-bookworm.tar"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, whoever else makes it meanwhile.
        fresh = cache / f"{uuid.uuid4().hex}.tar"
        arguments = ["--quiet", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(fresh)]
        subprocess.run([mmdebstrap, *arguments], check=True, capture_output=True, timeout=600)
        fresh.rename(kept)
    subprocess.run(["docker", "import", str(kept), _IMAGE], check=True, capture_output=True)
