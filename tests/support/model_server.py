"""A scripted OpenAI-compatible server, for the faults that a real model server will not produce on demand.

Without a script it answers every request sensibly and always in the same way. `ModelServer.script` queues
replies; each request takes the next one, and when there are none left the sensible answers come back.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

# In US dollars for each token, and what an answer of these tokens costs.
PRICES = {"prompt": "0.000003", "completion": "0.000012"}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "cost": 0.000117}


@dataclass(frozen=True)
class Request:
    """A received request.

    Attributes:
        path: The path, with the query.
        headers: The headers, their names in lower case.
        body: The JSON body; an empty object where there is none.
    """

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        """All messages as one text."""
        return "\n".join(str(message.get("content", "")) for message in self.body.get("messages", []))


@dataclass
class Reply:
    """The answer to one request. Defaults make a good answer.

    Attributes:
        text: The answer's content; None writes one that fits the request.
        status: The HTTP status. With one above 399, `error` is the body.
        error: The error object, as in ``{"error": …}``.
        headers: Headers to add, such as ``Retry-After``.
        delay: Seconds before anything is sent.
        pause: Seconds between two pieces of a stream.
        finish: The reason that the answer gives for its end.
        raw: A body to send as it is, instead of all of the above.
        drop: Resets the connection without an answer.
    """

    text: str | None = None
    status: int = 200
    error: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    pause: float = 0
    finish: str = "stop"
    raw: bytes | None = None
    drop: bool = False

    @classmethod
    def failure(cls, status: int, message: str, code: int | str | None = None, **more: Any) -> Reply:
        """An error as OpenRouter sends it."""
        return cls(
            status=status, error={"code": status if code is None else code, "message": message}, **more
        )


class ModelServer:
    """The server; a context manager that stops it.

    Attributes:
        base_url: What a client wants as its base URL; it ends in ``/v1``.
        requests: What came in, in order, not counting other paths than the chat's.
        delay: Seconds that every answer takes, besides what its reply says.
        values: What to answer for fields of a JSON schema, by name.
        prices: What the provider of each model asks for its tokens, as OpenRouter lists it; None lists nothing.
        at_once: The greatest number of requests that were open at the same time.
    """

    def __init__(self, delay: float = 0) -> None:
        self.delay = delay
        self.requests: list[Request] = []
        self.values: dict[str, Any] = {"image": "nginx:1.27-alpine"}
        self.prices: dict[str, str] | None = PRICES
        self.at_once = 0
        self._replies: deque[Reply] = deque()
        self._open = 0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Quiet(("127.0.0.1", 0), handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def script(self, *replies: Reply) -> None:
        """Queues the next replies."""
        self._replies.extend(replies)

    def reset(self) -> None:
        """Forgets the script and the requests."""
        self._replies.clear()
        self.requests.clear()
        self.delay = self.at_once = 0
        self.prices = PRICES

    def close(self) -> None:
        """Stops listening. Answers under way are not waited for."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def enter(self, request: Request) -> Reply:
        """Takes a request in and gives the reply that is its turn."""
        with self._lock:
            self.requests.append(request)
            self._open += 1
            self.at_once = max(self.at_once, self._open)
            return self._replies.popleft() if self._replies else Reply()

    def leave(self) -> None:
        """Takes note that a request is done."""
        with self._lock:
            self._open -= 1

    def answer(self, request: Request) -> str:
        """The sensible answer to a request: JSON that fits its schema, else a text about its last words."""
        wanted = request.body.get("response_format") or {}
        if wanted.get("type") == "json_schema":
            return json.dumps(self._instance(wanted["json_schema"]["schema"], ""))
        # Long enough for a text of MEDIUM size, and short enough for a SMALL one.
        return f"About: {' '.join(request.prompt.split()[-8:])}\n" + "And so on, at some length.\n" * 40

    def _instance(self, schema: dict[str, Any], name: str) -> Any:
        """Some value that fits a schema; simple ones are enough here."""
        if name in self.values:
            return self.values[name]
        if "enum" in schema:
            return schema["enum"][0]
        if "anyOf" in schema:
            return self._instance(schema["anyOf"][0], name)
        kind = schema.get("type")
        if kind == "object":
            return {key: self._instance(inner, key) for key, inner in schema.get("properties", {}).items()}
        return {"array": [], "integer": 1, "number": 1, "boolean": True, "null": None}.get(
            str(kind), "something"
        )


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: clients of tests go away in the middle on purpose."""


class _Handler(BaseHTTPRequestHandler):
    owner: ModelServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        if self.path.startswith("/v1/models/") and self.owner.prices is not None:
            providers = [{"name": "Scripted", "pricing": self.owner.prices}]
            self._send(200, json.dumps({"data": {"endpoints": providers}}).encode())
        else:
            self._no_such_path()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, body)
        if not self.path.endswith("/chat/completions"):
            self._no_such_path()
            return
        reply = self.owner.enter(request)
        try:
            time.sleep(self.owner.delay + reply.delay)
            self._reply(request, reply)
        finally:
            self.owner.leave()

    def _no_such_path(self) -> None:
        self._send(404, json.dumps({"error": {"code": 404, "message": "no such path"}}).encode())

    def _reply(self, request: Request, reply: Reply) -> None:
        text = self.owner.answer(request) if reply.text is None else reply.text
        if reply.drop:
            self._reset()
        elif reply.raw is not None:
            self._send(reply.status, reply.raw, reply.headers)
        elif reply.error is not None:
            self._send(reply.status, json.dumps({"error": reply.error}).encode(), reply.headers)
        elif request.body.get("stream"):
            self._stream(text, request, reply)
        else:
            choice = {"index": 0, "finish_reason": reply.finish}
            choice["message"] = {"role": "assistant", "content": text}
            whole = {"id": "gen-1", "model": request.body.get("model"), "provider": "Scripted"}
            whole |= {"choices": [choice], "usage": USAGE}
            self._send(reply.status, json.dumps(whole).encode(), reply.headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, text: str, request: Request, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        head = {"id": "gen-1", "object": "chat.completion.chunk", "model": request.body.get("model")}
        head["provider"] = "Scripted"
        self._chunk(": OPENROUTER PROCESSING\n\n")
        for piece in _pieces(text):
            self._event(head, {"content": piece})
            time.sleep(reply.pause)
        self._event(head, {}, reply.finish)
        self._data(head | {"choices": [], "usage": USAGE})
        self._chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, head: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> None:
        self._data(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def _data(self, event: dict[str, Any]) -> None:
        self._chunk(f"data: {json.dumps(event)}\n\n")

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _reset(self) -> None:
        """Drops the connection with a reset, as a crashed server would."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _pieces(text: str) -> list[str]:
    """A text in pieces of about five characters, as models send it; at least one."""
    return [text[start : start + 5] for start in range(0, len(text), 5)] or [""]
