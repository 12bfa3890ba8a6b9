"""Assertions of one file, and a small site to check."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import clockwork
from clockwork.exceptions import CheckError
from clockwork.resources import FileResource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clockwork.results import CheckResult


def file(*assertions: Any, name: str = "a.txt") -> FileResource:
    return FileResource(
        name=name, content="hello\nworld", directory="out", mode="640", assertions=list(assertions)
    )


def check(*assertions: Any) -> list[CheckResult]:
    """Checks assertions of one file, whether or not they hold."""
    try:
        return list(clockwork.check([file(*assertions)]).checks)
    except CheckError as error:
        assert error.result is not None
        assert error.result.failed
        return list(error.result.checks)


def why(assertion: Any) -> str | None:
    (result,) = check(assertion)
    assert result.ok == (result.error is None)
    return result.error


class Site(BaseHTTPRequestHandler):
    """A small site; what it has been asked for is remembered."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status, headers, body = (
            200,
            {"Content-Type": "text/html; charset=latin-1"},
            "<h1>caf\xe9</h1>".encode("latin-1"),
        )
        if self.path == "/moved":
            status, headers = 302, {"Location": "/"}
        elif self.path == "/slow":
            time.sleep(3)
        elif self.path == "/drip":
            headers["Content-Length"] = "1000"
        elif self.path == "/large":
            body = b"x" * 1_000_000 + b"end"
        elif self.path == "/third":
            status = 200 if self.asked.count("/third") == 3 else 503
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            if self.path == "/drip":
                for _ in range(100):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.1)
            self.wfile.write(body)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(port: int = 0) -> Iterator[int]:
    Site.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", port), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
