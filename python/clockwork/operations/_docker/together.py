"""Moves of several containers that swap a claim such as a port: they are set aside and settled together."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pyinfra import host
from pyinfra.api import operation

from clockwork.operations import Intent, context
from clockwork.operations._docker.drift import labels, ownership, runs
from clockwork.operations._docker.owner import check_engine, check_owner
from clockwork.operations._docker.script import Script
from clockwork.operations.facts.docker import OLD, Container, ContainerStatus

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pyinfra.api.command import PyinfraCommand


@operation()
def set_aside(containers: Sequence[str]) -> Generator[PyinfraCommand, None, None]:
    """Stops and renames several containers, so that their ports are free for their successors.

    `container` comes next, for each of them, and then `settle`. Should one of the new ones fail, all that were set
    aside are put back and run again. Those that do not run are left alone.

    Args:
        containers: Their names. `settle` gets the same ones.
    """
    end = _end(containers)
    found = _look(containers)
    # If all successors run, a run was killed before it removed the old containers. They are obsolete.
    over = all(each.there is not None and runs(each.there) and end in each.old for each in found.values())
    stop = [name for name, each in found.items() if end in each.old and runs(each.old[end])]
    move = [
        name
        for name, each in found.items()
        if each.there is not None and runs(each.there) and (over or end not in each.old)
    ]
    if not stop and not move:
        return
    owners = [each.there or each.old[end] for name, each in found.items() if name in (*stop, *move)]
    yield Intent(
        "change", [(name, "running", "set aside") for name in (*stop, *move)], found=ownership(owners[0])
    )
    for name in move:
        check_owner(labels(found[name].there or {}), f"container {name}", "set aside")
    script = Script("")
    if over:
        script.forget_all(end, move)
    script.set_aside_together(end, move, stop)
    yield script.command()


@operation()
def settle(containers: Sequence[str]) -> Generator[PyinfraCommand, None, None]:
    """Removes the containers that `set_aside` kept if all successors run; else puts all of them back.

    Args:
        containers: The names that `set_aside` got.
    """
    end = _end(containers)
    found = _look(containers)
    kept = [name for name, each in found.items() if end in each.old]
    if not kept:
        return
    yield Intent(
        "change", [(name, "set aside", None) for name in kept], found=ownership(found[kept[0]].old[end])
    )
    script = Script("")
    script.settle(end, list(containers), kept)
    yield script.command()


def part_of_swap(container: str) -> Generator[PyinfraCommand, None, None]:
    """Performs the step of a swap that the session asks for, instead of a removal.

    Every container is set aside by itself here: the session goes through all of them before it brings the first one
    up, and clears all new ones before it puts the first one back.
    """
    aside = context().aside
    if aside == "set_aside":
        yield from set_aside._inner(containers=[container])
        return
    end = _end([container])
    found = _look([container])[container]
    kept = found.old.get(end)
    script = Script("")
    if aside == "clear" and kept is not None and found.there is not None:
        yield Intent("remove", [(container, "made in this run", None)], found=ownership(found.there))
        script.run("container", "rm", "--force", "--volumes", container)
    elif aside == "put_back" and kept is not None and found.there is None:
        yield Intent("change", [(container, "set aside", "running")], found=ownership(kept))
        script.run("container", "rename", container + end, container)
        script.run("container", "start", container)
    elif aside == "drop" and kept is not None:
        yield Intent("change", [(container, "set aside", None)], found=ownership(kept))
        script.forget_all(end, [container])
    else:
        return
    yield script.command()


def _end(containers: Sequence[str]) -> str:
    """The suffix of the names of containers that are set aside together."""
    return f"{OLD}-{hashlib.sha256(' '.join(sorted(containers)).encode()).hexdigest()[:8]}"


def _look(containers: Sequence[str]) -> dict[str, Container]:
    found: dict[str, Container] = {}
    for name in containers:
        found[name] = host.get_fact(ContainerStatus, container=name)
        check_engine(found[name].engine)
    return found
