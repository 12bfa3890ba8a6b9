"""One try of each kind of assertion. The Rust core schedules the tries on the hosts."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from functools import partial, singledispatch
from inspect import unwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from clockwork import _core
from clockwork.assertions import (
    Assertion,
    CallSucceeds,
    CheckHost,
    CheckOutput,
    CommandSucceeds,
    ContainerRunning,
    FileContains,
    FileExists,
    HttpResponds,
    PortOpen,
    checked,
    name_of,
    needs_host,
)
from clockwork.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_FILE = 10_000_000
"""The part of a file that is searched, in bytes."""

LARGEST_BODY = 1_000_000
"""The part of an HTTP body that is read, in bytes."""

PATIENCE = 10.0
"""The time that a starting service gets, in seconds."""

HEALTH_PATIENCE = 60.0
"""The time that a first health check of a container gets, in seconds: Docker runs one every 30 seconds."""

OUTPUT_LIMIT = 2000
"""The length of the quoted end of a command's output, in characters."""


class Network(Protocol):
    """Network access from this machine, implemented by the core."""

    def connect(self, host: str, port: int, timeout: float) -> None:
        """Connects to a port, and disconnects. Raises `OSError` if that fails."""

    def fetch(
        self, url: str, timeout: float, limit: int, wants_body: bool
    ) -> tuple[int, str | None, str | None, bytes]:
        """Fetches a URL, and returns status, location, charset and body. Raises `OSError`."""


class Session(Protocol):
    """A session on a host, implemented by the core."""

    host: CheckHost

    def call(self, function: Callable[..., Any], wants_host: bool, timeout: float) -> tuple[bool, object]:
        """Calls a function of the user's. Returns if it finished within `timeout` seconds, and its result."""


@dataclass(frozen=True)
class Failure:
    """A failed try: the reason, and if a retry may succeed."""

    reason: str
    final: bool = False


@dataclass(frozen=True)
class Prepared:
    """An assertion of one resource, ready to be tried on any host.

    Attributes:
        description: The assertion in one line.
        attempt: Makes one try, and returns the failure or None. Exceptions of user code propagate.
        retries: The number of retries; None retries until `patience` is over.
        patience: The time in which to retry, in seconds.
        interval: The delay between two tries, in seconds.
        folder: The folder of the user's code, if there is any.
    """

    description: str
    attempt: Any
    retries: int | None
    patience: float
    interval: float
    folder: str | None = None


def prepare(resource: Resource, folder: str) -> list[Prepared]:
    """Prepares the assertions of a resource.

    Args:
        resource: The resource.
        folder: The folder of main.py.

    Raises:
        ValueError: The list was changed after validation, and has an item that is no assertion.
    """
    prepared = []
    for assertion in checked(resource.assertions, resource._own_path(), type(resource).__name__):
        description, attempt = _ready(assertion, resource, folder)
        healthy = isinstance(assertion, ContainerRunning) and assertion.healthy
        prepared.append(
            Prepared(
                " ".join(description.split()),
                attempt if isinstance(assertion, CallSucceeds) else partial(_try, attempt),
                assertion.retries,
                HEALTH_PATIENCE if healthy else PATIENCE,
                assertion.interval,
                _folder_of(assertion.function) if isinstance(assertion, CallSucceeds) else None,
            )
        )
    return prepared


def _try(attempt: Any, session: Session, network: Network) -> Failure | None:
    """Makes one try, and turns connection errors into failures."""
    try:
        failure: Failure | None = attempt(session, network)
    except OSError as error:
        return Failure(str(error))
    return failure


def _folder_of(function: Callable[..., Any]) -> str | None:
    inner: Any = unwrap(getattr(function, "func", function))
    code = getattr(inner, "__code__", None) or getattr(type(inner).__call__, "__code__", None)
    return str(Path(code.co_filename).parent) if code else None


@singledispatch
def _ready(assertion: Assertion, resource: Resource, folder: str) -> tuple[str, Any]:
    """The description of an assertion, and a function that makes one try."""
    raise ValueError(f"{type(assertion).__name__} is none of Clockwork's own: use a function instead")


@_ready.register
def _(assertion: FileExists, resource: Resource, folder: str) -> tuple[str, Any]:
    path = _core._resolve(assertion.path or str(resource._own_path()), folder)
    mode = f" with mode {assertion.mode}" if assertion.mode else ""
    return f"{path} exists{mode}", partial(_exists, path, assertion)


def _exists(path: str, assertion: FileExists, session: Session, _: Network) -> Failure | None:
    p = shlex.quote(path)
    # GNU and busybox have -c, BSD and macOS have -f.
    found = session.host.run(
        f"if [ -f {p} ]; then echo file; stat -L -c %a {p} 2>/dev/null || stat -L -f %Mp%Lp {p}; "
        f"elif [ -d {p} ]; then echo a folder; elif [ -e {p} ]; then echo no plain file; "
        f"elif [ -L {p} ]; then echo a symbolic link to nothing; fi",
        timeout=assertion.timeout,
    )
    kind, mode = (found.stdout.strip() + "\n").split("\n")[:2]
    if not kind:
        return Failure(_tail(found) or "there is no such file")
    if kind != "file":
        return Failure(f"it is {kind}")
    if assertion.mode and mode.lstrip("0") != assertion.mode.lstrip("0"):
        return Failure(
            f"its mode is {mode.lstrip('0') or '0'}" if mode else _tail(found) or "its mode is unknown"
        )
    return None


@_ready.register
def _(assertion: FileContains, resource: Resource, folder: str) -> tuple[str, Any]:
    path = _core._resolve(assertion.path or str(resource._own_path()), folder)
    if assertion.text is not None:
        return f"{path} contains {_short(assertion.text)}", partial(_contains, path, assertion)
    return f"{path} matches {_short(assertion.pattern or '')}", partial(_contains, path, assertion)


def _contains(path: str, assertion: FileContains, session: Session, _: Network) -> Failure | None:
    command = f"head -c {LARGEST_FILE + 1} {shlex.quote(path)}"
    read = session.host.run(command, timeout=assertion.timeout)
    if not read.ok:
        return Failure(_tail(read))
    if assertion.text is not None:
        found = assertion.text in read.stdout
    else:
        found = re.search(assertion.pattern or "", read.stdout, re.MULTILINE) is not None
    if found:
        return None
    if len(read.stdout.encode()) > LARGEST_FILE:
        return Failure(
            f"it is not in the first {LARGEST_FILE // 1_000_000} MB, and no more is looked through"
        )
    return Failure("it is not in the file" if read.stdout else "the file is empty")


@_ready.register
def _(assertion: PortOpen, resource: Resource, folder: str) -> tuple[str, Any]:
    where = f" on {assertion.host}" if assertion.host else ""
    return f"port {assertion.port} is open{where}", partial(_is_open, assertion)


def _is_open(assertion: PortOpen, session: Session, network: Network) -> Failure | None:
    network.connect(assertion.host or session.host.address, assertion.port, assertion.timeout)
    return None


@_ready.register
def _(assertion: HttpResponds, resource: Resource, folder: str) -> tuple[str, Any]:
    body = f", with {_short(assertion.body)} in its body" if assertion.body else ""
    return f"{_without_secrets(assertion.url)} answers {assertion.status}{body}", partial(
        _responds, assertion
    )


def _responds(assertion: HttpResponds, session: Session, network: Network) -> Failure | None:
    address = session.host.address
    url = assertion.url.replace("{host}", f"[{address}]" if ":" in address else address)
    wants_body = assertion.body is not None
    status, location, charset, body = network.fetch(url, assertion.timeout, LARGEST_BODY, wants_body)
    if status != assertion.status:
        pointed = f", and points to {_without_secrets(location)}" if location else ""
        return Failure(f"it answers {status}{pointed}")
    if assertion.body is None:
        return None
    try:
        text = body.decode(charset or "utf-8", "replace")
    except LookupError:  # an unknown charset
        text = body.decode("utf-8", "replace")
    if re.search(assertion.body, text, re.MULTILINE):
        return None
    return Failure(
        f"its body has none of that: it begins with {_short(text)}" if text else "its body is empty"
    )


@_ready.register
def _(assertion: ContainerRunning, resource: Resource, folder: str) -> tuple[str, Any]:
    name = assertion.name or resource.name
    healthy = " and healthy" if assertion.healthy else ""
    return f"container {name} is running{healthy}", partial(_runs, name, assertion)


def _runs(name: str, assertion: ContainerRunning, session: Session, _: Network) -> Failure | None:
    command = f"docker container inspect --format '{{{{json .State}}}}' {shlex.quote(name)}"
    seen = session.host.run(command, timeout=assertion.timeout)
    if not seen.ok:
        missing = "no such container" in seen.stderr.lower()
        return Failure(f"there is no container called {name}" if missing else _tail(seen))
    state = json.loads(seen.stdout)
    status = state.get("Status") or "not running"
    if status == "exited":
        return Failure(f"it has ended, with exit status {state.get('ExitCode')}")
    if status == "restarting":
        return Failure(
            f"it ends and is started again, the last time with exit status {state.get('ExitCode')}"
        )
    if status != "running":
        return Failure(f"it is {status}")
    return _judge(state.get("Health") or {}) if assertion.healthy else None


def _judge(health: dict[str, Any]) -> Failure | None:
    status = health.get("Status", "none")
    if status == "healthy":
        return None
    if status == "starting":
        return Failure("it runs, and its health check has not said yet that it is healthy")
    if status == "none":
        return Failure("nobody knows: its image has no HEALTHCHECK", final=True)
    log = health.get("Log") or [{}]
    output = str(log[-1].get("Output", "")).strip()[-OUTPUT_LIMIT:]
    return Failure(f"it is {status}: {output}" if output else f"it is {status}", final=True)


@_ready.register
def _(assertion: CommandSucceeds, resource: Resource, folder: str) -> tuple[str, Any]:
    return f"`{_without_secrets(assertion.command)}` succeeds", partial(_succeeds, assertion)


def _succeeds(assertion: CommandSucceeds, session: Session, _: Network) -> Failure | None:
    done = session.host.run(assertion.command, timeout=assertion.timeout)
    if done.ok:
        return None
    output = _tail(done)
    return Failure(
        f"exit status {done.exit_status}: {output}" if output else f"exit status {done.exit_status}"
    )


@_ready.register
def _(assertion: CallSucceeds, resource: Resource, folder: str) -> tuple[str, Any]:
    description = assertion.description or f"{name_of(assertion.function)} holds"
    return description, partial(_holds, assertion, needs_host(assertion.function))


def _holds(assertion: CallSucceeds, wants_host: bool, session: Session, _: Network) -> Failure | None:
    returned, answer = session.call(assertion.function, wants_host, assertion.timeout)
    if not returned:
        return Failure(f"it had not returned after {assertion.timeout:g} s")
    if answer is False:
        return Failure("it returned False")
    if hasattr(answer, "__await__"):
        getattr(answer, "close", lambda: None)()
        return Failure("it returned something to wait for, and nobody does: write a plain function")
    return None


def _without_secrets(text: str) -> str:
    """Redacts URLs in a text: the login, and the values of the query, may be secrets."""
    text = re.sub(r"(://)[^/?#@\s'\"]+@", r"\1***@", text)
    return re.sub(r"(://[^\s'\"?]*\?)([^\s'\"#]+)", lambda found: found[1] + _names_alone(found[2]), text)


def _names_alone(query: str) -> str:
    return re.sub(r"([^&=]*=|)[^&]+", r"\1***", query)


def _short(text: str) -> str:
    """A text as a literal on one line, shortened if it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "…")


def _tail(output: CheckOutput) -> str:
    """The end of the output of a failed command."""
    return (output.stderr.strip() or output.stdout.strip())[-OUTPUT_LIMIT:]
