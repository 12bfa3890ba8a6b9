"""The operation on networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyinfra import host
from pyinfra.api import OperationError, StringCommand, operation

from clockwork.operations import Intent
from clockwork.operations._docker.owner import check_engine, check_owner, owner_labels
from clockwork.operations._docker.script import quoted
from clockwork.operations._docker.spec import MANAGED, PROJECT, labels_of
from clockwork.operations.facts.docker import NetworkStatus

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from pyinfra.api.command import PyinfraCommand


@operation()
def network(
    network: str,
    driver: str = "",
    gateway: str = "",
    ip_range: str = "",
    ipam_driver: str = "",
    subnet: str = "",
    scope: str = "",
    aux_addresses: Mapping[str, str] | None = None,
    opts: Sequence[str] | None = None,
    ipam_opts: Sequence[str] | None = None,
    labels: Mapping[str, object] | Iterable[str] | None = None,
    ingress: bool = False,
    attachable: bool = False,
    present: bool = True,
    internal: bool = False,
) -> Generator[PyinfraCommand, None, None]:
    """A network for containers.

    It is made with the label `clockwork.managed=true`, and only one that has it is ever removed: when no container,
    running or not, is attached to it any more. One that is there is used as it is if it has the driver, subnet,
    gateway and options that are given. If not, it is made anew where it is Clockwork's and nothing is attached to it.

    Args:
        network: Its name.
        driver: Its driver, such as `bridge` or `overlay`.
        gateway: The gateway of its subnet.
        ip_range: The part of the subnet that containers get addresses from.
        ipam_driver: The driver that manages addresses.
        subnet: Its subnet, as `10.0.0.0/24`.
        scope: `local` or `swarm`.
        aux_addresses: Addresses that the driver uses for itself, by name.
        opts: Options of the driver, as `KEY=VALUE`.
        ipam_opts: Options of the driver that manages addresses.
        labels: Its labels, as a mapping or as a list of `KEY=VALUE`.
        ingress: Whether it is the routing mesh of a swarm.
        attachable: Whether containers outside a swarm's services can be attached.
        present: Whether it exists.
        internal: Whether nothing outside can be reached from it.
    """
    found = host.get_fact(NetworkStatus, network=network)
    check_engine(found.engine, None if present else "network")
    has = (found.there or {}).get("Labels") or {}
    owner = {"project": has.get(PROJECT), "managed": MANAGED in has}
    if not present:
        if found.there is not None and MANAGED in has and not found.attached:
            yield Intent("remove", found=owner)
            check_owner(has, f"network {network}", "removed")
            yield StringCommand(_words("network", "rm", network))
        return

    arguments: list[str] = []
    for option, values in (
        ("--driver", [driver]),
        ("--gateway", [gateway]),
        ("--ip-range", [ip_range]),
        ("--ipam-driver", [ipam_driver]),
        ("--subnet", [subnet]),
        ("--scope", [scope]),
        ("--aux-address", [f"{name}={address}" for name, address in (aux_addresses or {}).items()]),
        ("--opt", opts or ()),
        ("--ipam-opt", ipam_opts or ()),
        ("--label", [*labels_of(labels or ()), *labels_of({MANAGED: "true", **owner_labels()})]),
    ):
        for value in filter(None, values):
            arguments += [option, value]
    for flag, wanted in (("--ingress", ingress), ("--attachable", attachable), ("--internal", internal)):
        if wanted:
            arguments.append(flag)
    create = _words("network", "create", *arguments, "--", network) + " >/dev/null"
    if found.there is None:
        yield Intent("create")
        yield StringCommand(create)
        return
    texts = {"driver": driver, "scope": scope, "subnet": subnet, "gateway": gateway, "ip_range": ip_range}
    changes = list(
        _differing(found.there, texts, opts or (), {"attachable": attachable, "internal": internal})
    )
    if not changes:
        return
    yield Intent("change", changes, replaces=f"network:{network}", found=owner)
    fields = ", ".join(field for field, _, _ in changes)
    if found.attached:
        raise OperationError(
            f"The network {network} is there with another {fields}, and cannot be made anew while containers are "
            f"attached to it: {', '.join(found.attached)}"
        )
    if MANAGED not in has:
        raise OperationError(
            f"The network {network} is there with another {fields}, and Clockwork did not make it"
        )
    check_owner(has, f"network {network}", "replaced")
    yield StringCommand(f"{_words('network', 'rm', network)} >/dev/null && {create}")


def _differing(
    there: Mapping[str, Any], texts: Mapping[str, str], opts: Sequence[str], flags: Mapping[str, bool]
) -> Iterator[tuple[str, Any, Any]]:
    pools = (there.get("IPAM") or {}).get("Config") or []
    before: dict[str, list[Any]] = {
        "driver": [there.get("Driver")],
        "scope": [there.get("Scope")],
        "subnet": [pool.get("Subnet") for pool in pools],
        "gateway": [pool.get("Gateway") for pool in pools],
        "ip_range": [pool.get("IPRange") for pool in pools],
    }
    for field, wanted in texts.items():
        if wanted and wanted not in before[field]:
            yield field, ", ".join(filter(None, before[field])) or None, wanted
    has = {f"{key}={value}" for key, value in (there.get("Options") or {}).items()}
    if missing := [opt for opt in opts if opt not in has]:
        yield "opts", sorted(has), missing
    for field, flag in flags.items():
        if flag and not there.get(field.capitalize()):
            yield field, False, True


def _words(*words: str) -> str:
    return " ".join(["docker", *map(quoted, words)])
