"""Compares the fields of a container with the desired ones, from one `docker inspect`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clockwork.operations._docker.spec import Spec

Change = tuple[str, Any, Any]

HIDDEN = "(not shown)"

_PORT = re.compile(
    r"(?:(?P<ip>[^\[\]:]*|\[[^\]]*\]):)?(?:(?P<host>\d*(?:-\d+)?):)?(?P<port>\d+(?:-\d+)?)(?:/(?P<protocol>\w+))?"
)
_EVERYWHERE = ("", "0.0.0.0")


def differing(
    spec: Spec, there: Mapping[str, Any], image: Mapping[str, Any] | None, whole: bool
) -> list[Change]:
    """The fields of a container that differ from the desired ones, and cannot be changed while it exists.

    Args:
        spec: What is wanted.
        there: The container.
        image: The image that it was made from, where that is known.
        whole: Whether all that the container was given is known to have come from Clockwork, so that what is not
            wanted any more differs as well. Else only what is given is compared.
    """
    host, config = there["HostConfig"], there["Config"]
    found = [
        *_ports(spec, host, whole),
        *_volumes(spec, host, config, whole),
        *_env_vars(spec, config, image, whole),
    ]
    labels = {f"{key}={value}" for key, value in (config.get("Labels") or {}).items()}
    if missing := [label for label in spec.labels if _with_value(label) not in labels]:
        found.append(("labels", None, missing))
    pairs: list[Change] = [
        ("privileged", bool(host.get("Privileged")), spec.privileged),
        ("auto_remove", bool(host.get("AutoRemove")), spec.auto_remove),
    ]
    for name, before, after in pairs:
        if before != after and (whole or after):
            found.append((name, before, after))
    pairs = [
        ("hostname", config.get("Hostname"), spec.hostname),
        ("user", config.get("User"), spec.user),
        ("entrypoint", " ".join(config.get("Entrypoint") or ()), spec.entrypoint),
        ("command", list(config.get("Cmd") or ()), None if spec.command is None else list(spec.command)),
        ("dns", list(host.get("Dns") or ()), list(spec.dns) or None),
    ]
    for name, before, after in pairs:
        if after is not None and before != after:
            found.append((name, before, after))
    return found


def _with_value(label: str) -> str:
    return label if "=" in label else f"{label}="


def _ports(spec: Spec, host: Mapping[str, Any], whole: bool) -> Iterator[Change]:
    before = sorted(published(host.get("PortBindings") or {}))
    after = sorted({port for text in spec.ports for port in ports_of(text)})
    if before != after and (whole or after):
        yield "ports", before, after


def ports_of(text: str) -> Iterator[str]:
    """The ports that an argument of `--publish` names, one by one, as `IP:HOST:CONTAINER/PROTOCOL`."""
    match = _PORT.fullmatch(text)
    if match is None:  # docker says what is wrong with it
        yield text
        return
    # Without a port of the host, what is before the only colon is one.
    ip, host = (match["ip"] or "").strip("[]"), match["host"]
    if host is None and ip.replace("-", "").isdigit():
        ip, host = "", ip
    first, _, last = match["port"].partition("-")
    ports = range(int(first), int(last or first) + 1)
    start, dash, _ = (host or "").partition("-")
    for port in ports:
        where = str(int(start) + port - int(first)) if len(ports) > 1 and dash else host or ""
        yield _port_text(ip, where, f"{port}/{match['protocol'] or 'tcp'}")


def published(bindings: Mapping[str, Sequence[Mapping[str, str]] | None]) -> Iterator[str]:
    """The ports of `HostConfig.PortBindings`, as `ports_of` writes them."""
    for port, places in bindings.items():
        for place in places or ():
            yield _port_text(place.get("HostIp") or "", place.get("HostPort") or "", port)


def _port_text(ip: str, host: str, port: str) -> str:
    port = port.removesuffix("/tcp")
    if ip in _EVERYWHERE:
        return f"{host}:{port}" if host else port
    return f"[{ip}]:{host}:{port}" if ":" in ip else f"{ip}:{host}:{port}"


def _volumes(spec: Spec, host: Mapping[str, Any], config: Mapping[str, Any], whole: bool) -> Iterator[Change]:
    binds = {_volume_text(bind) for bind in host.get("Binds") or ()}
    wanted = {_volume_text(volume) for volume in spec.volumes if ":" in volume}
    anonymous = {volume for volume in spec.volumes if ":" not in volume}
    if (binds != wanted and (whole or wanted)) or anonymous - set(config.get("Volumes") or ()):
        yield "volumes", sorted(binds), sorted(spec.volumes)


def _volume_text(volume: str) -> str:
    source, _, rest = volume.partition(":")
    target, _, options = rest.partition(":")
    rest = ",".join(sorted(option for option in options.split(",") if option not in ("", "rw")))
    return f"{source}:{target.rstrip('/') or '/'}" + (f":{rest}" if rest else "")


def _env_vars(
    spec: Spec, config: Mapping[str, Any], image: Mapping[str, Any] | None, whole: bool
) -> Iterator[Change]:
    before = _environment(config.get("Env"))
    wanted = dict(spec.env_vars)
    for name, value in wanted.items():
        if name not in before or (value is not None and before[name] != value):
            yield f"env_vars.{name}", HIDDEN if name in before else None, HIDDEN
    if whole and image is not None and not spec.env_files:
        of_image = _environment((image.get("Config") or {}).get("Env"))
        for name, value in sorted(before.items()):  # docker gives them in no order
            if name not in wanted and of_image.get(name) != value:
                yield f"env_vars.{name}", HIDDEN, None


def _environment(entries: Iterable[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (entry.partition("=") for entry in entries or ())}
