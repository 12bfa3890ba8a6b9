"""Operations: the work of a kind as data, and values that are known only for a host, or only later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from typing_extensions import Self

__all__ = ["HostData", "Operation", "Output", "Secret"]


@dataclass(frozen=True)
class Secret:
    """A secret by its name: compiled files read it from the environment variable `CLOCKWORK_SECRET_` + name.

    A `SecretStr` in an argument becomes one by itself, named by its resource and field.

    Attributes:
        name: Letters, digits and underscores.
    """

    name: str


@dataclass(frozen=True)
class HostData:
    """A value that the inventory has for a host.

    Attributes:
        key: The key of the host's data.
    """

    key: str


@dataclass(frozen=True)
class Output:
    """A value that an operation of another resource publishes while it runs.

    Attributes:
        resource: The name of the other resource.
        key: The key under which it is published.
    """

    resource: str
    key: str


class Operation:
    """One call of a pyinfra operation, as data.

    ```python
    Operation("files.directory", path="/srv/site", mode="755").state(path="/srv/site", type="directory", mode="755")
    ```

    Properties of an operation beside its arguments are set by methods, so that all names of arguments are free.

    Args:
        function: `files.directory` means `pyinfra.operations.files.directory`; any longer path is imported as it
            stands, such as `mine.units.unit` of a file `mine/units.py` beside main.py. A function stands for its path.
        **arguments: JSON values, bytes, `StringIO` and `BytesIO`, `SecretStr`, and `Secret`, `HostData` and `Output`.

    Attributes:
        function: The path of the function.
        arguments: The arguments by name.
        expected: What `state` declared.
        effects: What `creates`, `replaces` and `removes` declared.
    """

    def __init__(self, function: str | Callable[..., Any], /, **arguments: Any) -> None:
        """Stores the call. It is checked when the resource is compiled."""
        self.function = function if isinstance(function, str) else _path_of(function)
        self.arguments = arguments
        self.expected: dict[str, str] = {}
        self.effects: dict[str, list[str]] = {"creates": [], "replaces": [], "removes": []}

    def __repr__(self) -> str:
        """The function and the names of the arguments: a value may be a secret."""
        return f"Operation({self.function!r}, {', '.join(f'{name}=…' for name in self.arguments)})"

    def state(
        self,
        *,
        path: str,
        type: Literal["file", "directory", "link", "absent"],
        sha256: str | None = None,
        mode: str | None = None,
        owner: str | None = None,
        group: str | None = None,
        target: str | None = None,
    ) -> Self:
        """Declares the state afterwards. Only this can be compared without running the operation.

        Args:
            path: The path.
            type: What is there.
            sha256: The hash of the file's content, in hexadecimal.
            mode: The permissions, in octal.
            owner: The name of the user.
            group: The name of the group.
            target: The target of a link.
        """
        given = {
            "path": path,
            "type": type,
            "sha256": sha256,
            "mode": mode,
            "owner": owner,
            "group": group,
            "target": target,
        }
        self.expected = {name: value for name, value in given.items() if value is not None}
        return self

    def creates(self, *identities: str) -> Self:
        """Declares the identities that an operation without an `Intent` creates."""
        self.effects["creates"] += identities
        return self

    def replaces(self, *identities: str) -> Self:
        """Declares the identities that an operation without an `Intent` replaces."""
        self.effects["replaces"] += identities
        return self

    def removes(self, *identities: str) -> Self:
        """Declares the identities that an operation without an `Intent` removes."""
        self.effects["removes"] += identities
        return self


def _path_of(function: Callable[..., Any]) -> str:
    """The path under which a function can be imported."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    # An operation of pyinfra's is a wrapper of the function that it was made of.
    return f"{module.removeprefix('pyinfra.operations.')}.{name}"
