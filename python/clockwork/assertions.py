"""Assertions about deployed resources: `assertions=[…]` of any resource, checked by `clockwork check`.

```python
from clockwork.assertions import ContainerRunning, HttpResponds
from clockwork.resources import DockerServiceResource

web = DockerServiceResource(
    name="web",
    description="A small web server",
    ports=["8080:80"],
    assertions=[ContainerRunning(), HttpResponds(url="http://{host}:8080/", body="(?i)<html")],
)
```

Files, containers and commands are checked on the host; ports and URLs from this machine. A function of your own is
an assertion too: it fails if it raises or returns False.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import Self

__all__ = [
    "Assertion",
    "CallSucceeds",
    "CheckHost",
    "CheckOutput",
    "CommandSucceeds",
    "ContainerRunning",
    "FileContains",
    "FileExists",
    "HttpResponds",
    "PortOpen",
]


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("it holds a NUL character, which is possible neither in a path nor in a command")
    return value


def _expression(pattern: str | None) -> str | None:
    try:
        re.compile(pattern or "", re.MULTILINE)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from None
    return pattern


def needs_host(function: Callable[..., Any]) -> bool:
    """Tells if a function takes a `CheckHost`, or no argument.

    Raises:
        ValueError: It can be called neither way.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions that are not written in Python have no signature
        return False
    for arguments in ((), (None,)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return bool(arguments)
    raise ValueError(
        f"{name_of(function)} needs more than one argument: it is called with none, or with the host alone"
    )


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function, for messages."""
    inner: Any = inspect.unwrap(function)
    inner = getattr(inner, "func", inner)  # the function of a functools.partial
    name = str(getattr(inner, "__name__", type(inner).__name__))
    if name == "<lambda>":
        return f"the lambda in line {inner.__code__.co_firstlineno}"
    return f"{name}()"


def _function(given: object) -> Callable[..., Any]:
    if isinstance(given, type):
        raise ValueError(f"{given.__name__} is a class: write {given.__name__}(…), or give it a function")
    if not callable(given):
        raise ValueError(f"an assertion or a function is wanted, and {type(given).__name__} is neither")
    call = getattr(given, "func", given)
    if not inspect.isroutine(call):
        call = type(call).__call__
    if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call):
        raise ValueError(f"{name_of(given)} is async, and nobody would wait for it: write a plain function")
    if inspect.isgeneratorfunction(call):
        raise ValueError(f"{name_of(given)} yields, so that calling it runs nothing: write a plain function")
    needs_host(given)
    return given


class Assertion(BaseModel):
    """A statement about a deployed resource, which is true or false on a host.

    Attributes:
        timeout: The time limit of one try, in seconds.
        retries: The number of retries after a failure. None retries for about 10 seconds; it is the default of ports,
            URLs and containers, while everything else is tried once.
        interval: The delay between two tries, in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    retries: int | None = Field(default=0, ge=0)
    interval: float = Field(default=1.0, ge=0, allow_inf_nan=False)


class _OfFile(Assertion):
    """An assertion about a file."""

    path: str | None = None

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, path: str | None) -> str | None:
        if path == "":
            raise ValueError("it is empty; leave it out for the resource's own path")
        return path if path is None else _without_nul(path)


class FileExists(_OfFile):
    """A file exists on the host.

    Attributes:
        path: Its path, a `FileResource`'s own if left out. A relative one is below the folder of main.py, and `~`
            is the home folder. Symbolic links are followed.
        mode: The permissions that it has to have, in octal, such as `"644"`.
    """

    mode: str | None = None

    @field_validator("mode")
    @classmethod
    def _is_octal(cls, mode: str | None) -> str | None:
        if mode is not None and not re.fullmatch(r"[0-7]{3,4}", mode):
            raise ValueError("permissions are three or four octal digits, such as '644' or '0755'")
        return mode


class FileContains(_OfFile):
    r"""A file on the host contains a text, or a match of a regular expression.

    Attributes:
        text: The exact text.
        pattern: The regular expression, instead of a text. `^` and `$` match at each line.
        path: The file's path, as in `FileExists`.
    """

    text: str | None = None
    pattern: str | None = None

    @field_validator("pattern")
    @classmethod
    def _is_an_expression(cls, pattern: str | None) -> str | None:
        return _expression(pattern)

    @model_validator(mode="after")
    def _looks_for_one_thing(self) -> Self:
        if (self.text is None) == (self.pattern is None):
            raise ValueError("give it either a text or a pattern to look for")
        if "" in (self.text, self.pattern):
            raise ValueError("every file contains nothing: give it something to look for")
        return self


class _OfService(Assertion):
    """An assertion about a service, which may need a moment to start."""

    retries: int | None = Field(default=None, ge=0)


class PortOpen(_OfService):
    """A port accepts TCP connections from this machine.

    Docker accepts connections on a published port before the program in the container does; `HttpResponds` is a
    stronger check.

    Attributes:
        port: The port, from 1 to 65535.
        host: The name or address to connect to; the host's own if left out.
    """

    port: int = Field(ge=1, le=65535)
    host: str | None = None

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str | None) -> str | None:
        if host is not None and (not re.fullmatch(r"[^\s/\[\]\0]+", host) or host.count(":") == 1):
            raise ValueError("it is a name or an address alone, such as 'db.example.org' or '192.0.2.1'")
        return host


class HttpResponds(_OfService):
    """A URL answers a GET request from this machine. Redirects are not followed.

    Attributes:
        url: The address, `http://` or `https://`; `{host}` in it stands for the host's own.
        status: The status that it has to answer with.
        body: A regular expression that has to be found in the first million bytes of the answer. `^` and `$` match
            at each line.
    """

    url: str
    status: int = Field(default=200, ge=200, le=599)
    body: str | None = None

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        wanted = ValueError("it is no address such as 'http://{host}:8080/health' or 'https://example.org/'")
        try:
            parts = urlsplit(url.replace("{host}", "localhost"))
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise wanted from None
        if not usable or re.search(r"[\s\0]", url):
            raise wanted
        return url

    @field_validator("body")
    @classmethod
    def _is_an_expression(cls, body: str | None) -> str | None:
        return _expression(body)


class ContainerRunning(_OfService):
    """A Docker container runs on the host.

    Attributes:
        name: The container's name; the resource's own if left out.
        healthy: Requires that its health check reports healthy. Unless `retries` is set, a container that is still
            starting gets up to a minute, and an unhealthy one fails at once.
    """

    name: str | None = None
    healthy: bool = False

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", name):
            raise ValueError("a container's name has letters, digits, '_', '.' and '-' alone")
        return name


class CommandSucceeds(Assertion):
    """A shell command ends with exit status 0, on the host.

    Attributes:
        command: The command, for `sh -c`. At the time limit it is stopped with all processes that it started.
    """

    command: str

    @field_validator("command")
    @classmethod
    def _is_a_command(cls, command: str) -> str:
        if not command.strip():
            raise ValueError("it is empty")
        return _without_nul(command)


class CallSucceeds(Assertion):
    """A function of yours neither raises nor returns False. A plain function in the list means the same.

    Attributes:
        function: Called without argument or, if it takes one, with a `CheckHost`. At the time limit it counts as
            failed, although Python cannot stop it.
        description: The assertion in a few words; the function's name if left out.
    """

    function: SkipJsonSchema[Annotated[Callable[..., Any], PlainValidator(_function)]]
    description: str | None = None


_KNOWN = (FileExists, FileContains, PortOpen, HttpResponds, ContainerRunning, CommandSucceeds, CallSucceeds)


class Runner(Protocol):
    """Runs commands on a host."""

    def __call__(self, command: str, timeout: float) -> CheckOutput:
        """Runs a command."""


@dataclass(frozen=True)
class CheckOutput:
    """The result of a command.

    Attributes:
        exit_status: Its exit status.
        stdout: Its standard output.
        stderr: Its standard error.
    """

    exit_status: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """True if its exit status is 0."""
        return self.exit_status == 0


class CheckHost:
    """The host on which a function of yours checks something.

    Attributes:
        name: Its name in the inventory, such as `@local`.
        address: Its address as seen from this machine: `localhost` for this machine, else its `ssh_hostname`.
    """

    __slots__ = ("_runner", "address", "name")

    def __init__(self, name: str, address: str, runner: Runner) -> None:
        """Made by Clockwork."""
        self.name = name
        self.address = address
        self._runner = runner

    def run(self, command: str, *, timeout: float = 10.0) -> CheckOutput:
        """Runs a shell command on the host.

        Args:
            command: The command, for `sh -c`.
            timeout: The time limit, in seconds.

        Returns:
            Its exit status and its output. A command that fails raises nothing.

        Raises:
            TimeoutError: It took longer, and has been stopped.
            ConnectionError: The host cannot be reached any more.
        """
        return self._runner(command, timeout)

    def __repr__(self) -> str:
        """Its name and its address."""
        return f"CheckHost(name={self.name!r}, address={self.address!r})"


def checked(assertions: Iterable[object], own_path: str | None, kind: str) -> list[Assertion]:
    """Validates a list of assertions, and wraps plain functions.

    Args:
        assertions: The items of the list.
        own_path: The path of the resource, if it is a file.
        kind: The resource's class, for messages.

    Raises:
        ValueError: An item is no assertion, or does not apply to this resource.
    """
    made = []
    for given in map(_one, assertions):
        assertion = given if isinstance(given, Assertion) else CallSucceeds(function=given)
        if isinstance(assertion, _OfFile) and assertion.path is None and own_path is None:
            raise ValueError(f"{type(assertion).__name__} needs a path here: {kind} is no file of its own")
        made.append(assertion)
    return made


def _one(given: object) -> Assertion | Callable[..., Any]:
    if isinstance(given, Assertion):
        if type(given) in (Assertion, _OfFile, _OfService):
            raise ValueError("it says nothing: use one of the classes of clockwork.assertions, or a function")
        if not isinstance(given, _KNOWN):
            raise ValueError(
                f"nobody knows how to try {type(given).__name__}: use one of the classes of clockwork.assertions, or "
                "a function"
            )
        return given
    return _function(given)


AssertionList = SkipJsonSchema[list[Annotated[Assertion | Callable[..., Any], PlainValidator(_one)]]]
"""The type of a resource's `assertions`. They are not part of a JSON schema."""
