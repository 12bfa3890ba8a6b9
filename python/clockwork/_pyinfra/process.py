"""Runs commands and reads what they write, without gevent and without a thread of its own.

pyinfra's own reader drains one pipe after the other, which hangs once the second is full, ignores time-outs
outside the main thread, and dies on text that is not UTF-8.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gevent import monkey  # type: ignore[import-untyped]
from pyinfra.connectors.util import CommandOutput, OutputLine

from clockwork._pyinfra.current import HostRun, Interrupted, destroy_hub

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 0.05
"""The longest wait between two checks of the time and for an interrupt, in seconds."""

GRACE = 1.0
"""The time that a process has to end by itself after an interrupt, in seconds."""

CHUNK = 1 << 16

sleep = monkey.get_original("time", "sleep")
"""The sleep of Python itself: gevent's makes an event loop for the thread."""


class _Lines:
    """Puts the lines of two streams together in the order in which they arrive."""

    def __init__(self) -> None:
        self.output: list[OutputLine] = []
        self.rest: dict[str, bytes] = {}

    def feed(self, name: str, chunk: bytes) -> None:
        *lines, rest = (self.rest.get(name, b"") + chunk).split(b"\n")
        self.rest[name] = rest
        self.output += [OutputLine(name, line.decode("utf-8", "replace")) for line in lines]

    def end(self) -> CommandOutput:
        for name, rest in self.rest.items():
            if rest:
                self.output.append(OutputLine(name, rest.decode("utf-8", "replace")))
        return CommandOutput(self.output)


class _Watch:
    """Limits each wait, and raises when the run is interrupted or the time is up."""

    def __init__(self, run: HostRun, timeout: float | None) -> None:
        self.run = run
        self.deadline = None if not timeout else time.monotonic() + timeout

    def step(self) -> float:
        if self.run.cancelled:
            raise Interrupted
        if self.deadline is None:
            return STEP
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(STEP, left)

    def until(self, done: Callable[[], bool]) -> None:
        """Waits for an event that usually happens within a millisecond."""
        pause = 0.00005
        while not done():
            sleep(min(pause, self.step()))
            pause = min(pause * 2, STEP)


def input_bytes(stdin: Any) -> bytes:
    """The bytes that pyinfra writes to a process for its `_stdin` argument: each line ends in a newline."""
    if hasattr(stdin, "readlines"):
        stdin = stdin.readlines()
    lines = stdin if isinstance(stdin, (list, tuple)) else [stdin]
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines).encode()


def arguments(command: str) -> list[str]:
    """The arguments with which a command line is started.

    pyinfra nearly always hands over ``sh -c '...'``, which a shell would only take apart to start another.
    """
    if command.startswith("sh -c '") and command.endswith("'"):
        script = command[len("sh -c '") : -1].replace("'\"'\"'", "'")
        if command == f"sh -c {shlex.quote(script)}":
            return ["sh", "-c", script]
    return ["/bin/sh", "-c", command]


def run_local(run: HostRun, command: str, stdin: Any, timeout: float | None) -> tuple[int, CommandOutput]:
    """Runs a command on this machine, in a session of its own.

    Returns:
        The exit code and the output.

    Raises:
        TimeoutError: It took longer than `timeout` seconds, and has been killed with all its children.
        Interrupted: The run was interrupted, and the command with it.
    """
    watch = _Watch(run, timeout)
    watch.step()
    if monkey.is_module_patched("os"):
        # gevent's `os.close` leaves a file open until the thread's event loop runs, and `Popen` waits for it.
        destroy_hub()
    process = subprocess.Popen(
        arguments(command),
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
    try:
        output = _communicate(process, input_bytes(stdin) if stdin else b"", watch)
        watch.until(lambda: process.poll() is not None)
    except TimeoutError:
        _kill(process, grace=0)
        raise
    except BaseException:
        _kill(process, grace=GRACE)
        raise
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    return process.returncode, output


def _communicate(process: subprocess.Popen[bytes], data: bytes, watch: _Watch) -> CommandOutput:
    assert process.stdout is not None
    assert process.stderr is not None
    lines = _Lines()
    names = {process.stdout.fileno(): "stdout", process.stderr.fileno(): "stderr"}
    poller = select.poll()
    for descriptor in names:
        poller.register(descriptor, select.POLLIN)
    feed = process.stdin.fileno() if process.stdin is not None else -1
    if process.stdin is not None:
        os.set_blocking(feed, False)
        poller.register(feed, select.POLLOUT)
    left = memoryview(data)
    while names:
        for descriptor, _ in poller.poll(watch.step() * 1000):
            if descriptor == feed:
                try:
                    left = left[os.write(feed, left[:CHUNK]) :]
                except BlockingIOError:
                    continue
                except OSError:  # it does not want to read more
                    left = left[:0]
                if not left and process.stdin is not None:
                    poller.unregister(feed)
                    process.stdin.close()
            elif chunk := os.read(descriptor, CHUNK):
                lines.feed(names[descriptor], chunk)
            else:
                poller.unregister(descriptor)
                del names[descriptor]
    return lines.end()


def _kill(process: subprocess.Popen[bytes], grace: float) -> None:
    """Ends a process with all its children: by SIGTERM first, if there is time."""
    if grace:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def read_channel(run: HostRun, channel: Any, timeout: float | None) -> CommandOutput:
    """Reads an SSH channel until the command has ended, and closes it.

    Raises:
        TimeoutError: It took longer than `timeout` seconds.
        Interrupted: The run was interrupted.
    """
    watch = _Watch(run, timeout)
    lines = _Lines()
    poller = select.poll()
    try:
        poller.register(channel.fileno(), select.POLLIN)
        while True:
            ended = channel.eof_received or channel.closed
            read = False
            while channel.recv_ready():
                read = True
                lines.feed("stdout", channel.recv(CHUNK))
            while channel.recv_stderr_ready():
                read = True
                lines.feed("stderr", channel.recv_stderr(CHUNK))
            if read:
                watch.step()
            elif ended:
                break
            else:
                poller.poll(watch.step() * 1000)
        watch.until(channel.status_event.is_set)
    finally:
        channel.close()
    return lines.end()
