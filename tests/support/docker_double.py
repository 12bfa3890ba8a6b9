"""A `docker` on the PATH that looks around, or kills who called it, before it runs the real one."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_CHANGES = '"container create" | "container rename" | "container stop" | "container start" | "container rm"'

# Nothing in it is a program of its own but `cat` and `kill`: each would be in the chain of processes.
_SCRIPT = """\
#!/bin/sh
case "$1 $2" in
{changes} | "network connect")
    {what}
    ;;
esac
exec {docker} "$@"
"""

_LOOK = "cat /proc/[0-9]*/cmdline >> '{folder}/seen' 2>/dev/null"

_KILL = """\
n=$(cat '{folder}/count'); n=$((n + 1)); echo $n > '{folder}/count'
    if [ $n -eq {at} ]; then
        echo killed > '{folder}/killed'
        process=$PPID
        while [ "$(cat /proc/$process/comm)" = sh ]; do
            parent=$(sed -n 's/^PPid:[^0-9]*//p' /proc/$process/status)
            kill -KILL $process
            process=$parent
        done
        exit 1
    fi"""


class DockerDouble:
    """Stands before the real docker, for what this process starts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Takes its place on the PATH, and does nothing yet."""
        real = shutil.which("docker")
        assert real is not None
        self._folder, self._docker = folder, real
        (folder / "bin").mkdir()
        monkeypatch.setenv("PATH", str(folder / "bin"), prepend=":")

    def _write(self, what: str) -> None:
        file = self._folder / "bin/docker"
        file.write_text(_SCRIPT.format(changes=_CHANGES, what=what, docker=self._docker))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def look(self) -> None:
        """Notes the arguments of all processes of this machine whenever docker changes something."""
        self._write(_LOOK.format(folder=self._folder))

    def kill_at(self, number: int) -> None:
        """Kills the script that calls docker for the so-many-th time to change something, and does nothing then."""
        (self._folder / "count").write_text("0")
        (self._folder / "killed").unlink(missing_ok=True)
        self._write(_KILL.format(folder=self._folder, at=number))

    def rest(self) -> None:
        """Does nothing any more."""
        (self._folder / "bin/docker").unlink(missing_ok=True)

    @property
    def killed(self) -> bool:
        """True if the process was killed."""
        return (self._folder / "killed").exists()

    @property
    def seen(self) -> bytes:
        """The arguments of all processes that it noted."""
        return (self._folder / "seen").read_bytes()
