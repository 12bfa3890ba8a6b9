"""Containers that swap their ports: set aside together, settled together, put back together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from clockwork.operations import docker as operations
from support.plain_pyinfra import Outcome, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.docker import Docker
    from support.docker_double import DockerDouble


class Pair:
    """Two containers, each of which has a port of this machine."""

    def __init__(self, docker: Docker) -> None:
        self.docker = docker
        self.names = [docker.name("a"), docker.name("b")]
        self.ports = docker.ports[:2]

    def bring(self, index: int, port: int, **arguments: Any) -> Outcome:
        """Brings one of them up."""
        given = {"image": self.docker.images.one, "ports": [f"{port}:80"], "grace": 0, **arguments}
        return run(operations.container, container=self.names[index], **given)

    def swap(self) -> list[bool]:
        """Swaps the ports, as one run does, which ends with the first failure; whether each part succeeded."""
        both: dict[str, Any] = {"containers": self.names}
        parts: list[Callable[[], Outcome]] = [
            partial(run, operations.set_aside, **both),
            partial(self.bring, 0, self.ports[1]),
            partial(self.bring, 1, self.ports[0]),
            partial(run, operations.settle, **both),
        ]
        succeeded: list[bool] = []
        for part in parts:
            succeeded.append(part().succeeded)
            if not succeeded[-1]:
                break
        return succeeded

    @property
    def published(self) -> list[int]:
        """The ports that they have, and that something answers there."""
        ports = []
        for name in self.names:
            found = self.docker.container(name)
            assert found is not None
            assert found["State"]["Running"], found["State"]
            ports.append(int(found["HostConfig"]["PortBindings"]["80/tcp"][0]["HostPort"]))
            assert self.docker.page(ports[-1]) == "clockwork-test one"
        return ports

    @property
    def all(self) -> list[str]:
        """The names of all containers of this test."""
        listed = self.docker(
            "ps", "--all", "--filter", f"name={self.docker.prefix}", "--format", "{{.Names}}"
        )
        return sorted(listed.split())


@pytest.fixture
def pair(docker: Docker) -> Pair:
    made = Pair(docker)
    for index, port in enumerate(made.ports):
        assert made.bring(index, port).succeeded
    return made


def test_two_swap_their_ports(pair: Pair) -> None:
    one, two = pair.ports
    assert not pair.bring(0, two).succeeded, "one after the other is not enough"
    assert pair.published == [one, two]
    assert pair.swap() == [True] * 4
    assert pair.published == [two, one]
    assert pair.all == pair.names
    for operation in (operations.settle, operations.container):
        more = {"containers": pair.names} if operation is operations.settle else {"container": pair.names[0]}
        assert run(operation, **more).intents == []


def test_both_come_back_where_one_fails(pair: Pair) -> None:
    one, two = pair.ports
    assert run(operations.set_aside, containers=pair.names).succeeded
    assert pair.bring(0, two).succeeded
    outcome = pair.bring(1, one, command=["/no/such/program"])
    assert not outcome.succeeded
    assert outcome.told.count("that was there before runs again.") == 2
    assert "The old one" not in outcome.told
    assert pair.published == [one, two]
    assert pair.all == pair.names
    assert run(operations.settle, containers=pair.names).intents == []
    # One may also end after it had its time to show that it stays up.
    assert run(operations.set_aside, containers=pair.names).succeeded
    assert pair.bring(0, two).succeeded
    assert pair.bring(1, one).succeeded
    pair.docker("kill", pair.names[1])
    outcome = run(operations.settle, containers=pair.names)
    assert not outcome.succeeded
    assert f"These containers do not run: {pair.names[1]}." in outcome.told
    assert pair.published == [one, two]
    assert pair.all == pair.names


def test_killed_between_any_two_steps(pair: Pair, double: DockerDouble) -> None:
    # Every fourth command, to save time: most of those between are of `container`, which has a test of its own.
    for step in range(1, 40, 4):
        double.kill_at(step)
        pair.swap()
        double.rest()
        if not double.killed:
            assert pair.published == pair.ports[::-1]
            break
        assert pair.swap() == [True] * 4, f"killed before command {step}"
        assert pair.published == pair.ports[::-1], f"killed before command {step}"
        assert pair.all == pair.names, f"killed before command {step}"
        pair.ports.reverse()
    else:
        pytest.fail("it is always killed")
