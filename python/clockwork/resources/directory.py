"""A folder with its permissions and owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from clockwork.resources._paths import HostPath, Mode
from clockwork.resources.base import Resource
from clockwork.resources.generated import Generated
from clockwork.resources.operation import Operation


class DirectoryResource(Resource):
    """A folder on the host.

    Folders on the way are created. It is removed only when it is empty: a folder that holds anything else when it is
    destroyed stays, and that is an error that says so. A folder that moves is made in its new place, and what is in
    the old one is not moved with it.

    ```python
    DirectoryResource(name="site", path="/srv/site", mode="750", group="www-data")
    DirectoryResource(name="keys", description="Private keys of the web server", path="/srv/keys", suggest=["mode"])
    ```

    Attributes:
        name: What it is called in main.py; another name for the same path changes nothing on the host.
        path: The whole path. A relative one is below the folder of main.py, and `~` is the home folder.
        mode: The permissions, in octal.
        user: The owner, by name or number. Without it the owner stays as it is.
        group: The group, by name or number. Without it the group stays as it is.
    """

    placement: ClassVar[frozenset[str]] = frozenset({"path"})

    path: HostPath = Field(description="The whole path, or one below the folder of main.py")
    mode: Annotated[Mode, Generated("Its permissions in octal, such as 755 or 700", suggested=True)] = "755"
    user: str | None = Field(default=None, min_length=1, description="The owner, by name or number")
    group: str | None = Field(default=None, min_length=1, description="The group, by name or number")

    def identity(self) -> str:
        """The path of the folder."""
        return f"path:{self._target()}"

    def operations(self) -> Iterator[Operation]:
        """Creates the folder, and sets its mode and owner."""
        target = self._target()
        yield Operation(
            "clockwork.operations.files.directory",
            name=f"Make {target}",
            path=target,
            mode=self.mode,
            **{
                key: value for key, value in (("user", self.user), ("group", self.group)) if value is not None
            },
        ).state(
            path=target, type="directory", mode=self.mode, owner=_name(self.user), group=_name(self.group)
        )

    def destroy_operations(self) -> Iterator[Operation]:
        """Removes the folder, if it is empty."""
        target = self._target()
        yield Operation(
            "clockwork.operations.files.directory", name=f"Remove {target}", path=target, present=False
        ).state(path=target, type="absent")

    def _target(self) -> str:
        return self.resolve(self.path).rstrip("/")

    @field_validator("path")
    @classmethod
    def _is_no_root(cls, path: str) -> str:
        if not path.strip("/"):
            raise ValueError("/ is always there, and stays as it is")
        return path


def _name(owner: str | None) -> str | None:
    """A name of a user or group. A number is refused."""
    return None if owner is None or owner.isdigit() else owner
