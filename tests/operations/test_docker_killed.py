"""Replacements of containers that are killed halfway, with a real Docker engine, through plain pyinfra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clockwork.operations import docker as operations
from support.plain_pyinfra import run

if TYPE_CHECKING:
    from support.containers import Web
    from support.docker import Docker
    from support.docker_double import DockerDouble


@pytest.mark.parametrize(
    ("fails", "wanted_again", "first"),
    [(True, False, 1), (True, True, 2), (False, False, 5), (False, True, 5)],
    ids=["fails, old", "fails, new", "succeeds, old", "succeeds, new"],
)
def test_killed_between_any_two_steps(
    fails: bool, wanted_again: bool, first: int, web: Web, double: DockerDouble
) -> None:
    """A replacement is killed before each of its commands; then one of the two is wanted.

    One that fails has the same commands as one that succeeds until the new container is started. To save time, one
    that succeeds is killed only after that, and the first commands, which leave the old one alone, are tried once.
    """
    web(labels={"which": "0"})
    which, step = "0", first
    while True:
        new: dict[str, Any] = {"labels": {"which": str(step)}}
        before = web.id
        double.kill_at(step)
        mistake: dict[str, Any] = {"command": ["/no/such/program"]} if fails else {}
        outcome = run(
            operations.container,
            container=web.name,
            image=web.docker.images.one,
            grace=0,
            **new,
            **mistake,
        )
        double.rest()
        if not double.killed:
            break
        assert not outcome.succeeded
        which = str(step) if wanted_again else which
        web(labels={"which": which})
        there = web.there
        assert there["State"]["Running"], f"killed before command {step}"
        assert there["Config"]["Labels"]["which"] == which, f"killed before command {step}"
        assert web.names == [web.name], f"killed before command {step}"
        assert web(labels={"which": which}).intents == []
        if fails and not wanted_again:
            assert there["Id"] == before, f"killed before command {step}"
        step += 1
    assert outcome.succeeded != fails
    assert step >= 7


def test_killed_while_it_was_looked_at(web: Web, docker: Docker) -> None:
    """A container that runs beside one that is set aside has not shown yet that it stays up."""
    loop: dict[str, Any] = {"command": "sh -c 'sleep 0.3; exit 3'", "restart_policy": "always"}
    web()
    before = web.id
    web(**loop, start=False, container=docker.name("next"))
    docker("rename", web.name, f"{web.name}.clockwork-old")
    docker("stop", f"{web.name}.clockwork-old")
    docker("rename", docker.name("next"), web.name)
    docker("start", web.name)
    outcome = web(succeeds=False, **loop, grace=2)
    assert "does not stay up" in outcome.told
    assert (web.id, web.running, web.names) == (before, True, [web.name])
