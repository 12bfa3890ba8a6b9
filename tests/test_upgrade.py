"""A state and a lock that version 0.1.0 wrote are taken up: nothing changes, and nobody asks a model."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.docker import Docker
    from support.project import Project

STORED = Path(__file__).parent / "data/version_0_1_0"

MAIN = """
    from clockwork import Group
    from clockwork.resources import DockerServiceResource, FileResource, Resource
    from pydantic import SecretStr

    class Own(Resource):
        where: str
        def to_pyinfra_operations(self, artifacts):
            return f"files.put(src=StringIO('hi'), dest='{self.where}', mode='644', create_remote_dir=True)"
        def to_pyinfra_destroy_operations(self, artifacts):
            return f"files.file(path='{self.where}', present=False)"

    class Page(FileResource):
        tier: int = 1

    a = FileResource(name="a.txt", content="one\\ntwo\\n", directory="out")
    odd = FileResource(name="od\\nd\\\\.txt", content="x", directory="@ODD@", mode="600")
    art = FileResource(name="art.md", description="about clocks", directory="out")
    page = Page(name="page", content="p", path="out/@PAGE@", tier=2)
    own = Own(name="own", where="out/own")
    web = DockerServiceResource(
        name="@PREFIX@-web", description="d", image="@IMAGE@", ports=["127.0.0.1:@PORT@:80"],
        networks=["@PREFIX@-net"], env_vars={"B": "1", "a": SecretStr("s3cret-value"), "Z": "x"},
        volumes=["./out:/data:ro", "@PREFIX@-vol:/v"])
    site = Group("site", [a, page])
"""


def label(image: str, ports: list[str], volumes: list[str], env: list[list[str]], networks: list[str]) -> str:
    """The label by which version 0.1.0 told what a container was made from."""
    made_from = {"image": image, "ports": ports, "volumes": volumes, "env": env, "networks": networks}
    text = json.dumps(made_from, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()[:16]


def test_what_version_0_1_0_deployed_is_taken_up(project: Project, docker: Docker) -> None:
    folder, image, port = project.folder, docker.images.one, docker.ports[0]

    def filled(text: str, odd: str = "out", page: str = "page") -> str:
        values = {"FOLDER": str(folder), "PREFIX": docker.prefix, "IMAGE": image, "PORT": str(port)}
        for name, value in {**values, "ODD": odd, "PAGE": page}.items():
            text = text.replace(f"@{name}@", value)
        return text

    project.write(filled(MAIN))
    lock = (STORED / "clockwork.lock").read_text()
    project.write(lock, "clockwork.lock")
    project.write(filled((STORED / "state.json").read_text()), ".clockwork/state.json")
    text = lock.partition("content = '''\n")[2].partition("'''")[0]
    for name, content, mode in (
        ("a.txt", "one\ntwo\n", 0o644),
        ("od\nd\\.txt", "x", 0o600),
        ("art.md", text, 0o644),
        ("page", "p", 0o644),
        ("own", "hi", 0o644),
    ):
        path = folder / "out" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
    ports, volumes = [f"127.0.0.1:{port}:80"], [f"{folder}/out:/data:ro", f"{docker.prefix}-vol:/v"]
    env, networks = [["a", "s3cret-value"], ["B", "1"], ["Z", "x"]], [docker.name("net")]
    docker("network", "create", "--label", "clockwork.managed=true", *networks)
    options = ["--network", *networks, "--publish", *ports, "--volume", volumes[0], "--volume", volumes[1]]
    options += [word for name, value in env for word in ("--env", f"{name}={value}")]
    options += ["--label", f"clockwork.spec={label(image, ports, volumes, env, networks)}"]
    docker("run", "--detach", "--name", docker.name("web"), *options, image)
    before = docker.container(docker.name("web"))

    plan = project.run("plan", "--locked", "--detailed-exitcode")
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert "Plan: 6 unchanged" in plan.stdout
    assert "its entry is kept as it is" in plan.stdout
    assert set(project.actions("apply", "--locked").values()) == {"unchanged"}
    assert project.state["format"] == 2
    assert "version = 2" in project.lock
    after = docker.container(docker.name("web"))
    assert before is not None
    assert after is not None
    assert after["Id"] == before["Id"]

    project.write(filled(MAIN, odd="elsewhere", page="moved"))
    assert project.run("apply", "--locked").returncode == 0
    found = sorted(
        str(path.relative_to(folder)) for path in folder.glob("*/*") if path.parent.name != ".clockwork"
    )
    assert found == ["elsewhere/od\nd\\.txt", "out/a.txt", "out/art.md", "out/moved", "out/own"]
    (folder / "main.py").unlink()
    assert project.run("destroy").returncode == 0
    assert project.known() == []
    assert docker.container(docker.name("web")) is None
    assert docker.network(docker.name("net")) is None


def test_an_upgrade_and_a_move_at_once_leave_nothing_behind(project: Project) -> None:
    for version, path in (("0.0.9", "out/one"), (None, "out/two")):
        project.write(f"""
            from clockwork.resources import FileResource
            a = FileResource(name="a", content="x", path="{path}")
        """)
        assert project.run("apply").returncode == 0
        if version is not None:
            state = project.state
            state["resources"][0]["deployed"]["by"] = version
            (project.folder / ".clockwork/state.json").write_text(json.dumps(state))
    assert [path.name for path in (project.folder / "out").iterdir()] == ["two"]
    assert set(project.actions("apply").values()) == {"unchanged"}
