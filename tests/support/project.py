"""A project in a temporary folder, and Clockwork run on it as a user does: in a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import termios
import textwrap
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT = 120
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")


def clockwork_command() -> str:
    """The command as it was installed beside this Python."""
    beside = Path(sysconfig.get_path("scripts")) / "clockwork"
    found = str(beside) if beside.exists() else shutil.which("clockwork")
    assert found, "the command clockwork is not installed"
    return found


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what would change Clockwork's settings."""
    ours = (
        "OPENROUTER_",
        "CLOCKWORK_",
        "PYINFRA_",
        "LOG_LEVEL",
        "NO_COLOR",
        "CLICOLOR",
        "FORCE_COLOR",
        "RUST_",
    )
    # The folder of the model stays: tests need not fetch it again.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    if "CLOCKWORK_CACHE_DIR" in os.environ:
        kept["CLOCKWORK_CACHE_DIR"] = os.environ["CLOCKWORK_CACHE_DIR"]
    return kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | more


@dataclass
class Terminal:
    """A command that has run in a terminal.

    Attributes:
        returncode: Its exit status; negative where a signal ended it.
        output: All that it wrote, escape sequences included.
    """

    returncode: int
    output: str

    @property
    def text(self) -> str:
        """Its output without escape sequences, with plain newlines."""
        return ESCAPES.sub("", self.output).replace("\r\n", "\n")


def actions(report: Any) -> dict[str, str]:
    """The action on each resource, by name."""
    return {resource["name"]: resource["action"] for resource in report["resources"]}


@dataclass
class Project:
    """A folder with a main.py.

    Attributes:
        folder: The folder.
        base_url: The model server to ask; None leaves it to the settings.
    """

    folder: Path
    base_url: str | None = None

    def write(self, main: str, name: str = "main.py") -> Path:
        """Writes main.py, or another file; indentation that all lines share is taken away."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(main))
        return path

    def run(
        self, *arguments: str, timeout: float = TIMEOUT, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs `clockwork` with these arguments in the project's folder, its output going into pipes."""
        return subprocess.run(
            [clockwork_command(), *arguments],
            cwd=self.folder,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def json(self, *arguments: str, expect: int = 0, timeout: float = TIMEOUT, **environment: str) -> Any:
        """Runs `clockwork … --json` and reads the one document that it prints."""
        done = self.run(*arguments, "--json", timeout=timeout, **environment)
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    @property
    def state(self) -> Any:
        """The content of `.clockwork/state.json`, which has to be a complete document."""
        return json.loads((self.folder / ".clockwork/state.json").read_text())

    @property
    def lock(self) -> str:
        """The content of `clockwork.lock`."""
        return (self.folder / "clockwork.lock").read_text()

    def known(self) -> list[str]:
        """The names of what the state knows, sorted."""
        return sorted(entry["name"] for entry in self.state["resources"])

    def actions(self, command: str, *arguments: str, expect: int = 0) -> dict[str, str]:
        """Runs a command, and gives what it did, or would do, to each resource."""
        return actions(self.json(command, *arguments, expect=expect))

    def python(
        self, script: str, timeout: float = TIMEOUT, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a Python script that uses Clockwork in the project's folder."""
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            cwd=self.folder,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    @contextmanager
    def start(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Starts `clockwork` and gives the process, to be interrupted; kills it in the end if need be."""
        process = subprocess.Popen(
            [clockwork_command(), *arguments],
            cwd=self.folder,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def terminal(
        self,
        *arguments: str,
        columns: int = 100,
        rows: int = 40,
        interrupt_at: str | None = None,
        answers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        **environment: str,
    ) -> Terminal:
        """Runs `clockwork` in a terminal.

        Args:
            *arguments: What to type after `clockwork`.
            columns: The terminal's width.
            rows: The terminal's height.
            interrupt_at: Presses Ctrl-C, once, when this text has appeared.
            answers: By the text of a question, what to type, once, when it has appeared.
            timeout: Seconds after which it is killed and the test fails.
            **environment: Variables to set.

        Returns:
            Its exit status and all that it wrote.
        """
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # Its session's terminal is this one, so that a Ctrl-C typed into it becomes a signal.
        adopt = (
            "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
            "os.execv(sys.argv[1], sys.argv[1:])"
        )
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", adopt, clockwork_command(), *arguments],
            cwd=self.folder,
            env=self._environment(environment),
            stdin=follower,
            stdout=follower,
            stderr=follower,
        )
        os.close(follower)
        try:
            typed = {question: f"{answer}\n" for question, answer in (answers or {}).items()}
            if interrupt_at is not None:
                typed[interrupt_at] = "\x03"
            output = _read(leader, timeout, typed)
            return Terminal(process.wait(timeout), output.decode(errors="replace"))
        finally:
            os.close(leader)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        server = {"OPENROUTER_BASE_URL": self.base_url} if self.base_url else {}
        return clean_environment(**server, **more)


def _read(leader: int, timeout: float, typed: dict[str, str]) -> bytes:
    """All that is written to a terminal until nobody has it open any more, typing what each text is the cue for."""
    output = b""
    deadline = time.monotonic() + timeout
    while True:
        ready = select.select([leader], [], [], max(0, deadline - time.monotonic()))[0]
        assert ready, f"still running after {timeout} seconds; so far: {output.decode(errors='replace')}"
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux says EIO where macOS gives nothing
            return output
        if not piece:
            return output
        output += piece
        for cue in [cue for cue in typed if cue.encode() in output]:
            os.write(leader, typed.pop(cue).encode())
