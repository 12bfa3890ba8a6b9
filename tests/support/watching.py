"""`clockwork watch` in a process of its own, read line by line, and a webhook that remembers what it was told."""

from __future__ import annotations

import json
import queue
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from .project import Project

PATIENCE = 30


class Rounds:
    """The rounds of a running `clockwork watch --json`, as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def next(self) -> Any:
        """The next round."""
        return json.loads(self._lines.get(timeout=PATIENCE))

    def until(self, wanted: Callable[[Any], object]) -> Any:
        """The next round of which something holds."""
        for _ in range(100):
            found = self.next()
            if wanted(found):
                return found
        raise AssertionError("none of a hundred rounds was as wanted")

    def end(self, signal: int) -> int:
        """Ends it with a signal, and gives its exit status."""
        self.process.send_signal(signal)
        return self.process.wait(PATIENCE)


@contextmanager
def watching(project: Project, *arguments: str, **environment: str) -> Iterator[Rounds]:
    """Starts `clockwork watch --json` and gives its rounds; kills it in the end if need be."""
    with project.start("watch", "--json", *arguments, **environment) as process:
        yield Rounds(process)


class Hook:
    """A webhook that records the documents it receives.

    Attributes:
        url: Its address, with something in it that is nobody else's business.
        told: The documents, in order.
        status: What it answers with.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/services/T0KEN?key=T0KEN"
        self.told: list[Any] = []
        self.status = 200

    @property
    def events(self) -> list[str]:
        """The kinds of the received notifications."""
        return [document["event"] for document in self.told]


@contextmanager
def running_hook() -> Iterator[Hook]:
    """Starts a server that takes any POST."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if hook.status == 200:
                assert self.path == "/services/T0KEN?key=T0KEN"
                hook.told.append(json.loads(body))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Hook(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
