"""The operations on containers with a real Docker engine, through plain pyinfra."""

from __future__ import annotations

import socket
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyinfra.api import OperationError

from clockwork.operations import Context
from clockwork.operations import docker as operations
from clockwork.operations._docker.spec import Spec, environment
from support.plain_pyinfra import run
from support.registry import serving_registry
from support.require import require_busybox, require_program

if TYPE_CHECKING:
    from support.containers import Web
    from support.docker import Docker
    from support.docker_double import DockerDouble

SPEC = "clockwork.spec"
ENDS = ["sh", "-c", "echo one; echo two >&2; exit 3"]


@pytest.fixture
def taken(docker: Docker) -> Any:
    """A port that somebody else listens on."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("0.0.0.0", docker.ports[1]))
        listening.listen()
        yield docker.ports[1]


def test_from_nothing_to_nothing(web: Web, docker: Docker) -> None:
    port, volume = docker.ports[0], docker.name("vol")
    arguments: dict[str, Any] = {"ports": [f"127.0.0.1:{port}:80"], "volumes": [f"{volume}:/data"]}
    outcome = web(**arguments, grace=1)
    assert (outcome.planned, outcome.actions) == ([outcome.planned[0]], ["create"])
    assert docker.page(port) == "clockwork-test one"
    first = web.id
    assert web(**arguments).intents == []
    outcome = web(**arguments, image=docker.images.two)
    assert outcome.changes[0] == ("image", docker.images.one, docker.images.two)
    assert outcome.intents[0].replaces == f"container:{web.name}"
    assert docker.page(port) == "clockwork-test two"
    assert web.id != first
    assert web(**arguments, image=docker.images.two, start=False).changes == [("start", True, False)]
    assert not web.running
    assert web(**arguments, image=docker.images.two, start=False).intents == []
    assert web.names == [web.name]
    assert web(present=False).actions == ["remove"]
    assert web.names == []
    assert docker.volume(volume) is not None
    assert web(present=False).intents == []


def test_no_value_is_in_the_arguments_of_a_process(web: Web, double: DockerDouble) -> None:
    env = {
        "PASSWORD": "s3cret $HOME `id` 'x' \"y\" \\",
        "KEY": "-----BEGIN s3cret\n$HOME\n'-----END\n\n",
        "EMPTY": "",
        "PATH": "/bin:/s3cret",
        "DOCKER_HOST": "tcp://s3cret:1",
        "a.dotted-name": "s3cret ü✓\u202e",
    }
    double.look()
    web(env_vars=env)
    assert b"container\0create" in double.seen
    assert b"PASSWORD" not in double.seen, "this one goes through a file"
    assert b"s3cret" not in double.seen
    there = dict(entry.split("=", 1) for entry in web.there["Config"]["Env"])
    assert there == env
    double.rest()
    assert web(env_vars=env).intents == []
    assert web(env_vars=[f"{key}={value}" for key, value in reversed(env.items())]).intents == []
    outcome = web(env_vars={**env, "PASSWORD": "s3cret2"})
    assert ("env_vars.PASSWORD", "(not shown)", "(not shown)") in outcome.changes
    assert "s3cret" not in repr([intent.changes for intent in outcome.intents])


@pytest.mark.parametrize("shell", ["busybox", "bash", "sudo"])
def test_in_other_shells(shell: str, web: Web, tmp_path: Path) -> None:
    how: dict[str, Any] = {"_sudo": True}
    if shell == "busybox":
        how = {"_shell_executable": str(tmp_path / "ash")}
        (tmp_path / "ash").symlink_to(require_busybox())
    elif shell == "bash":
        how = {"_shell_executable": require_program("bash", "install bash")}
    else:
        require_program("sudo", "install sudo, and let this user use it without a password")
    env = {"A": "it's $1 \\", "B": "two\nlines"}
    web(env_vars=env, **how)
    assert {"A=it's $1 \\", "B=two\nlines"} <= set(web.there["Config"]["Env"])
    before = web.id
    outcome = web(succeeds=False, command=ENDS, grace=1, **how)
    assert "two" in outcome.told
    assert (web.id, web.running, web.names) == (before, True, [web.name])


def test_a_taken_port_costs_nothing_that_runs(web: Web, docker: Docker, taken: int) -> None:
    web(ports=[f"{docker.ports[0]}:80"])
    before = web.id
    outcome = web(succeeds=False, ports=[f"{taken}:80"])
    assert "address already in use" in outcome.told
    assert f"The container {web.name} that was there before runs again." in outcome.told
    assert (web.id, web.names) == (before, [web.name])
    assert docker.page(docker.ports[0]) == "clockwork-test one"


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": "127.0.0.1:1/none:1"},
        {"volumes": ["not absolute:x"]},
        {"networks": ["clockwork-no-such-network"]},
        {"extra_args": ["--no-such-option"]},
        {"command": ["/no/such/program"]},
    ],
)
def test_a_mistake_costs_nothing_that_runs(wrong: dict[str, Any], web: Web) -> None:
    web()
    before = web.id
    assert web(succeeds=False, **wrong).told
    assert (web.id, web.running, web.names) == (before, True, [web.name])


@pytest.mark.parametrize("policy", [None, "always", "no"])
def test_one_that_ends_at_once_is_a_failure(policy: str | None, web: Web) -> None:
    outcome = web(succeeds=False, command=ENDS, restart_policy=policy, grace=1)
    assert f"The container {web.name} does not stay up: it ended with status 3." in outcome.told
    assert "one" in outcome.told
    assert "two" in outcome.told
    assert web.names == [], "nothing is left of it"


def test_one_that_docker_starts_again_and_again(web: Web, docker: Docker) -> None:
    loop: dict[str, Any] = {"command": "false", "restart_policy": "always"}
    web(**loop, start=False)
    docker("start", web.name)
    # Docker waits twice as long each time; a look in between finds that it does not run.
    while web.there["RestartCount"] < 5 or web.there["State"]["Status"] != "restarting":
        time.sleep(0.05)
    outcome = web(succeeds=False, **loop, grace=1)
    assert outcome.changes == [("start", False, True)]
    assert "does not stay up: it ended with status 1." in outcome.told


def test_a_job_may_end(web: Web) -> None:
    web(succeeds=False, command="true", grace=1)
    job = partial(web, command="true", restart_policy="no", grace=1)
    assert job().actions == ["create"]
    assert job().intents == []


def test_one_that_is_not_to_run_is_not_started(web: Web) -> None:
    web(command="false", start=False)
    assert web.there["State"]["Status"] == "created"
    assert web(command="false", start=False).intents == []


def test_a_tag_that_means_another_image_now(web: Web, docker: Docker) -> None:
    tag = f"{docker.prefix}-image:1"
    try:
        docker("tag", docker.images.one, tag)
        web(image=tag)
        assert web(image=tag).intents == []
        docker("tag", docker.images.two, tag)
        (change,) = web(image=tag).changes
        assert change[0] == "image"
        assert change[1].startswith(f"{tag} (")
        assert web.there["Image"] == docker("image", "inspect", "--format", "{{.Id}}", docker.images.two)
        assert web(image=tag).intents == []
        # Without the name nobody can tell what it means, and what runs stays.
        docker("rmi", tag)
        assert web(image=tag).intents == []
    finally:
        subprocess.run(["docker", "rmi", "--force", tag], capture_output=True)


def test_an_image_of_a_registry(web: Web, docker: Docker) -> None:
    with serving_registry(docker.images.two) as (image, digest):
        repository = image.rpartition(":")[0]
        pinned = f"{image}@{digest}"
        try:
            assert web().actions == ["create"]
            assert web(image=image).changes[0] == ("image", docker.images.one, image)
            id_ = web.id
            assert web(image=image).intents == []
            # By its digest it is the same one.
            for same in (f"{repository}@{digest}", pinned):
                assert web(image=same).intents == []
            docker("rmi", "--force", image)
            web(present=False)
            subprocess.run(["docker", "rmi", "--force", f"{repository}@{digest}"], capture_output=True)
            assert web(image=pinned).actions == ["create"]
            assert web.id != id_
            assert web(image=pinned).intents == []
            assert web(image=pinned, pull_always=True, force=True).intents[0].replaces
        finally:
            docker.clean_up()
            for name in (image, f"{repository}@{digest}"):
                subprocess.run(["docker", "rmi", "--force", name], capture_output=True)


def test_a_digest_and_a_name_without_a_tag(web: Web, docker: Docker) -> None:
    name, id_ = f"{docker.prefix}-image", docker("image", "inspect", "--format", "{{.Id}}", docker.images.one)
    try:
        docker("tag", docker.images.one, f"{name}:latest")
        web(image=name)
        for same in (name, f"{name}:latest", docker.images.one, id_):
            assert web(image=same).intents == []
    finally:
        subprocess.run(["docker", "rmi", "--force", f"{name}:latest"], capture_output=True)
    outcome = web(succeeds=False, image=f"127.0.0.1:1/none@{id_}")
    assert outcome.changes == [("image", name, f"127.0.0.1:1/none@{id_}")]
    assert web.running


def test_what_changes_in_place(web: Web, docker: Docker) -> None:
    one, two = docker.name("one"), docker.name("two")
    for network in (one, two):
        run(operations.network, network=network)
    web()
    before = web.id
    wanted: dict[str, Any] = {
        "memory": "64m",
        "cpus": 0.5,
        "restart_policy": "on-failure:3",
        "networks": [one],
    }
    assert [field for field, _, _ in web(**wanted).changes] == [
        "networks",
        "memory",
        "cpus",
        "restart_policy",
    ]
    assert web(**wanted).intents == []
    wanted |= {"memory": "256m", "networks": [two]}
    assert web(**wanted).changes == [("networks", [one], [two]), ("memory", "64m", "256m")]
    host = web.there["HostConfig"]
    assert (host["Memory"], host["NanoCpus"]) == (256 << 20, 500_000_000)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert list(web.there["NetworkSettings"]["Networks"]) == [two]
    docker("stop", "--time", "1", web.name)
    assert web(**wanted).changes == [("start", False, True)]
    docker("pause", web.name)
    assert web(**wanted).changes == [("start", "paused", True)]
    assert web(**wanted).intents == []
    assert (web.id, web.running) == (before, True)
    # A limit that is taken away can only be lost with the container.
    assert web(networks=[two]).intents[0].replaces
    assert web.there["HostConfig"]["Memory"] == 0


def test_a_network_that_was_made_anew_under_a_stopped_container(web: Web, docker: Docker) -> None:
    network = docker.name("net")
    run(operations.network, network=network)
    web(networks=[network])
    docker("stop", "--time", "1", web.name)
    docker("network", "rm", network)
    run(operations.network, network=network)
    assert web(networks=[network]).intents[0].replaces
    assert web.running
    assert web(networks=[network]).intents == []


def test_one_that_removes_itself(web: Web) -> None:
    web(auto_remove=True)
    assert web(auto_remove=True).intents == []
    outcome = web(auto_remove=True, user="0")
    assert outcome.told == ""
    assert (web.running, web.names) == (True, [web.name])
    web(present=False)
    assert web.names == []


def first_label(fields: dict[str, Any]) -> str | None:
    """The label of the first formula, by which version 0.1 marked a container."""
    return Spec(
        image=fields["image"],
        ports=tuple(fields["ports"]),
        volumes=tuple(fields["volumes"]),
        networks=tuple(fields["networks"]),
        env_vars=environment(fields["env_vars"]),
    ).first_fingerprint()


def test_the_label_of_the_first_formula_is_known() -> None:
    fields = {
        "image": "nginx:1",
        "ports": ["8080:80"],
        "volumes": ["vv:/data", "/x:/y:ro"],
        "env_vars": {
            "b": "x", "B": "1", "a_": "x", "aZ": "y", "A": "", "_": "u", "Zed": "1", "z": "2"
        },
        "networks": ["n2", "n1"],
    }  # fmt: skip
    assert first_label(fields) == "616a2853b43edbd8", "as version 0.1 wrote it"


def test_containers_of_earlier_versions_stay(web: Web, docker: Docker) -> None:
    network, port = docker.name("net"), docker.ports[0]
    fields: dict[str, Any] = {
        "image": docker.images.one,
        "ports": [f"{port}:80"],
        "volumes": [f"{docker.name('vol')}:/data"],
        "env_vars": {"b": 'ü✓ "q" \\ \n\x7f/', "B": "1", "a_": "x", "aZ": "y", "Ä": "\u2028"},
        "networks": [network],
    }
    label = first_label(fields)
    run(operations.network, network=network)
    env = [word for key, value in fields["env_vars"].items() for word in ("--env", f"{key}={value}")]
    rest = ["--publish", fields["ports"][0], "--volume", fields["volumes"][0], "--network", network]
    made = ["--detach", "--name", web.name, "--label", f"{SPEC}={label}", *rest, *env, docker.images.one]
    docker("run", *made)
    before = web.id
    assert web(**fields).intents == []
    # Fields that they lacked are compared on their own.
    assert web(**fields, memory="64m").changes == [("memory", None, "64m")]
    assert web(**fields).intents == []
    assert web.id == before
    outcome = web(**{**fields, "env_vars": {"B": "1"}, "ports": []})
    names = [field for field, _, _ in outcome.changes]
    assert names == ["ports", "env_vars.aZ", "env_vars.a_", "env_vars.b", "env_vars.Ä"]
    assert web.there["Config"]["Labels"][SPEC].startswith("2-")


def test_a_container_of_somebody_else(web: Web, docker: Docker) -> None:
    port = docker.ports[0]
    volume = f"{docker.name('vol')}:/data"
    rest = ["--publish", f"127.0.0.1:{port}:80", "--volume", volume, "--env", "A=1", "--memory", "64m"]
    docker("run", "--detach", "--name", web.name, *rest, docker.images.one)
    before = web.id
    alike: dict[str, Any] = {
        "ports": [f"127.0.0.1:{port}:80/tcp"],
        "volumes": [volume],
        "env_vars": {"A": "1"},
    }
    assert web().intents == []
    assert web(**alike).intents == []
    for arguments in ({"env_vars": {"A": "2"}}, {"present": False}):
        with pytest.raises(OperationError, match=f"container {web.name} was not made by this project"):
            web(**arguments, context=Context(project="mine", take_over=False))
        assert (web.id, web.running) == (before, True)
    outcome = web(**{**alike, "env_vars": {"A": "2"}}, context=Context(project="mine", folder="shop"))
    assert outcome.intents[0].found == {"project": None, "managed": False}
    assert outcome.changes == [("env_vars.A", "(not shown)", "(not shown)")]
    labels = web.there["Config"]["Labels"]
    assert (labels["clockwork.project"], labels["clockwork.folder"]) == ("mine", "shop")
    assert web(present=False, context=Context(project="mine", take_over=False)).actions == ["remove"]


def test_networks(web: Web, docker: Docker) -> None:
    network, other = docker.name("net"), docker.name("other")
    assert run(operations.network, network=network, context=Context(project="p")).actions == ["create"]
    found = docker.network(network) or {}
    assert found["Labels"] == {"clockwork.managed": "true", "clockwork.project": "p"}
    assert run(operations.network, network=network).intents == []
    # Docker's own list of what is attached forgets those that do not run.
    web(networks=[network], start=False)
    assert run(operations.network, network=network, present=False).intents == []
    web(present=False)
    assert run(operations.network, network=network, internal=True).changes == [("internal", False, True)]
    assert run(operations.network, network=network, present=False).actions == ["remove"]
    assert docker.network(network) is None
    assert run(operations.network, network=network, present=False).intents == []
    docker("network", "create", other)
    assert run(operations.network, network=other, present=False).intents == []
    assert docker.network(other) is not None, "Clockwork did not make it"


def test_an_engine_that_cannot_be_asked(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    for arguments in ({}, {"present": False}):
        with pytest.raises(OperationError, match=r"Docker (daemon|API)"):
            web(**arguments)
    monkeypatch.delenv("DOCKER_HOST")
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("sh", "cat", "sleep", "true"):
        (programs / program).symlink_to(Path("/bin") / program)
    monkeypatch.setenv("PATH", str(programs))
    outcome = web(succeeds=False)
    assert [intent.action for intent in outcome.planned] == ["create"]
    assert "docker: not found" in outcome.told
    with pytest.raises(OperationError, match="Docker is not installed on this host"):
        web(present=False)
