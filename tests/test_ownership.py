"""Things of other people and conflicts inside a project: real files and containers, two projects side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker

PORTS = """
    from clockwork.resources import DockerServiceResource
    one = DockerServiceResource(name="{one}", description="d", image="{image}", ports=["127.0.0.1:{first}:80"])
    two = DockerServiceResource(name="{two}", description="d", image="{two_image}", ports=["127.0.0.1:{second}:80"])
"""


def service(project: Project, name: str, image: str, more: str = "") -> None:
    project.write(f"""
        from clockwork.resources import DockerServiceResource
        web = DockerServiceResource(name="{name}", description="d", image="{image}", {more})
    """)


def running(docker: Docker, name: str) -> str | None:
    """The identity of a container, if it runs."""
    found = docker.container(name)
    return str(found["Id"]) if found is not None and found["State"]["Running"] else None


@pytest.fixture
def other(tmp_path: Path) -> Project:
    """Another project of the same machine."""
    (tmp_path / "other").mkdir()
    return Project(tmp_path / "other")


def test_a_container_of_another_project_is_left_alone(
    project: Project, other: Project, docker: Docker
) -> None:
    name = docker.name("web")
    service(project, name, docker.images.one)
    assert project.run("apply").returncode == 0
    before = running(docker, name)
    service(other, name, docker.images.two)
    assert "this project did not make what is there" in other.run("plan").stdout
    refused = other.json("apply", expect=1)
    assert refused["error"]["kind"] == "OwnershipError"
    assert f"DockerServiceResource '{name}' on @local" in refused["error"]["message"]
    asked = other.terminal("apply", answers={"Something that this project did not make": ""})
    assert asked.returncode == 1
    assert running(docker, name) == before

    assert other.run("apply", "--yes").returncode == 0
    theirs = running(docker, name)
    assert theirs not in (None, before)
    # It is the other project's by now, whatever this one remembers.
    for command in (["destroy"], ["destroy", "--json"]):
        assert project.run(*command).returncode == 1
    assert running(docker, name) == theirs
    assert project.known() == [name]
    assert other.run("destroy").returncode == 0
    assert docker.container(name) is None


def test_a_container_that_somebody_started_by_hand_is_not_replaced_silently(
    project: Project, docker: Docker
) -> None:
    name = docker.name("web")
    docker("run", "--detach", "--name", name, docker.images.two)
    before = running(docker, name)
    service(project, name, docker.images.one)
    assert project.json("apply", expect=1)["error"]["kind"] == "OwnershipError"
    assert running(docker, name) == before


def test_files_that_are_overwritten_or_removed_are_copied_first(project: Project) -> None:
    project.write("""
        from clockwork.resources import FileResource
        a = FileResource(name="a", content="ours", directory="out")
    """)
    file = project.folder / "out/a"
    file.parent.mkdir()
    file.write_text("theirs")
    file.chmod(0o640)
    assert "did not write the file that is there" in project.run("plan").stdout
    done = project.run("apply")
    assert f"a copy is kept in {project.folder}/.clockwork/backup" in done.stdout
    (copy,) = (project.folder / ".clockwork/backup").iterdir()
    assert copy.read_text() == "theirs"
    assert copy.stat().st_mode & 0o777 == 0o640
    assert project.run("apply").returncode == 0
    file.write_text("edited")
    assert project.run("destroy").returncode == 0
    copies = {path.read_text() for path in (project.folder / ".clockwork/backup").iterdir()}
    assert copies == {"theirs", "edited"}
    assert (project.folder / ".clockwork/backup").stat().st_mode & 0o777 == 0o700


def test_a_file_that_nobody_edited_needs_no_copy(project: Project) -> None:
    for content in ("one", "two"):
        project.write(f"""
            from clockwork.resources import FileResource
            a = FileResource(name="a", content="{content}", directory="out")
        """)
        assert project.run("apply").returncode == 0
    assert project.run("destroy").returncode == 0
    assert not (project.folder / ".clockwork/backup").exists()


def test_two_containers_of_one_port_are_refused(project: Project, docker: Docker) -> None:
    port = docker.ports[0]
    project.write(
        PORTS.format(
            one="aa", two="bb", image="x", two_image="x", first=port, second=port
        )
    )  # fmt: skip
    refused = project.run("plan")
    assert refused.returncode == 1
    assert f"both publish the port 127.0.0.1:{port}/tcp" in refused.stderr


def test_containers_swap_their_ports_or_stay_as_they_were(project: Project, docker: Docker) -> None:
    one, two = docker.name("one"), docker.name("two")
    first, second, third = docker.ports
    images = {"one": one, "two": two, "image": docker.images.one, "two_image": docker.images.two}

    def pages() -> list[str]:
        return [docker.page(port).removeprefix("clockwork-test ") for port in (first, second)]

    project.write(PORTS.format(**images, first=first, second=second))
    assert project.run("apply").returncode == 0
    assert pages() == ["one", "two"]
    project.write(PORTS.format(**images, first=second, second=first))
    done = project.run("apply")
    assert done.returncode == 0, done.stdout + done.stderr
    assert pages() == ["two", "one"]
    assert set(project.actions("apply").values()) == {"unchanged"}

    # The second one cannot have the port that it wants: both have their old ones again.
    docker(
        "run",
        "--detach",
        "--name",
        docker.name("taken"),
        "--publish",
        f"127.0.0.1:{third}:80",
        docker.images.one,
    )
    project.write(PORTS.format(**images, first=first, second=third))
    failed = project.run("apply")
    assert failed.returncode == 1
    assert "port is already allocated" in failed.stdout
    assert pages() == ["two", "one"]
    names = docker("container", "ls", "--all", "--format", "{{.Names}}", "--filter", f"name={docker.prefix}")
    assert sorted(names.split()) == sorted([one, two, docker.name("taken")])
    project.write(PORTS.format(**images, first=second, second=first))
    assert set(project.actions("apply").values()) == {"unchanged"}


def test_a_renamed_container_takes_its_port_along(project: Project, docker: Docker) -> None:
    port = docker.ports[0]
    service(project, docker.name("old"), docker.images.one, f'ports=["127.0.0.1:{port}:80"]')
    assert project.run("apply").returncode == 0
    more = f'ports=["127.0.0.1:{port}:80"], renamed_from="{docker.name("old")}"'
    service(project, docker.name("new"), docker.images.one, more)
    done = project.run("apply")
    assert done.returncode == 0, done.stdout + done.stderr
    assert docker.container(docker.name("old")) is None
    assert docker.page(port) == "clockwork-test one"
    assert set(project.actions("apply").values()) == {"unchanged"}


def test_a_file_that_a_container_mounts_comes_first(project: Project, docker: Docker) -> None:
    project.write(f"""
        from clockwork.resources import DockerServiceResource, FileResource
        web = DockerServiceResource(
            name="{docker.name("web")}", description="d", image="{docker.images.one}", volumes=["./site:/www:ro"])
        page = FileResource(name="index.html", content="mounted", directory="site")
    """)
    told = f"DockerServiceResource '{docker.name('web')}' comes after FileResource 'index.html'"
    assert told in project.run("plan").stdout
    report = project.json("apply")["resources"]
    assert [resource["name"] for resource in report] == ["index.html", docker.name("web")]


@pytest.mark.parametrize(
    "path", ["main.py", "./x/../main.py", "clockwork.lock", ".clockwork/state.json", "link/main.py"]
)
def test_no_resource_writes_the_projects_own_files(project: Project, path: str) -> None:
    project.write(f"""
        from clockwork.resources import FileResource
        a = FileResource(name="a", content="x", path="{path}")
    """)
    (project.folder / "link").symlink_to(".")
    before = (project.folder / "main.py").read_bytes()
    refused = project.run("plan")
    assert refused.returncode == 1
    assert "which is the project's own" in refused.stderr
    assert (project.folder / "main.py").read_bytes() == before


@pytest.mark.parametrize("path", ["k//x", "k/../k/x", "link/x"])
def test_two_spellings_of_one_path_are_one_place(project: Project, path: str) -> None:
    (project.folder / "k").mkdir()
    (project.folder / "link").symlink_to("k")
    project.write(f"""
        from clockwork.resources import FileResource
        a = FileResource(name="a", content="x", path="k/x")
        b = FileResource(name="b", content="x", path="{path}")
    """)
    refused = project.run("plan")
    assert refused.returncode == 1
    assert "(main.py, line 3) and FileResource 'b' (main.py, line 4) are at the same place" in refused.stderr


def test_a_folder_makes_room_for_a_file_and_comes_back_where_that_fails(project: Project) -> None:
    def declare(path: str, more: str = "") -> None:
        project.write(f"""
            from clockwork.resources import FileResource
            a = FileResource(name="a", content="x", path="{path}"{more})
        """)

    declare("out/a")
    assert project.run("apply").returncode == 0
    declare("out/a/b")
    assert project.actions("apply") == {"a": "change"}
    assert (project.folder / "out/a/b").read_text() == "x"
    declare("out/a")
    assert project.actions("apply") == {"a": "change"}
    assert (project.folder / "out/a").read_text() == "x"
    assert [path.name for path in (project.folder / "out").iterdir()] == ["a"]


def test_a_file_that_cannot_be_at_its_new_place_stays_at_its_old_one(project: Project) -> None:
    def declare(path: str) -> None:
        project.write(f"""
            from clockwork.resources import FileResource
            a = FileResource(name="a", content="x", path="{path}")
        """)

    declare("out/a")
    assert project.run("apply").returncode == 0
    (project.folder / "blocked").write_text("a file where a folder is needed")
    declare("blocked/a")
    assert project.run("apply").returncode == 1
    assert (project.folder / "out/a").read_text() == "x"
    (project.folder / "blocked").unlink()
    assert project.run("apply").returncode == 0
    assert not (project.folder / "out/a").exists()
    assert (project.folder / "blocked/a").read_text() == "x"
