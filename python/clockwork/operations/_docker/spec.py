"""The desired container, and the label with the hash of the spec that one was created from."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyinfra.api import OperationTypeError, OperationValueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SPEC = "clockwork.spec"
PROJECT = "clockwork.project"
FOLDER = "clockwork.folder"
MANAGED = "clockwork.managed"

# A change of the hash needs another number here, and must still accept older labels.
_VERSION = "2"

# These can be changed while a container exists, and are compared one by one.
_IN_PLACE = ("image", "networks", "restart_policy", "cpus", "memory")

_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True)
class Spec:
    """The desired fields of a container. Fields that are not given are empty or None."""

    image: str = ""
    ports: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    env_vars: tuple[tuple[str, str | None], ...] = ()
    env_files: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    restart_policy: str | None = None
    auto_remove: bool = False
    mounts: tuple[str, ...] = ()
    privileged: bool = False
    hostname: str | None = None
    entrypoint: str | None = None
    user: str | None = None
    cpus: float | None = None
    memory: str | None = None
    extra_args: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    command: tuple[str, ...] | None = None

    def given(self) -> dict[str, Any]:
        """The arguments that are given, by name."""
        default = Spec()
        return {name: value for name, value in vars(self).items() if value != getattr(default, name)}

    def fingerprint(self) -> str:
        """The value of the label `clockwork.spec`.

        Only what is given counts, so that an argument that a later version adds changes nobody's label. Values of
        the environment are hashed as they are: whoever may read a container's labels may read its environment too.
        """
        parts = {name: value for name, value in self.given().items() if name not in _IN_PLACE}
        # Their order has no meaning.
        for name in ("ports", "volumes", "env_vars"):
            if name in parts:
                parts[name] = sorted(parts[name], key=repr)
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return f"{_VERSION}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"

    def first_fingerprint(self) -> str | None:
        """The label as the first versions of Clockwork wrote it; None if they could not create this container."""
        known = {"image", "ports", "volumes", "env_vars", "networks", "restart_policy", "cpus", "memory"}
        if not self.given().keys() <= known:
            return None
        # Their sorting ignored the case of ASCII letters, and was stable.
        env = sorted(self.env_vars, key=lambda pair: pair[0].encode().lower())
        document = {
            "image": self.image,
            "ports": self.ports,
            "volumes": self.volumes,
            "env": env,
            "networks": self.networks,
        }
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def mentions(self, *options: str) -> bool:
        """True if `extra_args` have one of these options of `docker create`."""
        return any(argument.partition("=")[0] in options for argument in self.extra_args)


def text_of(value: object) -> str:
    """The text of a value. A deferred value is resolved.

    Raises:
        OperationTypeError: It has no text.
    """
    resolve = getattr(value, "resolve", None)
    if callable(resolve):
        value = resolve()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise OperationTypeError(
            f"a value of the environment is text or a number, and not {type(value).__name__}"
        )
    return str(value)


def environment(env_vars: Mapping[str, object] | Iterable[object]) -> tuple[tuple[str, str | None], ...]:
    """The names and values of an environment, from a mapping or from a list of `KEY=VALUE`.

    A list may hold a `KEY` alone: its value is then the one that it has where docker runs.

    Raises:
        OperationValueError: A name or a value is one that no environment can hold. Values are not told.
    """
    found: dict[str, str | None] = {}
    if isinstance(env_vars, Mapping):
        found.update((key, text_of(value)) for key, value in env_vars.items())
    else:
        for entry in env_vars:
            key, equals, value = text_of(entry).partition("=")
            found[key] = value if equals else None
    for key, text in found.items():
        if not key or "=" in key or "\0" in key or any(map(str.isspace, key)) or key.startswith("#"):
            raise OperationValueError(f"{key!r} cannot be the name of a variable of a container")
        if text is not None and "\0" in text:
            raise OperationValueError(f"the value of {key!r} holds a NUL character, which no environment can")
    return tuple(found.items())


def labels_of(labels: Mapping[str, object] | Iterable[str]) -> tuple[str, ...]:
    """Labels as `KEY=VALUE`, from a mapping or from a list of these."""
    if isinstance(labels, Mapping):
        return tuple(f"{key}={value}" for key, value in labels.items())
    return tuple(labels)


def command_of(command: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """The arguments of a command. A text is taken apart as a shell does, and nothing in it is expanded."""
    if command is None:
        return None
    return tuple(shlex.split(command)) if isinstance(command, str) else tuple(command)


def bytes_of(size: str | int) -> int:
    """Converts a size to bytes, as docker does: `512m`, `1.5g`, `1GiB`.

    Raises:
        OperationValueError: It is no size.
    """
    text = str(size).strip().lower().removesuffix("ib")
    text = text.removesuffix("b") if len(text) > 1 and text[-2] in _UNITS else text
    unit = text[-1:] if text[-1:] in _UNITS else ""
    try:
        return int(float(text.removesuffix(unit)) * _UNITS[unit or "b"])
    except ValueError:
        raise OperationValueError(f"{size!r} is no size of memory, such as '512m' or '1g'") from None
