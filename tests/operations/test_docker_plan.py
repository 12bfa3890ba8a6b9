"""The operations on containers without a host: facts go in, intents and commands come out."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api import OperationError
from pyinfra.context import ctx_host

from clockwork.operations import Context, Intent, docker, session
from clockwork.operations._docker.fields import ports_of
from clockwork.operations._docker.spec import Spec, bytes_of, environment
from clockwork.operations.facts.docker import Container, ContainerStatus, Engine, Network, NetworkStatus

ID = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64


def inspected(spec: Spec | None = None, name: str = "web", **changes: Any) -> dict[str, Any]:
    """The `docker inspect` output of a running container of this spec, labelled by Clockwork unless it is None."""
    document: dict[str, Any] = {
        "Name": f"/{name}",
        "Image": ID,
        "State": {"Status": "running", "ExitCode": 0},
        "Config": {"Image": "nginx:1", "Env": ["PATH=/bin"], "Labels": {}},
        "HostConfig": {
            "Memory": 0,
            "NanoCpus": 0,
            "NetworkMode": "default",
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        },
        "NetworkSettings": {"Networks": {"bridge": {"NetworkID": "b"}}},
    }
    if spec is not None:
        document["Config"]["Labels"]["clockwork.spec"] = spec.fingerprint()
    for path, value in changes.items():
        section, _, key = path.partition("__")
        if key:
            document[section][key] = value
        else:
            document[section] = value
    return document


IMAGE = {"Id": ID, "Config": {"Env": ["PATH=/bin"]}}
PLAIN = Spec(image="nginx:1")


def status(there: dict[str, Any] | None = None, **more: Any) -> Container:
    return Container(there=there, image=more.pop("image", IMAGE), **more)


def commands(
    operation: Any, fact: Any, context: Context | None = None, **arguments: Any
) -> tuple[list[Intent], str]:
    """The intents of an operation, and the text of its commands."""
    fake = SimpleNamespace(get_fact=lambda *_, **__: fact)
    with ctx_host.use(fake), session(context or Context(), lambda _: None):
        yielded = list(operation._inner(**arguments))
    intents = [each for each in yielded if isinstance(each, Intent)]
    assert yielded[: len(intents)] == intents, "an intent comes before all commands"
    return intents, "\n".join(each.get_raw_value() for each in yielded[len(intents) :])


GONE: dict[str, Any] = {"State": {"Status": "exited", "ExitCode": 1}}
CASES: dict[str, tuple[Container, dict[str, Any], Any]] = {
    "as wanted": (status(inspected(PLAIN)), {}, None),
    "nothing there": (status(), {}, ("create", [("image", None, "nginx:1")], None)),
    "docker comes later": (
        Container(Engine(installed=False)),
        {},
        ("create", [("image", None, "nginx:1")], None),
    ),
    "another image": (
        status(inspected(PLAIN)),
        {"image": "nginx:2"},
        None,  # the same image by another name
    ),
    "the tag moved": (
        status(inspected(PLAIN, Image=OTHER)),
        {},
        ("change", [("image", "nginx:1 (222222222222)", "nginx:1 (111111111111)")], "container:web"),
    ),
    "an image that is not there": (
        status(inspected(PLAIN), image=None),
        {"image": "nginx:2"},
        ("change", [("image", "nginx:1", "nginx:2")], "container:web"),
    ),
    "its image lost its name": (status(inspected(PLAIN), image=None), {}, None),
    "a variable more": (
        status(inspected(PLAIN)),
        {"env_vars": {"PASSWORD": "s3cret"}},
        ("change", [("env_vars.PASSWORD", None, "(not shown)")], "container:web"),
    ),
    "a variable less": (
        status(inspected(replace(PLAIN, env_vars=(("A", "1"),)), Config__Env=["PATH=/bin", "A=1"])),
        {},
        (
            "change",
            [("env_vars.A", "(not shown)", None)],
            "container:web",
        ),
    ),
    "another port": (
        status(
            inspected(
                replace(PLAIN, ports=("80:80",)),
                HostConfig__PortBindings={"80/tcp": [{"HostPort": "80", "HostIp": ""}]},
            )
        ),
        {"ports": ["81:80", "53:53/udp"]},
        ("change", [("ports", ["80:80"], ["53:53/udp", "81:80"])], "container:web"),
    ),
    "memory": (
        status(inspected(PLAIN)),
        {"memory": "64m"},
        ("change", [("memory", None, "64m")], None),
    ),
    "no memory any more": (
        status(inspected(PLAIN, HostConfig__Memory=64 << 20)),
        {},
        ("change", [("memory", "64m", None)], "container:web"),
    ),
    "restart policy": (
        status(inspected(PLAIN)),
        {"restart_policy": "on-failure:3"},
        ("change", [("restart_policy", "no", "on-failure:3")], None),
    ),
    "networks": (
        status(inspected(PLAIN)),
        {"networks": ["back"]},
        ("change", [("networks", ["bridge"], ["back"])], None),
    ),
    "the host's network": (
        status(inspected(PLAIN)),
        {"networks": ["host"]},
        ("change", [("networks", ["bridge"], ["host"])], "container:web"),
    ),
    "stopped": (status(inspected(PLAIN, **GONE)), {}, ("change", [("start", False, True)], None)),
    "stopped as wanted": (status(inspected(PLAIN, **GONE)), {"start": False}, None),
    "to be stopped": (status(inspected(PLAIN)), {"start": False}, ("change", [("start", True, False)], None)),
    "a job that is done": (
        status(inspected(PLAIN, State={"Status": "exited", "ExitCode": 0})),
        {"restart_policy": "no"},
        None,
    ),
    "only to be stopped": (
        status(inspected(PLAIN)),
        {"image": None, "start": False},
        ("change", [("start", True, False)], None),
    ),
    "of somebody else, and alike": (status(inspected()), {}, None),
    "of somebody else, with more than wanted": (
        status(inspected(Config__Env=["A=1"], HostConfig__Memory=1 << 20)),
        {},
        None,
    ),
    "of somebody else, and another": (
        status(inspected()),
        {"volumes": ["data:/data"]},
        ("change", [("volumes", [], ["data:/data"])], "container:web"),
    ),
    "forced": (status(inspected(PLAIN)), {"force": True}, ("change", [], "container:web")),
    "a leftover": (status(inspected(PLAIN), new=inspected(PLAIN)), {}, ("change", [], None)),
    "killed before the new one had the name": (
        status(new=inspected(PLAIN), old={".clockwork-old": inspected(replace(PLAIN, user="x"), **GONE)}),
        {},
        ("change", [("spec", replace(PLAIN, user="x").fingerprint(), PLAIN.fingerprint())], "container:web"),
    ),
    "killed, and the old one is wanted again": (
        status(old={".clockwork-old": inspected(PLAIN, **GONE)}),
        {},
        ("change", [("start", False, True)], None),
    ),
    "removed": (status(inspected(PLAIN)), {"present": False}, ("remove", [], None)),
    "removed already": (status(), {"present": False}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_planned(case: str) -> None:
    fact, arguments, expected = CASES[case]
    intents, _ = commands(docker.container, fact, **{"container": "web", "image": "nginx:1", **arguments})
    told = [(each.action, list(each.changes), each.replaces) for each in intents]
    assert told == ([expected] if expected else [])


def test_every_part_is_quoted_and_no_value_is_in_a_command() -> None:
    odd = 'a b\'; $(id) "`x`" \\ *'
    _, text = commands(
        docker.container,
        status(),
        container="web",
        image="nginx:1",
        labels={"note": odd},
        volumes=[f"/{odd}:/data"],
        command=["echo", odd],
        env_vars={"PASSWORD": "s3cret", "KEY": "-----BEGIN\nEND-----"},
    )
    quoted = odd.replace("'", "'\"'\"'")
    for part in (f"'note={quoted}'", f"'/{quoted}:/data'", f"echo '{quoted}'"):
        assert part in text
    assert "s3cret" not in text
    assert "BEGIN" not in text


def test_a_project_labels_what_it_makes_and_spares_what_is_not_its_own() -> None:
    own = Context(project="p1", folder="shop", take_over=False)
    _, text = commands(docker.container, status(), own, container="web", image="nginx:1")
    assert "--label clockwork.project=p1 --label clockwork.folder=shop" in text
    label = {"clockwork.project": "p2", "clockwork.folder": "their shop"}
    theirs = inspected(Config__Labels=label)
    heard: list[Intent] = []
    for arguments in ({"ports": ["80"]}, {"present": False}):
        fake = SimpleNamespace(get_fact=lambda *_, **__: status(theirs))
        with (
            ctx_host.use(fake),
            session(own, heard.append),
            pytest.raises(OperationError, match=r"container web belongs to another project \(their shop\)"),
        ):
            list(docker.container._inner(container="web", image="nginx:1", **arguments))
    assert [each.found for each in heard] == [{"project": "p2", "managed": False}] * 2
    # A project may do as it likes with its own.
    mine = inspected(Config__Labels={"clockwork.project": "p1"})
    assert commands(docker.container, status(mine), own, container="web", present=False)[1]
    # Without a replacement nothing is removed.
    assert commands(docker.container, status(theirs), own, container="web", image="nginx:1", start=False)[1]


@pytest.mark.parametrize("present", [True, False])
def test_an_engine_that_does_not_answer(present: bool) -> None:
    words = (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
    )
    engine = ContainerStatus().process(["trouble", words]).engine
    for operation, fact, name in (
        (docker.container, Container(engine), "container"),
        (docker.network, Network(engine), "network"),
    ):
        with pytest.raises(OperationError, match="Cannot connect to the Docker daemon"):
            commands(operation, fact, None, **{name: "web", "present": present})


def test_what_docker_hides_is_not_taken_for_removed() -> None:
    for operation, fact, name in (
        (docker.container, ContainerStatus().process(["missing"]), "container"),
        (docker.network, NetworkStatus().process(["missing"]), "network"),
    ):
        with pytest.raises(
            OperationError, match=r"not on its PATH, so nobody can tell whether the (cont|netw)"
        ):
            commands(operation, fact, None, **{name: "web", "present": False})


def test_a_fact_tells_the_parts_apart() -> None:
    documents = [
        inspected(name="web"),
        inspected(name="web.clockwork-new"),
        inspected(name="web.clockwork-old"),
        inspected(name="web.clockwork-old-12ab"),
        {"RepoTags": ["nginx:1"], **IMAGE},
        {"Name": "back", "IPAM": {}, "Id": "n"},
    ]
    found = ContainerStatus().process(["there", "", *map(json.dumps, documents)])
    assert found.there == documents[0]
    assert found.new == documents[1]
    assert found.old == {".clockwork-old": documents[2], ".clockwork-old-12ab": documents[3]}
    assert found.image == documents[4]
    assert found.networks == {"back": documents[5]}


NETWORK = {"Name": "back", "Id": "n", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}}
OURS = {**NETWORK, "Labels": {"clockwork.managed": "true"}}


@pytest.mark.parametrize(
    ("fact", "arguments", "action"),
    [
        (Network(), {}, "create"),
        (Network(there=NETWORK), {}, None),
        (Network(there=NETWORK), {"driver": "bridge", "subnet": "10.9.0.0/24"}, None),
        (Network(there=OURS), {"subnet": "10.8.0.0/24"}, "change"),
        (Network(there=OURS), {"present": False}, "remove"),
        (Network(there=NETWORK), {"present": False}, None),
        (Network(there=OURS, attached=("web",)), {"present": False}, None),
        (Network(), {"present": False}, None),
    ],
)
def test_networks(fact: Network, arguments: dict[str, Any], action: str | None) -> None:
    intents, _ = commands(docker.network, fact, network="back", **arguments)
    assert [each.action for each in intents] == ([action] if action else [])


@pytest.mark.parametrize("fact", [Network(there=OURS, attached=("web",)), Network(there=NETWORK)])
def test_a_network_in_use_is_not_made_anew(fact: Network) -> None:
    with pytest.raises(OperationError, match="network back is there with another subnet"):
        commands(docker.network, fact, network="back", subnet="10.8.0.0/24")


def test_the_label_counts_only_what_is_given() -> None:
    # These stand on users' containers: a version that makes others would replace all of them.
    assert PLAIN.fingerprint() == "2-44136fa355b3678a1146ad16f7e8649e"
    full = Spec(image="i", ports=("80:80",), env_vars=(("A", "1"),), command=("x",), memory="1g")
    assert full.fingerprint() == "2-7c07cd7499ad6d7129da8f3ef7332b09"
    assert (
        full.fingerprint() == replace(full, memory=None, cpus=2, networks=("n",), image="other").fingerprint()
    )
    assert full.fingerprint() != replace(full, user="x").fingerprint()


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80", ["80"]),
        ("8080:80", ["8080:80"]),
        ("0.0.0.0:8080:80/tcp", ["8080:80"]),
        ("127.0.0.1::80", ["127.0.0.1::80"]),
        ("127.0.0.1:8080:80/udp", ["127.0.0.1:8080:80/udp"]),
        ("[::1]:8080:80", ["[::1]:8080:80"]),
        ("8000-8001:80-81", ["8000:80", "8001:81"]),
        ("8000-8010:80", ["8000-8010:80"]),
    ],
)
def test_ports(text: str, ports: list[str]) -> None:
    assert list(ports_of(text)) == ports


@pytest.mark.parametrize(
    ("text", "size"),
    [("512", 512), ("512b", 512), ("64m", 64 << 20), ("1.5g", 3 << 29), ("1GiB", 1 << 30), ("2kb", 2048)],
)
def test_sizes(text: str, size: int) -> None:
    assert bytes_of(text) == size


def test_an_environment_from_anything() -> None:
    class Deferred:
        def resolve(self) -> str:
            return "later"

    assert environment({"A": Deferred(), "B": 1}) == (("A", "later"), ("B", "1"))
    assert environment(["A=x=y", "B="]) == (("A", "x=y"), ("B", ""))
    assert environment(["HOME"]) == (("HOME", None),)
    for wrong in ({"": "x"}, {"a b": "x"}, {"A": "\0"}, {"A": None}, {"A": True}):
        with pytest.raises(OperationError):
            environment(wrong)
    with pytest.raises(OperationError, match="'PATH' cannot have a value of several lines"):
        commands(docker.container, status(), container="web", image="i", env_vars={"PATH": "a\nb"})
