"""Compares a container with the desired one: it is replaced, changed in place, or left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clockwork.operations._docker.fields import Change, differing
from clockwork.operations._docker.spec import PROJECT, SPEC, bytes_of
from clockwork.operations.facts.docker import image_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clockwork.operations._docker.spec import Spec
    from clockwork.operations.facts.docker import Container

_CURRENT = "2-"

_RUNS = ("running", "paused", "restarting")


@dataclass
class Drift:
    """The difference of a container from the desired one.

    Attributes:
        anew: What only a new container can mend.
        in_place: What can be changed while it exists.
        update: The arguments of `docker container update`.
        connect: Networks to attach it to.
        disconnect: Networks to detach it from.
        run: The docker command that makes it run or stop: `start`, `stop` or `unpause`.
    """

    anew: list[Change] = field(default_factory=list)
    in_place: list[Change] = field(default_factory=list)
    update: list[str] = field(default_factory=list)
    connect: list[str] = field(default_factory=list)
    disconnect: list[str] = field(default_factory=list)
    run: str | None = None


def labels(there: Mapping[str, Any]) -> Mapping[str, str]:
    """A container's labels."""
    return there["Config"].get("Labels") or {}


def ownership(there: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence of a container's owner, for an Intent."""
    return {"project": labels(there).get(PROJECT), "managed": SPEC in labels(there)}


def status(there: Mapping[str, Any]) -> str:
    """Docker's word for what a container does: `running`, `exited`, `created`, `paused`, `restarting`, `dead`."""
    return str(there["State"]["Status"])


def runs(there: Mapping[str, Any]) -> bool:
    """True if a container has a process, even if it is paused or being restarted."""
    return status(there) in _RUNS


def made_from(spec: Spec, there: Mapping[str, Any]) -> bool:
    """True if a container's label has the hash of this spec."""
    label = labels(there).get(SPEC)
    return label is not None and label in (spec.fingerprint(), spec.first_fingerprint())


def compare(spec: Spec, found: Container, there: Mapping[str, Any], start: bool) -> Drift:
    """Compares a container with the desired one.

    Args:
        spec: What is wanted.
        found: What the engine has beside it.
        there: The container.
        start: Whether it is to run.
    """
    drift = Drift()
    # All settings of a container of this version are Clockwork's. Of a container of an earlier version only its
    # image, ports, volumes, environment and networks are; all others were set by hand.
    label = labels(there).get(SPEC)
    ours = label is not None and label.startswith(_CURRENT)
    if spec.image:
        drift.anew += _image(spec, found, there)
        if not made_from(spec, there):
            same_image = found.image is not None and found.image["Id"] == there["Image"]
            fields = differing(spec, there, found.image if same_image else None, whole=label is not None)
            if ours and not fields:
                fields = [("spec", label, spec.fingerprint())]
            drift.anew += fields
        _networks(spec, found, there, drift, ours or (label is not None and not made_from(spec, there)))
    _limits(spec, there["HostConfig"], drift, ours and bool(spec.image))
    _state(spec, there, drift, start)
    return drift


def _image(spec: Spec, found: Container, there: Mapping[str, Any]) -> list[Change]:
    before, after = str(there["Config"]["Image"]), spec.image
    if found.image is None:
        # The image behind the name is unknown here. A container that was created from this name is left unchanged.
        return [("image", before, after)] if image_reference(before) != image_reference(after) else []
    if found.image["Id"] == there["Image"]:
        return []
    if before == after:
        before, after = (f"{after} ({_short(id_)})" for id_ in (there["Image"], found.image["Id"]))
    return [("image", before, after)]


def _short(id_: str) -> str:
    return id_.removeprefix("sha256:")[:12]


def _is_mode(network: str) -> bool:
    """True for a network mode such as `host`, which is no network. It cannot be changed while the container exists."""
    return network in ("host", "none") or network.startswith("container:")


def _networks(spec: Spec, found: Container, there: Mapping[str, Any], drift: Drift, whole: bool) -> None:
    mode = str(there["HostConfig"].get("NetworkMode") or "default")
    wanted = list(spec.networks)
    if not wanted:
        if not whole or spec.mentions("--network", "--net"):
            return
        wanted = ["bridge"]
    networks = there["NetworkSettings"].get("Networks") or {}
    if _is_mode(mode) or any(map(_is_mode, wanted)):
        if [mode.partition(":")[0]] != [each.partition(":")[0] for each in wanted]:
            drift.anew.append(("networks", sorted(networks) or [mode], wanted))
        return
    # A network that was created again has another id, and a container of the old one cannot start any more.
    for name in spec.networks:
        id_ = (networks.get(name) or {}).get("NetworkID")
        if id_ and not runs(there) and (found.networks.get(name) or {}).get("Id") != id_:
            drift.anew.append((f"networks.{name}", _short(id_), "a network that was made anew"))
    drift.connect = [name for name in wanted if name not in networks]
    drift.disconnect = sorted(set(networks) - set(wanted)) if whole else []
    if drift.connect or drift.disconnect:
        drift.in_place.append(("networks", sorted(networks), wanted))


def _limits(spec: Spec, host: Mapping[str, Any], drift: Drift, whole: bool) -> None:
    memory = int(host.get("Memory") or 0)
    if spec.memory is not None:
        size = bytes_of(spec.memory)
        if size != memory:
            drift.in_place.append(("memory", _size(memory), spec.memory))
            drift.update += ["--memory", str(size)]
            # It may not be smaller than the memory. Docker's own default is twice as much.
            if not spec.mentions("--memory-swap"):
                drift.update += ["--memory-swap", str(2 * size)]
    elif whole and memory and not spec.mentions("--memory", "-m"):
        drift.anew.append(("memory", _size(memory), None))  # no update takes a limit away
    cpus = int(host.get("NanoCpus") or 0)
    if spec.cpus is not None:
        if round(spec.cpus * 1e9) != cpus:
            drift.in_place.append(("cpus", cpus / 1e9 or None, spec.cpus))
            drift.update += ["--cpus", f"{spec.cpus:g}"]
    elif whole and cpus and not spec.mentions("--cpus"):
        drift.anew.append(("cpus", cpus / 1e9, None))
    if spec.restart_policy is None and (not whole or spec.auto_remove or spec.mentions("--restart")):
        return
    before, after = _restart_policy(host.get("RestartPolicy") or {}), spec.restart_policy or "no"
    if before != after.removesuffix(":0"):
        drift.in_place.append(("restart_policy", before, after))
        drift.update += ["--restart", after]


def _restart_policy(policy: Mapping[str, Any]) -> str:
    name, count = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    return f"{name}:{count}" if count else str(name)


def _size(size: int) -> str | None:
    for unit, factor in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size) if size else None


def _state(spec: Spec, there: Mapping[str, Any], drift: Drift, start: bool) -> None:
    state = status(there)
    if state == "dead":
        drift.anew.append(("start", "dead", start))
    elif not start:
        if runs(there):
            drift.run = "stop"
            drift.in_place.append(("start", True, False))
    elif state == "paused":
        drift.run = "unpause"
        drift.in_place.append(("start", "paused", True))
    elif state != "running" and not done(spec, there):
        drift.run = "start"
        drift.in_place.append(("start", False, True))


def done(spec: Spec, there: Mapping[str, Any]) -> bool:
    """True if a container without restarts has ended successfully: it had one task, and completed it."""
    state = there["State"]
    return spec.restart_policy == "no" and state["Status"] == "exited" and state["ExitCode"] == 0
