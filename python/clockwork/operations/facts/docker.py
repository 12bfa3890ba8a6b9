"""Facts of a Docker engine about one container or one network. Each fact is one round trip."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyinfra.api import FactBase
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NEW = ".clockwork-new"
"""The suffix of the name of a new container, until it takes its place."""

OLD = ".clockwork-old"
"""The suffix of the name of a container that is set aside. After a dash it names those that are set aside together."""

# The first line tells if the engine answers. `docker inspect` leaves out missing objects, and
# then fails; the list before it shows that the engine answers. Warnings are no part of that list.
_ASK = """\
if ! command -v docker >/dev/null 2>&1; then echo missing
elif ! found=$({list} 2>/dev/null); then echo trouble; {list} 2>&1 >/dev/null
else
echo there
{more}
fi
true"""

_JSON = "--format '{{json .}}'"


@dataclass(frozen=True)
class Engine:
    """The availability of a Docker engine.

    Attributes:
        installed: Whether there is a `docker` command.
        trouble: Docker's own words where its engine does not answer.
    """

    installed: bool = True
    trouble: str | None = None


@dataclass(frozen=True)
class Container:
    """The data of an engine about one container. The parts are as `docker inspect` gives them.

    Attributes:
        engine: Whether it could be asked.
        there: The container under its name.
        new: One that was made to take its place, and has not.
        old: One that was set aside, by the end of its name: `.clockwork-old`, or `.clockwork-old-GROUP`.
        image: What the name of the image means now.
        networks: The networks that were asked for and exist, by name.
    """

    engine: Engine = field(default_factory=Engine)
    there: Mapping[str, Any] | None = None
    new: Mapping[str, Any] | None = None
    old: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    image: Mapping[str, Any] | None = None
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """The data of an engine about one network.

    Attributes:
        engine: Whether it could be asked.
        there: The network, as `docker network inspect` gives it.
        attached: The names of all containers that are attached to it, also of those that do not run.
    """

    engine: Engine = field(default_factory=Engine)
    there: Mapping[str, Any] | None = None
    attached: tuple[str, ...] = ()


class ContainerStatus(FactBase[Container]):
    """One container, the containers that a replacement may have left beside it, its image, and its networks.

    An engine that does not answer is part of the result, and does not fail the fact.
    """

    @staticmethod
    @override
    def default() -> Container:
        """The result without an engine."""
        return Container(Engine(installed=False))

    @override
    def command(self, container: str, image: str | None = None, networks: Sequence[str] = ()) -> str:
        """The script that reads all of it.

        Args:
            container: The name of the container.
            image: An image, by its name or id.
            networks: Names of networks.
        """
        name = re.escape(container)
        names = f"^/?{name}({re.escape(NEW)}|{re.escape(OLD)}(-[0-9a-f]+)?)?$"
        more = []
        wanted = "$found"
        if image:
            wanted += f" {shlex.quote(image_reference(image))}"
        # An id of a container has precedence over other objects with this name.
        ask = f"docker inspect {_JSON} {wanted} 2>/dev/null"
        more.append(ask if image else f'[ -z "$found" ] || {ask}')
        if networks:
            listed = " ".join(map(shlex.quote, networks))
            more.append(f"docker network inspect {_JSON} {listed} 2>/dev/null")
        list_ = f"docker container ls --all --quiet --no-trunc --filter {shlex.quote(f'name={names}')}"
        return _ASK.format(list=list_, more="\n".join(more))

    @override
    def process(self, output: list[str]) -> Container:
        """Parses the output."""
        engine, documents = _read(output)
        there = new = image = None
        old: dict[str, Mapping[str, Any]] = {}
        networks = {}
        for document in documents:
            if "HostConfig" in document:
                name, dot, end = str(document["Name"]).removeprefix("/").partition(".clockwork-")
                if not dot or not name:
                    there = document
                elif f"{dot}{end}" == NEW:
                    new = document
                else:
                    old[f"{dot}{end}"] = document
            elif "IPAM" in document:
                networks[str(document["Name"])] = document
            else:
                image = document
        return Container(engine, there, new, old, image, networks)


class NetworkStatus(FactBase[Network]):
    """One network, and the containers that are attached to it.

    An engine that does not answer is part of the result, and does not fail the fact.
    """

    @staticmethod
    @override
    def default() -> Network:
        """The result without an engine."""
        return Network(Engine(installed=False))

    @override
    def command(self, network: str) -> str:
        """The script that reads both.

        Args:
            network: The name of the network.
        """
        name = shlex.quote(network)
        # A network's own list of containers leaves out those that do not run.
        list_ = f"docker container ls --all --format '{{{{.Names}}}}' --filter {shlex.quote(f'network={network}')}"
        more = f"""printf '%s\\n' "$found"\ndocker network inspect {_JSON} {name} 2>/dev/null"""
        return _ASK.format(list=list_, more=more)

    @override
    def process(self, output: list[str]) -> Network:
        """Parses the output."""
        engine, documents = _read(output)
        names = [line for line in output[1:] if line and not line.startswith("{")]
        attached = tuple(names) if engine.installed and not engine.trouble else ()
        return Network(engine, documents[0] if documents else None, attached)


def image_reference(image: str) -> str:
    """An image's reference with its tag written out, so that it is never taken for the name of a container."""
    if "@" in image or ":" in image.rpartition("/")[2]:
        return image
    return f"{image}:latest"


def _read(output: list[str]) -> tuple[Engine, list[dict[str, Any]]]:
    if not output or output[0] == "missing":
        return Engine(installed=False), []
    if output[0] == "trouble":
        return Engine(trouble="\n".join(output[1:]).strip()), []
    return Engine(), [json.loads(line) for line in output[1:] if line.startswith("{")]
