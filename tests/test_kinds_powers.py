"""Kinds of users' own have every power that the built-in ones have."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import pytest
from pydantic import Field, ValidationError

import clockwork
from clockwork.assertions import FileContains
from clockwork.exceptions import DuplicateResourceError
from clockwork.resources import (
    DockerServiceResource,
    FileResource,
    Generated,
    Operation,
    Resource,
    _image_digest,
)
from support.compiled import plain_pyinfra
from support.model_server import ModelServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.docker import Docker
    from support.project import Project


def test_code_may_ask_for_facts_of_any_module(project: Project) -> None:
    project.write("""
        from clockwork.resources import Resource

        class Marker(Resource):
            def to_pyinfra_operations(self, artifacts):
                return '''
                    if not host.get_fact(Directory, path="made"):
                        files.directory(path="made")
                    files.put(src=StringIO(host.get_fact(Kernel) + str(host.get_fact(User))), dest="made/marker")
                '''

        marker = Marker(name="marker")
    """)
    assert project.run("apply").returncode == 0
    assert (project.folder / "made/marker").read_text().startswith("Linux")
    head = (project.folder / ".clockwork/pyinfra/deploy.py").read_text()
    assert (
        "from pyinfra.facts.files import Directory\nfrom pyinfra.facts.server import Kernel, User\n" in head
    )


OWN_CONTAINER = """
from clockwork.operations import Intent
from clockwork.operations.docker import container
from pyinfra.api import operation


@operation()
def service(name_of, image, tells):
    if tells:
        yield Intent("change", replaces=f"container:{name_of}")
    yield from container._inner(container=name_of, image=image, grace=0)
"""


@pytest.mark.parametrize("tells", [True, False], ids=["its own intent too", "that of the inner operation"])
def test_a_wrapped_container_is_protected(project: Project, docker: Docker, tells: bool) -> None:
    name = docker.name("web")
    project.write(OWN_CONTAINER, "own_operations.py")
    main = f"""
        from clockwork.resources import Operation, Resource

        class Service(Resource):
            image: str
            tells: bool = False

            def identity(self):
                return f"container:{{self.name}}"

            def operations(self):
                yield Operation("own_operations.service", name_of=self.name, image=self.image, tells=self.tells)

            def destroy_operations(self):
                yield Operation("clockwork.operations.docker.container", container=self.name, present=False)

        web = Service(name="{name}", image="{docker.images.one}", protect=True)
    """
    project.write(main)
    assert project.actions("apply") == {name: "create"}
    before = docker.container(name)
    assert before is not None
    changed = main.replace(docker.images.one, docker.images.two)
    project.write(changed.replace("protect=True", f"protect=True, tells={tells}"))
    (planned,) = project.json("plan", expect=1)["resources"]
    assert (planned["action"], planned["replaces"]) == ("change", True)
    done = project.run("apply", "--yes")
    assert done.returncode == 1
    assert "protect" in done.stderr
    after = docker.container(name)
    assert after is not None
    assert after["Id"] == before["Id"]


@pytest.mark.parametrize("how", ["intent", "method"])
def test_a_declared_replacement_is_refused_under_protect(project: Project, how: str) -> None:
    project.write(
        """
        from clockwork.operations import Intent
        from pyinfra.api import StringCommand, operation

        @operation()
        def remake(text, tells):
            if tells:
                yield Intent("change", replaces="thing:a")
            yield StringCommand("echo", text, ">>", "made")
        """,
        "own_operations.py",
    )
    main = f"""
        from clockwork.resources import Operation, Resource

        class Thing(Resource):
            text: str

            def identity(self):
                return "thing:a"

            def operations(self):
                remake = Operation("own_operations.remake", text=self.text, tells={how == "intent"})
                yield remake.replaces("thing:a") if {how == "method"} else remake

        thing = Thing(name="a", text="one", protect=False)
    """
    project.write(main)
    assert project.run("apply", "--yes").returncode == 0
    project.write(main.replace("one", "two").replace("protect=False", "protect=True"))
    done = project.run("apply", "--yes")
    assert done.returncode == 1
    assert "Thing 'a'" in done.stderr
    assert "protect" in done.stderr
    assert (project.folder / "made").read_text() == "one\n"


class Listener(Resource):
    """A kind of which a model fills fields, which have rules of their own."""

    port: Annotated[int | None, Field(ge=1024, le=65535), Generated("A free port")] = None
    paths: list[str] = []
    text: Annotated[str | None, Generated(text=True)] = "given"

    def operations(self) -> Iterator[Operation]:
        yield Operation("server.shell", commands=[f"echo {self.port} > {self.name}"])


def test_a_models_values_are_validated_as_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_server: ModelServer
) -> None:
    monkeypatch.chdir(tmp_path)
    model_server.script(Reply(text='{"port": 80, "paths": []}'), Reply(text='{"port": 8080, "paths": ["/"]}'))
    listener = Listener(name="l", description="d", suggest=["paths"])
    result = clockwork.generate([listener], base_url=model_server.base_url)
    assert result.artifacts[0].content == {"port": 8080, "paths": ["/"]}
    assert "greater than or equal to 1024" in model_server.requests[1].prompt
    assert "echo 8080 > l" in (tmp_path / ".clockwork/pyinfra/deploy.py").read_text()


class Pod(Resource):
    """A kind with words of its own for the model, and fields that name container images."""

    instructions: ClassVar[str | None] = "Prefer small images of Debian."

    base: Annotated[str | None, Generated("The image", format="container-image")] = None
    sidecars: Annotated[list[str], Generated("More images", format="container-image", suggested=True)] = []

    def operations(self) -> Iterator[Operation]:
        yield Operation("server.shell", commands=[f"echo {self.base} {self.sidecars}"])


@pytest.mark.parametrize("found", [True, False])
def test_images_of_a_kind_of_a_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_server: ModelServer, found: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    exact = f"@sha256:{'0' * 64}" if found else ""
    monkeypatch.setattr(_image_digest, "with_digest", lambda image: image + exact)
    model_server.script(
        Reply(text='{"base": "debian:13", "sidecars": ["me/app:1"]}'),
        Reply(text='{"base": "debian:13", "sidecars": ["redis:7", "nginx:1"]}'),
    )
    pod = Pod(name="p", description="d", suggest=["sidecars"])
    result = clockwork.generate([pod], base_url=model_server.base_url)
    assert result.artifacts[0].content == {
        "base": f"debian:13{exact}",
        "sidecars": [f"redis:7{exact}", f"nginx:1{exact}"],
    }
    first, second = model_server.requests
    assert "Prefer small images of Debian." in first.prompt
    assert "sidecars is not one of Docker's official images" in second.prompt
    assert "container-image" not in json.dumps(first.body)
    # The instructions are like the version of a prompt: other ones ask nobody again.
    monkeypatch.setattr(Pod, "instructions", None)
    assert clockwork.generate([pod], locked=True).artifacts[0].content == result.artifacts[0].content


def test_one_resource_asks_one_question() -> None:
    with pytest.raises(ValidationError, match=r"either the text 'text' or fields \(port\).*give one"):
        Listener(name="l", description="d", text=None)
    with pytest.raises(
        ValidationError, match="there is no field 'colour' that a model may fill in; there are: "
    ):
        Listener(name="l", description="d", port=8080, suggest=["colour"])


def test_a_subclass_of_a_container_with_a_field_more(project: Project, docker: Docker) -> None:
    name, other = docker.name("web"), docker.name("other")
    head = """
        from dataclasses import dataclass
        from clockwork.resources import DockerServiceResource

        class Bounded(DockerServiceResource):
            memory: str | None = None

            def operations(self):
                for operation in super().operations():
                    if operation.function.endswith(".container") and self.memory:
                        operation.arguments["memory"] = self.memory
                    yield operation
    """
    plain = f"""
        other = DockerServiceResource(name="{other}", description="d", image="{docker.images.one}")
    """
    bounded = f"""
        web = Bounded(name="{name}", description="d", image="{docker.images.one}"@)
    """
    project.write(head + plain + bounded.replace("@", ""))
    assert project.run("apply").returncode == 0
    before = {entry["name"]: entry["deployed"]["steps_fingerprint"] for entry in project.state["resources"]}
    project.write(head + plain + bounded.replace("@", ', memory="64m"'))
    assert project.actions("apply", "--yes") == {other: "unchanged", name: "change"}
    after = {entry["name"]: entry["deployed"]["steps_fingerprint"] for entry in project.state["resources"]}
    assert [key for key in before if before[key] != after[key]] == [name]
    container = docker.container(name)
    assert container is not None
    assert container["HostConfig"]["Memory"] == 64 * 2**20
    assert project.run("destroy").returncode == 0


def test_a_subclass_may_add_code_to_what_a_kind_does(
    served_project: Project, model_server: ModelServer
) -> None:
    served_project.write("""
        from clockwork.resources import FileResource

        class Stamped(FileResource):
            def to_pyinfra_operations(self, artifacts):
                return super().to_pyinfra_operations(artifacts) + "files.file(path='stamp')\\n"

        a = Stamped(name="a.txt", description="d", directory="out")
    """)
    model_server.script(Reply(text="Tick.\n"))
    assert served_project.actions("apply") == {"a.txt": "create"}
    assert (served_project.folder / "out/a.txt").read_text() == "Tick.\n"
    assert (served_project.folder / "stamp").exists()
    assert plain_pyinfra(served_project).returncode == 0
    assert served_project.actions("destroy") == {"a.txt": "remove"}, (
        "what it overrides leaves the other as it is"
    )
    assert not (served_project.folder / "out/a.txt").exists()


def test_an_operation_of_main_itself_is_refused(project: Project) -> None:
    project.write("""
        from clockwork.resources import Operation, Resource
        from pyinfra.api import operation

        @operation()
        def own():
            yield "true"

        class Own(Resource):
            def operations(self):
                yield Operation(own)

        a = Own(name="a")
    """)
    done = project.run("apply")
    assert done.returncode == 1
    assert "the operation own is defined in main.py, which compiled files cannot import" in done.stderr
    assert "put it into a file beside main.py, such as own_operations.py" in done.stderr


def test_components_have_names_of_their_own(served_project: Project, model_server: ModelServer) -> None:
    served_project.write("""
        import clockwork
        from clockwork.resources import FileResource

        def website(name):
            page = FileResource(name="index.html", description=f"The {name}", directory=f"out/{name}")
            return clockwork.Component(name, [page])

        blog, shop = website("blog"), website("shop")
    """)
    head = "<!DOCTYPE html>\n<html><body>"
    model_server.script(Reply(text=f"{head}Blog</body></html>\n"), Reply(text=f"{head}Shop</body></html>\n"))
    report = served_project.json("apply", "--concurrency", "1")
    assert [artifact["name"] for artifact in report["artifacts"]] == ["blog/index.html", "shop/index.html"]
    assert "Blog" in (served_project.folder / "out/blog/index.html").read_text()
    assert "Shop" in (served_project.folder / "out/shop/index.html").read_text()
    assert served_project.known() == ["blog/index.html", "shop/index.html"]
    assert set(served_project.actions("apply").values()) == {"unchanged"}
    assert len(model_server.requests) == 2
    assert served_project.run("destroy", "--target", "blog/index.html").returncode == 0
    assert served_project.known() == ["shop/index.html"]


def motds(*hosts: str | list[str] | None) -> list[FileResource]:
    return [FileResource(name="motd", content="x", path="/etc/motd", on=host) for host in hosts]


def test_an_address_may_be_there_once_for_each_host() -> None:
    clockwork.graph(motds("@docker/a", "@docker/b", ["c", "d"]))
    for hosts in (("a", "a"), ("a", ["b", "a"]), ("a", None)):
        with pytest.raises(DuplicateResourceError) as caught:
            clockwork.graph(motds(*hosts))
        assert "FileResource 'motd' twice (test_kinds_powers.py, line" in str(caught.value)
        assert ") and (test_kinds_powers.py, line" in str(caught.value)
        assert "give one of them another name, or put them on different hosts with on=" in str(caught.value)


def test_each_host_gets_its_own(project: Project) -> None:
    project.write("""
        from clockwork.resources import FileResource
        both = [FileResource(name="motd", content=f"on {h}", path=f"out/{n}", on=h)
                for n, h in enumerate(("@local", "other"))]
    """)
    script = """
        from clockwork.core import ClockworkCore
        from clockwork.pyinfra_compiler import PyInfraCompiler

        class Here(PyInfraCompiler):
            def _generate_inventory(self):
                return 'hosts = ["@local", ("other", {"ssh_hostname": "127.0.0.1", "ssh_port": 1})]'

        core = ClockworkCore(compiler=Here())
        try:
            core.apply("main.py")
        except Exception as error:
            print([(r.name, r.host, r.action) for r in error.result.resources])
    """
    done = project.python(script)
    assert "('motd', '@local', 'create')" in done.stdout, done.stdout + done.stderr
    assert [path.name for path in (project.folder / "out").iterdir()] == ["0"]


class Picture(Resource):
    """A kind that pins another form of an answer, and whose place assertions may mean."""

    path: str
    text: Annotated[str | None, Generated(text=True)] = None

    def identity(self) -> str:
        return f"path:{self.resolve(self.path)}"

    def operations(self) -> Iterator[Operation]:
        yield Operation(
            "clockwork.operations.files.put", src=StringIO(self.text), dest=self.resolve(self.path)
        )


def test_which_path_assertions_mean_is_the_kinds_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_server: ModelServer
) -> None:
    monkeypatch.chdir(tmp_path)
    model_server.script(Reply(text="<svg/>\n"))
    picture = Picture(name="a.svg", description="d", path="out/a.svg", assertions=[FileContains(text="svg")])
    result = clockwork.apply([picture], base_url=model_server.base_url)
    assert [check.ok for check in result.checks] == [True]


def test_built_in_kinds_are_not_special() -> None:
    """Subclasses of built-in kinds add nothing to what others are compiled to."""
    web = DockerServiceResource(name="web", description="d", image="nginx:1.27")
    before = web.to_pyinfra_operations({})

    class More(DockerServiceResource):
        memory: str = "64m"

    More(name="more", description="d", image="nginx:1.27")
    assert web.to_pyinfra_operations({}) == before
