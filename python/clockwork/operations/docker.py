"""Docker containers and networks: compared with what is wanted, replaced without losing what runs.

They take the names and arguments of pyinfra's own operations, and more. Plain pyinfra runs them too.

```python
from clockwork.operations import docker

docker.network(network="back")
docker.container(container="web", image="nginx:1.27", ports=["8080:80"], networks=["back"], memory="256m")
```

A **replacement** makes the new container under another name first, so that most mistakes cost nothing. Then the old
one is **set aside** (renamed and stopped), the new one takes its name and is started. It has a few seconds to show
that it stays up; else the new one is removed, and the old one is **put back** and runs again. A run that was killed
anywhere between is finished by the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra import host
from pyinfra.api import OperationValueError, operation

from clockwork.operations import Intent, context
from clockwork.operations._docker.drift import compare, done, ownership, runs
from clockwork.operations._docker.drift import labels as labels_there
from clockwork.operations._docker.networks import network
from clockwork.operations._docker.owner import check_engine, check_owner, owner_labels
from clockwork.operations._docker.script import Script
from clockwork.operations._docker.spec import (
    SPEC,
    Spec,
    command_of,
    environment,
    labels_of,
)
from clockwork.operations._docker.together import part_of_swap, set_aside, settle
from clockwork.operations.facts.docker import NEW, OLD, ContainerStatus

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from typing import Any

    from pyinfra.api.command import PyinfraCommand

    from clockwork.operations._docker.drift import Drift
    from clockwork.operations.facts.docker import Container

__all__ = ["container", "network", "set_aside", "settle"]

_LEFT = "a run that was killed left something to put right"


@operation()
def container(
    container: str,
    image: str | None = None,
    ports: Sequence[str] | None = None,
    networks: Sequence[str] | None = None,
    volumes: Sequence[str] | None = None,
    env_vars: Mapping[str, object] | Iterable[object] | None = None,
    env_files: Sequence[str] | None = None,
    labels: Mapping[str, object] | Iterable[str] | None = None,
    pull_always: bool = False,
    present: bool = True,
    force: bool = False,
    start: bool = True,
    restart_policy: str | None = None,
    auto_remove: bool = False,
    mounts: Sequence[str] | None = None,
    privileged: bool = False,
    hostname: str | None = None,
    entrypoint: str | None = None,
    user: str | None = None,
    cpus: float | None = None,
    memory: str | None = None,
    extra_args: Sequence[str] | None = None,
    dns: Sequence[str] | None = None,
    command: str | Sequence[str] | None = None,
    grace: int = 2,
) -> Generator[PyinfraCommand, None, None]:
    """A container under a fixed name.

    Memory, CPUs, the restart policy, networks, and whether it runs are changed while it exists. Any other change
    replaces it, also that the name of its image means another image now. Volumes with a name always stay.

    A container that Clockwork made tells by a label what it was made from. One without that label is compared field
    by field, and only in what is given. It is not replaced only to get a label.

    A process that ends within `grace` seconds of its start is a failure, whatever its status: under a name lives a
    service. With `restart_policy="no"`, given in so many words, it may also be a job: it may end with status 0, and
    is then not started again.

    Args:
        container: Its name.
        image: The image that it is made from. It is fetched where the engine does not have it.
        ports: Ports to publish, as `docker --publish` takes them.
        networks: Networks to attach it to, which have to exist; or one of `host`, `none` and `container:NAME`.
        volumes: Volumes and folders to mount, as `docker --volume` takes them.
        env_vars: Its environment, as a mapping, or as a list of `KEY=VALUE`. No value is in the arguments of any
            process. A value may have a method `resolve`, which is asked for the text.
        env_files: Files of the host that hold more of the environment. What is in them is not compared.
        labels: Its labels, as a mapping or as a list of `KEY=VALUE`.
        pull_always: Whether the image is fetched anew whenever a container is made from it.
        present: Whether it exists. A removal takes its volumes without a name along.
        force: Whether it is replaced in any case.
        start: Whether it runs.
        restart_policy: `no`, `always`, `unless-stopped` or `on-failure[:times]`.
        auto_remove: Whether docker removes it when it ends. Such a one cannot be put back.
        mounts: More to mount, as `docker --mount` takes it.
        privileged: Whether it may do all that the host may.
        hostname: The host name that it sees.
        entrypoint: The program that runs instead of the image's own.
        user: The user that it runs as.
        cpus: How many CPUs it may use.
        memory: How much memory it may use, such as `512m`.
        extra_args: More arguments of `docker container create`, one by one.
        dns: The name servers that it asks.
        command: The command that it runs. A text is taken apart as a shell does, and nothing in it is expanded.
        grace: How many seconds it has to stay up after its start. With 0 one that ended at once is still found.
    """
    if not present:
        found = host.get_fact(ContainerStatus, container=container)
        check_engine(found.engine, "container")
        yield from (part_of_swap(container) if context().aside else _remove(container, found))
        return
    spec = Spec(
        image=image or "",
        ports=tuple(ports or ()),
        networks=tuple(networks or ()),
        volumes=tuple(volumes or ()),
        env_vars=environment(env_vars or ()),
        env_files=tuple(env_files or ()),
        labels=labels_of(labels or ()),
        restart_policy=restart_policy,
        auto_remove=auto_remove,
        mounts=tuple(mounts or ()),
        privileged=privileged,
        hostname=hostname,
        entrypoint=entrypoint,
        user=user,
        cpus=cpus,
        memory=memory,
        extra_args=tuple(extra_args or ()),
        dns=tuple(dns or ()),
        command=command_of(command),
    )
    found = host.get_fact(
        ContainerStatus,
        container=container,
        image=image,
        networks=[each for each in spec.networks if ":" not in each],
    )
    # An earlier operation of this run may install Docker.
    check_engine(found.engine)
    yield from _Bringing(container, spec, found, start, pull_always, grace).commands(force)


class _Bringing:
    """Brings one container to the desired state."""

    def __init__(self, name: str, spec: Spec, found: Container, start: bool, pull: bool, grace: int) -> None:
        self.name, self.spec, self.found = name, spec, found
        self.start, self.pull, self.grace = start, pull, grace
        self.script = Script(name)
        self.once = spec.restart_policy == "no"
        self.aside = min(found.old, default=None)
        self.there = found.there
        # The container that was set aside is the last one that is known to run. If the other one does not run, it
        # never showed that it stays up. It is started if it is the desired one, and removed if not.
        unproven = self.aside and self.there and not runs(self.there) and not done(spec, self.there)
        if unproven and spec.image and compare(spec, found, found.there or {}, start).anew:
            self.there = None

    def commands(self, force: bool) -> Iterable[PyinfraCommand]:
        """Yields the intent and the commands, or nothing if the container is in the desired state."""
        current = self.there or self.found.old.get(self.aside or "")
        if current is None:
            if not self.spec.image:
                raise OperationValueError(f"there is no container {self.name}, and no image to make one from")
            yield Intent("create", [("image", None, self.spec.image)])
            self._create()
            self.script.take_place()
            self._start(discard=True)
            yield self.script.command()
            return
        found = ownership(current)
        drift = compare(self.spec, self.found, current, self.start)
        if drift.anew or (force and self.spec.image):
            # The changes in place are part of the new container too. Its start is no change.
            changes = [*drift.anew, *(each for each in drift.in_place if each[0] != "start")]
            reason = None if changes else "it is replaced in any case (force)"
            yield Intent("change", changes, replaces=f"container:{self.name}", found=found, reason=reason)
            check_owner(labels_there(current), f"container {self.name}", "replaced")
            self._replace(current)
            yield self.script.command()
            return
        left = self.there is None or self.found.new is not None or self.aside is not None
        if drift.in_place or left:
            yield Intent("change", drift.in_place, found=found, reason=_LEFT if left else None)
            self._change(drift)
            yield self.script.command()

    def _create(self) -> None:
        labels = {SPEC: self.spec.fingerprint(), **owner_labels()}
        self.script.create(self.spec, labels, self.found, self.pull)

    def _replace(self, current: Mapping[str, Any]) -> None:
        self._create()
        can_come_back = not current["HostConfig"].get("AutoRemove")
        if self.there is not None:
            self.script.set_aside(ran=runs(current), stale=OLD in self.found.old)
            aside = OLD
        else:
            aside = self.aside or OLD
            if self.found.there is not None:
                self.script.clear("")
            if runs(current):
                self.script.run("container", "stop", self.name + aside)
        self.script.take_place()
        self._start(aside=aside if can_come_back else None, discard=True)
        # Containers that were set aside together are removed together.
        if not can_come_back:
            self.script.forget_removed(aside)
        elif aside == OLD:
            self.script.forget(aside)

    def _change(self, drift: Drift) -> None:
        script, name = self.script, self.name
        aside = self.aside
        if self.there is None and aside is not None:
            if self.found.there is not None:
                script.clear("")
            script.run("container", "rename", name + aside, name)
            aside = None
        if drift.update:
            script.run("container", "update", *drift.update, name)
        for each in drift.connect:
            script.run("network", "connect", each, name)
        for each in drift.disconnect:
            script.run("network", "disconnect", each, name)
        if drift.run == "start":
            self._start(aside=aside)
        elif drift.run is not None:
            script.run("container", drift.run, name)
        elif aside == OLD and self.start and self.there is not None and runs(self.there):
            # The killed run may not have checked yet that this one stays up.
            script.start(self.grace, self.once, aside, False, fresh=False)
        if self.found.new is not None:
            script.clear(NEW)
        if aside == OLD:
            script.forget(aside)
        elif aside is not None:
            script.forget_together(aside)

    def _start(self, aside: str | None = None, discard: bool = False) -> None:
        if aside is not None and aside != OLD and context().puts_back:
            aside = None
        if self.start:
            self.script.start(self.grace, self.once, aside, discard)


def _remove(name: str, found: Container) -> Generator[PyinfraCommand, None, None]:
    parts = {"": found.there, NEW: found.new, **found.old}
    there = {end: part for end, part in parts.items() if part is not None}
    if not there:
        return
    first = found.there or next(part for end, part in reversed(there.items()))
    yield Intent("remove", found=ownership(first))
    check_owner(labels_there(first), f"container {name}", "removed")
    script = Script(name)
    for end, part in there.items():
        script.run("container", "stop", name + end)
        if runs(part) and part["HostConfig"].get("AutoRemove"):
            script.forget_removed(end)
        else:
            script.run("container", "rm", "--force", "--volumes", name + end)
    yield script.command()
