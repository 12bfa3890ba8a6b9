"""The main job with real containers: apply, apply again, a changed spec, stop, remove, destroy."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import clockwork
from clockwork.exceptions import AnswerError, DeployError
from clockwork.resources import DockerServiceResource
from support.project import clean_environment

if TYPE_CHECKING:
    from support.docker import Docker
    from support.model_server import ModelServer
    from support.project import Project


@pytest.fixture
def service(docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Declares a service under this test's own name."""
    monkeypatch.chdir(tmp_path)

    def declare(**fields: Any) -> DockerServiceResource:
        own = {"name": docker.name("web"), "description": "serves a page", "image": docker.images.one}
        return DockerServiceResource(**{**own, **fields})

    return declare


def action(result: clockwork.Result) -> str:
    (resource,) = result.resources
    return resource.action


def test_from_declaration_to_removal(project: Project, docker: Docker) -> None:
    name, network, volume = docker.name("web"), docker.name("net"), docker.name("vol")
    port = docker.ports[0]

    def write(image: str, rest: str = "") -> None:
        project.write(f"""
            from clockwork.resources import DockerServiceResource
            web = DockerServiceResource(
                name="{name}", description="a page", image="{image}", ports=["127.0.0.1:{port}:80"],
                networks=["{network}"], volumes=["{volume}:/data"], {rest}
            )
        """)

    def apply(command: str = "apply") -> str:
        (resource,) = project.json(command)["resources"]
        return str(resource["action"])

    write(docker.images.one)
    assert apply("plan") == "create"
    assert docker.container(name) is None
    assert apply() == "create"
    assert docker.page(port) == "clockwork-test one"
    first = docker.container(name)
    assert first is not None
    assert first["State"]["Running"]
    assert list(first["NetworkSettings"]["Networks"]) == [network]

    assert apply("plan") == "unchanged"
    assert apply() == "unchanged"
    assert (docker.container(name) or {})["Id"] == first["Id"]

    write(docker.images.two)
    assert apply("plan") == "change"
    assert (docker.container(name) or {})["Id"] == first["Id"], "a plan changes nothing"
    assert apply() == "change"
    assert docker.page(port) == "clockwork-test two"
    assert apply() == "unchanged"

    write(docker.images.two, "start=False")
    assert apply() == "change"
    assert not (docker.container(name) or {})["State"]["Running"]
    assert apply() == "unchanged"
    write(docker.images.two)
    assert apply() == "change"
    assert docker.page(port) == "clockwork-test two"

    assert apply("destroy") == "remove"
    assert docker.container(name) is None
    assert docker.network(network) is None
    assert docker.volume(volume) is not None, "a volume is never removed"
    assert apply("destroy") == "unchanged"


def test_present_false_removes(service: Any, docker: Docker) -> None:
    network = docker.name("net")
    clockwork.apply([service(networks=[network])])
    assert action(clockwork.plan([service(networks=[network], present=False)])) == "remove"
    assert action(clockwork.apply([service(networks=[network], present=False)])) == "remove"
    assert docker.container(docker.name("web")) is None
    assert docker.network(network) is None
    assert action(clockwork.apply([service(networks=[network], present=False)])) == "unchanged"


def test_any_text_in_the_environment(service: Any, docker: Docker) -> None:
    env = {
        "QUOTES": """it's "quoted" and `run` $HOME $(id) \\ back""",
        "LINES": "one\ntwo\n",
        "BRACES": "{{ x }} {% y %} %s {0}",
        "DASH": "-e HOME=/",
        "UNICODE": "ü✓\u202e",
        "EMPTY": "",
    }
    clockwork.apply([service(env_vars=env)])
    container = docker.container(docker.name("web"))
    assert container is not None
    set_there = dict(entry.split("=", 1) for entry in container["Config"]["Env"])
    assert {key: set_there[key] for key in env} == env
    assert action(clockwork.apply([service(env_vars=env)])) == "unchanged"
    assert action(clockwork.apply([service(env_vars={**env, "EMPTY": "no more"})])) == "change"


def test_paths_as_volumes(service: Any, docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "my site").mkdir()
    (tmp_path / "my site/index.html").write_text("mine")
    port = docker.ports[0]
    clockwork.apply([service(ports=[f"{port}:80"], volumes=["./my site:/www:ro"])])
    assert docker.page(port) == "mine"


def test_several_networks(service: Any, docker: Docker) -> None:
    networks = [docker.name(name) for name in ("a", "b", "c")]
    assert action(clockwork.apply([service(networks=networks)])) == "create"
    container = docker.container(docker.name("web"))
    assert container is not None
    assert sorted(container["NetworkSettings"]["Networks"]) == networks
    assert action(clockwork.apply([service(networks=networks)])) == "unchanged"
    docker("network", "disconnect", networks[2], docker.name("web"))
    assert clockwork.apply([service(networks=networks)]).changed
    clockwork.destroy([service(networks=networks)])
    assert [docker.network(network) for network in networks] == [None, None, None]


def test_a_network_goes_with_the_last_who_uses_it(service: Any, docker: Docker) -> None:
    shared, mine = docker.name("shared"), docker.name("mine")
    docker("network", "create", mine)
    one = service(networks=[shared, mine])
    two = service(name=docker.name("two"), networks=[shared])
    clockwork.apply([one, two])
    clockwork.destroy([one])
    assert docker.network(shared) is not None
    clockwork.apply([one, two])
    result = clockwork.destroy([one, two])
    assert {resource.action for resource in result.resources} == {"remove"}
    assert docker.network(shared) is None
    assert docker.network(mine) is not None, "Clockwork did not make it"


def test_a_taken_port_is_told_and_mended_by_the_next_apply(service: Any, docker: Docker) -> None:
    port = docker.ports[0]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("0.0.0.0", port))
        taken.listen()
        with pytest.raises(DeployError, match=rf"(?s){port}.*uses that port already"):
            clockwork.apply([service(ports=[f"{port}:80"])])
    assert clockwork.apply([service(ports=[f"{port}:80"])]).changed
    assert docker.page(port) == "clockwork-test one"
    assert action(clockwork.apply([service(ports=[f"{port}:80"])])) == "unchanged"


def test_an_image_that_cannot_be_had_costs_nothing_that_runs(service: Any, docker: Docker) -> None:
    clockwork.apply([service()])
    before = docker.container(docker.name("web"))
    with pytest.raises(DeployError, match=r"127\.0\.0\.1:1/none"):
        clockwork.apply([service(image="127.0.0.1:1/none:1")])
    after = docker.container(docker.name("web"))
    assert before is not None
    assert after is not None
    assert after["Id"] == before["Id"]
    assert after["State"]["Running"]


def test_a_suggested_image(service: Any, docker: Docker, model_server: ModelServer) -> None:
    model_server.values["image"] = docker.images.two
    port = docker.ports[0]
    web = service(image=None, ports=[f"{port}:80"])
    with pytest.raises(AnswerError, match="not one of Docker's official images"):
        clockwork.apply([web], base_url=model_server.base_url)
    result = clockwork.apply([web], base_url=model_server.base_url, allow_unverified_images=True)
    assert result.artifacts[0].unverified
    assert docker.page(port) == "clockwork-test two"


def without_docker(tmp_path: Path) -> str:
    """A PATH on which everything is but Docker."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name != "docker":
            (programs / program.name).symlink_to(program)
    return str(programs)


@pytest.mark.parametrize("command", ["apply", "plan", "destroy"])
def test_no_docker(command: str, project: Project, tmp_path: Path) -> None:
    project.write("""
        from clockwork.resources import DockerServiceResource
        web = DockerServiceResource(name="web", description="d", image="nginx")
    """)
    done = project.run(command, PATH=without_docker(tmp_path))
    # A plan succeeds without Docker, since it may include the resource that installs Docker.
    assert done.returncode == (0 if command == "plan" else 1), done.stdout + done.stderr
    if command == "apply":
        assert "Docker is not installed" in done.stdout
    if command == "destroy":
        assert "Docker is not installed on this host, or not on its PATH, so nobody can tell" in done.stdout


@pytest.mark.parametrize("command", ["apply", "plan", "destroy"])
def test_docker_does_not_run(command: str, project: Project) -> None:
    project.write("""
        from clockwork.resources import DockerServiceResource
        web = DockerServiceResource(name="web", description="d", image="nginx")
    """)
    done = project.run(command, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert done.returncode == 1
    assert "DockerServiceResource 'web'" in done.stdout
    assert "Docker daemon" in done.stdout or "Docker engine" in done.stdout


def test_plain_pyinfra_does_the_same(project: Project, docker: Docker) -> None:
    project.write(f"""
        from clockwork.resources import DockerServiceResource
        web = DockerServiceResource(
            name="{docker.name("web")}", description="d", image="{docker.images.one}",
            networks=["{docker.name("a")}", "{docker.name("b")}"], env_vars={{"A": "it's \\n"}},
        )
    """)
    project.run("generate")

    def pyinfra(file: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "pyinfra", "-y", "inventory.py", file],
            cwd=project.folder / ".clockwork/pyinfra",
            env=clean_environment(),
            capture_output=True,
            check=True,
        )

    pyinfra("deploy.py")
    assert [r["action"] for r in project.json("apply")["resources"]] == ["unchanged"]
    pyinfra("destroy.py")
    assert docker.container(docker.name("web")) is None
    assert docker.network(docker.name("a")) is None
    assert [r["action"] for r in project.json("destroy")["resources"]] == ["unchanged"]


def test_what_an_engine_that_is_down_hides_is_not_forgotten(
    project: Project, docker: Docker, tmp_path: Path
) -> None:
    name = docker.name("web")
    project.write(f"""
        from clockwork.resources import DockerServiceResource
        web = DockerServiceResource(name={name!r}, description="d", image={docker.images.one!r})
    """)
    assert project.run("apply").returncode == 0
    down = "unix:///nonexistent/docker.sock"
    document = project.json("plan", expect=1, DOCKER_HOST=down)
    assert [resource["action"] for resource in document["resources"]] == ["skipped"], "not drifted"
    hidden = [
        (project.run("destroy", DOCKER_HOST=down), "Docker daemon"),
        (project.run("destroy", PATH=without_docker(tmp_path)), "Docker is not installed"),
    ]
    for done, told in hidden:
        assert done.returncode == 1
        assert told in done.stdout
        assert docker.container(name) is not None
        assert name in project.run("state", "list").stdout
    assert project.run("destroy").returncode == 0
    assert docker.container(name) is None
