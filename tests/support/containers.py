"""One container that a test brings up through plain pyinfra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clockwork.operations import docker as operations
from support.plain_pyinfra import Outcome, run

if TYPE_CHECKING:
    from support.docker import Docker


class Web:
    """A container of the test's own."""

    def __init__(self, docker: Docker) -> None:
        self.docker, self.name = docker, docker.name("web")

    def __call__(self, succeeds: bool = True, **arguments: Any) -> Outcome:
        """Brings it to what is wanted."""
        given = {"container": self.name, "image": self.docker.images.one, "grace": 0, **arguments}
        outcome = run(operations.container, **given)
        assert outcome.succeeded == succeeds, outcome.told
        return outcome

    @property
    def there(self) -> dict[str, Any]:
        """The output of `docker inspect`."""
        found = self.docker.container(self.name)
        assert found is not None
        return found

    @property
    def id(self) -> str:
        """The id of the container."""
        return str(self.there["Id"])

    @property
    def running(self) -> bool:
        """True if it runs."""
        return bool(self.there["State"]["Running"])

    @property
    def names(self) -> list[str]:
        """The names of all containers of this test."""
        listed = self.docker(
            "ps", "--all", "--filter", f"name={self.docker.prefix}", "--format", "{{.Names}}"
        )
        return sorted(listed.split())
