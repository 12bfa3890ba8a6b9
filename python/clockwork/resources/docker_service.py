"""A Docker container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, SecretStr, field_validator

from clockwork.resources.base import Resource
from clockwork.resources.generated import Generated
from clockwork.resources.operation import Operation

# The grammar of https://pkg.go.dev/github.com/distribution/reference: a registry's host and port, a path of
# lower-case parts, a tag, a digest.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
IMAGE = (
    r"(?:(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:\d))(?::\d+)?/)?"
    rf"{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)
_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]+"
_PORT = re.compile(
    r"(?:(?P<ip>\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]):)?"
    r"(?:(?P<host>\d+(?:-\d+)?)?:)?(?P<container>\d+(?:-\d+)?)(?:/(?P<protocol>tcp|udp|sctp))?"
)


class DockerServiceResource(Resource):
    """A Docker container under a fixed name.

    A change of what it is made from replaces it; its volumes stay, also when it is destroyed.

    ```python
    DockerServiceResource(name="web", description="A small web server", ports=["8080:80"])
    DockerServiceResource(
        name="cache", description="Keeps sessions", image="redis:7", volumes=["sessions:/data"], networks=["back"]
    )
    ```

    Attributes:
        name: The container's name.
        description: What it is for, from which the model suggests an image.
        image: The image, if the model is not to suggest one.
        ports: Ports to publish, as Docker writes them: `8080:80`, `127.0.0.1:8080:80/tcp`, `8000-8010:8000-8010`.
        volumes: `source:target[:options]`. A source that begins with `.` or `~` is a path on this machine.
        env_vars: The environment; a value may be a `SecretStr`. The model sees names alone.
        networks: Networks to attach it to, created where they do not exist.
        suggest: Which of `ports`, `volumes` and `env_vars` the model may fill in, where you leave them out.
        present: Whether it is to exist.
        start: Whether it is to run.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    instructions: ClassVar[str | None] = (
        "It is a container that Docker runs. Take an official image of Docker Hub where one serves the purpose, by its "
        'full name, such as "nginx:1.27-alpine": a name that exists, with a tag of a stable version, never "latest". '
        "What the author set stays as it is; choose to fit it."
    )

    description: str
    image: Annotated[
        str | None,
        Generated("A Docker image with its tag, such as nginx:1.27-alpine", format="container-image"),
    ] = None
    ports: Annotated[
        list[str], Generated("Ports to publish, as host:container, such as 8080:80", suggested=True)
    ] = []
    volumes: Annotated[
        list[str],
        Generated("Named volumes for data that must last, such as data:/var/lib/data", suggested=True),
    ] = []
    env_vars: Annotated[
        dict[str, str | SecretStr],
        Generated("Environment variables that the image needs; no secrets", suggested=True),
    ] = {}
    networks: list[str] = []
    present: bool = True
    start: bool = True

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Shows only the names of the environment."""
        for name, value in super().__repr_args__():
            yield name, dict.fromkeys(value, "**********") if name == "env_vars" else value

    def identity(self) -> str:
        """The name of the container."""
        return f"container:{self.name}"

    def claims(self) -> Iterator[str]:
        """The ports of the host that it publishes."""
        for port in self.ports if self.present else ():
            yield from _claims_of(port)

    def uses(self) -> Iterator[str]:
        """The paths of the host that it mounts."""
        for volume in self.volumes:
            source, colon, _ = volume.partition(":")
            if colon and source.startswith(("/", ".", "~")):
                yield f"path:{self.resolve(source)}"

    def operations(self) -> Iterator[Operation]:
        """Creates the networks and the container, or removes the container."""
        if not self.present:
            yield from self.destroy_operations()
            return
        for network in self.networks:
            yield Operation(
                "clockwork.operations.docker.network", name=f"{self.name}: network {network}", network=network
            )
        yield Operation(
            "clockwork.operations.docker.container",
            name=f"{self.name}: container",
            container=self.name,
            image=self.image,
            ports=self.ports,
            volumes=[self._resolved(volume) for volume in self.volumes],
            env_vars=self.env_vars,
            networks=self.networks,
            start=self.start,
        )

    def destroy_operations(self) -> Iterator[Operation]:
        """Removes the container, and networks of Clockwork's that nobody uses; never a volume."""
        yield Operation(
            "clockwork.operations.docker.container",
            name=f"{self.name}: remove container",
            container=self.name,
            present=False,
        )
        for network in self.networks:
            yield Operation(
                "clockwork.operations.docker.network",
                name=f"{self.name}: remove network {network}",
                network=network,
                present=False,
            )

    def needs_artifact_generation(self) -> bool:
        """Tells if the model has to choose anything. A container that is not to exist needs nothing."""
        return self.present and super().needs_artifact_generation()

    def _resolved(self, volume: str) -> str:
        """A volume with an absolute path, if its source is a path."""
        source, colon, rest = volume.partition(":")
        return f"{self.resolve(source)}:{rest}" if colon and source.startswith((".", "~")) else volume

    @field_validator("name")
    @classmethod
    def _is_a_container_name(cls, name: str) -> str:
        if not re.fullmatch(_NAME, name):
            raise ValueError(
                "Docker's names have two or more letters, digits, '_', '.' or '-', and begin with a letter or digit"
            )
        return name

    @field_validator("image")
    @classmethod
    def _is_an_image(cls, image: str | None) -> str | None:
        return image if image is None else check_image(image)

    @field_validator("ports")
    @classmethod
    def _are_ports(cls, ports: list[str]) -> list[str]:
        for port in ports:
            _check_port(port)
        return ports

    @field_validator("volumes")
    @classmethod
    def _are_volumes(cls, volumes: list[str]) -> list[str]:
        for volume in volumes:
            _check_volume(volume)
        return volumes

    @field_validator("env_vars")
    @classmethod
    def _are_variables(cls, env_vars: dict[str, str | SecretStr]) -> dict[str, str | SecretStr]:
        for key, given in env_vars.items():
            value = given.get_secret_value() if isinstance(given, SecretStr) else given
            if not key or "=" in key or "\0" in key:
                raise ValueError(f"{key!r} cannot be the name of a variable: no '=', no NUL, not empty")
            if "\0" in value:
                raise ValueError(f"the value of {key!r} holds a NUL character, which no environment can")
        return env_vars

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, networks: list[str]) -> list[str]:
        for network in networks:
            if not re.fullmatch(_NAME, network):
                raise ValueError(f"{network!r} is no name of a network: letters, digits, '_', '.' and '-'")
        if len(set(networks)) < len(networks):
            raise ValueError("a network is there twice")
        return networks


def check_image(image: str) -> str:
    """Returns the reference of an image, or raises `ValueError` if it is invalid."""
    if not re.fullmatch(IMAGE, image):
        raise ValueError(
            f"{image!r} is no reference of an image, such as 'nginx:1.27' or 'ghcr.io/me/app@sha256:…'"
        )
    return image


def _check_port(port: str) -> None:
    match = _PORT.fullmatch(port)
    if match is None:
        raise ValueError(f"{port!r} is no port: write '8080:80', '127.0.0.1:8080:80' or '53:53/udp'")
    spans = []
    for span in filter(None, (match["host"], match["container"])):
        first, _, last = span.partition("-")
        low, high = int(first), int(last or first)
        if not 0 < low <= high <= 65535:
            raise ValueError(f"{port!r} is no port: ports are numbers from 1 to 65535")
        spans.append(high - low)
    if len(set(spans)) > 1:
        raise ValueError(f"{port!r} maps ranges of different lengths")


def _claims_of(port: str) -> Iterator[str]:
    """The claims of a published port; a container's port without one of the host claims nothing."""
    match = _PORT.fullmatch(port)
    if match is None or match["host"] is None:
        return
    first, _, last = match["host"].partition("-")
    for number in range(int(first), int(last or first) + 1):
        yield f"port:{match['ip'] or '0.0.0.0'}:{number}/{match['protocol'] or 'tcp'}"


def _check_volume(volume: str) -> None:
    source, colon, rest = volume.partition(":")
    target, _, options = rest.partition(":")
    if not colon:
        source, target = "", volume
    if "\0" in volume or not target.startswith("/"):
        raise ValueError(
            f"{volume!r} is no volume: write 'source:/absolute/target', with ':ro' if it is read-only"
        )
    if colon and not (source.startswith(("/", ".", "~")) or re.fullmatch(_NAME, source)):
        raise ValueError(
            f"{volume!r}: its source is neither a path (begin it with '/', '.' or '~') nor a name"
        )
    if ":" in options:
        raise ValueError(f"{volume!r} has too many colons")
